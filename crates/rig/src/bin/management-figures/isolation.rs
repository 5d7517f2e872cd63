//! Isolation of service processors, with every frame that they could send, in the model of the chips.

use std::collections::BTreeSet;

use rackweave_mgmt::plan::chip;
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::Rack;

use crate::world::{ALL_NODES, Arrival, Place, World, addresses, tagged};

/// Every number that a tag has room for.
const IDS: std::ops::Range<u16> = 0..0x1000;
/// The broadcast address.
const BROADCAST: [u8; 6] = [0xff; 6];

/// What was sent, and what arrived where it must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Isolation {
    pub(crate) frames: u64,
    pub(crate) leaks: u64,
}

/// Sends, with learning chips and with others, from every service processor and into every port of both switches,
/// frames without tag, with each tag, and with two tags of which one is each and the other each that means something;
/// to one, to all nodes, to all. A frame may arrive at the gateway whose tag or cable it took, and nowhere else; what a
/// gateway sends, at the one service processor of its tag.
pub(crate) fn all(rack: &Rack) -> Isolation {
    let mut isolation = Isolation::default();
    for learning in [false, true] {
        let mut world = World::new(rack, learning);
        for unit in rack.units() {
            let source = addresses(unit).management(SpPort::One).octets();
            isolation.send(
                &shapes(None),
                unit_targets(rack, unit),
                source,
                |frame, tags| {
                    let arrived = world.sp_sends(unit, frame);
                    arrived
                        .iter()
                        .filter(|it| !is_own(rack, unit, tags, it))
                        .count()
                },
            );
        }
        for position in Position::ALL {
            let upstream = rack.upstream();
            for port in (0..=SwitchPort::MAX).filter_map(|port| SwitchPort::new(port).ok()) {
                let source = [0xa8, 0x40, 0x25, 0xee, 0, port.get()];
                let target = addresses(Unit::Cubby(0)).management(SpPort::One).octets();
                isolation.send(&shapes(Some(port)), target, source, |frame, tags| {
                    let arrived = world.enters_switch(position, chip(port), frame);
                    let allowed = |it: &Arrival| match tags {
                        [] => port != upstream && it.place == Place::Gateway(position),
                        [tag] => port == upstream && is_of_tag(rack, position, *tag, it),
                        _ => false,
                    };
                    arrived.iter().filter(|it| !allowed(it)).count()
                });
            }
        }
    }
    isolation
}

impl Isolation {
    fn send(
        &mut self,
        shapes: &BTreeSet<Vec<u16>>,
        target: [u8; 6],
        source: [u8; 6],
        mut leaks: impl FnMut(&[u8], &[u16]) -> usize,
    ) {
        for destination in [target, ALL_NODES, BROADCAST] {
            for tags in shapes {
                let frame = tagged(destination, source, tags);
                self.frames += 1;
                self.leaks += u64::try_from(leaks(&frame, tags)).unwrap_or(u64::MAX);
            }
        }
    }
}

/// Tags of frames: none, each one, and two.
fn shapes(own: Option<SwitchPort>) -> BTreeSet<Vec<u16>> {
    let mut telling: Vec<u16> = SpPort::ALL.map(|port| port.vlan().get()).into();
    telling.extend([0x100, 0x102, 0x124, 0x3ff]);
    telling.extend(own.map(|port| port.vlan().get()));
    let mut shapes = BTreeSet::from([Vec::new()]);
    for id in IDS {
        shapes.insert(vec![id]);
        shapes.insert(vec![id, id]);
        for other in &telling {
            shapes.insert(vec![id, *other]);
            shapes.insert(vec![*other, id]);
        }
    }
    shapes
}

/// The address of another unit's service processor.
fn unit_targets(rack: &Rack, unit: Unit) -> [u8; 6] {
    let other = rack.units().into_iter().find(|other| *other != unit);
    addresses(other.unwrap_or(unit))
        .management(SpPort::One)
        .octets()
}

/// Whether what a service processor sent with these tags may arrive there: at the gateway whose cable is at the port
/// that the tag names.
fn is_own(rack: &Rack, unit: Unit, tags: &[u16], arrival: &Arrival) -> bool {
    let [tag] = tags else { return false };
    Position::ALL.into_iter().any(|position| {
        let port = rack.port_of(position, unit);
        let end = port.and_then(|port| rack.end(position, port));
        end.is_some_and(|end| end.sp_port.vlan().get() == *tag)
            && arrival.place == Place::Gateway(position)
    })
}

/// Whether what came in upstream with this tag may arrive there: at the service processor or technician of its port.
fn is_of_tag(rack: &Rack, position: Position, tag: u16, arrival: &Arrival) -> bool {
    match arrival.place {
        Place::Gateway(_) => false,
        Place::Technician(at, port) => at == position && port.vlan().get() == tag,
        Place::Sp(unit) => {
            let port = rack.port_of(position, unit);
            port.is_some_and(|port| port.vlan().get() == tag)
        }
    }
}

#[cfg(test)]
mod tests {
    use rackweave_mgmt::plan;
    use rackweave_mgmt::switch::PortKind;

    use super::*;
    use crate::rack;

    #[test]
    fn a_switch_that_joins_two_cubbies_is_found_out() {
        let rack = rack().unwrap();
        let mut world = World::new(&rack, false);
        let [one, two] = [1, 2].map(|port| SwitchPort::new(port).unwrap());
        let mut tables = plan::vsc7448(&rack, false);
        tables.vlans.get_mut(&one.vlan()).unwrap().insert(chip(two));
        assert_eq!(tables.ports[&chip(two)], PortKind::Access(two.vlan()));
        world.switch(Position::A).program(tables);
        let unit = Unit::Cubby(1);
        let source = addresses(unit).management(SpPort::One).octets();
        let arrived = world.sp_sends(unit, &tagged(ALL_NODES, source, &[0x301]));
        let leaks: Vec<_> = arrived
            .iter()
            .filter(|it| !is_own(&rack, unit, &[0x301], it))
            .map(|it| it.place)
            .collect();
        assert_eq!(leaks, [Place::Sp(Unit::Cubby(2))]);
    }

    #[test]
    fn shapes_have_every_id_with_none_one_and_two_tags() {
        let shapes = shapes(None);
        assert!(shapes.contains(&Vec::new()));
        for id in IDS {
            assert!(shapes.contains(&vec![id]) && shapes.contains(&vec![0x301, id]));
        }
    }
}
