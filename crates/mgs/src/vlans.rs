//! The tables of the chips, as the API has them.

use rackweave_api::mgs::{Chip, ChipPort, PortRole, VlanMembers, Vlans};
use rackweave_mgmt::plan;
use rackweave_mgmt::port::{Position, SpPort, SwitchPort};
use rackweave_mgmt::rack::Rack;
use rackweave_mgmt::switch::{PortKind, Tables};

/// What is programmed into the chips of a rack.
#[must_use]
pub(crate) fn of(rack: &Rack) -> Vlans {
    // Both work; with it, the tables of addresses can be looked at.
    let learning = true;
    Vlans {
        rack: rack.name().into(),
        chips: vec![
            chip("vsc7448", &plan::vsc7448(rack, learning), |vlan| {
                vsc7448(rack, vlan)
            }),
            chip("ksz8463", &plan::ksz8463(learning), ksz8463),
        ],
    }
}

fn chip(name: &str, tables: &Tables, purpose: impl Fn(u16) -> String) -> Chip {
    let ports = tables.ports.iter().map(|(port, kind)| {
        let (role, vlan) = match kind {
            PortKind::Access(vlan) => (PortRole::Access, Some(vlan.get())),
            PortKind::Trunk => (PortRole::Trunk, None),
        };
        ChipPort {
            port: port.0,
            role,
            vlan,
        }
    });
    let vlans = tables.vlans.iter().map(|(vlan, members)| VlanMembers {
        vlan: vlan.get(),
        purpose: purpose(vlan.get()),
        ports: members.iter().map(|port| port.0).collect(),
    });
    Chip {
        chip: name.into(),
        ports: ports.collect(),
        vlans: vlans.collect(),
    }
}

/// Whom a VLAN of a VSC7448 leads to: not the same on both switches.
fn vsc7448(rack: &Rack, vlan: u16) -> String {
    let port = (0..=SwitchPort::MAX)
        .filter_map(|number| SwitchPort::new(number).ok())
        .find(|port| port.vlan().get() == vlan);
    let Some(port) = port else {
        return "default: no ports".into();
    };
    if rack.technicians().contains(&port) {
        return "a technician".into();
    }
    let whom = Position::ALL.map(|position| {
        let end = rack.end(position, port);
        end.map_or_else(|| "nobody".to_owned(), |end| end.unit.to_string())
    });
    let [a, b] = whom;
    format!("{a} of switch A, {b} of switch B")
}

fn ksz8463(vlan: u16) -> String {
    let port = SpPort::ALL
        .into_iter()
        .find(|port| port.vlan().get() == vlan);
    match port {
        Some(SpPort::One) => "port 1, the left connector".into(),
        Some(SpPort::Two) => "port 2, the right connector".into(),
        None => "default: no ports".into(),
    }
}
