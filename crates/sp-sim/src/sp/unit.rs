//! A service processor at work: two network stacks on one wire, and the dispatcher above them.

use std::time::Duration;

use rackweave_linux::random::{self, RandomError};
use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::port::SpPort;
use rackweave_mgmt::sp::auth::Key;
use rackweave_mgmt::sp::console::Console;
use rackweave_mgmt::sp::dispatch::Health;
use rackweave_mgmt::sp::envelope::{self, Letter, Message};
use rackweave_mgmt::sp::message::{Request, Response};
use rackweave_mgmt::sp::{Dispatcher, MGS_PORT, SP_PORT};
use rackweave_mgmt::stack::{ALL_NODES, Datagram, Stack, StackConfig};
use rackweave_types::{Instant, MacAddr};

use super::board::Body;
use super::config::Sp;
use super::subverted::Subverted;
use crate::machine::Out;

/// Octets of its console that a service processor keeps.
const CONSOLE: usize = 256 << 10;
/// How often it asks a gateway where it is, until it is told, and then.
const ASK: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Pieces that a host writes in one round; then frames are looked at again.
const WRITES: usize = 64;

/// A unit and its service processor.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) body: Body,
    pub(super) dispatcher: Dispatcher,
    stacks: [Stack; 2],
    range: MacRange,
    key: Option<Key>,
    asking: [Asking; 2],
    /// While it starts: until when.
    starting: Option<Instant>,
    pub(super) starts: u64,
    pub(super) subverted: Option<Subverted>,
    /// When it is to be looked at again.
    due: Option<Instant>,
}

/// What it asks one of its gateways.
#[derive(Clone, Debug)]
struct Asking {
    id: u32,
    next: Instant,
    told: Option<String>,
}

impl Unit {
    /// A service processor that has just started.
    pub(super) fn new(sp: &Sp, now: Instant) -> anyhow::Result<Self> {
        let range = MacRange::new(sp.first_mac)
            .map_err(|error| anyhow::anyhow!("first_mac of {}: {error}", sp.unit))?;
        let key = sp.key.as_ref().map(|key| Key::new(&key.0));
        Ok(Self {
            name: sp.unit.clone(),
            body: Body::new(sp, now),
            dispatcher: dispatcher(key.as_ref())?,
            stacks: stacks(range, now)?,
            range,
            key,
            asking: asking(now)?,
            starting: None,
            starts: 1,
            subverted: None,
            due: Some(now),
        })
    }

