use alloc::vec::Vec;

use super::*;
use crate::port::{Position, Unit};
use crate::rack::tests::{port, rack};
use crate::switch::{Egress, Switch};

/// Ends of frames: what a gateway, or a service processor, is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Gateway(Position),
    Sp(Unit),
    Technician(Position, SwitchPort),
}

/// A whole management network: both switches, and the chip of every unit.
struct Network {
    rack: Rack,
    switches: [Switch; 2],
    units: BTreeMap<Unit, Switch>,
}

impl Network {
    fn new(learning: bool) -> Self {
        let rack = rack();
        let switch = || Switch::new(vsc7448(&rack, learning));
        let units = rack.units().into_iter();
        Self {
            switches: [switch(), switch()],
            units: units
                .map(|unit| (unit, Switch::new(ksz8463(learning))))
                .collect(),
            rack,
        }
    }

    fn switch(&mut self, position: Position) -> &mut Switch {
        &mut self.switches[usize::from(position == Position::B)]
    }

    /// A frame leaves a gateway for its switch; where does it arrive?
    fn gateway_sends(&mut self, position: Position, frame: &[u8]) -> Vec<(Place, Vec<u8>)> {
        let upstream = chip(self.rack.upstream());
        self.through_switch(position, upstream, frame)
    }

