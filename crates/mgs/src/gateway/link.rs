//! A link to a service processor: one VLAN with a stack of its own, and who is at its end.
//!
//! Hellos go to all nodes of the VLAN, for ever: whoever answers is there, whatever was there before. Orders go to the
//! address that answered last, over an exchange that begins anew with each other service processor, so that a key is
//! never used with the wrong one.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::port::{SpPort, SwitchPort};
use rackweave_mgmt::sp::envelope::{self, Letter, Message};
use rackweave_mgmt::sp::exchange::Refusals;
use rackweave_mgmt::sp::message::{Failure, Here, Kind, Request, Response};
use rackweave_mgmt::sp::{Exchange, MGS_PORT, Outcome, SP_PORT};
use rackweave_mgmt::stack::{ALL_NODES, Stack, StackConfig};
use rackweave_types::{Instant, MacAddr};

use super::console::{Console, ConsoleEvent};
use super::update::{Progress, Update};
use super::{Answer, Settings, Ticket};

/// How often who is there is asked whether it still is.
const HELLO_EVERY: Duration = Duration::from_secs(1);
/// How long a hello is repeated until it counts as unanswered.
const HELLO_WITHIN: Duration = Duration::from_secs(1);
/// How many hellos in a row may be unanswered until nobody is there.
const MISSES: u8 = 2;
/// The bit of an id that tells the two exchanges of a link apart.
const ORDERS: u32 = 1 << 31;
/// The bits of an id that are drawn: far from the one above, however many requests follow.
const DRAWN: u32 = (1 << 30) - 1;

/// Who is at the end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its unit's serial number.
    pub serial: String,
    /// What it belongs to.
    pub kind: Kind,
    /// Its unit's addresses.
    pub unit: MacRange,
    /// At which of its ports it is reached.
    pub reached: SpPort,
    /// Its address on this link.
    pub address: Ipv6Addr,
    /// Of its start.
    pub boot: [u8; 16],
    /// The highest version of the protocol that it speaks.
    pub version: u8,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody outside.
    Order(Ticket),
    /// The gateway, for what ignition feels.
    Ignition,
    /// The console.
    Console,
    /// The update.
    Update,
    /// The self-test.
    Selftest,
}

/// What came to its end, or became known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// A service processor is there; whether none was, or another one.
    Found(Found, bool),
    /// Nobody is there any more.
    Silent,
    Order(Ticket, Answer),
    Ignition(Option<u64>),
    Console(Ticket, ConsoleEvent),
    Update(Progress),
    Selftest(Option<Response>),
}

/// See the [module](self).
#[derive(Debug)]
pub struct Link {
    port: SwitchPort,
    stack: Stack,
    finder: Exchange,
    hello: Option<u32>,
    hello_at: Instant,
    misses: u8,
    found: Option<Found>,
    heard: Option<Instant>,
    orders: Exchange,
    /// There are keys, and none for who is there.
    keyless: bool,
    asked: BTreeMap<u32, Purpose>,
    console: Option<Console>,
    update: Option<Update>,
    /// Of exchanges that are over.
    refusals: Refusals,
    deadline: Instant,
    frames: Vec<Vec<u8>>,
}

impl Link {
    pub(super) fn new(port: SwitchPort, settings: &Settings, now: Instant) -> Self {
        let config = StackConfig {
            mac: settings.mac,
            vlan: port.vlan(),
            port: MGS_PORT,
            seed: settings.seed.wrapping_add(u64::from(port.get())),
        };
        Self {
            port,
            stack: Stack::new(config, now),
            finder: Exchange::new(None, drawn(settings, port), settings.epoch),
            hello: None,
            hello_at: now,
            misses: 0,
            found: None,
            heard: None,
            orders: Exchange::new(None, drawn(settings, port) | ORDERS, settings.epoch),
            keyless: false,
            asked: BTreeMap::new(),
            console: None,
            update: None,
            refusals: Refusals::default(),
            deadline: now,
            frames: Vec::new(),
        }
    }

    /// The switch's port that it leads through.
    #[must_use]
    pub const fn port(&self) -> SwitchPort {
        self.port
    }

    /// Who is there.
    #[must_use]
    pub const fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// When somebody was heard last.
    #[must_use]
    pub const fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// What was not taken of what came.
    #[must_use]
    pub const fn refusals(&self) -> Refusals {
        let (finder, orders) = (self.finder.refusals(), self.orders.refusals());
        Refusals {
            strange: self.refusals.strange + finder.strange + orders.strange,
            refused: self.refusals.refused + finder.refused + orders.refused,
        }
    }

