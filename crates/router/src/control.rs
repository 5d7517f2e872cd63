//! The router's socket: what people and programs of the node ask, and have it do.
//!
//! The run loop owns all that is asked for: a question is a [`Job`] for it, and its answer comes back.

use std::fmt;
use std::sync::Arc;

use ipnet::Ipv6Net;
use rackweave_api::local::{ApiError, Code};
use rackweave_api::router::{
    Event, Events, EventsRequest, LldpNeighbors, Node, OriginScope, OriginateRequest, Originated,
    Origination, Paths, Request, SERVICE, Status, StopRequest, Stopped, UseRequest, Used,
    WithdrawRequest, Withdrawn,
};
use rackweave_daemon::conversation::{Client, ClientGone, End, Outbox, Service};
use rackweave_linux::clock;
use rackweave_routing::ddm::session::Security;
use rackweave_types::{AzPrefix, ServicePrefix};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::originate::RequestId;
use crate::rack::{Here, Rack};
use crate::verify::verified;
use crate::view::{self, count, millis};
use crate::world::{Info, World};

/// Events that one line carries at most.
const EVENTS_AT_ONCE: usize = 200;
/// The most prefixes of an asker, and destinations of a program.
const MOST: usize = 256;

/// Something that the run loop does between two inputs.
pub(crate) struct Job(Box<dyn FnOnce(&mut World) + Send>);

impl Job {
    pub(crate) fn new(job: impl FnOnce(&mut World) + Send + 'static) -> Self {
        Self(Box::new(job))
    }

    pub(crate) fn run(self, world: &mut World) {
        (self.0)(world);
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// What requests are answered from.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// To the run loop.
    pub(crate) jobs: mpsc::Sender<Job>,
    /// What does not change while the router runs.
    pub(crate) info: Arc<Info>,
    /// Told when somebody asks the router to end.
    pub(crate) stop: mpsc::Sender<StopRequest>,
    /// Rack setup.
    pub(crate) rack: Rack<Here>,
}

impl Context {
    /// Has the run loop do something, and gives what came of it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(move |world| {
            // Who asked may be gone.
            let _gone = reply.send(job(world));
        });
        self.jobs.send(job).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }
}

fn stopping() -> ApiError {
    ApiError::new(Code::Stopping, "the router is stopping").next("ask again when it runs")
}

impl Service for Context {
    type Request = Request;
    const NAME: &'static str = SERVICE;
    const REQUESTS: &'static [&'static str] = &Request::NAMES;

    fn program(&self) -> &str {
        &self.info.program
    }

    async fn answer(
        &self,
        client: Client,
        request: Request,
        outbox: &Outbox,
    ) -> Result<(), ApiError> {
        may(client, &request)?;
        // A client that is gone needs no reply.
        let _gone: Result<(), ClientGone> = match request {
            Request::Status(_) => outbox.send(self.ask(status).await?, false).await,
            Request::Node(_) => {
                outbox
                    .send(self.ask(|world| node(world)).await?, false)
                    .await
            }
            Request::Neighbors(_) => {
                let asked = self.ask(|world| view::neighbors(&world.fabric, clock::now()));
                outbox.send(asked.await?, false).await
            }
            Request::Routes(_) => {
                let asked = self.ask(|world| view::routes(&world.fabric));
                outbox.send(asked.await?, false).await
            }
            Request::Paths(request) => {
                let asked = self.ask(move |world| {
                    let results = world.verifying.results();
                    Paths {
                        verified: verified(results, request.prefix),
                        ..view::paths(&world.fabric, request.prefix)
                    }
                });
                outbox.send(asked.await?, false).await
            }
            Request::Explain(request) => {
                let asked = self.ask(move |world| view::explain(&world.fabric, request.to));
                outbox.send(asked.await?, false).await
            }
            Request::Sleds(_) => {
                let asked = self.ask(|world| view::sleds(&world.fabric));
                outbox.send(asked.await?, false).await
            }
            Request::Lldp(_) => {
                let lldp = self.ask(|world| world.doors.lldp()).await?;
                let neighbors = match lldp {
                    Some(lldp) => lldp.neighbors().await,
                    None => Vec::new(),
                };
                outbox.send(LldpNeighbors { neighbors }, false).await
            }
            Request::Events(request) => self.events(request, outbox).await?,
            Request::Originate(request) => self.originate(request, outbox).await?,
            Request::Withdraw(request) => outbox.send(self.withdraw(request).await?, false).await,
            Request::Use(request) => outbox.send(self.uses(request).await?, false).await,
            Request::RackShow(request) => outbox.send(self.rack.show(request).await?, false).await,
            Request::RackInit(request) => outbox.send(self.rack.init(request).await?, false).await,
            Request::RackReplace(request) => {
                let replaced = self.rack.replace_keeper(request).await?;
                outbox.send(replaced, false).await
            }
            Request::Stop(request) => {
                let sent = outbox.send(Stopped {}, false).await;
                // Somebody may have asked before.
                let _asked = self.stop.try_send(request);
                sent
            }
        };
        Ok(())
    }
}

