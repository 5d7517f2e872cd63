//! A whole management network in virtual frames: the model of every chip, joined by cables that can be moved.

use std::collections::BTreeMap;

use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::cabling::{Seen, View};
use rackweave_mgmt::location::{Answer, UnitKind};
use rackweave_mgmt::plan::{SP, chip, ksz8463, vsc7448};
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::{End, Rack};
use rackweave_mgmt::switch::{ChipPort, Egress, Switch};
use rackweave_types::MacAddr;

/// The group of all nodes on a link.
pub(crate) const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
/// A gateway's address.
const GATEWAY: [u8; 6] = [0xa8, 0x40, 0x25, 0xff, 0, 0x10];

/// Where a frame arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Gateway(Position),
    Sp(Unit),
    Technician(Position, SwitchPort),
}

/// A frame that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) place: Place,
    pub(crate) frame: Vec<u8>,
}

/// Both switches, the chip of every unit, and the cables between them.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) rack: Rack,
    switches: [Switch; 2],
    chips: BTreeMap<Unit, Switch>,
    cables: BTreeMap<(Position, SwitchPort), End>,
}

impl World {
    /// All cables where they belong.
    pub(crate) fn new(rack: &Rack, learning: bool) -> Self {
        let switch = || Switch::new(vsc7448(rack, learning));
        let chips = rack.units().into_iter();
        let cables = Position::ALL.into_iter().flat_map(|position| {
            rack.ends(position)
                .map(move |(port, end)| ((position, port), end))
        });
        Self {
            switches: [switch(), switch()],
            chips: chips
                .map(|unit| (unit, Switch::new(ksz8463(learning))))
                .collect(),
            cables: cables.collect(),
            rack: rack.clone(),
        }
    }

    /// The chip of a switch.
    pub(crate) fn switch(&mut self, position: Position) -> &mut Switch {
        &mut self.switches[usize::from(position == Position::B)]
    }

    /// Puts the cables of two units into each other's ports at a switch.
    pub(crate) fn swap(&mut self, position: Position, units: [Unit; 2]) {
        let [one, two] = units.map(|unit| self.rack.port_of(position, unit));
        if let (Some(one), Some(two)) = (one, two) {
            self.exchange([(position, one), (position, two)]);
        }
    }

    /// Puts the two cables of a unit into each other's connectors.
    pub(crate) fn turn(&mut self, unit: Unit) {
        let ports = Position::ALL.map(|position| self.rack.port_of(position, unit));
        if let [Some(a), Some(b)] = ports {
            self.exchange([(Position::A, a), (Position::B, b)]);
        }
    }

    /// Pulls the cable of a unit out of a switch.
    pub(crate) fn pull(&mut self, position: Position, unit: Unit) {
        if let Some(port) = self.rack.port_of(position, unit) {
            self.cables.remove(&(position, port));
        }
    }

    fn exchange(&mut self, [one, two]: [(Position, SwitchPort); 2]) {
        if let (Some(first), Some(second)) = (self.cables.remove(&one), self.cables.remove(&two)) {
            self.cables.insert(one, second);
            self.cables.insert(two, first);
        }
    }

    /// A gateway sends a frame: where does it arrive?
    pub(crate) fn gateway_sends(&mut self, position: Position, frame: &[u8]) -> Vec<Arrival> {
        self.enters_switch(position, chip(self.rack.upstream()), frame)
    }

    /// A service processor sends a frame: where does it arrive?
    pub(crate) fn sp_sends(&mut self, unit: Unit, frame: &[u8]) -> Vec<Arrival> {
        let Some(own) = self.chips.get_mut(&unit) else {
            return Vec::new();
        };
        let out = own.forward(SP, frame).unwrap_or_default();
        let mut arrived = Vec::new();
        for Egress { port, frame } in out {
            let leads = |end: &&End| end.unit == unit && ChipPort(end.sp_port.number()) == port;
            let cable = self.cables.iter().find(|(_, end)| leads(end));
            if let Some((&(position, at), _)) = cable {
                arrived.extend(self.enters_switch(position, chip(at), &frame));
            }
        }
        arrived
    }

