//! Neighbours as people and programs see them.

use rackweave_api::router::{LldpManagement, LldpNeighbor, LldpUnknown};
use rackweave_routing::lldp::{
    CapabilitySet, Counters, Lldp, MacPhy, ManagementAddress, Message, Neighbor, Plain, Port,
    Unknown,
};
use rackweave_types::Instant;

/// All neighbours, by link.
pub(super) fn neighbors(machine: &Lldp, now: Instant) -> Vec<LldpNeighbor> {
    let all = machine.neighbors();
    all.map(|(port, one)| neighbor(port, one, now)).collect()
}

/// What happened on each link, by its name.
pub(super) fn counters(machine: &Lldp) -> Vec<(String, Counters)> {
    let all = machine.ports();
    all.map(|(port, counters, _)| (port.name.clone(), counters))
        .collect()
}

fn neighbor(port: &Port, one: &Neighbor, now: Instant) -> LldpNeighbor {
    let message = &one.message;
    LldpNeighbor {
        link: port.name.clone(),
        link_up: port.up,
        from: one.from,
        chassis: message.chassis.to_string(),
        chassis_kind: kind(message.chassis.kind()),
        port: message.port.to_string(),
        port_kind: kind(message.port.kind()),
        port_description: text(message.port_description.as_ref()),
        system_name: text(message.system_name.as_ref()),
        system_description: text(message.system_description.as_ref()),
        capabilities: message.capabilities.map(|all| names(all.able)),
        enabled: message.capabilities.map(|all| names(all.enabled)),
        management: message.management.iter().map(management).collect(),
        mau: message.mac_phy.map(|phy| phy.mau),
        autonegotiates: message.mac_phy.map(MacPhy::negotiates),
        max_frame: message.max_frame.map(Into::into),
        unknown: unknown(message),
        ttl: message.ttl,
        known_seconds: now.since(one.since).as_secs(),
        heard_seconds: now.since(one.heard).as_secs(),
        frames: one.frames,
    }
}

/// The name that a value has on streams.
fn kind(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn text(text: Option<&String>) -> Option<String> {
    text.map(|text| Plain(text).to_string())
}

fn names(set: CapabilitySet) -> Vec<String> {
    set.iter().map(kind).collect()
}

fn management(address: &ManagementAddress) -> LldpManagement {
    LldpManagement {
        address: address.to_string(),
        interface: Some(address.interface).filter(|number| *number != 0),
    }
}

fn unknown(message: &Message) -> Vec<LldpUnknown> {
    let each = message.unknown.iter().map(|one| match one {
        Unknown::Reserved { kind, octets } => LldpUnknown {
            kind: *kind,
            organisation: None,
            subtype: None,
            octets: octets.to_vec(),
        },
        Unknown::Organisation {
            organisation,
            subtype,
            octets,
        } => LldpUnknown {
            kind: 127,
            organisation: Some(organisation.to_string()),
            subtype: Some(*subtype),
            octets: octets.to_vec(),
        },
    });
    each.collect()
}
