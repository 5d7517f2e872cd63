//! The agent as a machine: packets, state and time in, frames out.
//!
//! Guests take turns: each has a queue and a rate of its own, and a turn is a few packets long, so that one that asks
//! without end takes no time from another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rackweave_types::{Instant, PortId};
use rackweave_vpc::punt;

use super::advert::Adverts;
use super::counters::AgentCounters;
use super::dns::{Forwarder, Outgoing};
use super::guest::{Guest, Services};
use super::metadata::Tokens;
use super::random::Random;
use super::system::System;
use super::turn::Turn;
use super::view::{AgentState, GuestView};
use crate::workers::Punted;

/// Packets of one guest in one turn.
const TURN: usize = 8;
/// Packets of all guests before what they caused is sent.
const ROUND: usize = 512;
/// Connections of all guests at a time; each takes 24 KiB of buffers.
const MAX_CONNECTIONS: usize = 2048;

/// The agent without the world: [`punted`](Self::punted), [`system_frame`](Self::system_frame) and
/// [`set_state`](Self::set_state) say what came, [`run`](Self::run) does what there is to do, and then
/// [`take_output`](Self::take_output) has the frames and [`deadline`](Self::deadline) the time to come back.
#[derive(Debug)]
pub struct Machine {
    state: Arc<AgentState>,
    guests: BTreeMap<PortId, Guest>,
    ready: VecDeque<PortId>,
    forwarder: Forwarder,
    system: Option<System>,
    tokens: Tokens,
    adverts: Adverts,
    random: Random,
    counters: AgentCounters,
    output: Output,
}

/// Frames to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// To guests, each one's in their order.
    pub guests: BTreeMap<PortId, Vec<Box<[u8]>>>,
    /// From the system port.
    pub system: Vec<Box<[u8]>>,
}

impl Output {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guests.is_empty() && self.system.is_empty()
    }
}

