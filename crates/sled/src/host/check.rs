//! What must hold between the objects of a host state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use rackweave_types::state::{Device, HostState};

use super::error::HostError;

/// All that is wrong between objects; what is wrong within one, the compiler of ports finds.
#[must_use]
pub fn check(state: &HostState) -> Vec<HostError> {
    let mut errors = Vec::new();
    twice(
        &mut errors,
        "vpcs",
        "vpc",
        state.vpcs.iter().map(|vpc| vpc.vni),
    );
    twice(
        &mut errors,
        "mappings",
        "mapping table",
        state.mappings.iter().map(|table| table.vni),
    );
    twice(
        &mut errors,
        "ports",
        "port",
        state.ports.iter().map(|port| port.id),
    );
    twice(
        &mut errors,
        "attachments",
        "attachment of port",
        state.attachments.iter().map(|attachment| attachment.port),
    );
    let zones = state.zones.iter();
    twice(
        &mut errors,
        "zones",
        "zone",
        zones.map(|zone| format!("{} of vpc {}", zone.origin, zone.vni)),
    );
    twice(
        &mut errors,
        "instances",
        "instance",
        state.instances.iter().map(|instance| instance.id),
    );
    macs(state, &mut errors);
    references(state, &mut errors);
    devices(state, &mut errors);
    errors
}

fn error(field: String, object: String, problem: impl Into<String>) -> HostError {
    HostError {
        field,
        line: None,
        object,
        problem: problem.into(),
    }
}

/// Names that stand in a list twice.
fn twice<N: Ord + Display>(
    errors: &mut Vec<HostError>,
    list: &str,
    object: &str,
    names: impl Iterator<Item = N>,
) {
    let mut seen = BTreeMap::new();
    for (at, name) in names.enumerate() {
        let object = format!("{object} {name}");
        if let Some(first) = seen.insert(name, at) {
            let problem = format!("it stands at {list}[{first}] too");
            errors.push(error(format!("{list}[{at}]"), object, problem));
        }
    }
}

/// Packets from the wire find their port by its Ethernet address.
fn macs(state: &HostState, errors: &mut Vec<HostError>) {
    let mut seen = BTreeMap::new();
    for (at, port) in state.ports.iter().enumerate() {
        if let Some(other) = seen.insert(port.mac, port.id) {
            let problem = format!("{} is the address of port {other} too", port.mac);
            let object = format!("port {}", port.id);
            errors.push(error(format!("ports[{at}].mac"), object, problem));
        }
    }
}

fn references(state: &HostState, errors: &mut Vec<HostError>) {
    let vpcs: BTreeSet<_> = state.vpcs.iter().map(|vpc| vpc.vni).collect();
    let ports: BTreeSet<_> = state.ports.iter().map(|port| port.id).collect();
    for (at, port) in state.ports.iter().enumerate() {
        if !vpcs.contains(&port.vni) {
            let problem = format!("there is no vpc {} in the state", port.vni);
            let object = format!("port {}", port.id);
            errors.push(error(format!("ports[{at}].vni"), object, problem));
        }
    }
    for (at, attachment) in state.attachments.iter().enumerate() {
        if !ports.contains(&attachment.port) {
            let problem = format!("there is no port {} in the state", attachment.port);
            errors.push(error(
                format!("attachments[{at}].port"),
                String::new(),
                problem,
            ));
        }
    }
    for (at, instance) in state.instances.iter().enumerate() {
        for (place, port) in instance.ports.iter().enumerate() {
            if !ports.contains(port) {
                let problem = format!("there is no port {port} in the state");
                let object = format!("instance {}", instance.id);
                let field = format!("instances[{at}].ports[{place}]");
                errors.push(error(field, object, problem));
            }
        }
    }
    let Some(system) = &state.system else {
        return;
    };
    if !ports.contains(&system.port) {
        let problem = format!("there is no port {} in the state", system.port);
        errors.push(error("system.port".into(), String::new(), problem));
    }
    let taken = |attachment: &&rackweave_types::state::Attachment| attachment.port == system.port;
    if state
        .attachments
        .iter()
        .any(|attachment| taken(&attachment))
    {
        let problem = "the sled itself is the guest of this port: it has no attachment";
        errors.push(error(
            "system.port".into(),
            format!("port {}", system.port),
            problem,
        ));
    }
}

/// Two guests cannot share a device.
fn devices(state: &HostState, errors: &mut Vec<HostError>) {
    let mut seen = BTreeMap::new();
    for (at, attachment) in state.attachments.iter().enumerate() {
        let (field, name) = match &attachment.device {
            Device::Tap(tap) => {
                let place = tap.netns.as_deref().unwrap_or("the sled's namespace");
                ("device.tap.name", format!("tap {} in {place}", tap.name))
            }
            Device::VhostUser(device) => ("device.vhost_user.socket", device.socket.clone()),
        };
        if let Some(other) = seen.insert(name.clone(), attachment.port) {
            let problem = format!("{name} is the device of port {other} too");
            let object = format!("attachment of port {}", attachment.port);
            errors.push(error(format!("attachments[{at}].{field}"), object, problem));
        }
    }
}
