//! How the sled is, and its ports.

use rackweave_api::sled::{
    ControllerStatus, Device as DeviceInfo, InstanceName, ObjectError, PortInfo, Ports,
    StateStatus, Status, Traffic, WorkerStatus,
};
use rackweave_daemon::follow::FollowStatus;
use rackweave_engine::program::Limits;
use rackweave_types::Instant;
use rackweave_types::state::{Device, HostState, PortConfig};

use super::Info;
use super::gather::{Gathered, PortCount};
use super::names::{device_name, device_of, instance_of, is_system};
use crate::host::{HostErrors, PortStatus, Snapshot};

/// How the sled is.
pub(crate) fn status(
    info: &Info,
    snapshot: &Snapshot,
    gathered: &Gathered,
    now: Instant,
) -> Status {
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let state = snapshot.state.as_deref();
    let worker = |status: &crate::worker::WorkerStatus| WorkerStatus {
        index: status.index,
        cpu: info.cpu_of(status.index),
        poll: status.mode.name().to_owned(),
        busy_ns: nanos(status.shares.working),
        spin_ns: nanos(status.shares.spinning),
        sleep_ns: nanos(status.shares.sleeping),
    };
    Status {
        program: info.program.clone(),
        pid: std::process::id(),
        uptime_ms: nanos(now.since(info.started)) / 1_000_000,
        sled: state.map(|state| state.underlay.sled),
        underlay: info.underlay.clone(),
        controller: None,
        state: StateStatus {
            generation: state.map(|state| state.generation),
            errors: snapshot.refused.as_deref().map(errors).unwrap_or_default(),
        },
        ports: u32::try_from(gathered.ports.len()).unwrap_or(u32::MAX),
        flows: gathered.ports.values().map(|port| port.flows).sum(),
        workers: gathered.workers.iter().map(worker).collect(),
    }
}

/// How the sled follows its controllers.
pub(crate) fn controller(follows: &FollowStatus) -> ControllerStatus {
    ControllerStatus {
        address: follows.controller.clone(),
        fault: follows.fault.clone(),
        heard: follows.generation,
        deltas: follows.deltas,
        states: follows.states,
        misfits: follows.misfits,
        lost: follows.lost,
    }
}

/// What is wrong with a state, as it is told.
pub(crate) fn errors(refused: &HostErrors) -> Vec<ObjectError> {
    let told = |error: &crate::host::HostError| {
        let line = error.line.map(|line| format!("line {line}"));
        let parts = [line.as_deref(), Some(&*error.field), Some(&*error.object)];
        let parts: Vec<&str> = parts
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        ObjectError {
            object: parts.join(", "),
            error: error.problem.clone(),
        }
    };
    refused.errors.iter().map(told).collect()
}

/// The ports of the host state.
pub(crate) fn ports(snapshot: &Snapshot, gathered: &Gathered) -> Ports {
    let Some(state) = snapshot.state.as_deref() else {
        return Ports { ports: Vec::new() };
    };
    let told = |config: &PortConfig| {
        let runs = snapshot.ports.get(&config.id);
        port(state, config, runs, gathered.ports.get(&config.id))
    };
    let mut ports: Vec<PortInfo> = state.ports.iter().map(told).collect();
    ports.sort_by_key(|port| port.id);
    Ports { ports }
}

fn port(
    state: &HostState,
    config: &PortConfig,
    runs: Option<&PortStatus>,
    count: Option<&PortCount>,
) -> PortInfo {
    let traffic = |side: usize| {
        count.map_or_else(Traffic::default, |count| Traffic {
            packets: count.received[side],
            bytes: count.bytes[side],
            drops: count.dropped(side),
        })
    };
    let alone = config.external.iter().map(|external| external.outside);
    let shared = config.nat.iter().map(|block| block.address);
    PortInfo {
        id: config.id,
        instance: instance_of(state, config.id).map(|instance| InstanceName {
            id: instance.id,
            hostname: instance.hostname.to_string(),
        }),
        mac: config.mac,
        vni: config.vni,
        addresses: config.addresses.iter().map(|own| own.address).collect(),
        external: alone.chain(shared).collect(),
        mtu: config.mtu,
        device: device(state, config),
        running: count.is_some(),
        attached: runs.and_then(|port| port.attached).unwrap_or(false),
        fault: runs.and_then(|port| port.fault.clone()),
        flows: count.map_or(0, |count| count.flows),
        flow_limit: config.limits.flows.unwrap_or(Limits::default().flows),
        out: traffic(0),
        inbound: traffic(1),
    }
}

fn device(state: &HostState, port: &PortConfig) -> Option<DeviceInfo> {
    let kind = match device_of(state, port.id) {
        Some(Device::Tap(_)) => "tap",
        Some(Device::VhostUser(_)) => "vhost_user",
        None if is_system(state, port.id) => "system",
        None => return None,
    };
    let device = device_of(state, port.id);
    Some(DeviceInfo {
        kind: kind.to_owned(),
        name: device.map(|device| device_name(device).to_owned()),
        netns: device.and_then(|device| match device {
            Device::Tap(tap) => tap.netns.clone(),
            Device::VhostUser(_) => None,
        }),
    })
}