    /// When it is to be looked at again.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is to be looked at now.
    pub(super) const fn wake(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// Where its gateways say that it is.
    pub(super) fn told(&self) -> [Option<String>; 2] {
        self.asking.each_ref().map(|asking| asking.told.clone())
    }

    /// Subverts it, or heals it.
    pub(super) fn subvert(&mut self, subverted: bool, now: Instant) {
        self.subverted = subverted.then(|| Subverted::new(self.key.clone(), now));
        self.wake(now);
    }

    /// A frame came in on its wire.
    pub(super) fn receive(&mut self, now: Instant, frame: &[u8]) {
        if self.starting.is_some() {
            return;
        }
        self.wake(now);
        if self.dispatcher.witnesses.see(frame) {
            return;
        }
        if let Some(subverted) = &mut self.subverted
            && !is_for(frame, self.range)
        {
            subverted.overhear(frame);
        }
        for stack in &mut self.stacks {
            stack.receive(frame);
        }
    }

    /// Does what is due.
    pub(super) fn poll(&mut self, now: Instant, link: usize, out: &mut Out) {
        if let Some(at) = self.starting {
            if now < at {
                return;
            }
            if let Err(error) = self.start(now) {
                tracing::error!(unit = self.name, %error, "cannot start a service processor");
                self.starting = Some(now.after(ASK));
                self.due = self.starting;
                return;
            }
        }
        self.body.now = now;
        self.ask(now);
        let mut frames = self.attack(now);
        while self.converse(now, &mut frames) {}
        self.dispatcher.console.expire(self.body.uptime());
        let writes = self.body.host.write(&mut self.dispatcher.console);
        let full =
            writes && (1..WRITES).all(|_| self.body.host.write(&mut self.dispatcher.console));
        for frame in frames.into_iter().chain(self.body.injected.drain(..)) {
            out.send(link, frame);
        }
        if std::mem::take(&mut self.body.reset) {
            self.fall(now);
            return;
        }
        let asks = self.asking.iter().map(|asking| asking.next).min();
        let stacks = self.stacks.iter_mut().filter_map(|it| it.deadline(now));
        let attack = self.subverted.as_ref().map(Subverted::deadline);
        let more = full.then_some(now);
        self.due = stacks.chain(asks).chain(attack).chain(more).min();
    }

    /// It loses power, or starts anew: silent until it has started.
    pub(super) fn fall(&mut self, now: Instant) {
        let until = now.after(self.body.firmware.start());
        self.starting = Some(until);
        self.due = self.starting;
    }

    fn start(&mut self, now: Instant) -> anyhow::Result<()> {
        self.dispatcher = dispatcher(self.key.as_ref())?;
        self.stacks = stacks(self.range, now)?;
        self.asking = asking(now)?;
        self.body.started = now;
        self.starting = None;
        self.starts += 1;
        Ok(())
    }

    /// Takes in what the stacks have, and answers. Whether there was something.
    fn converse(&mut self, now: Instant, frames: &mut Vec<Vec<u8>>) -> bool {
        let mut heard = false;
        for (index, port) in SpPort::ALL.into_iter().enumerate() {
            self.stacks[index].poll(now, frames);
            while let Some(datagram) = self.stacks[index].next_datagram() {
                heard = true;
                if is_response(&datagram.payload) {
                    self.hear(index, &datagram.payload, now);
                } else {
                    self.answer(port, index, &datagram);
                }
            }
        }
        heard
    }

    fn answer(&mut self, port: SpPort, index: usize, datagram: &Datagram) {
        let answer = self
            .dispatcher
            .receive(port, &datagram.payload, &mut self.body);
        if let Some(answer) = answer {
            // Where too many wait, an answer is lost, as the network may lose it; the question comes again.
            let _full = self.stacks[index].send(datagram.from, datagram.from_port, &answer);
        }
    }

    /// A gateway says where the unit is.
    fn hear(&mut self, index: usize, payload: &[u8], now: Instant) {
        let asking = &mut self.asking[index];
        if let Ok(Letter {
            id,
            message: Message::Response(Response::YouAreAt(place)),
            ..
        }) = envelope::read(payload, None)
            && id == asking.id
        {
            asking.told = Some(place);
            asking.next = now.after(ASK_AGAIN);
        }
    }

    /// Asks the gateways that are due where the unit is.
    fn ask(&mut self, now: Instant) {
        for (asking, stack) in self.asking.iter_mut().zip(&mut self.stacks) {
            if now < asking.next {
                continue;
            }
            asking.next = now.after(ASK);
            asking.id = asking.id.wrapping_add(1);
            let question = Message::Request(Request::WhereAmI);
            if let Ok(question) = envelope::write(asking.id, &question, None) {
                let _full = stack.send(ALL_NODES, MGS_PORT, &question);
            }
        }
    }

    /// What it sends once it is subverted: datagrams to all, and frames.
    fn attack(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let Some(subverted) = &mut self.subverted else {
            return Vec::new();
        };
        let (datagrams, frames) = subverted.attack(now);
        for stack in &mut self.stacks {
            for datagram in &datagrams {
                let _full = stack.send(ALL_NODES, SP_PORT, datagram);
            }
        }
        frames
    }
}

fn dispatcher(key: Option<&Key>) -> Result<Dispatcher, RandomError> {
    let drawn = [random::bytes()?, random::bytes()?];
    Ok(Dispatcher::new(drawn, key, Console::new(CONSOLE)))
}

fn stacks(range: MacRange, now: Instant) -> Result<[Stack; 2], RandomError> {
    let stack = |port: SpPort, seed| {
        let config = StackConfig {
            mac: range.management(port),
            vlan: port.vlan(),
            port: SP_PORT,
            seed: u64::from_ne_bytes(seed),
        };
        Stack::new(config, now)
    };
    let [one, two] = SpPort::ALL;
    Ok([stack(one, random::bytes()?), stack(two, random::bytes()?)])
}

fn asking(now: Instant) -> Result<[Asking; 2], RandomError> {
    let asking = |id| Asking {
        id: u32::from_ne_bytes(id),
        next: now,
        told: None,
    };
    Ok([asking(random::bytes()?), asking(random::bytes()?)])
}

/// Whether a frame is for a unit with these addresses, or for a group.
fn is_for(frame: &[u8], range: MacRange) -> bool {
    let Some(destination) = frame.first_chunk() else {
        return true;
    };
    let destination = MacAddr::new(*destination);
    destination.is_multicast()
        || SpPort::ALL
            .iter()
            .any(|port| range.management(*port) == destination)
}

/// Whether a datagram says that it is a response: the first of its flags.
fn is_response(payload: &[u8]) -> bool {
    payload.get(1).is_some_and(|flags| flags & 1 == 1)
}