impl Machine {
    /// An agent that knows no guest yet.
    #[must_use]
    pub fn new(mut random: Random) -> Self {
        Self {
            state: Arc::default(),
            guests: BTreeMap::new(),
            ready: VecDeque::new(),
            forwarder: Forwarder::default(),
            system: None,
            tokens: Tokens::new(&mut random),
            adverts: Adverts::default(),
            random,
            counters: AgentCounters::default(),
            output: Output::default(),
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> AgentCounters {
        self.counters
    }

    /// Answers from this state from now on.
    pub fn set_state(&mut self, state: Arc<AgentState>, now: Instant) {
        let old = std::mem::replace(&mut self.state, state);
        let state = &self.state;
        self.guests.retain(|port, guest| {
            let new = state.ports.get(port);
            let same = |was: &GuestView, is: &GuestView| {
                (was.mac, was.mtu, was.vni) == (is.mac, is.mtu, is.vni)
            };
            if let (Some(was), Some(is)) = (old.ports.get(port), new)
                && !same(was, is)
            {
                guest.reset();
            }
            new.is_some()
        });
        self.ready.retain(|port| self.guests.contains_key(port));
        let mut turn = Turn {
            now,
            random: &mut self.random,
            counters: &mut self.counters,
        };
        self.adverts.update(&self.state, &mut turn);
        if self.system.as_ref().map(System::view) != self.state.system.as_ref() {
            let view = self.state.system.clone();
            self.system = view.map(|view| System::new(view, &mut turn));
            let resolvers = self.system.as_ref().map(System::resolvers);
            self.forwarder.set_resolvers(resolvers.unwrap_or_default());
        }
    }

    /// Takes a packet of a guest's; it is served by [`run`](Self::run).
    pub fn punted(&mut self, punted: Punted, now: Instant) {
        let mut turn = Turn {
            now,
            random: &mut self.random,
            counters: &mut self.counters,
        };
        match punted.queue {
            punt::DNS => turn.counters.punts_dns += 1,
            punt::METADATA => turn.counters.punts_metadata += 1,
            _ => {}
        }
        let port = punted.port;
        if !self.state.ports.contains_key(&port) {
            turn.counters.dropped_unknown_port += 1;
            return;
        }
        let guest = self.guests.entry(port).or_insert_with(|| Guest::new(port));
        let waits = guest.has_work();
        if guest.push(punted, &mut turn) && !waits {
            self.ready.push_back(port);
        }
    }

    /// Takes a frame that the system port's guest, the sled itself, gets.
    pub fn system_frame(&mut self, frame: &[u8], now: Instant) {
        let Some(system) = &mut self.system else {
            return;
        };
        if let Some(datagram) = system.receive(frame) {
            let mut turn = Turn {
                now,
                random: &mut self.random,
                counters: &mut self.counters,
            };
            self.forwarder
                .udp(datagram.from, datagram.to_port, datagram.payload, &mut turn);
        }
    }

    /// Does what there is to do now. Whether something is left.
    pub fn run(&mut self, now: Instant) -> bool {
        self.serve_guests(now);
        self.expire_guests(now);
        // An answer may lead to another query, and that to an answer at once.
        while self.forward(now) {}
        let mut turn = Turn {
            now,
            random: &mut self.random,
            counters: &mut self.counters,
        };
        while let Some((port, frame)) = self.adverts.next(&mut turn) {
            self.output.guests.entry(port).or_default().push(frame);
        }
        if let Some(system) = &mut self.system {
            self.output.system.append(&mut system.take_frames());
        }
        !self.ready.is_empty()
    }

    /// When there is something to do though nothing comes.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let guests = self.guests.values_mut();
        let guests = guests.filter_map(|guest| guest.deadline(now)).min();
        let system = self.system.as_mut().and_then(|system| system.deadline(now));
        [
            guests,
            system,
            self.forwarder.deadline(),
            self.adverts.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The frames to send.
    pub fn take_output(&mut self) -> Output {
        let output = std::mem::take(&mut self.output);
        let injected = output.guests.values().map(Vec::len).sum::<usize>();
        self.counters.injected += u64::try_from(injected).unwrap_or(u64::MAX);
        output
    }

    /// Frames that the system port did not take.
    pub fn system_lost(&mut self, frames: u64) {
        self.counters.system_full += frames;
    }

    fn serve_guests(&mut self, now: Instant) {
        let mut open: usize = self.guests.values().map(Guest::connections).sum();
        let mut left = ROUND;
        while left > 0
            && let Some(port) = self.ready.pop_front()
        {
            for _ in 0..TURN.min(left) {
                left -= 1;
                let before = self.guests.get(&port).map_or(0, Guest::connections);
                let may_open = open < MAX_CONNECTIONS;
                self.with_guest(port, now, |guest, view, services, turn| {
                    guest.serve(view, services, may_open, turn);
                });
                let after = self.guests.get(&port).map_or(0, Guest::connections);
                open = (open + after).saturating_sub(before);
                if !self.guests.get(&port).is_some_and(Guest::has_work) {
                    break;
                }
            }
            if self.guests.get(&port).is_some_and(Guest::has_work) {
                self.ready.push_back(port);
            }
        }
    }

    fn expire_guests(&mut self, now: Instant) {
        let guests = self.guests.iter_mut();
        let due: Vec<PortId> = guests
            .filter_map(|(port, guest)| (guest.deadline(now)? <= now).then_some(*port))
            .collect();
        for port in due {
            self.with_guest(port, now, |guest, view, services, turn| {
                guest.work(view, services, turn);
            });
        }
    }

    /// Moves queries to resolvers and their answers on. Whether an answer reached a guest.
    fn forward(&mut self, now: Instant) -> bool {
        let mut turn = Turn {
            now,
            random: &mut self.random,
            counters: &mut self.counters,
        };
        self.forwarder.expire(&mut turn);
        if let Some(system) = &mut self.system {
            // Each round ends an attempt of the questions in it, of which there are three.
            loop {
                send_queries(&mut self.forwarder, system, &mut turn);
                let finished = system.poll(now);
                if finished.is_empty() {
                    break;
                }
                for one in finished {
                    let answer = one.answer.as_deref();
                    self.forwarder.tcp(one.question, answer, &mut turn);
                }
            }
        } else {
            while self.forwarder.outgoing().is_some() {}
        }
        let mut reached = false;
        while let Some(done) = self.forwarder.done() {
            reached = true;
            self.with_guest(done.port, now, |guest, view, services, turn| {
                guest.done(view, services, done, turn);
            });
        }
        reached
    }

    /// Lets a guest do something, and takes the frames that come of it.
    fn with_guest(
        &mut self,
        port: PortId,
        now: Instant,
        act: impl FnOnce(&mut Guest, &GuestView, &mut Services<'_>, &mut Turn<'_>),
    ) {
        let (Some(guest), Some(view)) = (self.guests.get_mut(&port), self.state.ports.get(&port))
        else {
            return;
        };
        let mut services = Services {
            zones: self.state.zones.get(&view.vni).map(|zones| &**zones),
            forwarder: &mut self.forwarder,
            tokens: &self.tokens,
        };
        let mut turn = Turn {
            now,
            random: &mut self.random,
            counters: &mut self.counters,
        };
        act(guest, view, &mut services, &mut turn);
        let mut frames = guest.take_frames();
        if !frames.is_empty() {
            self.output
                .guests
                .entry(port)
                .or_default()
                .append(&mut frames);
        }
    }
}

fn send_queries(forwarder: &mut Forwarder, system: &mut System, turn: &mut Turn<'_>) {
    while let Some(outgoing) = forwarder.outgoing() {
        match outgoing {
            Outgoing::Udp { from, to, payload } => system.send(from, to, &payload),
            Outgoing::Tcp {
                question,
                to,
                payload,
            } => system.open(question, to, &payload, turn),
            Outgoing::Close(question) => system.close(question, turn.now),
        }
    }
}