/// Whether the client may ask this.
fn may(client: Client, request: &Request) -> Result<(), ApiError> {
    let what = match request {
        Request::Originate(_) | Request::Withdraw(_) => "have prefixes originated",
        Request::Use(_) => "have paths probed",
        Request::RackInit(_) => "begin a rack",
        Request::RackReplace(_) => "replace a keeper of the rack's table",
        Request::Stop(_) => "stop the router",
        _ => return Ok(()),
    };
    if client.privileged {
        return Ok(());
    }
    Err(
        ApiError::new(Code::NotPermitted, format!("you may not {what}"))
            .cause("only root may")
            .next("run the command as root"),
    )
}

impl Context {
    async fn events(
        &self,
        request: EventsRequest,
        outbox: &Outbox,
    ) -> Result<Result<(), ClientGone>, ApiError> {
        let since = request.since_ms;
        let (events, forgotten, new) = self
            .ask(move |world| {
                let now = clock::unix_millis();
                let since = since.map(|ago| now.saturating_sub(ago));
                let history = &world.history;
                (history.since(since), history.forgotten(), history.follow())
            })
            .await?;
        let mut parts = events.chunks(EVENTS_AT_ONCE).peekable();
        while let Some(part) = parts.next() {
            let more = request.follow || parts.peek().is_some();
            let events = part.to_vec();
            if let Err(gone) = outbox.send(Events { events, forgotten }, more).await {
                return Ok(Err(gone));
            }
        }
        if request.follow {
            return Ok(follow(new, outbox.clone()).await);
        }
        if events.is_empty() {
            return Ok(outbox.send(Events::default(), false).await);
        }
        Ok(Ok(()))
    }

    async fn originate(
        &self,
        request: OriginateRequest,
        outbox: &Outbox,
    ) -> Result<Result<(), ClientGone>, ApiError> {
        let OriginateRequest { asker, prefixes } = request;
        check_asker(&asker)?;
        if prefixes.len() > MOST {
            return Err(too_many("prefixes"));
        }
        prefixes.iter().try_for_each(check)?;
        let asked = Originated {
            prefixes: count(prefixes.len()),
            over: false,
        };
        let name = asker.clone();
        let (id, replaced) = self
            .ask(move |world| {
                let (id, inputs, replaced) = world.originations.ask(&name, prefixes);
                world.handle_all(inputs);
                (id, replaced)
            })
            .await?;
        let guard = Holding {
            context: self.clone(),
            asker,
            id,
        };
        if let Err(gone) = outbox.send(asked, true).await {
            guard.leave().await;
            return Ok(Err(gone));
        }
        let mut wish = outbox.clone();
        let over = tokio::select! {
            end = wish.cancelled() => end == End::Cancelled,
            _ = replaced => true,
        };
        if !over {
            guard.leave().await;
            return Ok(Err(ClientGone));
        }
        guard.withdraw().await;
        let over = Originated {
            prefixes: 0,
            over: true,
        };
        Ok(outbox.send(over, false).await)
    }

    async fn withdraw(&self, request: WithdrawRequest) -> Result<Withdrawn, ApiError> {
        let asked = self.ask(move |world| {
            let inputs = world.originations.withdraw(&request.asker, None);
            let prefixes = count(inputs.len());
            world.handle_all(inputs);
            Withdrawn { prefixes }
        });
        asked.await
    }

    async fn uses(&self, request: UseRequest) -> Result<Used, ApiError> {
        check_asker(&request.asker)?;
        if request.destinations.len() > MOST {
            return Err(too_many("destinations"));
        }
        let asked = self.ask(move |world| {
            let UseRequest {
                asker,
                destinations,
            } = request;
            world.uses.tell(&asker, destinations, clock::now());
            world.aim();
            Used {
                destinations: count(world.uses.all().len()),
            }
        });
        asked.await
    }
}

/// A request to originate that holds.
struct Holding {
    context: Context,
    asker: String,
    id: RequestId,
}

impl Holding {
    /// Its asker is gone: it holds for a while.
    async fn leave(self) {
        let Self { context, asker, id } = self;
        let left = context.ask(move |world| world.originations.leave(&asker, id, clock::now()));
        // A router that stops forgets it anyway.
        let _stopping = left.await;
    }