    /// How far its update is.
    #[must_use]
    pub fn update(&self) -> Option<Progress> {
        self.update.as_ref().map(Update::progress)
    }

    /// Whether an update is under way.
    pub(super) fn is_updating(&self) -> bool {
        self.update.as_ref().is_some_and(|update| !update.is_over())
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes a frame in; whether it was of this link.
    pub(super) fn receive(&mut self, frame: &[u8]) -> bool {
        self.stack.receive(frame)
    }

    /// Frames for the uplink.
    pub(super) fn take_frames(&mut self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.frames.drain(..)
    }

    /// Sends a request to who is there.
    pub(super) fn order(
        &mut self,
        now: Instant,
        request: Request,
        within: Duration,
        purpose: Purpose,
    ) -> Result<(), Answer> {
        self.reachable()?;
        let id = self.orders.ask(now, request, within);
        self.asked.insert(id, purpose);
        self.hurry(now);
        Ok(())
    }

    /// Whether there is somebody to give orders to. Where there are keys, what cannot be proven is not said: nobody is
    /// taken for who it says it is.
    fn reachable(&self) -> Result<(), Answer> {
        match &self.found {
            None => Err(Answer::Absent),
            Some(found) if self.keyless => Err(Answer::NoKey(found.serial.clone())),
            Some(_) => Ok(()),
        }
    }

    /// Something is due now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.deadline = self.deadline.min(now);
    }

    pub(super) fn console_open(
        &mut self,
        ticket: Ticket,
        operator: &str,
        force: bool,
    ) -> Result<(), ConsoleEvent> {
        self.reachable().map_err(ConsoleEvent::Ended)?;
        let held = self
            .console
            .as_ref()
            .filter(|it| !force && !it.is_closing());
        if let Some(held) = held {
            let by = held.operator().to_owned();
            return Err(ConsoleEvent::Ended(Answer::Failed(Failure::Held(by))));
        }
        let mut console = Console::new(ticket, operator, force);
        if let Some(before) = &self.console {
            console.displace(before.ticket());
        }
        self.console = Some(console);
        Ok(())
    }

    pub(super) fn console(&mut self, ticket: Ticket) -> Option<&mut Console> {
        self.console
            .as_mut()
            .filter(|console| console.ticket() == ticket)
    }

    pub(super) fn update_begin(&mut self, mut update: Update) {
        self.asked.retain(|_, purpose| *purpose != Purpose::Update);
        if let Some(found) = &self.found {
            update.found(found.boot);
        }
        self.update = Some(update);
    }

    pub(super) fn update_abort(&mut self, now: Instant) {
        if self.update.take().is_some() {
            self.asked.retain(|_, purpose| *purpose != Purpose::Update);
            // Whether it is heard or not: the next update begins anew.
            let _absent = self.order(now, Request::UpdateAbort, HELLO_WITHIN, Purpose::Update);
        }
    }

