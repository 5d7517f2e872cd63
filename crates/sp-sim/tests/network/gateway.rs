//! A gateway of a test: one stack and one exchange for each link, driven until something holds.

use std::collections::BTreeMap;
use std::time::Duration;

use rackweave_linux::clock;
use rackweave_linux::poll::{Events, Poller};
use rackweave_linux::tagged::{TAGGED_MAX, TaggedFrames};
use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::sp::auth::Key;
use rackweave_mgmt::sp::message::Here;
use rackweave_mgmt::sp::probe::{self, Seen};
use rackweave_mgmt::sp::{Exchange, MGS_PORT, Outcome, Request, Response, SP_PORT};
use rackweave_mgmt::stack::{ALL_NODES, Stack, StackConfig};
use rackweave_types::{Instant, MacAddr};

use std::net::Ipv6Addr;

use crate::place::{Place, key, letter};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);

/// A link to a service processor.
struct Link {
    stack: Stack,
    exchange: Exchange,
    peer: Ipv6Addr,
}

/// A gateway.
pub(crate) struct Gateway {
    frames: TaggedFrames,
    poller: Poller,
    links: BTreeMap<Unit, Link>,
    answers: BTreeMap<(Unit, u32), Outcome>,
    /// Probes that came up.
    pub(crate) seen: Vec<Seen>,
}

impl Gateway {
    /// The gateway of a switch, which knows every port's unit and key.
    pub(crate) fn new(place: &Place, position: Position) -> Self {
        let frames = place.open(&format!("g{}", letter(position)));
        let poller = Poller::new().unwrap();
        poller.add(&frames, 0).unwrap();
        let now = clock::now();
        let last = u8::from(position == Position::B);
        let link = |(port, end): (rackweave_mgmt::port::SwitchPort, rackweave_mgmt::rack::End)| {
            let config = StackConfig {
                mac: MacAddr::new([0xa8, 0x40, 0x25, 0xff, 0, last]),
                vlan: port.vlan(),
                port: MGS_PORT,
                seed: 1,
            };
            let key = Key::new(&key(&place.rack, end.unit));
            let link = Link {
                stack: Stack::new(config, now),
                exchange: Exchange::new(Some(key), 1, clock::unix_millis() * 1_000_000),
                peer: ALL_NODES,
            };
            (end.unit, link)
        };
        Self {
            frames,
            poller,
            links: place.rack.ends(position).map(link).collect(),
            answers: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    /// Sends a frame as it is.
    pub(crate) fn send(&self, frame: &[u8]) {
        self.frames.send(frame).unwrap();
    }

    /// Asks without waiting.
    pub(crate) fn begin(&mut self, unit: Unit, request: Request) -> u32 {
        let link = self.links.get_mut(&unit).unwrap();
        link.exchange.ask(clock::now(), request, WITHIN)
    }

    /// Takes an answer that is there.
    pub(crate) fn take(&mut self, unit: Unit, id: u32) -> Option<Outcome> {
        self.answers.remove(&(unit, id))
    }

    /// Asks, and waits for what becomes of it.
    pub(crate) fn ask(&mut self, unit: Unit, request: Request) -> Outcome {
        let id = self.begin(unit, request);
        loop {
            self.turn();
            if let Some(outcome) = self.take(unit, id) {
                return outcome;
            }
        }
    }

    /// The answer to a request that must be answered.
    pub(crate) fn answer(&mut self, unit: Unit, request: &Request) -> Response {
        match self.ask(unit, request.clone()) {
            Outcome::Answered(response) => response,
            other => panic!("{unit}: {request:?}: {other:?}"),
        }
    }

    /// Who is at a unit's link, whoever was there before.
    pub(crate) fn find(&mut self, unit: Unit) -> Option<Here> {
        let link = self.links.get_mut(&unit).unwrap();
        link.peer = ALL_NODES;
        match self.ask(unit, Request::Discover) {
            Outcome::Answered(Response::Here(here)) => Some(here),
            _ => None,
        }
    }

    /// Who is at a unit's link, where somebody is.
    pub(crate) fn discover(&mut self, unit: Unit) -> Here {
        self.find(unit).unwrap()
    }

    /// Waits for frames a moment at most, and does what is due.
    pub(crate) fn turn(&mut self) {
        let now = clock::now();
        self.speak(now);
        let mut events = Events::with_capacity(1);
        let moment = Duration::from_millis(5);
        self.poller.wait(&mut events, Some(moment)).unwrap();
        let mut buffer = vec![0; TAGGED_MAX];
        while let Some(frame) = self.frames.receive(&mut buffer).unwrap() {
            if let Some(seen) = probe::read(frame) {
                self.seen.push(seen);
                continue;
            }
            for link in self.links.values_mut() {
                if link.stack.receive(frame) {
                    break;
                }
            }
        }
        self.speak(clock::now());
    }

    fn speak(&mut self, now: Instant) {
        let mut frames = Vec::new();
        for (unit, link) in &mut self.links {
            link.stack.poll(now, &mut frames);
            while let Some(datagram) = link.stack.next_datagram() {
                let Some((id, outcome)) = link.exchange.receive(now, &datagram.payload) else {
                    continue;
                };
                if let Outcome::Answered(Response::Here(_)) = outcome {
                    link.peer = datagram.from;
                }
                self.answers.insert((*unit, id), outcome);
            }
            let mut out = Vec::new();
            for (id, outcome) in link.exchange.poll(now, &mut out) {
                self.answers.insert((*unit, id), outcome);
            }
            for datagram in out {
                let _full = link.stack.send(link.peer, SP_PORT, &datagram);
            }
            link.stack.poll(now, &mut frames);
        }
        for frame in frames {
            self.frames.send(&frame).unwrap();
        }
    }
}
