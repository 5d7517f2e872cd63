//! What is to be done to bring the sled from one state to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use rackweave_types::PortId;
use rackweave_types::state::{Device, HostState, PortConfig};

use super::compile::Compiled;

/// One step. None of them can be refused: what can fail has been compiled, and devices are opened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The port goes, and its connections with it.
    Remove(PortId),
    /// The device goes; the port stays.
    Detach(PortId),
    /// The port comes.
    Add(PortId),
    /// The port goes on with other limits or another Ethernet address; its connections go on.
    Rebuild(PortId),
    /// The port gets another program; its connections go on as far as it allows.
    Install(PortId),
    /// The device comes.
    Attach(PortId),
}

/// The guest's side of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The device; `None` is the sled itself.
    pub device: Option<Device>,
    /// Queue pairs.
    pub queues: u16,
    /// The guest's Ethernet address.
    pub mac: rackweave_types::MacAddr,
    /// The longest IP packet.
    pub mtu: rackweave_types::Mtu,
}

/// The guest's side of each port that has one.
#[must_use]
pub fn joints(state: &HostState) -> BTreeMap<PortId, Joint> {
    let ports: BTreeMap<PortId, &PortConfig> =
        state.ports.iter().map(|port| (port.id, port)).collect();
    let joint = |id: PortId, device: Option<Device>, queues: u16| {
        let port = ports.get(&id)?;
        let (mac, mtu) = (port.mac, port.mtu);
        let joint = Joint {
            device,
            queues,
            mac,
            mtu,
        };
        Some((id, joint))
    };
    let attached = state.attachments.iter().filter_map(|attachment| {
        joint(
            attachment.port,
            Some(attachment.device.clone()),
            attachment.queues.get(),
        )
    });
    let system = state.system.iter();
    attached
        .chain(system.filter_map(|system| joint(system.port, None, 1)))
        .collect()
}

/// The steps from `old` (nothing runs where there is none) to `new`, in the order in which they are to be done.
#[must_use]
pub fn steps(old: Option<&Compiled>, new: &Compiled) -> Vec<Step> {
    let mut steps = Vec::new();
    let nothing = BTreeMap::new();
    let old_ports = old.map_or(&nothing, |old| &old.ports);
    for id in old_ports.keys().filter(|id| !new.ports.contains_key(id)) {
        steps.push(Step::Remove(*id));
    }
    for (id, port) in &new.ports {
        match old_ports.get(id) {
            None => steps.push(Step::Add(*id)),
            Some(old) if old.limits != port.limits || old.mac != port.mac => {
                steps.push(Step::Rebuild(*id));
            }
            Some(old) if !Arc::ptr_eq(&old.program, &port.program) => {
                steps.push(Step::Install(*id));
            }
            Some(_) => {}
        }
    }
    let old_joints = old.map_or_else(BTreeMap::new, |old| joints(&old.state));
    let new_joints = joints(&new.state);
    for (id, joint) in &old_joints {
        if new.ports.contains_key(id) && new_joints.get(id) != Some(joint) {
            steps.push(Step::Detach(*id));
        }
    }
    for (id, joint) in &new_joints {
        if old_joints.get(id) != Some(joint) {
            steps.push(Step::Attach(*id));
        }
    }
    steps.sort();
    steps
}
