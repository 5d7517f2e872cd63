//! The machine: peers, their sessions, and all routes.

mod configure;
mod connect;
mod export;
mod originate;
mod receive;
mod select;
mod view;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rackweave_types::{Asn, Instant};

use super::config::{Config, Marks};
use super::io::{ConnId, Happening, Input, Output, Told};
use super::message::{Notification, subcode};
use super::peer::Peer;
use super::session::Own;
use super::table::{PeerId, Shared, Table, Way};
use super::{Attributes, Family};
use crate::fabric::LinkId;

pub use view::{Explained, PeerView, RouteView, Standing, TowardsPeer};

use connect::Ending;
use walk::Walk;

/// The longest time that a speaker which has restarted waits for its peers to tell all (RFC 4724, section 4.1).
const DEFER: Duration = Duration::from_mins(1);

/// A BGP speaker: give it [`handle`](Self::handle) whatever happens, and an [`Input::Tick`] at its
/// [`deadline`](Self::deadline).
///
/// Each call does a bounded amount of work: what concerns a whole table (a new policy, a peer that went, a new peer that is
/// to be told everything) is done in steps, one with each call, and the deadline is at once until nothing is left. Between
/// two steps sessions go on, and questions are answered.
///
/// A peer is told of a route when the kernel has it; of an own one, when who originates it is ready.
#[derive(Debug)]
pub struct Speaker {
    config: Config,
    peers: BTreeMap<PeerId, Peer>,
    last_peer: u32,
    conns: BTreeMap<ConnId, PeerId>,
    /// The links that are there, with their names and whether they are up.
    links: BTreeMap<LinkId, (String, bool)>,
    /// Routers that advertise themselves on a link.
    routers: BTreeMap<LinkId, Ipv6Addr>,
    table: Table,
    attributes: Shared<Attributes>,
    ways: Shared<[Way]>,
    originated: BTreeMap<IpNet, (Marks, bool)>,
    statics: BTreeMap<IpNet, Vec<Way>>,
    /// Why the kernel refused a route.
    refused: BTreeMap<IpNet, String>,
    walks: VecDeque<Walk>,
    deferring: Option<Deferring>,
    /// What is watched by BFD, and what it said last.
    watched: BTreeMap<(IpAddr, Option<LinkId>), Option<bool>>,
    chance: u64,
    stopped: bool,
}

/// After a restart nothing is chosen until everything is known that was known before.
#[derive(Clone, Copy, Debug)]
struct Deferring {
    until: Instant,
    /// Whether the programs of this node have said what they originate.
    originated: bool,
}

impl Speaker {
    /// A speaker without peers. `chance` is drawn; `restarting`: the kernel still has the routes of one before it, and
    /// forwarded all the while.
    #[must_use]
    pub fn new(now: Instant, asn: Asn, router_id: Ipv4Addr, restarting: bool, chance: u64) -> Self {
        let deferring = restarting.then(|| Deferring {
            until: now.after(DEFER),
            originated: false,
        });
        Self {
            config: Config {
                asn,
                router_id,
                multipath: 1,
                restart_s: 0,
                peers: BTreeMap::new(),
                statics: Vec::new(),
            },
            peers: BTreeMap::new(),
            last_peer: 0,
            conns: BTreeMap::new(),
            links: BTreeMap::new(),
            routers: BTreeMap::new(),
            table: Table::new(),
            attributes: Shared::default(),
            ways: Shared::default(),
            originated: BTreeMap::new(),
            statics: BTreeMap::new(),
            refused: BTreeMap::new(),
            walks: VecDeque::new(),
            deferring,
            watched: BTreeMap::new(),
            chance,
            stopped: false,
        }
    }

