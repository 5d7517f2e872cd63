//! The machine of a gateway: frames of its uplink in and out, service processors found, located, asked and kept in
//! sight. It owns no clock, socket or thread.
//!
//! Whoever drives it hands in frames ([`Gateway::frame`]) and orders, calls [`Gateway::poll`] when
//! [`Gateway::deadline`] has come, and then takes out frames ([`Gateway::take_frame`]) and events
//! ([`Gateway::take_event`]).
//!
//! | module | what it is |
//! |---|---|
//! | [`link`] | one VLAN: the stack, the exchanges, and who is at its end |
//! | [`console`] | an operator at a serial console |
//! | [`update`] | an image on its way into a service processor |
//! | [`selftest`] | frames that must arrive nowhere |

pub mod console;
pub mod link;
pub mod selftest;
pub mod update;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rackweave_mgmt::location::{Answer as Reached, Contradiction, Locator, UnitKind, Verdict};
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::{End, Rack};
use rackweave_mgmt::sp::message::{Failure, Image, Kind, Request, Response};
use rackweave_mgmt::sp::probe;
use rackweave_types::{Instant, MacAddr};

use crate::keys::Keys;
use console::ConsoleEvent;
use link::{Ended, Found, Link, Purpose};
use selftest::{Report, Selftest};
use update::{Progress, Update};

/// How often the own switch is asked what ignition feels.
const IGNITION_EVERY: Duration = Duration::from_secs(1);
/// How long a service processor may take to answer what the gateway asks on its own.
const OWN_PATIENCE: Duration = Duration::from_secs(1);
/// Events that wait at most; then the oldest goes.
const EVENTS: usize = 4096;

/// What a gateway is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of its uplink.
    pub mac: MacAddr,
    /// The types of rack that it may be in.
    pub racks: Vec<Rack>,
    /// What was provisioned with service processors.
    pub keys: Keys,
    /// Drawn for this start.
    pub seed: u64,
    /// Nanoseconds of the date: counters of proofs begin above it.
    pub epoch: u64,
}

/// Joins an answer to who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was answered.
    Response(Response),
    /// It was answered that it was not done.
    Failed(Failure),
    /// Nobody answered in time.
    TimedOut,
    /// It does not fit a datagram.
    TooLong,
    /// No service processor is there.
    Absent,
    /// The service processor went away, or another one came in its place.
    Gone,
    /// There are keys, and none of this service processor.
    NoKey(String),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An order came to its end.
    Answered(Ticket, Answer),
    /// Who is where is no longer as it was.
    Changed,
    /// Of an operator's console.
    Console(Ticket, ConsoleEvent),
    /// An update went on.
    Update(SwitchPort, Progress),
    /// A self-test came to its end.
    Selftest(Report),
}

/// Where the gateway is, as far as it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The type of rack.
    pub rack: String,
    /// The switch.
    pub position: Position,
    /// What does not fit.
    pub contradictions: Vec<Contradiction>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    started: Instant,
    links: BTreeMap<SwitchPort, Link>,
    locator: Locator,
    verdict: Verdict,
    ignition: Option<u64>,
    ignition_at: Instant,
    /// How long after the start the last service processor was found that was not known.
    discovered: Option<Duration>,
    selftest: Option<Selftest>,
    tickets: u64,
    frames: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    counters: Counters,
}

/// What a gateway counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that came.
    pub frames: u64,
    /// Frames that were of no VLAN of the plan, or not readable.
    pub strange: u64,
    /// Questions of service processors that were answered.
    pub answered: u64,
}

impl Gateway {
    /// A gateway that has heard nothing yet.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut ports: Vec<SwitchPort> = settings
            .racks
            .iter()
            .flat_map(|rack| {
                Position::ALL
                    .into_iter()
                    .flat_map(|position| rack.ends(position))
            })
            .map(|(port, _)| port)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let links = ports
            .into_iter()
            .map(|port| (port, Link::new(port, &settings, now)))
            .collect();
        Self {
            locator: Locator::new(settings.racks.clone()),
            settings,
            started: now,
            links,
            verdict: Verdict::Unknown,
            ignition: None,
            ignition_at: now,
            discovered: None,
            selftest: None,
            tickets: 0,
            frames: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// A frame came on the uplink.
    pub fn frame(&mut self, now: Instant, frame: &[u8]) {
        self.counters.frames += 1;
        if let Some(seen) = probe::read(frame) {
            if let Some(selftest) = &mut self.selftest {
                selftest.arrived(seen);
            }
            return;
        }
        let port = tagged_for(frame);
        let Some(link) = port.and_then(|port| self.links.get_mut(&port)) else {
            self.counters.strange += 1;
            return;
        };
        if link.receive(frame) {
            let port = link.port();
            self.turn(now, port);
        } else {
            self.counters.strange += 1;
        }
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) {
        if self.ignition_at <= now {
            self.ignition_at = now.after(IGNITION_EVERY);
            self.ask_ignition(now);
        }
        let due: Vec<SwitchPort> = self
            .links
            .values()
            .filter(|link| link.deadline() <= now)
            .map(Link::port)
            .collect();
        for port in due {
            self.turn(now, port);
        }
        self.poll_selftest(now);
    }

    /// When to call [`Gateway::poll`] at the latest.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let links = self.links.values().map(Link::deadline);
        let selftest = self.selftest.as_ref().map(Selftest::deadline);
        links
            .chain(selftest)
            .chain([self.ignition_at])
            .min()
            .unwrap_or(self.ignition_at)
    }

