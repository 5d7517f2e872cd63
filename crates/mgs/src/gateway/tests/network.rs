//! A whole management network in memory and virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::plan;
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::Rack;
use rackweave_mgmt::sp::message::{Image, Request, Response};
use rackweave_mgmt::switch::{ChipPort, Egress, Switch};
use rackweave_types::{Instant, MacAddr};

use super::super::selftest::Report;
use super::super::{Answer, Event, Gateway, Settings, Ticket};
use super::body::Body;
use crate::keys::Keys;

/// How long a frame is on its way at least.
const WAY: Duration = Duration::from_micros(100);

/// What a network does to frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    /// Of a hundred frames, so many are lost.
    pub(super) percent: u64,
    /// Frames come up to so much later: they overtake each other.
    pub(super) late: Duration,
    /// What chance is made of.
    pub(super) seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum To {
    Gateway(Position),
    Sp(Unit),
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Network {
    now: Instant,
    rack: Rack,
    keys: Keys,
    losses: Losses,
    drawn: u64,
    switches: [Switch; 2],
    gateways: [Gateway; 2],
    events: [VecDeque<Event>; 2],
    bodies: BTreeMap<Unit, Body>,
    /// Where the cable of a switch's port ends; cut ones are not here.
    cables: BTreeMap<(Position, SwitchPort), (Unit, SpPort)>,
    cut: BTreeMap<(Position, Unit), (Unit, SpPort)>,
    flying: BTreeMap<(Instant, u64), (To, Vec<u8>)>,
    sent: u64,
}

const fn index(position: Position) -> usize {
    match position {
        Position::A => 0,
        Position::B => 1,
    }
}

pub(super) fn rack() -> Rack {
    let text = include_str!("../../../../../dist/racks/rack-1.toml");
    Rack::check(&toml::from_str(text).unwrap()).unwrap()
}

impl Network {
    pub(super) fn new(losses: Losses, keys: &Keys) -> Self {
        let (rack, now) = (rack(), Instant::from_nanos(1_000_000_000));
        let switch = || Switch::new(plan::vsc7448(&rack, true));
        let cables = Position::ALL.into_iter().flat_map(|position| {
            let ends = rack.ends(position);
            ends.map(move |(port, end)| ((position, port), (end.unit, end.sp_port)))
                .collect::<Vec<_>>()
        });
        let cables = cables.collect();
        let units = rack.units().into_iter().zip(1..);
        let bodies = units
            .map(|(unit, number)| (unit, Body::new(unit, mac(number), keys, now)))
            .collect();
        Self {
            now,
            switches: [switch(), switch()],
            gateways: Position::ALL.map(|position| gateway(&rack, keys, position, now)),
            events: [VecDeque::new(), VecDeque::new()],
            bodies,
            cables,
            cut: BTreeMap::new(),
            rack,
            keys: keys.clone(),
            drawn: losses.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            losses,
            flying: BTreeMap::new(),
            sent: 0,
        }
    }

    pub(super) fn serial(unit: Unit) -> String {
        format!("RW-{unit}")
    }

    pub(super) fn gateway(&self, position: Position) -> &Gateway {
        &self.gateways[index(position)]
    }

    /// Does something with a gateway, and lets what it sends go.
    pub(super) fn gateway_mut<T>(
        &mut self,
        position: Position,
        act: impl FnOnce(&mut Gateway, Instant) -> T,
    ) -> T {
        let done = act(&mut self.gateways[index(position)], self.now);
        self.collect(position);
        done
    }

    /// What happened since it was asked last.
    pub(super) fn events(&mut self, position: Position) -> Vec<Event> {
        self.collect(position);
        self.events[index(position)].drain(..).collect()
    }

    /// The port of a switch that should lead to a unit.
    pub(super) fn port(&self, position: Position, unit: Unit) -> SwitchPort {
        self.rack.port_of(position, unit).unwrap()
    }

    /// The port of a unit where a switch's cable should end.
    pub(super) fn port_of_sp(&self, position: Position, unit: Unit) -> SpPort {
        let port = self.port(position, unit);
        self.rack.end(position, port).unwrap().sp_port
    }

    /// A gateway that knows nothing takes the place of one.
    pub(super) fn restart(&mut self, position: Position) {
        self.gateways[index(position)] = gateway(&self.rack, &self.keys, position, self.now);
        self.events[index(position)].clear();
    }

    pub(super) fn cut(&mut self, position: Position, unit: Unit) {
        let port = self.port(position, unit);
        let end = self.cables.remove(&(position, port)).unwrap();
        self.cut.insert((position, unit), end);
    }

    pub(super) fn heal(&mut self, position: Position, unit: Unit) {
        let port = self.port(position, unit);
        let end = self.cut.remove(&(position, unit)).unwrap();
        self.cables.insert((position, port), end);
    }

    /// Swaps the cables of two units at a switch.
    pub(super) fn swap(&mut self, position: Position, one: Unit, two: Unit) {
        let [first, second] = [one, two].map(|unit| (position, self.port(position, unit)));
        let (was, is) = (self.cables[&first], self.cables[&second]);
        self.cables.insert(first, is);
        self.cables.insert(second, was);
    }

    /// Swaps the two cables of a unit.
    pub(super) fn turn(&mut self, unit: Unit) {
        for position in Position::ALL {
            let port = self.port(position, unit);
            let (_, end) = self.cables.get_mut(&(position, port)).unwrap();
            *end = end.other();
        }
    }

    /// Programs a switch anew.
    pub(super) fn program(&mut self, position: Position, change: impl FnOnce(&mut Switch)) {
        change(&mut self.switches[index(position)]);
    }

    /// Waits for the answer to an order.
    pub(super) fn ask(
        &mut self,
        position: Position,
        unit: Unit,
        request: Request,
        within: Duration,
    ) -> Answer {
        let port = self.port(position, unit);
        let end = self.now.after(within);
        loop {
            let there = self.gateway(position).links().find(|it| it.port() == port);
            if there.is_some_and(|link| link.found().is_some()) || self.now >= end {
                break;
            }
            self.run(Duration::from_millis(10));
        }
        let ticket = self.gateway_mut(position, |gateway, now| {
            gateway.ask(now, port, request, within)
        });
        self.answer(position, ticket, within)
    }

    fn answer(&mut self, position: Position, ticket: Ticket, within: Duration) -> Answer {
        let end = self.now.after(within * 2);
        while self.now < end {
            for event in self.events(position) {
                if let Event::Answered(of, answer) = event
                    && of == ticket
                {
                    return answer;
                }
            }
            self.run(Duration::from_millis(1));
        }
        panic!("the gateway does not say what became of the order");
    }

    pub(super) fn update(&mut self, position: Position, unit: Unit, name: &str, octets: &[u8]) {
        let image = Image {
            name: name.into(),
            len: u32::try_from(octets.len()).unwrap(),
            hash: *blake3::hash(octets).as_bytes(),
        };
        let port = self.port(position, unit);
        self.gateway_mut(position, |gateway, now| {
            gateway
                .update_begin(now, port, image, octets.into())
                .unwrap();
        });
    }

    /// Runs a self-test to its end.
    pub(super) fn selftest(&mut self, position: Position) -> Report {
        self.gateway_mut(position, |gateway, now| gateway.selftest(now, 77));
        for _ in 0..2000 {
            self.run(Duration::from_millis(10));
            for event in self.events(position) {
                if let Event::Selftest(report) = event {
                    return report;
                }
            }
        }
        panic!("the self-test does not end");
    }

    /// What runs on a unit, and whether on trial.
    pub(super) fn firmware(&self, unit: Unit) -> (String, bool) {
        self.bodies[&unit].firmware()
    }

    /// The host of a unit writes to its console.
    pub(super) fn produce(&mut self, unit: Unit, octets: &[u8]) -> usize {
        self.bodies.get_mut(&unit).unwrap().produce(octets)
    }

    /// A service processor asks a gateway, and waits for the answer.
    pub(super) fn sp_asks(&mut self, unit: Unit, at: SpPort, request: Request) -> Option<Response> {
        let body = self.bodies.get_mut(&unit).unwrap();
        body.ask(at, request);
        self.collect_body(unit);
        self.run(Duration::from_millis(100));
        self.bodies.get_mut(&unit).unwrap().answers.pop()
    }

    /// Runs for so long.
    pub(super) fn run(&mut self, duration: Duration) {
        let never = self.until(duration, |_| false);
        assert_eq!(never, None);
    }

    /// Runs until something is so; how long that took, or `None` if it is not so in time.
    pub(super) fn until(
        &mut self,
        within: Duration,
        is_so: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let (began, end) = (self.now, self.now.after(within));
        loop {
            if is_so(self) {
                return Some(self.now.since(began));
            }
            let next = self.next();
            if next > end {
                self.now = end;
                return None;
            }
            self.now = self.now.max(next);
            self.step();
        }
    }

    fn next(&self) -> Instant {
        let frame = self.flying.keys().next().map(|(at, _)| *at);
        let gateways = self.gateways.iter().map(Gateway::deadline);
        let bodies = self.bodies.values().filter_map(|body| body.deadline);
        frame
            .into_iter()
            .chain(gateways)
            .chain(bodies)
            .min()
            .unwrap()
    }

    fn step(&mut self) {
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (to, frame) = entry.remove();
            match to {
                To::Gateway(position) => {
                    self.gateways[index(position)].frame(self.now, &frame);
                    self.collect(position);
                }
                To::Sp(unit) => {
                    let body = self.bodies.get_mut(&unit).unwrap();
                    body.frame(self.now, &frame);
                    self.collect_body(unit);
                }
            }
        }
        for position in Position::ALL {
            if self.gateway(position).deadline() <= self.now {
                self.gateways[index(position)].poll(self.now);
                self.collect(position);
            }
        }
        let due = self
            .bodies
            .iter()
            .filter(|(_, body)| body.deadline.is_some_and(|at| at <= self.now));
        let due: Vec<Unit> = due.map(|(unit, _)| *unit).collect();
        for unit in due {
            self.bodies.get_mut(&unit).unwrap().turn(self.now);
            self.collect_body(unit);
        }
    }

    /// What a gateway sends goes its way, what happened is kept.
    fn collect(&mut self, position: Position) {
        while let Some(event) = self.gateways[index(position)].take_event() {
            self.events[index(position)].push_back(event);
        }
        while let Some(frame) = self.gateways[index(position)].take_frame() {
            let upstream = plan::chip(self.rack.upstream());
            self.through_switch(position, upstream, &frame);
        }
    }

    fn collect_body(&mut self, unit: Unit) {
        let body = self.bodies.get_mut(&unit).unwrap();
        body.turn(self.now);
        for Egress { port, frame } in body.take_frames() {
            let at = SpPort::try_from(port.0).unwrap();
            let cable = self.cables.iter().find(|(_, end)| **end == (unit, at));
            if let Some(((position, port), _)) = cable {
                let (position, port) = (*position, plan::chip(*port));
                self.through_switch(position, port, &frame);
            }
        }
    }

    fn through_switch(&mut self, position: Position, at: ChipPort, frame: &[u8]) {
        let out = self.switches[index(position)].forward(at, frame);
        for Egress { port, frame } in out.unwrap_or_default() {
            let port = SwitchPort::new(port.0).unwrap();
            if port == self.rack.upstream() {
                self.fly(To::Gateway(position), frame);
            } else if let Some((unit, at)) = self.cables.get(&(position, port)).copied() {
                let body = self.bodies.get_mut(&unit).unwrap();
                for frame in body.through_chip(at, &frame) {
                    self.fly(To::Sp(unit), frame);
                }
            }
        }
    }

    fn fly(&mut self, to: To, frame: Vec<u8>) {
        self.sent += 1;
        if self.draw() % 100 < self.losses.percent {
            return;
        }
        let late = u64::try_from(self.losses.late.as_nanos()).unwrap();
        let late = Duration::from_nanos(if late == 0 { 0 } else { self.draw() % late });
        let at = self.now.after(WAY + late);
        self.flying.insert((at, self.sent), (to, frame));
    }

    /// Chance (xorshift).
    fn draw(&mut self) -> u64 {
        self.drawn ^= self.drawn << 13;
        self.drawn ^= self.drawn >> 7;
        self.drawn ^= self.drawn << 17;
        self.drawn
    }
}

fn gateway(rack: &Rack, keys: &Keys, position: Position, now: Instant) -> Gateway {
    let number = match position {
        Position::A => 100,
        Position::B => 101,
    };
    let settings = Settings {
        mac: mac(number).first(),
        racks: vec![rack.clone()],
        keys: keys.clone(),
        seed: now.nanos(),
        epoch: now.nanos(),
    };
    Gateway::new(settings, now)
}

fn mac(number: u8) -> MacRange {
    MacRange::new(MacAddr::new([0xa8, 0x40, 0x25, 0, number, 0])).unwrap()
}
