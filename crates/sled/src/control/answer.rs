//! Requests, answered.

use rackweave_api::local::{ApiError, Code};
use rackweave_api::sled::{
    Applied, ApplyRequest, ExplainRequest, Explanation, Flow, Flows, FlowsRequest, Request, Rules,
    SERVICE, Stopped,
};
use rackweave_daemon::conversation::{Client, ClientGone, Outbox, Service};
use rackweave_engine::{Explanation as Explained, Frame, Verdict};
use rackweave_linux::clock;
use rackweave_types::state::{HostState, PortConfig};
use rackweave_types::{Direction, PortId};
use tokio::sync::oneshot;

use super::flows::{Place, is_wanted, listed};
use super::gather::gather;
use super::names::find_port;
use super::{Context, drops, explain, overview, rules};
use crate::host::{HostCommand, Snapshot};
use crate::workers::WorkerGone;

/// Places of a flow table that one job looks at.
const PLACES_AT_ONCE: u32 = 2048;
/// How often a packet is handed from shard to shard at most.
const MAX_HOPS: usize = 2;

impl From<WorkerGone> for ApiError {
    fn from(gone: WorkerGone) -> Self {
        ApiError::new(Code::Stopping, "the sled is stopping")
            .cause(gone.to_string())
            .next("ask again when it runs")
    }
}

/// Why there is no (further) reply.
#[derive(Debug)]
enum Unanswered {
    /// The client is to be told.
    Error(ApiError),
    /// There is nobody to tell.
    Gone,
}

impl From<ApiError> for Unanswered {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl From<WorkerGone> for Unanswered {
    fn from(gone: WorkerGone) -> Self {
        Self::Error(gone.into())
    }
}

impl From<ClientGone> for Unanswered {
    fn from(ClientGone: ClientGone) -> Self {
        Self::Gone
    }
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
        answer(client, self, request, outbox).await
    }
}

async fn answer(
    client: Client,
    context: &Context,
    request: Request,
    outbox: &Outbox,
) -> Result<(), ApiError> {
    may(client, &request)?;
    if let Request::Capture(request) = &request {
        let (state, port) = {
            let snapshot = snapshot(context).await?;
            let state = applied(&snapshot)?;
            let port = find_port(state, &request.port)?.id;
            (super::title(state, port), port)
        };
        return context
            .captures
            .run(&context.workers, port, state, request, outbox.clone())
            .await;
    }
    let (context, outbox) = (context.clone(), outbox.clone());
    // Workers' jobs and the host task are waited for, and must not keep the agent from its guests.
    let answered = tokio::task::spawn_blocking(move || blocking(&context, request, &outbox)).await;
    match answered {
        Ok(Ok(()) | Err(Unanswered::Gone)) => Ok(()),
        Ok(Err(Unanswered::Error(error))) => Err(error),
        Err(error) => Err(ApiError::new(Code::Failed, "the request was not answered")
            .cause(error.to_string())
            .next("see the log of the sled")),
    }
}