    /// A frame leaves a service processor; where does it arrive?
    fn sp_sends(&mut self, unit: Unit, frame: &[u8]) -> Vec<(Place, Vec<u8>)> {
        let out = self.units.get_mut(&unit).unwrap().forward(SP, frame);
        out.unwrap_or_default()
            .into_iter()
            .flat_map(|Egress { port, frame }| {
                let ends = self.ends_of(unit, port);
                ends.into_iter()
                    .flat_map(|(position, port)| self.through_switch(position, chip(port), &frame))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// The switch port at the other end of a port of a unit's chip.
    fn ends_of(&self, unit: Unit, at: ChipPort) -> Option<(Position, SwitchPort)> {
        Position::ALL.into_iter().find_map(|position| {
            let mut ends = self.rack.ends(position);
            let (port, _) =
                ends.find(|(_, end)| end.unit == unit && ChipPort(end.sp_port.number()) == at)?;
            Some((position, port))
        })
    }

    fn through_switch(
        &mut self,
        position: Position,
        at: ChipPort,
        frame: &[u8],
    ) -> Vec<(Place, Vec<u8>)> {
        let out = self.switch(position).forward(at, frame).unwrap_or_default();
        let mut arrived = Vec::new();
        for Egress { port, frame } in out {
            let port = SwitchPort::new(port.0).unwrap();
            if port == self.rack.upstream() {
                arrived.push((Place::Gateway(position), frame));
            } else if let Some(end) = self.rack.end(position, port) {
                let unit = self.units.get_mut(&end.unit).unwrap();
                let out = unit.forward(ChipPort(end.sp_port.number()), &frame);
                for Egress { port, frame } in out.unwrap_or_default() {
                    assert_eq!(port, SP, "nothing is passed on to the other switch");
                    arrived.push((Place::Sp(end.unit), frame));
                }
            } else {
                arrived.push((Place::Technician(position, port), frame));
            }
        }
        arrived
    }
}

const DESTINATIONS: [[u8; 6]; 3] = [
    [0xa8, 0x40, 0x25, 0, 1, 0x10],
    [0x33, 0x33, 0, 0, 0, 1],
    [0xff; 6],
];

/// A frame with these tags.
fn frame(destination: [u8; 6], tags: &[u16]) -> Vec<u8> {
    let mut frame = [destination, [0xa8, 0x40, 0x25, 0, 9, 0x10]].concat();
    for tag in tags {
        frame.extend([0x81, 0x00]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend([0x86, 0xdd]);
    frame.extend([0x60; 46]);
    frame
}

#[test]
fn there_are_39_vlans() {
    let tables = vsc7448(&rack(), true);
    assert_eq!(tables.vlans.len(), 39);
    for (vlan, members) in &tables.vlans {
        assert_eq!(
            members.len(),
            if *vlan == vsc7448_default() { 0 } else { 2 }
        );
    }
    let ksz = ksz8463(true);
    let vlans: Vec<u16> = ksz.vlans.keys().map(|vlan| vlan.get()).collect();
    assert_eq!(vlans, [0x301, 0x302, 0x3ff]);
    assert!(ksz.vlans[&ksz8463_default()].is_empty());
}

#[test]
fn a_frame_walks_as_in_the_seed() {
    // Figure 3: tagged 0x1xx to the switch, untagged on the cable, tagged 0x301 at the service processor.
    let mut network = Network::new(false);
    let multicast = DESTINATIONS[1];
    let arrived = network.gateway_sends(Position::A, &frame(multicast, &[0x102]));
    assert_eq!(
        arrived,
        [(Place::Sp(Unit::Cubby(2)), frame(multicast, &[0x301]))]
    );
    let back = network.sp_sends(Unit::Cubby(2), &frame(multicast, &[0x301]));
    assert_eq!(
        back,
        [(Place::Gateway(Position::A), frame(multicast, &[0x102]))]
    );
    let other = network.sp_sends(Unit::Cubby(2), &frame(multicast, &[0x302]));
    assert_eq!(
        other,
        [(Place::Gateway(Position::B), frame(multicast, &[0x11d]))]
    );
}

#[test]
fn no_service_processor_reaches_another_whatever_it_sends() {
    for learning in [false, true] {
        let mut network = Network::new(learning);
        for unit in network.rack.units() {
            for destination in DESTINATIONS {
                for vid in 0..0x1000 {
                    let arrived = network.sp_sends(unit, &frame(destination, &[vid]));
                    assert_eq!(arrived.len(), usize::from(matches!(vid, 0x301 | 0x302)));
                    assert!(
                        arrived
                            .iter()
                            .all(|(place, _)| matches!(place, Place::Gateway(_)))
                    );
                }
                assert_eq!(network.sp_sends(unit, &frame(destination, &[])), []);
            }
        }
    }
}

#[test]
fn two_tags_reach_nobody() {
    for learning in [false, true] {
        let mut network = Network::new(learning);
        for unit in network.rack.units() {
            for destination in DESTINATIONS {
                for vid in 0..0x1000 {
                    for tags in [[0x301, vid], [0x302, vid], [vid, 0x301], [vid, 0x102]] {
                        assert_eq!(network.sp_sends(unit, &frame(destination, &tags)), []);
                    }
                }
            }
        }
        for position in Position::ALL {
            for destination in DESTINATIONS {
                for vid in 0..0x1000 {
                    for tags in [[0x102, vid], [vid, 0x102], [vid, 0x301], [vid, vid]] {
                        let nested = frame(destination, &tags);
                        assert_eq!(network.gateway_sends(position, &nested), []);
                    }
                }
            }
        }
    }
}

/// What a unit could send whose own chip does not hold it back.
#[test]
fn nothing_with_a_tag_comes_in_from_below() {
    let mut network = Network::new(true);
    for position in Position::ALL {
        let below: Vec<SwitchPort> = network.rack.ends(position).map(|(port, _)| port).collect();
        for at in below {
            for destination in DESTINATIONS {
                for vid in 0..0x1000 {
                    for tags in [&[vid][..], &[vid, at.vlan().get()], &[at.vlan().get(), vid]] {
                        let tagged = frame(destination, tags);
                        assert_eq!(network.through_switch(position, chip(at), &tagged), []);
                    }
                }
            }
        }
    }
}

#[test]
fn switches_take_from_below_what_has_no_tag_and_from_above_what_has_one_of_theirs() {
    for position in Position::ALL {
        let mut network = Network::new(true);
        let upstream = network.rack.upstream();
        for number in 0..=SwitchPort::MAX {
            let at = port(number);
            let below = at != upstream
                && network
                    .switch(position)
                    .tables()
                    .ports
                    .contains_key(&chip(at));
            for destination in DESTINATIONS {
                let untagged = network.through_switch(position, chip(at), &frame(destination, &[]));
                let expected = below.then(|| {
                    let tagged = frame(destination, &[at.vlan().get()]);
                    (Place::Gateway(position), tagged)
                });
                assert_eq!(untagged, expected.into_iter().collect::<Vec<_>>());
                for vid in (0..0x1000).filter(|_| at != upstream) {
                    let tagged = frame(destination, &[vid]);
                    assert_eq!(network.through_switch(position, chip(at), &tagged), []);
                }
            }
        }
        for vid in 0..0x1000_u16 {
            let arrived = network.gateway_sends(position, &frame(DESTINATIONS[1], &[vid]));
            let listed = network
                .rack
                .ends(position)
                .any(|(port, _)| port.vlan().get() == vid)
                || network
                    .rack
                    .technicians()
                    .iter()
                    .any(|port| port.vlan().get() == vid);
            assert_eq!(arrived.len(), usize::from(listed), "{vid:#x}");
        }
    }
}
