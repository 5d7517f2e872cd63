//! The VLAN tables of both chips, computed from the rack (seed "VLANs for Network Isolation").

use alloc::collections::{BTreeMap, BTreeSet};

use rackweave_types::Vlan;

use crate::port::{SpPort, SwitchPort, vlan};
use crate::rack::Rack;
use crate::switch::{ChipPort, PortKind, Tables};

/// The port of a KSZ8463 where the service processor is.
pub const SP: ChipPort = ChipPort(3);

/// The default VLAN of a VSC7448: the chip's own, with no ports.
#[must_use]
pub fn vsc7448_default() -> Vlan {
    vlan(1)
}

/// The default VLAN of a KSZ8463: no ports.
#[must_use]
pub fn ksz8463_default() -> Vlan {
    vlan(0x3ff)
}

/// What is programmed into the VSC7448 of either switch: a VLAN for each downstream port, which is in it together with
/// the upstream port.
///
/// Downstream ports take untagged frames alone, the upstream port frames with one tag. It is the same for both
/// positions, since a switch does not know its own; a port that only one of them uses is dark on the other.
#[must_use]
pub fn vsc7448(rack: &Rack, learning: bool) -> Tables {
    let upstream = chip(rack.upstream());
    let downstream: BTreeSet<SwitchPort> = crate::port::Position::ALL
        .into_iter()
        .flat_map(|position| rack.ends(position))
        .map(|(port, _)| port)
        .chain(rack.technicians().iter().copied())
        .collect();
    let mut tables = Tables {
        ports: BTreeMap::from([(upstream, PortKind::Trunk)]),
        vlans: BTreeMap::from([(vsc7448_default(), BTreeSet::new())]),
        learning,
    };
    for port in downstream {
        let members = BTreeSet::from([upstream, chip(port)]);
        tables
            .ports
            .insert(chip(port), PortKind::Access(port.vlan()));
        tables.vlans.insert(port.vlan(), members);
    }
    tables
}

/// What is programmed into the KSZ8463 of every unit: a VLAN for each of its two ports, which is in it together with
/// the service processor's.
#[must_use]
pub fn ksz8463(learning: bool) -> Tables {
    let mut tables = Tables {
        ports: BTreeMap::from([(SP, PortKind::Trunk)]),
        vlans: BTreeMap::from([(ksz8463_default(), BTreeSet::new())]),
        learning,
    };
    for port in SpPort::ALL {
        let number = ChipPort(port.number());
        tables.ports.insert(number, PortKind::Access(port.vlan()));
        tables
            .vlans
            .insert(port.vlan(), BTreeSet::from([SP, number]));
    }
    tables
}

/// The chip's number of a port.
#[must_use]
pub fn chip(port: SwitchPort) -> ChipPort {
    ChipPort(port.get())
}

#[cfg(test)]
mod tests;
