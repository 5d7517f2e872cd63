//! The machine of a node: joins the interior protocol, the rib, liveness and delay.
//!
//! A program feeds it [`Input`]s and does its [`Output`]s; so does the simulation. What it needs of the world beside
//! these: that [`Input::Kernel`] is its first input where the kernel may hold routes of a process before, and that
//! [`Input::Tick`] comes when [`Fabric::deadline`] says.
//!
//! The way of a change: an input marks the prefixes that it touches; for each of these, ways are selected (`select`),
//! weighed (`weights`) and offered to the rib; the kernel is asked (`forward`), and what neighbours are told is brought up
//! to date (`announce`). Bad news leaves at once, good news when the kernel has done it.
//!
//! **Loop-freedom.** The ways to a destination are the neighbours that announced the least hop count, over all origins
//! that serve it. The hop count falls with every hop, so there is no loop whatever the weights; delay only divides
//! traffic among these ways. A path never passes a sled.

mod announce;
mod claims;
mod entropy;
mod explain;
mod filter;
mod forward;
mod hear;
mod input;
mod link;
mod log;
mod look;
mod neighbor;
mod originate;
mod output;
mod peering;
mod restart;
mod select;
mod settings;
mod shun;
mod take_up;
pub mod view;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_types::{Instant, RackPrefix};

use crate::ddm::exchange::Outbox;
use crate::ddm::item::{Members, NodeId};
use crate::ddm::learned::Learned;
use crate::ddm::policy::{Class, End};
use crate::ddm::session::{Own, Security};
use crate::rib::{Change, Rib};

pub use input::{Asker, FibAnswer, Input, KernelRoute, LinkId, LinkState, Measured, Now};
pub use output::{Event, EventKind, Hop, Installed, Output};
pub use settings::Settings;

use claims::Claims;
use entropy::Entropy;
use filter::Filters;
use link::Link;
use log::Rerouted;
use neighbor::Neighbors;
use originate::Originated;
use restart::Restart;
use shun::Shunned;
use weights::Weights;

/// Good news waits so long for more of it.
const GATHER: Duration = Duration::from_millis(1);

/// The machine of a node of the fabric.
#[derive(Debug)]
pub struct Fabric {
    own: Own,
    entropy: Entropy,
    now: Now,
    out: Vec<Output>,
    is_started: bool,
    links: BTreeMap<LinkId, Link>,
    neighbors: Neighbors,
    learned: Learned,
    claims: Claims,
    originated: Originated,
    /// The nodes of each rack that are routed otherwise than their rack.
    exceptions: BTreeMap<Ipv6Net, Members>,
    rib: Rib,
    weights: Weights,
    outboxes: BTreeMap<Class, Outbox>,
    filters: Filters,
    shunned: Shunned,
    restart: Restart,
    /// Until when the node's /64 waits at most for switches to let it in.
    taking_up: Option<Instant>,
    /// What the kernel is to be asked, at the end of the input.
    changes: Vec<Change>,
    rerouted: Rerouted,
    /// Prefixes whose ways are to be selected anew.
    touched: BTreeSet<Ipv6Net>,
    /// Prefixes of which there is good news, and when their ways are to be selected anew.
    gathered: BTreeSet<Ipv6Net>,
    select_at: Option<Instant>,
    /// Prefixes whose announcements are to be brought up to date.
    retold: BTreeSet<Ipv6Net>,
    /// When neighbours are to be told what is new.
    tell_at: Option<Instant>,
}

impl Fabric {
    /// A node's machine; `seed` is 32 octets of chance, another at every start.
    #[must_use]
    pub fn new(settings: Settings, now: Now, seed: [u8; 32]) -> Self {
        let mut entropy = Entropy::new(seed);
        let rack = settings.assignment.as_ref().map(|a| a.prefix.rack());
        let own = Own {
            revision: 0,
            instance: entropy.draw_u64(),
            id: NodeId(settings.hardware),
            name: settings.identity,
            role: settings.role,
            rack,
            az: rack.map(RackPrefix::az).or(settings.az),
            assignment: settings.assignment,
            hold: settings.hold,
            security: settings.security,
        };
        Self {
            own,
            entropy,
            now,
            out: Vec::new(),
            is_started: false,
            links: BTreeMap::new(),
            neighbors: Neighbors::default(),
            learned: Learned::default(),
            claims: Claims::default(),
            originated: Originated::default(),
            exceptions: BTreeMap::new(),
            rib: Rib::default(),
            weights: Weights::default(),
            outboxes: BTreeMap::new(),
            filters: Filters::default(),
            shunned: Shunned::default(),
            restart: Restart::default(),
            taking_up: None,
            changes: Vec::new(),
            rerouted: Rerouted::new(),
            touched: BTreeSet::new(),
            gathered: BTreeSet::new(),
            select_at: None,
            retold: BTreeSet::new(),
            tell_at: None,
        }
    }