    /// Its asker wants it no longer.
    async fn withdraw(self) {
        let Self { context, asker, id } = self;
        let withdrawn = context.ask(move |world| {
            let inputs = world.originations.withdraw(&asker, Some(id));
            world.handle_all(inputs);
        });
        // A router that stops forgets it anyway.
        let _stopping = withdrawn.await;
    }
}

/// Tells what happens until the client wants no more.
async fn follow(mut new: broadcast::Receiver<Event>, outbox: Outbox) -> Result<(), ClientGone> {
    let mut wish = outbox.clone();
    loop {
        let event = tokio::select! {
            event = new.recv() => event,
            end = wish.cancelled() => {
                return match end {
                    End::Cancelled => outbox.send(Events::default(), false).await,
                    End::Gone => Err(ClientGone),
                };
            }
        };
        let events = match event {
            Ok(event) => Events {
                events: vec![event],
                forgotten: 0,
            },
            Err(broadcast::error::RecvError::Lagged(forgotten)) => Events {
                events: Vec::new(),
                forgotten,
            },
            Err(broadcast::error::RecvError::Closed) => {
                return outbox.send(Events::default(), false).await;
            }
        };
        outbox.send(events, true).await?;
    }
}

fn check_asker(asker: &str) -> Result<(), ApiError> {
    rackweave_trust::check_identity(asker).map_err(|error| {
        ApiError::new(Code::BadRequest, format!("nobody is called `{asker}`"))
            .cause(error.to_string())
            .next("name the program, the same after its restart")
    })
}

fn too_many(what: &str) -> ApiError {
    ApiError::new(Code::Busy, format!("more than {MOST} {what}")).next("ask for fewer")
}

/// Whether a program may have this originated.
fn check(one: &Origination) -> Result<(), ApiError> {
    let fits = match one.scope {
        OriginScope::Service => {
            ServicePrefix::of(one.prefix.addr()).is_some_and(|service| service.net() == one.prefix)
        }
        OriginScope::Site => is_site(one.prefix),
    };
    if fits {
        return Ok(());
    }
    let what = match one.scope {
        OriginScope::Service => "no /64 of the service rack",
        OriginScope::Site => "no /48 of an AZ",
    };
    Err(
        ApiError::new(Code::Refused, format!("{} is not originated", one.prefix))
            .cause(format!("it is {what}"))
            .next("programs originate these alone; a node's own prefixes are the router's"),
    )
}

fn is_site(prefix: Ipv6Net) -> bool {
    AzPrefix::try_from(prefix).is_ok()
}

/// Who the node is.
pub(crate) fn node(world: &World) -> Node {
    let view = world.fabric.node();
    Node {
        identity: view.name,
        hardware: view.id.0,
        role: view.role,
        bootstrap: rackweave_types::BootstrapPrefix::new(view.id.0).net(),
        prefix: view.prefix,
        rack: view.rack,
        az: view.az,
        holding: view.is_holding,
        signed: matches!(world.info.who.security, Security::Signed { .. }),
    }
}

/// How the router is.
fn status(world: &mut World) -> Status {
    let now = clock::now();
    let counts = world.fabric.counts();
    let neighbors = world.fabric.neighbors();
    let links = world.links.values().map(|link| {
        let its = neighbors.iter().filter(|one| one.link == link.link);
        rackweave_api::router::Link {
            name: link.name.clone(),
            mac: link.mac,
            up: link.up,
            neighbors: count(its.count()),
        }
    });
    Status {
        program: world.info.program.clone(),
        pid: std::process::id(),
        uptime_ms: millis(now.since(world.info.started)),
        node: node(world),
        links: links.collect(),
        sessions: count(counts.sessions),
        neighbors: count(counts.neighbors),
        routes: count(counts.routes),
        routes_held: count(counts.held),
        originated: world.originations.list(now),
        problems: problems(world),
    }
}

/// What people should look at.
fn problems(world: &World) -> Vec<String> {
    let mut problems = Vec::new();
    if world.links.is_empty() {
        problems
            .push("no link is of the fabric: name some in `links` of the configuration".to_owned());
    }
    for link in world.links.values().filter(|link| !link.up) {
        problems.push(format!(
            "link {} is down: see `ip link show {}`",
            link.name, link.name
        ));
    }
    let neighbors = world.fabric.neighbors();
    for one in &neighbors {
        let name = one.name.clone().unwrap_or_else(|| one.address.to_string());
        for (prefix, why) in &one.refused {
            problems.push(format!("{prefix} of {name} is refused: {why}"));
        }
    }
    for route in view::routes(&world.fabric).routes {
        if let Some(problem) = route.problem {
            problems.push(format!("the kernel refused {}: {problem}", route.prefix));
        }
    }
    problems
}
