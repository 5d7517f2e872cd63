//! The way to other sleds: the back end that was asked for, or the fastest that works.

use std::fmt;

use rackweave_guest::vhost_user::{Device, DeviceSettings, Features};
use rackweave_linux::tap::{self, TapHost};
use rackweave_linux::udp::{self, UdpQueue, UdpSettings};
use rackweave_types::state::SledUnderlay;

use crate::config::{Config, UnderlayKind};
use crate::host::told;
use crate::queue::Queue;
use crate::queue::wire_tap::WireTap;
use crate::queue::wire_udp::WireUdp;
use crate::queue::wire_vhost::WireVhost;

/// The way to other sleds, open.
pub struct Wire {
    /// The back end.
    pub kind: UnderlayKind,
    /// The faster ones that do not work here, and why.
    pub passed_over: Vec<(UnderlayKind, String)>,
    /// A queue for each worker.
    pub queues: Vec<Box<dyn Queue>>,
    /// Listens as long as it lives, where the wire is a vhost-user port.
    device: Option<Device>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("kind", &self.kind)
            .field("passed_over", &self.passed_over)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// Why there is no way to other sleds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the underlay `{kind}` does not work here: {why}")]
pub struct UnderlayError {
    /// What was tried.
    pub kind: UnderlayKind,
    /// Why it does not work.
    pub why: String,
}

impl Wire {
    /// Opens the back end that the configuration names.
    ///
    /// # Errors
    /// Why it does not work, or none does.
    pub fn open(config: &Config, sled: &SledUnderlay) -> Result<Self, UnderlayError> {
        let fastest_first: &[UnderlayKind] = match config.underlay.kind {
            UnderlayKind::Auto => &[UnderlayKind::Tap, UnderlayKind::Udp],
            UnderlayKind::Udp => &[UnderlayKind::Udp],
            UnderlayKind::Tap => &[UnderlayKind::Tap],
            UnderlayKind::Vhost => &[UnderlayKind::Vhost],
        };
        let mut passed_over = Vec::new();
        for kind in fastest_first {
            match open(*kind, config, sled) {
                Ok((queues, device)) => {
                    return Ok(Self {
                        kind: *kind,
                        passed_over,
                        queues,
                        device,
                    });
                }
                Err(why) => passed_over.push((*kind, why)),
            }
        }
        let tried = passed_over
            .iter()
            .map(|(kind, why)| format!("{kind}: {why}"));
        Err(UnderlayError {
            kind: config.underlay.kind,
            why: match passed_over.as_slice() {
                [(_, why)] => why.clone(),
                _ => tried.collect::<Vec<_>>().join("; "),
            },
        })
    }

    /// Takes the queues out, for the workers.
    pub fn take_queues(&mut self) -> Vec<Box<dyn Queue>> {
        std::mem::take(&mut self.queues)
    }
}

type Opened = (Vec<Box<dyn Queue>>, Option<Device>);

fn open(kind: UnderlayKind, config: &Config, sled: &SledUnderlay) -> Result<Opened, String> {
    match kind {
        UnderlayKind::Tap => over_tap(config, sled),
        UnderlayKind::Vhost => over_vhost(config),
        UnderlayKind::Udp | UnderlayKind::Auto => over_udp(config, sled),
    }
}

fn over_udp(config: &Config, sled: &SledUnderlay) -> Result<Opened, String> {
    // A TAP that another run left would go on taking what is for the sockets.
    tap::remove(&config.underlay.tap).map_err(|error| told(&error))?;
    let own = sled.sled.tunnel_endpoint();
    udp::supported(own).map_err(|error| told(&error))?;
    let mut queues: Vec<Box<dyn Queue>> = Vec::new();
    for _ in 0..config.workers {
        let queue = UdpQueue::open(&UdpSettings::new(own)).map_err(|error| told(&error))?;
        queues.push(Box::new(WireUdp::new(queue, own)));
    }
    Ok((queues, None))
}

fn over_tap(config: &Config, sled: &SledUnderlay) -> Result<Opened, String> {
    let name = config.underlay.tap.as_str();
    let queues = tap::TapQueue::open(name, config.workers).map_err(|error| told(&error))?;
    let host = TapHost {
        name,
        end_point: sled.sled.tunnel_endpoint(),
        mac: sled.dst_mac,
        peer: sled.src_mac,
        mtu: sled.mtu,
    };
    if let Err(error) = host.ensure() {
        let why = told(&error);
        drop(queues);
        // Half of it would take packets away from the sockets.
        if let Err(error) = tap::remove(name) {
            tracing::warn!(
                device = name,
                error = told(&error),
                "the device stays behind"
            );
        }
        return Err(why);
    }
    let queue = |queue| -> Box<dyn Queue> { Box::new(WireTap::new(queue)) };
    Ok((queues.into_iter().map(queue).collect(), None))
}

fn over_vhost(config: &Config) -> Result<Opened, String> {
    let settings = DeviceSettings {
        socket: config.wire_socket(),
        queues: config.workers,
        features: Features::PLAIN,
    };
    let (device, queues) = Device::listen(&settings).map_err(|error| told(&error))?;
    let queue = |queue| -> Box<dyn Queue> { Box::new(WireVhost::new(queue)) };
    Ok((queues.into_iter().map(queue).collect(), Some(device)))
}