    /// Takes one input in; what is to be done comes at the end of `out`. After [`Input::Stop`] it does nothing more.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        match input {
            Input::Config(config) => self.configure(now, *config, out),
            Input::Link { name, link, up } => self.link(now, link, Some((name, up)), out),
            Input::LinkGone(link) => self.link(now, link, None, out),
            Input::Neighbor { link, address } => self.router(now, link, address, out),
            Input::Connected { peer, conn, local } => self.connected(now, peer, conn, local, out),
            Input::ConnectFailed { peer, why } => self.connect_failed(now, peer, why, out),
            Input::Accepted {
                conn,
                local,
                remote,
                link,
            } => self.accepted(now, conn, (local, remote), link, out),
            Input::Received { conn, bytes } => self.received(now, conn, &bytes, out),
            Input::Room { conn, octets } => self.room(conn, octets),
            Input::Closed { conn, why } => {
                if let Some(peer) = self.conns.get(&conn).copied() {
                    self.end(now, peer, conn, &Ending::Closed, &why, out);
                }
            }
            Input::Liveness {
                address,
                link,
                up,
                why,
            } => self.liveness(now, (address, link), up, &why, out),
            Input::Originate {
                prefix,
                marks,
                ready,
            } => self.originate(prefix.trunc(), marks, ready, out),
            Input::Withdraw(prefix) => self.withdraw_own(prefix.trunc(), out),
            Input::Originated => {
                if let Some(deferring) = &mut self.deferring {
                    deferring.originated = true;
                }
            }
            Input::Kernel(answers) => self.kernel(answers),
            Input::Reset { peer, soft } => self.reset(now, &peer, soft, out),
            Input::Stop { restarting } => return self.stop(now, restarting, out),
            Input::Tick => {}
        }
        self.tick(now, out);
    }

    /// When it wants an [`Input::Tick`].
    pub fn deadline(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        let can_tell = self.deferring.is_none() && self.peers.values().any(export::can_be_told);
        if self.has_work() || can_tell {
            return Some(Instant::START);
        }
        let peers = self.peers.values().filter_map(Peer::deadline).min();
        let deferring = self.deferring.map(|deferring| deferring.until);
        [peers, deferring].into_iter().flatten().min()
    }

    /// All that is over by now, one step of what takes many, and what peers are to be told.
    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.timers(now, out);
        self.settle(now);
        self.walk(now, out);
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.tell_peer(now, peer, out);
        }
    }

    /// Ends the time after a restart in which nothing is chosen.
    fn settle(&mut self, now: Instant) {
        let Some(deferring) = self.deferring else {
            return;
        };
        let all = self.peers.values().all(Peer::has_told_all);
        if deferring.until <= now || all && deferring.originated && !self.peers.is_empty() {
            self.deferring = None;
            self.walks.push_front(Walk::select_all());
            for peer in self.peers.values_mut() {
                if peer.session().is_some() {
                    peer.walking = true;
                    self.walks.push_back(Walk::export(peer.id, peer.epoch));
                }
            }
        }
    }

    fn stop(&mut self, now: Instant, restarting: bool, out: &mut Vec<Output>) {
        let all: Vec<(PeerId, ConnId)> = self
            .conns
            .iter()
            .map(|(conn, peer)| (*peer, *conn))
            .collect();
        for (peer, conn) in all {
            let (ending, why) = if restarting {
                (Ending::Silent, "the speaker restarts")
            } else {
                let notification = Notification::shutdown(subcode::SHUTDOWN, "the router stops");
                (
                    Ending::Told(self.hard(peer, notification)),
                    "the speaker stops",
                )
            };
            self.end(now, peer, conn, &ending, why, out);
        }
        self.stopped = true;
    }

    /// A number that nobody guesses who does not know the one that was drawn.
    fn draw(&mut self) -> u64 {
        // SplitMix64: for jitter, not for secrets.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn own(&self) -> Own {
        Own {
            asn: self.config.asn,
            id: self.config.router_id,
            restart_s: self.config.restart_s,
            restarted: self.deferring.is_some(),
        }
    }

    /// The links that have a name.
    fn link_named(&self, name: &str) -> Option<(LinkId, bool)> {
        let mut all = self.links.iter();
        let (link, (_, up)) = all.find(|(_, (own, _))| own == name)?;
        Some((*link, *up))
    }
}

fn tell(now: Instant, peer: &Peer, happening: Happening, what: String, out: &mut Vec<Output>) {
    out.push(Output::Told(Told {
        at: now,
        peer: Arc::clone(&peer.name),
        happening,
        what,
    }));
}

/// The addresses that are to be watched by BFD.
type Watched = BTreeSet<(IpAddr, Option<LinkId>)>;

/// Both families, for what concerns a peer as a whole.
const BOTH: [Family; 2] = Family::ALL;