    /// Does what is due, and says what came of it; `place` is what whoever asks where it is is told. Gives how many
    /// questions of service processors were answered.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        settings: &Settings,
        place: Option<&str>,
        ended: &mut Vec<Ended>,
    ) -> u64 {
        let mut answered = 0;
        self.stack.poll(now, &mut self.frames);
        while let Some(datagram) = self.stack.next_datagram() {
            let from = (datagram.from, datagram.from_port);
            if is_response(&datagram.payload) {
                self.respond(now, from.0, &datagram.payload, settings, ended);
            } else {
                answered += u64::from(self.answer(from, &datagram.payload, place));
            }
        }
        self.greet(now);
        self.work(now, ended);
        self.send(now, ended);
        self.stack.poll(now, &mut self.frames);
        self.deadline = self.next_deadline(now);
        answered
    }

    fn next_deadline(&mut self, now: Instant) -> Instant {
        let hello = self.hello.is_none().then_some(self.hello_at);
        [
            hello,
            self.stack.deadline(now),
            self.finder.deadline(),
            self.orders.deadline(),
            self.console.as_ref().and_then(Console::deadline),
            self.update.as_ref().and_then(Update::deadline),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(self.hello_at)
    }

    /// A response came.
    fn respond(
        &mut self,
        now: Instant,
        from: Ipv6Addr,
        octets: &[u8],
        settings: &Settings,
        ended: &mut Vec<Ended>,
    ) {
        if id(octets).is_some_and(|id| id & ORDERS == 0) {
            if let Some((id, Outcome::Answered(Response::Here(here)))) =
                self.finder.receive(now, octets)
                && self.hello == Some(id)
            {
                self.hello = None;
                self.hello_at = now.after(HELLO_EVERY);
                self.here(now, from, here, settings, ended);
            }
        } else if let Some((id, outcome)) = self.orders.receive(now, octets) {
            self.heard = Some(now);
            self.outcome(now, id, outcome, ended);
        }
    }

    /// A service processor says who it is.
    fn here(
        &mut self,
        now: Instant,
        from: Ipv6Addr,
        here: Here,
        settings: &Settings,
        ended: &mut Vec<Ended>,
    ) {
        let Ok(unit) = MacRange::new(MacAddr::new(here.first_mac)) else {
            return;
        };
        self.misses = 0;
        self.heard = Some(now);
        let found = Found {
            serial: here.serial,
            kind: here.kind,
            unit,
            reached: here.reached.into(),
            address: from,
            boot: here.boot,
            version: here.version,
        };
        if self.found.as_ref() == Some(&found) {
            return;
        }
        let other = self
            .found
            .as_ref()
            .is_none_or(|before| before.serial != found.serial || before.unit != found.unit);
        if other {
            self.part(ended);
            let key = settings.keys.of(&found.serial).cloned();
            self.keyless = key.is_none() && !settings.keys.is_empty();
            let first = drawn(settings, self.port) | ORDERS;
            self.remember();
            self.orders =
                Exchange::new(key, first.wrapping_add(wraps(now)) | ORDERS, settings.epoch);
        }
        if let Some(update) = &mut self.update {
            update.found(found.boot);
        }
        // Proofs are bound to a start. Whoever has started anew is silent to those of the start before, so it is asked
        // what needs none: its answer is what the next ones are bound to.
        let reached = Request::ReplyIfAt(found.reached.into());
        self.orders.ask(now, reached, HELLO_WITHIN);
        self.found = Some(found.clone());
        ended.push(Ended::Found(found, other));
    }

    /// Who was there is not there any more: what was asked of it comes to its end.
    fn part(&mut self, ended: &mut Vec<Ended>) {
        for (_, purpose) in std::mem::take(&mut self.asked) {
            match purpose {
                Purpose::Order(ticket) => ended.push(Ended::Order(ticket, Answer::Gone)),
                Purpose::Ignition => ended.push(Ended::Ignition(None)),
                Purpose::Selftest => ended.push(Ended::Selftest(None)),
                Purpose::Console | Purpose::Update => {}
            }
        }
        if let Some(console) = self.console.take() {
            ended.push(Ended::Console(
                console.ticket(),
                ConsoleEvent::Ended(Answer::Gone),
            ));
        }
        if let Some(update) = &mut self.update {
            update.gone();
        }
    }

    fn remember(&mut self) {
        let orders = self.orders.refusals();
        self.refusals.strange += orders.strange;
        self.refusals.refused += orders.refused;
    }

    /// A question came: who hears it answers for the gateway.
    fn answer(
        &mut self,
        (from, port): (Ipv6Addr, u16),
        octets: &[u8],
        place: Option<&str>,
    ) -> bool {
        let Ok(Letter {
            id,
            message: Message::Request(request),
            ..
        }) = envelope::read(octets, None)
        else {
            return false;
        };
        let response = match request {
            // That it is answered, and from where, is all there is to know.
            Request::Discover => Response::Done,
            Request::WhereAmI => match place {
                Some(place) => Response::YouAreAt(place.into()),
                None => Response::Failed(Failure::NotReady),
            },
            _ => Response::Failed(Failure::Unsupported),
        };
        let written = envelope::write(id, &Message::Response(response), None);
        written.is_ok_and(|datagram| self.stack.send(from, port, &datagram).is_ok())
    }

    /// Asks who is there, if it is time to.
    fn greet(&mut self, now: Instant) {
        if self.hello.is_none() && self.hello_at <= now {
            let id = self.finder.ask(now, Request::Discover, HELLO_WITHIN);
            self.hello = Some(id);
        }
    }

    /// Lets console and update ask what they have to ask.
    fn work(&mut self, now: Instant, ended: &mut Vec<Ended>) {
        if self.reachable().is_err() {
            return;
        }
        if let Some(mut console) = self.console.take() {
            while let Some((request, within)) = console.next_request(now) {
                let id = self.orders.ask(now, request, within);
                self.asked.insert(id, Purpose::Console);
                console.sent(id);
            }
            let ticket = console.ticket();
            ended.extend(
                console
                    .take_events()
                    .map(|event| Ended::Console(ticket, event)),
            );
            ended.extend(console.take_displaced().map(|ticket| {
                let by = console.operator().to_owned();
                Ended::Console(
                    ticket,
                    ConsoleEvent::Ended(Answer::Failed(Failure::Held(by))),
                )
            }));
            if !console.is_over() {
                self.console = Some(console);
            }
        }
        if let Some(mut update) = self.update.take() {
            while let Some((request, within)) = update.next_request(now) {
                let id = self.orders.ask(now, request, within);
                self.asked.insert(id, Purpose::Update);
                update.sent(id);
            }
            ended.extend(update.take_progress().map(Ended::Update));
            self.update = Some(update);
        }
    }

    /// Sends what is due of both exchanges.
    fn send(&mut self, now: Instant, ended: &mut Vec<Ended>) {
        let mut out = Vec::new();
        let unanswered = self.finder.poll(now, &mut out);
        for datagram in out.drain(..) {
            // What does not go now goes with the next repetition.
            let _later = self.stack.send(ALL_NODES, SP_PORT, &datagram);
        }
        for (id, _) in unanswered {
            if self.hello == Some(id) {
                self.miss(now, ended);
            }
        }
        let came_to_nothing = self.orders.poll(now, &mut out);
        if let Some(found) = &self.found {
            let address = found.address;
            for datagram in out {
                let _later = self.stack.send(address, SP_PORT, &datagram);
            }
        }
        for (id, outcome) in came_to_nothing {
            self.outcome(now, id, outcome, ended);
        }
    }

    fn miss(&mut self, now: Instant, ended: &mut Vec<Ended>) {
        self.hello = None;
        self.hello_at = now;
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MISSES && self.found.take().is_some() {
            self.part(ended);
            ended.push(Ended::Silent);
        }
    }

    /// A request came to its end.
    fn outcome(&mut self, now: Instant, id: u32, outcome: Outcome, ended: &mut Vec<Ended>) {
        match self.asked.remove(&id) {
            Some(Purpose::Order(ticket)) => ended.push(Ended::Order(ticket, outcome.into())),
            Some(Purpose::Ignition) => ended.push(Ended::Ignition(match outcome {
                Outcome::Answered(Response::Ignition(bits)) => Some(bits),
                _ => None,
            })),
            Some(Purpose::Selftest) => ended.push(Ended::Selftest(match outcome {
                Outcome::Answered(response) => Some(response),
                _ => None,
            })),
            Some(Purpose::Console) => {
                if let Some(console) = &mut self.console {
                    console.outcome(now, id, outcome);
                }
                self.work(now, ended);
            }
            Some(Purpose::Update) => {
                if let Some(update) = &mut self.update {
                    update.outcome(now, id, outcome);
                }
                self.work(now, ended);
            }
            None => {}
        }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered(Response::Failed(failure)) => Self::Failed(failure),
            Outcome::Answered(response) => Self::Response(response),
            Outcome::TimedOut => Self::TimedOut,
            Outcome::TooLong => Self::TooLong,
        }
    }
}

/// Where the ids of a link begin.
fn drawn(settings: &Settings, port: SwitchPort) -> u32 {
    let [a, b, c, d, ..] = settings
        .seed
        .wrapping_mul(u64::from(port.get()) * 2 + 1)
        .to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) & DRAWN
}

/// Something that is another number at another time.
fn wraps(now: Instant) -> u32 {
    let [.., a, b, c, d] = now.nanos().to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) & (DRAWN >> 1)
}

/// Whether a datagram is a response: a flag of its head, before anything of it is believed.
fn is_response(octets: &[u8]) -> bool {
    octets.get(1).is_some_and(|flags| flags & 1 == 1)
}

/// The id of a datagram.
fn id(octets: &[u8]) -> Option<u32> {
    octets
        .get(2..)?
        .first_chunk()
        .map(|id| u32::from_be_bytes(*id))
}
