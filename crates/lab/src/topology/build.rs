//! The physical part of a topology: racks, their two switches, and what joins racks.

use rackweave_types::{AzPrefix, MacAddr, RackNumber, Role};

use super::{End, LabName, Link, Node, Topology};

/// As many racks are joined by a full mesh between their switches; more are joined by spines.
const MESH: u8 = 8;
/// Spines, where there are any.
const SPINES: u8 = 2;
/// The most ports of a spine for the fabric: two for each rack.
const SPINE_PORTS: u8 = 64;
/// The most sleds of a rack.
const SLEDS: u8 = 64;
/// What every link of an AZ carries.
const MTU: u32 = 9000;
/// The first octets of the lab's addresses: locally administered, and not those of guests.
const MAC_SPACE: [u8; 3] = [0x06, 0x72, 0x77];

/// Why there is no such lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lab has 1 to {} racks of 1 to {SLEDS} sleds", SPINE_PORTS / 2)]
pub struct ShapeError;

/// A lab of racks, each of so many sleds and two switches that are not joined with each other. Switches of different
/// racks are joined each with each, up to eight racks; beyond, each with two spines. Names are in the order of numbers.
///
/// # Errors
/// [`ShapeError`].
pub fn fabric(lab: LabName, az: AzPrefix, racks: u8, sleds: u8) -> Result<Topology, ShapeError> {
    if !(1..=SPINE_PORTS / 2).contains(&racks) || !(1..=SLEDS).contains(&sleds) {
        return Err(ShapeError);
    }
    let digits = sleds.to_string().len();
    let mut builder = Builder::default();
    let spines: Vec<usize> = (1..=if racks > MESH { SPINES } else { 0 })
        .map(|number| builder.node(format!("sp{number}"), Role::Spine, None, number))
        .collect();
    let mut switches: Vec<[usize; 2]> = Vec::new();
    for number in 1..=racks {
        let rack = RackNumber::new(number).map_err(|_| ShapeError)?;
        let pair = [("a", 0xfd), ("b", 0xfe)].map(|(letter, own)| {
            builder.node(format!("r{number}{letter}"), Role::Switch, Some(rack), own)
        });
        for sled in 1..=sleds {
            let node = builder.node(
                format!("r{number}s{sled:0digits$}"),
                Role::Sled,
                Some(rack),
                sled,
            );
            for switch in pair {
                builder.link(node, switch);
            }
        }
        for switch in pair {
            for other in spines.iter().copied() {
                builder.link(switch, other);
            }
            if spines.is_empty() {
                for other in switches.iter().flatten().copied() {
                    builder.link(other, switch);
                }
            }
        }
        switches.push(pair);
    }
    Ok(Topology {
        lab,
        az,
        mtu: MTU,
        nodes: builder.nodes.into_iter().map(|made| made.node).collect(),
        links: builder.links,
    })
}

/// A lab without racks of a fabric: of what else there may be.
#[must_use]
pub const fn nothing(lab: LabName, az: AzPrefix) -> Topology {
    Topology {
        lab,
        az,
        mtu: MTU,
        nodes: Vec::new(),
        links: Vec::new(),
    }
}

/// What was built so far.
#[derive(Debug, Default)]
struct Builder {
    nodes: Vec<Made>,
    links: Vec<Link>,
}

#[derive(Debug)]
struct Made {
    node: Node,
    /// The octets of its rack and own number.
    place: [u8; 2],
    /// So many links end here.
    ports: u8,
}

impl Builder {
    fn node(&mut self, name: String, role: Role, rack: Option<RackNumber>, own: u8) -> usize {
        let place = [rack.map_or(0, RackNumber::get), own];
        self.nodes.push(Made {
            node: Node {
                name,
                role,
                rack,
                hardware: mac(place, 0),
            },
            place,
            ports: 0,
        });
        self.nodes.len() - 1
    }

    fn link(&mut self, a: usize, b: usize) {
        let [first, second] = [(a, b), (b, a)].map(|(own, other)| self.end(own, other));
        self.links.push(Link {
            name: first.middle.clone(),
            ends: [first, second],
        });
    }