    /// Takes in what happened, and puts what is to be done into `out`.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.now = now;
        if let Input::Kernel(held) = input {
            self.on_kernel(&held);
        } else {
            self.start();
            self.on_input(input);
        }
        self.start();
        self.on_time();
        self.work();
        out.append(&mut self.out);
    }

    /// Goes over to other keys: sessions go on under them.
    pub fn rotate(&mut self, now: Now, security: Security, out: &mut Vec<Output>) {
        self.now = now;
        self.own.security = security;
        self.own.revision += 1;
        for index in self.neighbors.indices(|_| true) {
            self.drive(index);
        }
        self.event(
            EventKind::Node,
            "this node has other keys from now on".to_owned(),
        );
        out.append(&mut self.out);
    }

    /// When the machine wants [`Input::Tick`] though nothing happens; what has passed means at once.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(Link::deadline);
        let neighbors = self.neighbors.iter().flat_map(|(_, neighbor)| {
            let stale = neighbor.stale_until.into_iter();
            stale.chain(neighbor.session.deadline())
        });
        let outboxes = self.outboxes.values().filter_map(Outbox::deadline);
        let others = [
            self.weights.deadline(),
            self.shunned.deadline(),
            self.select_at,
            self.tell_at,
            self.taking_up,
            self.restart.deadline(),
        ];
        let others = others.into_iter().flatten();
        links.chain(neighbors).chain(outboxes).chain(others).min()
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Link(state) => self.on_link(state),
            Input::LinkGone(link) => self.on_link_gone(link),
            Input::Solicited { link, from } => self.on_solicited(link, from),
            Input::Advertised { link, from } => self.on_advertised(link, from),
            Input::Datagram { link, from, bytes } => self.on_datagram(link, from, &bytes),
            Input::Liveness {
                link,
                peer,
                up,
                reason,
            } => self.on_liveness(link, peer, up, &reason),
            Input::Measured {
                link,
                peer,
                measured,
            } => self.on_measured(link, peer, measured),
            Input::Fib { prefix, answer } => self.on_fib(prefix, &answer),
            Input::Filtered { link, allowed } => self.on_filtered(link, allowed),
            Input::Originate {
                asker,
                prefix,
                scope,
                ready,
            } => self.on_originate(&asker, prefix, scope, ready),
            Input::Withdraw { asker, prefix } => self.on_withdraw(&asker, prefix),
            Input::Assigned(assignment) => self.on_assigned(assignment),
            Input::Restarting => self.on_restarting(),
            Input::Kernel(_) | Input::Tick => {}
        }
    }

    /// What is due by the clock.
    fn on_time(&mut self) {
        let now = self.now.at;
        for link in self.links.values_mut() {
            self.out.extend(link.solicit(now));
        }
        self.touched.extend(self.weights.on_time(now));
        for outbox in self.outboxes.values_mut() {
            if outbox.tell_costs(now) {
                self.tell_at = Some(now);
            }
        }
        self.on_taking_up();
        self.on_shunned_time();
        self.on_stale();
        self.on_restart_time();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for index in self.neighbors.indices(|n| is_due(n.session.deadline())) {
            self.drive(index);
        }
    }

    /// Selects and announces what was touched, and tells neighbours where it is time.
    fn work(&mut self) {
        if self.select_at.is_some_and(|at| at <= self.now.at) {
            self.select_at = None;
            self.touched.append(&mut self.gathered);
        }
        while let Some(prefix) = self.touched.pop_first() {
            self.select(prefix);
            self.retold.insert(prefix);
        }
        self.ask_kernel();
        while let Some(prefix) = self.retold.pop_first() {
            self.announce(prefix);
        }
        self.tell_routes();
        if self.tell_at.is_some_and(|at| at <= self.now.at) {
            self.tell_at = None;
            self.tell_all();
        }
    }

    /// This end of every session.
    fn end(&self) -> End {
        End {
            role: self.own.role,
            rack: self.own.rack,
            az: self.own.az,
        }
    }

    /// The /56 of this node's rack.
    fn own_rack(&self) -> Option<Ipv6Net> {
        self.own.rack.map(RackPrefix::net)
    }
}

#[cfg(test)]
mod tests;
