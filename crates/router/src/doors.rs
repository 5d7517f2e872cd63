//! All doors of the node's machine, and which output goes through which.
//!
//! The run loop waits for no door: what a door does in its own time stands in a queue of its own.

use std::net::Ipv6Addr;
use std::sync::Arc;

use anyhow::Context as _;
use rackweave_routing::fabric::{Event, Input, LinkId, LinkState, Output};
use rackweave_routing::lldp::System;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::discovery::Discovery;
use crate::fib::{Fib, FibChange};
use crate::filter::{Filter, FilterChange};
use crate::inbox::Inbox;
use crate::links::Links;
use crate::liveness::{Client, ClientSettings, LivenessPorts};
use crate::lldp::Lldp;

/// What waits for a door at most: a change of each of many neighbours.
const WAITING: usize = 1 << 14;
/// Events of LLDP that wait at most.
const EVENTS: usize = 256;

/// The doors, open.
#[derive(Debug)]
pub(crate) struct Doors {
    discovery: Arc<Discovery>,
    fib: Fib,
    filter: Filter,
    liveness: Client,
    watches: mpsc::Sender<Watch>,
    lldp: Option<Lldp>,
    links: mpsc::Sender<Change>,
}

/// What liveness is told.
#[derive(Debug)]
enum Watch {
    On(LinkId, Ipv6Addr, [u8; 32]),
    Off(LinkId, Ipv6Addr),
}

/// What LLDP is told.
#[derive(Debug)]
enum Change {
    Link(LinkState),
    Gone(LinkId),
    System(System),
}

impl Doors {
    /// Opens them in the namespace of the calling thread, inside an asynchronous runtime; what comes goes to the inbox,
    /// and what LLDP heard to `events`.
    pub(crate) fn open(
        config: &Config,
        fib: Fib,
        system: System,
        inbox: &Inbox,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Event>)> {
        let discovery = Arc::new(Discovery::open(config.ports.ddm)?);
        let (socket, told) = (Arc::clone(&discovery), inbox.clone());
        tokio::spawn(async move {
            if let Err(error) = socket.run(&told).await {
                tracing::error!(%error, "neighbors are no longer heard: restart the router");
            }
        });
        let liveness = Client::start(liveness(config)?, inbox.clone());
        let (watches, asked) = mpsc::channel(WAITING);
        tokio::spawn(watch(liveness.clone(), asked));
        let (told, events) = mpsc::channel(EVENTS);
        let lldp = match Lldp::start(system, told) {
            Ok(lldp) => Some(lldp),
            Err(error) => {
                // For people alone: the fabric does without.
                tracing::warn!(%error, "nobody is told by lldp who this node is");
                None
            }
        };
        let (links, changes) = mpsc::channel(WAITING);
        tokio::spawn(describe(lldp.clone(), changes));
        let patterns = config.patterns().context("links")?;
        let followed = Links::open(patterns, config.role.is_transit())?;
        let told = inbox.clone();
        tokio::spawn(async move {
            if let Err(error) = followed.run(told).await {
                tracing::error!(%error, "links are no longer followed: restart the router");
            }
        });
        let doors = Self {
            discovery,
            fib,
            filter: Filter::start(inbox.clone()).context("cannot start the thread that filters")?,
            liveness,
            watches,
            lldp,
            links,
        };
        Ok((doors, events))
    }

    /// Looks at what the machine is about to be told.
    pub(crate) fn before(&mut self, input: &Input) {
        match input {
            Input::Link(link) => {
                self.discovery.listen(link);
                queue(&self.links, Change::Link(link.clone()));
            }
            Input::LinkGone(link) => queue(&self.links, Change::Gone(*link)),
            _ => {}
        }
    }

    /// What the node says of itself to people changed.
    pub(crate) fn describe(&self, system: System) {
        queue(&self.links, Change::System(system));
    }

    /// Does what the machine wants done. `Some` is to be told to it at once.
    pub(crate) fn perform(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Solicit { link } => self.discovery.solicit(link),
            Output::Advertise { link, to } => self.discovery.advertise(link, to),
            Output::Send { link, to, bytes } => self.discovery.send(link, to, &bytes),
            Output::Watch { link, peer, key } => queue(&self.watches, Watch::On(link, peer, key)),
            Output::Unwatch { link, peer } => queue(&self.watches, Watch::Off(link, peer)),
            Output::Filter {
                link,
                owner,
                allowed,
            } => self.let_in(FilterChange {
                link,
                owner,
                allowed,
            }),
            other => match FibChange::try_from(other) {
                Ok(change) => return self.fib.change(change),
                Err(other) => tracing::error!(?other, "no door for this"),
            },
        }
        None
    }

    /// Whom each link lets in, and what was dropped of others.
    pub(crate) const fn filter(&self) -> &Filter {
        &self.filter
    }

    fn let_in(&self, change: FilterChange) {
        if let Err(change) = self.filter.change(change) {
            tracing::error!(
                link = change.link.0,
                "the filter has stopped, or too much waits for it: restart the router"
            );
        }
    }

    /// The router is about to end; with `all`, so does what outlives it.
    pub(crate) async fn close(self, all: bool) {
        if all {
            self.liveness.stop().await;
            if let Some(lldp) = self.lldp {
                lldp.stop().await;
            }
            // Neighbours send nothing to this node any more.
            self.fib.clear().await;
        }
    }

    /// Who is at the other end of each link, as it says itself.
    pub(crate) fn lldp(&self) -> Option<Lldp> {
        self.lldp.clone()
    }

    /// Messages that were not a neighbour's.
    pub(crate) fn refused(&self) -> u64 {
        self.discovery.refused()
    }
}

fn queue<T>(door: &mpsc::Sender<T>, change: T) {
    if door.try_send(change).is_err() {
        tracing::error!("a door has stopped, or too much waits for it: restart the router");
    }
}

fn liveness(config: &Config) -> anyhow::Result<ClientSettings> {
    Ok(ClientSettings {
        run_dir: config.run_dir.clone(),
        program: std::env::current_exe().context("this program has no path")?,
        ports: LivenessPorts {
            bfd: config.ports.bfd,
            beacons: config.ports.beacons,
        },
        bfd: config.timers.bfd(),
    })
}

async fn watch(client: Client, mut asked: mpsc::Receiver<Watch>) {
    while let Some(watch) = asked.recv().await {
        match watch {
            Watch::On(link, peer, key) => client.watch(link, peer, key).await,
            Watch::Off(link, peer) => client.unwatch(link, peer).await,
        }
    }
}

async fn describe(lldp: Option<Lldp>, mut changes: mpsc::Receiver<Change>) {
    while let Some(change) = changes.recv().await {
        let Some(lldp) = &lldp else { continue };
        match change {
            Change::Link(link) => lldp.link(link).await,
            Change::Gone(link) => lldp.gone(link).await,
            Change::System(system) => lldp.system(system).await,
        }
    }
}