    fn end(&mut self, own: usize, other: usize) -> End {
        let other = self.nodes[other].node.name.clone();
        let own = &mut self.nodes[own];
        let port = own.ports;
        own.ports += 1;
        End {
            node: own.node.name.clone(),
            interface: format!("to-{other}"),
            mac: mac(own.place, port),
            middle: format!("{}-{other}", own.node.name),
        }
    }
}

fn mac([rack, own]: [u8; 2], port: u8) -> MacAddr {
    let [a, b, c] = MAC_SPACE;
    MacAddr::new([a, b, c, rack, own, port])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn lab(racks: u8, sleds: u8) -> Result<Topology, ShapeError> {
        let az = "fd00:1122:3344::/48".parse().unwrap();
        fabric("test".parse().unwrap(), az, racks, sleds)
    }

    #[test]
    fn every_sled_has_two_switches_and_every_switch_those_of_other_racks() {
        let lab = lab(3, 8).unwrap();
        assert_eq!(lab.nodes.len(), 3 * (8 + 2));
        assert_eq!(lab.links.len(), 3 * 8 * 2 + 3 * 4);
        for node in &lab.nodes {
            let others: BTreeSet<_> = lab
                .links_of(&node.name)
                .flat_map(|link| &link.ends)
                .filter(|end| end.node != node.name)
                .map(|end| lab.node(&end.node).unwrap())
                .map(|other| (other.role, other.rack == node.rack))
                .collect();
            let expected: &[_] = match node.role {
                Role::Sled => &[(Role::Switch, true)],
                _ => &[(Role::Sled, true), (Role::Switch, false)],
            };
            assert!(others.iter().eq(expected), "{node}: {others:?}");
        }
    }

    #[test]
    fn beyond_eight_racks_there_are_spines() {
        assert_eq!(lab(8, 1).unwrap().of_role(Role::Spine).count(), 0);
        let large = lab(32, 64).unwrap();
        assert_eq!(large.of_role(Role::Spine).count(), 2);
        assert_eq!(large.links_of("sp1").count(), 64);
        assert_eq!(large.links_of("r32b").count(), 64 + 2);
        assert_eq!(lab(33, 1), Err(ShapeError));
        assert_eq!(lab(1, 65), Err(ShapeError));
        assert_eq!(lab(0, 1), Err(ShapeError));
    }

    #[test]
    fn names_and_addresses_are_unique_and_fit() {
        let large = lab(32, 64).unwrap();
        let ends: Vec<_> = large.links.iter().flat_map(|link| &link.ends).collect();
        let count = |of: fn(&End) -> String| {
            ends.iter()
                .map(|end| of(end))
                .collect::<BTreeSet<_>>()
                .len()
        };
        assert_eq!(count(|end| end.middle.clone()), ends.len());
        assert_eq!(count(|end| end.mac.to_string()), ends.len());
        assert_eq!(
            count(|end| format!("{} {}", end.node, end.interface)),
            ends.len()
        );
        for end in ends {
            assert!(
                end.middle.len() <= 15 && end.interface.len() <= 15,
                "{end:?}"
            );
        }
        let nodes: BTreeSet<_> = large.nodes.iter().map(|node| node.hardware).collect();
        assert_eq!(nodes.len(), large.nodes.len());
    }

    #[test]
    fn a_target_is_a_link_in_either_order_or_a_node() {
        let lab = lab(2, 2).unwrap();
        let names = |target: &str| -> Vec<_> {
            let links = lab.target(target).unwrap();
            links.iter().map(|link| link.name.clone()).collect()
        };
        assert_eq!(names("r1s1-r1a"), ["r1s1-r1a"]);
        assert_eq!(names("r1a-r1s1"), ["r1s1-r1a"]);
        assert_eq!(names("r2s2"), ["r2s2-r2a", "r2s2-r2b"]);
        assert_eq!(names("r1a").len(), 4);
        let error = lab.target("r1s9").unwrap_err().to_string();
        assert!(
            error.contains("r1s9") && error.contains("lab status"),
            "{error}"
        );
    }

    #[test]
    fn the_value_is_its_json() {
        let lab = lab(2, 3).unwrap();
        let json = serde_json::to_string(&lab).unwrap();
        assert_eq!(serde_json::from_str::<Topology>(&json).unwrap(), lab);
    }
}