    /// The next frame for the uplink.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }

    /// The next event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Asks the service processor behind a port; [`Event::Answered`] follows.
    pub fn ask(
        &mut self,
        now: Instant,
        port: SwitchPort,
        request: Request,
        within: Duration,
    ) -> Ticket {
        let ticket = self.ticket();
        let refused = match self.links.get_mut(&port) {
            None => Some(Answer::Absent),
            Some(link) => link
                .order(now, request, within, Purpose::Order(ticket))
                .err(),
        };
        match refused {
            Some(answer) => self.tell(Event::Answered(ticket, answer)),
            None => self.turn(now, port),
        }
        ticket
    }

    /// An operator takes the console of a unit; with `force` from whoever holds it. [`Event::Console`]s follow.
    pub fn console_open(
        &mut self,
        now: Instant,
        port: SwitchPort,
        operator: &str,
        force: bool,
    ) -> Ticket {
        let ticket = self.ticket();
        let opened = match self.links.get_mut(&port) {
            None => Err(ConsoleEvent::Ended(Answer::Absent)),
            Some(link) => link.console_open(ticket, operator, force),
        };
        match opened {
            Err(event) => self.tell(Event::Console(ticket, event)),
            Ok(()) => self.turn(now, port),
        }
        ticket
    }

    /// The operator types.
    pub fn console_type(&mut self, now: Instant, ticket: Ticket, octets: &[u8]) {
        self.at_console(now, ticket, |console| console.type_in(octets));
    }

    /// The operator's reader is behind (`true`), or has caught up.
    pub fn console_hold(&mut self, now: Instant, ticket: Ticket, held: bool) {
        self.at_console(now, ticket, |console| console.hold(held));
    }

    /// The operator lets the console go.
    pub fn console_close(&mut self, now: Instant, ticket: Ticket) {
        self.at_console(now, ticket, console::Console::close);
    }

    fn at_console(
        &mut self,
        now: Instant,
        ticket: Ticket,
        act: impl FnOnce(&mut console::Console),
    ) {
        let link = self.links.values_mut().find_map(|link| {
            let port = link.port();
            link.console(ticket).map(|console| (port, console))
        });
        if let Some((port, console)) = link {
            act(console);
            self.turn(now, port);
        }
    }

    /// Begins an update of the service processor behind a port, or goes on with it; in the place of one under way.
    /// [`Event::Update`]s follow.
    ///
    /// # Errors
    /// Where no such port leads to a service processor.
    pub fn update_begin(
        &mut self,
        now: Instant,
        port: SwitchPort,
        image: Image,
        octets: Arc<[u8]>,
    ) -> Result<(), Answer> {
        let link = self.links.get_mut(&port).ok_or(Answer::Absent)?;
        link.update_begin(Update::new(image, octets, now));
        self.turn(now, port);
        Ok(())
    }

    /// Forgets an update.
    pub fn update_abort(&mut self, now: Instant, port: SwitchPort) {
        if let Some(link) = self.links.get_mut(&port) {
            link.update_abort(now);
            self.turn(now, port);
        }
    }

    /// Whether an update is under way.
    #[must_use]
    pub fn is_updating(&self) -> bool {
        self.links.values().any(Link::is_updating)
    }

    /// Begins a self-test; where one runs already, its end is this one's too. [`Event::Selftest`] follows.
    pub fn selftest(&mut self, now: Instant, run: u32) {
        if self.selftest.is_some() {
            return;
        }
        let ports: Vec<(SwitchPort, SpPort)> = self
            .links
            .values()
            .filter_map(|link| link.found().map(|found| (link.port(), found.reached)))
            .collect();
        self.selftest = Some(Selftest::new(run, self.settings.mac, &ports, now));
        self.poll_selftest(now);
    }

    /// The links, by port.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// Where the gateway is; `None` while it does not know.
    #[must_use]
    pub fn located(&self) -> Option<Located> {
        let Verdict::Located {
            rack,
            position,
            contradictions,
        } = &self.verdict
        else {
            return None;
        };
        Some(Located {
            rack: self.settings.racks[*rack].name().into(),
            position: *position,
            contradictions: contradictions.clone(),
        })
    }