    /// A frame comes in at a port of a switch: where does it arrive?
    pub(crate) fn enters_switch(
        &mut self,
        position: Position,
        at: ChipPort,
        frame: &[u8],
    ) -> Vec<Arrival> {
        let out = self.switch(position).forward(at, frame).unwrap_or_default();
        let mut arrived = Vec::new();
        for Egress { port, frame } in out {
            let Ok(port) = SwitchPort::new(port.0) else {
                continue;
            };
            if port == self.rack.upstream() {
                let place = Place::Gateway(position);
                arrived.push(Arrival { place, frame });
            } else if let Some(end) = self.cables.get(&(position, port)).copied() {
                arrived.extend(self.enters_unit(end, &frame));
            } else {
                let place = Place::Technician(position, port);
                arrived.push(Arrival { place, frame });
            }
        }
        arrived
    }

    /// A frame comes in at a connector of a unit; what its chip passes on to the other switch arrives there.
    fn enters_unit(&mut self, end: End, frame: &[u8]) -> Vec<Arrival> {
        let Some(own) = self.chips.get_mut(&end.unit) else {
            return Vec::new();
        };
        let out = own.forward(ChipPort(end.sp_port.number()), frame);
        let out = out.unwrap_or_default().into_iter();
        out.map(|Egress { port, frame }| {
            // A unit's chip has no way from one switch to the other: if it found one, the other gateway would have it.
            let other = self
                .cables
                .iter()
                .find(|(_, far)| far.unit == end.unit && ChipPort(far.sp_port.number()) == port)
                .map(|((position, _), _)| Place::Gateway(*position));
            let place = if port == SP {
                Place::Sp(end.unit)
            } else {
                other.unwrap_or(Place::Sp(end.unit))
            };
            Arrival { place, frame }
        })
        .collect()
    }

    /// What a gateway sees: who answers at each port, and whether ignition feels something there.
    pub(crate) fn view(&mut self, position: Position) -> View {
        let ports: Vec<_> = self.rack.ends(position).map(|(port, _)| port).collect();
        ports
            .into_iter()
            .map(|port| {
                let seen = Seen {
                    sp: self
                        .ask(position, port)
                        .map(|(unit, reached)| (addresses(unit), reached)),
                    data: None,
                    ignition: self.cables.contains_key(&(position, port)),
                };
                (port, seen)
            })
            .collect()
    }

    /// What a gateway is answered at each port where it is answered.
    pub(crate) fn answers(&mut self, position: Position) -> Vec<(SwitchPort, Answer)> {
        let ports: Vec<_> = self.rack.ends(position).map(|(port, _)| port).collect();
        ports
            .into_iter()
            .filter_map(|port| {
                let (unit, reached) = self.ask(position, port)?;
                let kind = UnitKind::at(unit);
                Some((port, Answer { reached, kind }))
            })
            .collect()
    }

    /// Asks at a port who is there: who is reached by the question, and reaches the gateway with the answer.
    fn ask(&mut self, position: Position, port: SwitchPort) -> Option<(Unit, SpPort)> {
        let question = tagged(ALL_NODES, GATEWAY, &[port.vlan().get()]);
        let arrived = self.gateway_sends(position, &question);
        let [
            Arrival {
                place: Place::Sp(unit),
                frame,
            },
        ] = arrived.as_slice()
        else {
            return None;
        };
        let came = u16::from_be_bytes([*frame.get(14)?, *frame.get(15)?]);
        let reached = SpPort::ALL.into_iter().find(|at| at.vlan().get() == came)?;
        let own = addresses(*unit).management(reached).octets();
        let answer = tagged(GATEWAY, own, &[came]);
        let back = self.sp_sends(*unit, &answer);
        let expected = Arrival {
            place: Place::Gateway(position),
            frame: tagged(GATEWAY, own, &[port.vlan().get()]),
        };
        (back == [expected]).then_some((*unit, reached))
    }
}

/// The addresses of a unit.
pub(crate) fn addresses(unit: Unit) -> MacRange {
    let (kind, number) = match unit {
        Unit::Cubby(number) => (1, number),
        Unit::Psc(number) => (2, number),
        Unit::Switch(position) => (3, u8::from(position == Position::B)),
    };
    let first = MacAddr::new([0xa8, 0x40, 0x25, kind, number, 0]);
    MacRange::of(first).unwrap_or_else(|_| unreachable!("the address is no group's"))
}

/// A frame with these tags.
pub(crate) fn tagged(destination: [u8; 6], source: [u8; 6], tags: &[u16]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    for tag in tags {
        frame.extend([0x81, 0x00]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend([0x86, 0xdd]);
    frame.extend([0x60; 46]);
    frame
}