/// Whether the client may ask this.
fn may(client: Client, request: &Request) -> Result<(), ApiError> {
    let what = match request {
        Request::Apply(_) => "change the host state",
        Request::Stop(_) => "stop the sled",
        Request::Capture(_) => "see guests' packets",
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

fn blocking(context: &Context, request: Request, outbox: &Outbox) -> Result<(), Unanswered> {
    let workers = &context.workers;
    match request {
        Request::Status(_) => {
            let snapshot = snapshot_blocking(context)?;
            let mut status =
                overview::status(&context.info, &snapshot, &gather(workers)?, clock::now());
            let follows = context.follows.as_ref();
            status.controller = follows.map(|follows| overview::controller(&follows.borrow()));
            outbox.send_blocking(status, false)?;
        }
        Request::Ports(_) => {
            let snapshot = snapshot_blocking(context)?;
            outbox.send_blocking(overview::ports(&snapshot, &gather(workers)?), false)?;
        }
        Request::Flows(request) => flows(context, &request, outbox)?,
        Request::Rules(request) => outbox.send_blocking(rules(context, &request.port)?, false)?,
        Request::Drops(request) => {
            let port = match &request.port {
                Some(name) => Some(find_port(applied(&snapshot_blocking(context)?)?, name)?.id),
                None => None,
            };
            let drops = drops::drops(&gather(workers)?, &context.agent.get(), port);
            outbox.send_blocking(drops, false)?;
        }
        Request::Explain(request) => outbox.send_blocking(explain(context, &request)?, false)?,
        Request::Apply(request) => outbox.send_blocking(apply(context, request)?, false)?,
        Request::Stop(_) => {
            outbox.send_blocking(Stopped {}, false)?;
            context.stop.notify_one();
        }
        Request::Capture(_) => {}
    }
    Ok(())
}

fn stopping() -> ApiError {
    ApiError::new(Code::Stopping, "the sled is stopping").next("ask again when it runs")
}

async fn snapshot(context: &Context) -> Result<Snapshot, ApiError> {
    let (reply, answer) = oneshot::channel();
    let asked = context.host.send(HostCommand::Snapshot { reply }).await;
    asked.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}

fn snapshot_blocking(context: &Context) -> Result<Snapshot, ApiError> {
    let (reply, answer) = oneshot::channel();
    let asked = context.host.blocking_send(HostCommand::Snapshot { reply });
    asked.map_err(|_| stopping())?;
    answer.blocking_recv().map_err(|_| stopping())
}

/// The state that holds.
fn applied(snapshot: &Snapshot) -> Result<&HostState, ApiError> {
    snapshot.state.as_deref().ok_or_else(|| {
        ApiError::new(Code::NotFound, "the sled has no host state yet")
            .next("give it one: `rackweave sled apply FILE`")
    })
}

fn apply(context: &Context, request: ApplyRequest) -> Result<Applied, ApiError> {
    if context.follows.is_some() {
        return Err(
            ApiError::new(Code::Refused, "the host state was not applied")
                .cause("this sled follows its controllers")
                .next("change what was asked for there: `rackweave apply -f FILE`"),
        );
    }
    let (reply, answer) = oneshot::channel();
    let state = request.state;
    let asked = context
        .host
        .blocking_send(HostCommand::Apply { state, reply });
    asked.map_err(|_| stopping())?;
    let applied = answer.blocking_recv().map_err(|_| stopping())?;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    match applied {
        Ok(applied) => Ok(Applied {
            generation: applied.generation,
            added: count(applied.added),
            changed: count(applied.changed),
            removed: count(applied.removed),
            unchanged: count(applied.unchanged),
        }),
        Err(refused) => {
            let errors = overview::errors(&refused);
            let lines = errors.iter().map(|error| match error.object.as_str() {
                "" => error.error.clone(),
                object => format!("{object}: {}", error.error),
            });
            Err(ApiError::new(
                Code::Refused,
                "the host state was not applied, nothing has changed",
            )
            .cause(lines.collect::<Vec<_>>().join("\n"))
            .next("correct it and apply it again"))
        }
    }
}

fn rules(context: &Context, name: &str) -> Result<Rules, ApiError> {
    let snapshot = snapshot_blocking(context)?;
    let state = applied(&snapshot)?;
    let port = find_port(state, name)?;
    let id = port.id;
    let hits = context.workers.run_on_all(move |worker| {
        worker
            .shard(id)
            .map(rackweave_engine::Shard::rule_hits)
            .unwrap_or_default()
    })?;
    rules::rules(state, port, hits.into_iter().flatten().collect())
}

/// Tells of connections, one page of a table at a time: the workers go on between them.
fn flows(context: &Context, request: &FlowsRequest, outbox: &Outbox) -> Result<(), Unanswered> {
    let workers = &context.workers;
    let asked = match &request.port {
        Some(name) => Some(find_port(applied(&snapshot_blocking(context)?)?, name)?.id),
        None => None,
    };
    let ports = workers.run_on_all(|worker| worker.port_ids())?;
    let mut left = request.limit.unwrap_or(u64::MAX);
    for (index, ids) in (0..).zip(ports) {
        for id in ids
            .into_iter()
            .filter(|id| asked.is_none_or(|asked| asked == *id))
        {
            let mut cursor = Some(0);
            while let Some(from) = cursor {
                let (page, next) = page(context, index, id, from, request)?;
                cursor = next;
                let cut = u64::try_from(page.len()).unwrap_or(u64::MAX) > left;
                let flows: Vec<Flow> = page
                    .into_iter()
                    .take(usize::try_from(left).unwrap_or(usize::MAX))
                    .collect();
                left -= u64::try_from(flows.len()).unwrap_or(left);
                if !flows.is_empty() || cut {
                    outbox.send_blocking(Flows { flows, cut }, !cut)?;
                }
                if cut {
                    return Ok(());
                }
            }
        }
    }
    Ok(outbox.send_blocking(Flows::default(), false)?)
}

type Page = (Vec<Flow>, Option<u32>);

/// The connections asked for among some places of a shard's table.
fn page(
    context: &Context,
    worker: u16,
    port: PortId,
    from: u32,
    request: &FlowsRequest,
) -> Result<Page, WorkerGone> {
    let filter = request.filter.clone();
    let found = context.workers.run(worker, move |worker| {
        let shard = worker.shard(port)?;
        let (mut flows, next) = shard.list_flows(from, PLACES_AT_ONCE);
        flows.retain(|flow| is_wanted(&filter, &flow.info));
        Some((flows, next, shard.epoch()))
    })?;
    let Some((flows, next, epoch)) = found else {
        return Ok((Vec::new(), None));
    };
    let place = Place {
        port,
        worker,
        epoch,
    };
    let now = clock::now();
    let flows = flows.iter().map(|flow| listed(place, flow, now)).collect();
    Ok((flows, next))
}

fn explain(context: &Context, request: &ExplainRequest) -> Result<Explanation, ApiError> {
    let snapshot = snapshot_blocking(context)?;
    let state = applied(&snapshot)?;
    let port = find_port(state, &request.port)?;
    let asked = explain::frame(state, port, request)?;
    let (place, explained) = explained(context, port, request.direction, &asked.frame)?;
    let now = clock::now();
    Ok(explain::explanation(
        state,
        port,
        request.direction,
        place,
        asked,
        &explained,
        now,
    ))
}

/// Asks the shard that a packet belongs to.
fn explained(
    context: &Context,
    port: &PortConfig,
    direction: Direction,
    frame: &Frame,
) -> Result<(Place, Explained), ApiError> {
    let (workers, id) = (&context.workers, port.id);
    let not_running = || {
        ApiError::new(Code::NotFound, format!("port {id} does not run"))
            .next("`rackweave sled status` says what is wrong with the host state")
    };
    let asked = frame.clone();
    let owner = workers.run(0, move |worker| {
        Some(worker.shard(id)?.owner(direction, &asked).unwrap_or(0))
    })?;
    let mut index = owner.ok_or_else(not_running)?;
    let mut handed = None;
    for hop in 0..=MAX_HOPS {
        let (asked, now) = (frame.clone(), clock::now());
        let answer = workers.run(index, move |worker| {
            let shard = worker.shard(id)?;
            let explained = match handed {
                None => shard.explain(direction, &asked, now),
                Some(handed) => shard.explain_handed_over(direction, handed, &asked, now),
            };
            Some((explained, shard.epoch()))
        })?;
        let (explained, epoch) = answer.ok_or_else(not_running)?;
        match explained.verdict {
            Verdict::HandOver(to) if hop < MAX_HOPS => (index, handed) = (to.shard, Some(to)),
            _ => {
                let place = Place {
                    port: id,
                    worker: index,
                    epoch,
                };
                return Ok((place, explained));
            }
        }
    }
    Err(not_running())
}