    /// What the answers say, in doubt or not.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The type of rack that it is in, and the switch.
    #[must_use]
    pub fn place(&self) -> Option<(&Rack, Position)> {
        match &self.verdict {
            Verdict::Located { rack, position, .. } => {
                Some((&self.settings.racks[*rack], *position))
            }
            _ => None,
        }
    }

    /// Where the cable of a port ends.
    #[must_use]
    pub fn end(&self, port: SwitchPort) -> Option<End> {
        let (rack, position) = self.place()?;
        rack.end(position, port)
    }

    /// One bit for each port where ignition feels something; `None` while the switch does not say.
    #[must_use]
    pub const fn ignition(&self) -> Option<u64> {
        self.ignition
    }

    /// How long after the start the last service processor was found that was not known.
    #[must_use]
    pub const fn discovered(&self) -> Option<Duration> {
        self.discovered
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Lets a link do what it has to do, and takes in what comes of it.
    fn turn(&mut self, now: Instant, port: SwitchPort) {
        let Some(link) = self.links.get_mut(&port) else {
            return;
        };
        let mut ended = Vec::new();
        let said = match &self.verdict {
            Verdict::Located { rack, position, .. } => {
                let end = self.settings.racks[*rack].end(*position, port);
                end.map(|end| end.unit.to_string())
            }
            _ => None,
        };
        self.counters.answered += link.turn(now, &self.settings, said.as_deref(), &mut ended);
        self.frames.extend(link.take_frames());
        for ended in ended {
            self.ended(now, port, ended);
        }
    }

    fn ended(&mut self, now: Instant, port: SwitchPort, ended: Ended) {
        match ended {
            Ended::Found(found, new) => {
                if new {
                    self.discovered = Some(now.since(self.started));
                }
                self.locator.answered(port, reached(&found));
                self.judge();
            }
            Ended::Silent => {
                self.locator.silent(port);
                self.judge();
            }
            Ended::Order(ticket, answer) => self.tell(Event::Answered(ticket, answer)),
            Ended::Ignition(bits) => {
                if self.ignition != bits {
                    self.ignition = bits;
                    self.tell(Event::Changed);
                }
            }
            Ended::Console(ticket, event) => self.tell(Event::Console(ticket, event)),
            Ended::Update(progress) => self.tell(Event::Update(port, progress)),
            Ended::Selftest(answer) => {
                if let Some(selftest) = &mut self.selftest {
                    selftest.answered(port, answer);
                }
            }
        }
    }

    fn judge(&mut self) {
        self.verdict = self.locator.verdict();
        self.tell(Event::Changed);
    }

    /// Asks the own switch's service processor what ignition feels.
    fn ask_ignition(&mut self, now: Instant) {
        let Some((rack, position)) = self.place() else {
            return;
        };
        let Some(port) = rack.port_of(position, Unit::Switch(position)) else {
            return;
        };
        let asked = self
            .links
            .get_mut(&port)
            .map(|link| link.order(now, Request::Ignition, OWN_PATIENCE, Purpose::Ignition));
        match asked {
            Some(Ok(())) => self.turn(now, port),
            _ => {
                if self.ignition.take().is_some() {
                    self.tell(Event::Changed);
                }
            }
        }
    }

    fn poll_selftest(&mut self, now: Instant) {
        let Some(mut selftest) = self.selftest.take() else {
            return;
        };
        while let Some((port, request)) = selftest.next_order(now) {
            let asked = self
                .links
                .get_mut(&port)
                .map(|link| link.order(now, request, OWN_PATIENCE, Purpose::Selftest));
            if let Some(Ok(())) = asked {
                // Nothing that comes of it is the self-test's before it is put back.
                if let Some(link) = self.links.get_mut(&port) {
                    link.hurry(now);
                }
            } else {
                selftest.answered(port, None);
            }
        }
        self.frames.extend(selftest.take_frames());
        match selftest.report(now) {
            Some(report) => self.tell(Event::Selftest(report)),
            None => self.selftest = Some(selftest),
        }
    }
}

/// The port that a frame of the uplink comes from or goes to, by its tag.
fn tagged_for(frame: &[u8]) -> Option<SwitchPort> {
    let [kind @ .., high, low] = *frame.get(12..)?.first_chunk::<4>()?;
    if kind != [0x81, 0x00] {
        return None;
    }
    let vid = u16::from_be_bytes([high & 0x0f, low]);
    let number = u8::try_from(vid.checked_sub(0x100)?).ok()?;
    SwitchPort::new(number).ok()
}

fn reached(found: &Found) -> Reached {
    Reached {
        reached: found.reached,
        kind: match found.kind {
            Kind::Sled => UnitKind::Sled,
            Kind::Psc => UnitKind::Psc,
            Kind::Switch => UnitKind::Switch,
        },
    }
}

#[cfg(test)]
mod tests;
