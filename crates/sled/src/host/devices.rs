//! Guests' devices, opened through the guest's door.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use rackweave_guest::tap::{self, Tap, TapSettings};
use rackweave_guest::vhost_user::{self, DeviceSettings, Features};
use rackweave_types::PortId;
use rackweave_types::state::Device;

use super::manage::Devices;
use super::steps::Joint;
use crate::queue::Queue;
use crate::queue::guest_tap::GuestTap;
use crate::queue::guest_vhost::GuestVhost;

/// The devices of this machine.
#[derive(Debug)]
pub struct MachineDevices {
    open: BTreeMap<PortId, Opened>,
    /// The worker's end of the sled's own port, while no port has it.
    system: Option<Box<dyn Queue>>,
}

#[derive(Debug)]
enum Opened {
    Tap(Tap),
    /// It listens until it is dropped.
    VhostUser(vhost_user::Device),
    System,
}

impl MachineDevices {
    /// No device is open; `system` is for the sled's own port.
    #[must_use]
    pub fn new(system: Box<dyn Queue>) -> Self {
        Self {
            open: BTreeMap::new(),
            system: Some(system),
        }
    }
}

impl Devices for MachineDevices {
    fn open(
        &mut self,
        id: PortId,
        joint: &Joint,
        workers: u16,
    ) -> Result<Vec<Box<dyn Queue>>, String> {
        let (opened, queues) = match &joint.device {
            None => {
                let queue = self.system.take();
                let queue = queue.ok_or("another port is the sled's own")?;
                (Opened::System, vec![queue])
            }
            Some(Device::Tap(device)) => {
                let settings = TapSettings {
                    name: device.name.to_string(),
                    netns: device.netns.as_ref().map(PathBuf::from),
                    queues: joint.queues.min(workers).min(tap::MAX_QUEUES),
                    mtu: joint.mtu,
                    // In a namespace of its own the interface is the guest's; else the guest is behind it.
                    mac: device.netns.is_some().then_some(joint.mac),
                };
                let (device, queues) = Tap::open(&settings).map_err(|error| told(&error))?;
                let takes = device.offloads();
                let queue = |queue| -> Box<dyn Queue> { Box::new(GuestTap::new(queue, takes)) };
                (Opened::Tap(device), queues.into_iter().map(queue).collect())
            }
            Some(Device::VhostUser(device)) => {
                let settings = DeviceSettings {
                    socket: PathBuf::from(&device.socket),
                    queues: joint.queues.min(workers).min(vhost_user::MAX_QUEUES),
                    features: Features::GUEST,
                };
                let listening = vhost_user::Device::listen(&settings);
                let (device, queues) = listening.map_err(|error| told(&error))?;
                let queue = |queue| -> Box<dyn Queue> { Box::new(GuestVhost::new(queue)) };
                (
                    Opened::VhostUser(device),
                    queues.into_iter().map(queue).collect(),
                )
            }
        };
        self.open.insert(id, opened);
        Ok(queues)
    }

    fn close(&mut self, id: PortId, mut queues: Vec<Box<dyn Queue>>) {
        match self.open.remove(&id) {
            Some(Opened::System) => self.system = queues.pop(),
            Some(Opened::Tap(tap)) => {
                if let Err(error) = tap.remove() {
                    tracing::warn!(port = %id, error = told(&error), "the device stays behind");
                }
            }
            Some(Opened::VhostUser(device)) => {
                let status = device.status();
                tracing::debug!(port = %id, connections = status.connections, "device closed");
            }
            None => {}
        }
    }
}

/// An error with all its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string does not fail.
        let _written = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
