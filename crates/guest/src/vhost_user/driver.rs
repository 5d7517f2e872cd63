//! The guest's side of a vhost-user device: a driver with memory of its own, without a machine around it.
//!
//! Tests and tools play the guest with it; a [`Driver`] can also be a bad guest, for its memory and rings can be
//! written as one likes. It waits for nothing but the answers of the device.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::memfd::{MFdFlags, memfd_create};
use rackweave_wire::virtio_net::NetHeader;
use thiserror::Error;
use vhost::vhost_user::message::VhostUserHeaderFlag;
use vhost::vhost_user::{Frontend, VhostUserFrontend, VhostUserProtocolFeatures};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::features::Features;
use super::memory::{Memory, RegionClaim};

mod ring;

pub use ring::{DriverQueue, Layout, RingAt};

/// Where the memory is for the guest, and for the machine: not the same, and neither is 0.
const GUEST_BASE: u64 = 0x10_0000;
const USER_BASE: u64 = 0x7000_0000_0000;

/// How a driver is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverSettings {
    /// How many queue pairs it uses.
    pub queues: u16,
    /// Descriptors of each ring, a power of two.
    pub size: u16,
    /// What it takes of what the device offers.
    pub features: Features,
    /// Bytes of the buffer behind each descriptor.
    pub buffer: u32,
    /// How it lays out what it sends.
    pub layout: Layout,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self {
            queues: 1,
            size: 256,
            features: Features::GUEST,
            buffer: 2048,
            layout: Layout::Together,
        }
    }
}

/// A guest's memory and rings, and the connection to its device.
pub struct Driver {
    settings: DriverSettings,
    features: Features,
    file: File,
    memory: Memory,
    len: u64,
    queues: Vec<DriverQueue>,
    frontend: Option<Frontend>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("settings", &self.settings)
            .field("features", &self.features)
            .field("queues", &self.queues)
            .field("connected", &self.frontend.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a driver cannot talk to its device.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriverError {
    /// No memory.
    #[error("the driver cannot make its memory")]
    Memory {
        /// The cause.
        source: io::Error,
    },
    /// The device does not speak as the protocol says, or refuses a step.
    #[error("the device refuses: {step}")]
    Refused {
        /// What was asked of it.
        step: &'static str,
        /// The cause.
        source: vhost::Error,
    },
    /// The driver is not connected.
    #[error("the driver is not connected")]
    NotConnected,
}

fn refused(step: &'static str) -> impl FnOnce(vhost::Error) -> DriverError {
    move |source| DriverError::Refused { step, source }
}

impl Driver {
    /// Makes memory and rings, and connects to a device; its workers must be at work meanwhile.
    ///
    /// # Errors
    /// Where there is no memory, or the device refuses.
    pub fn connect(socket: &Path, settings: &DriverSettings) -> Result<Self, DriverError> {
        let failed = |source| DriverError::Memory { source };
        let len = ring::room(settings) * 2 * u64::from(settings.queues);
        let fd: OwnedFd =
            memfd_create("guest", MFdFlags::MFD_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let file = File::from(fd);
        file.set_len(len).map_err(failed)?;
        let mut memory = Memory::default();
        memory
            .add(claim(len), file.try_clone().map_err(failed)?)
            .map_err(|error| failed(io::Error::other(error)))?;
        let queues = (0..settings.queues)
            .map(|pair| DriverQueue::new(&memory, settings, pair))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let mut driver = Self {
            settings: *settings,
            features: Features::default(),
            file,
            memory,
            len,
            queues,
            frontend: None,
        };
        driver.join(socket)?;
        Ok(driver)
    }

    /// Connects again, after the device or the connection was gone. Rings go on where the device left them, as QEMU
    /// does it.
    ///
    /// # Errors
    /// Where the device refuses.
    pub fn join(&mut self, socket: &Path) -> Result<(), DriverError> {
        let vrings = u64::from(self.settings.queues) * 2;
        let mut frontend = Frontend::connect(socket, vrings).map_err(refused("the connection"))?;
        self.negotiate(&mut frontend)?;
        let region = VhostUserMemoryRegionInfo {
            guest_phys_addr: GUEST_BASE,
            memory_size: self.len,
            userspace_addr: USER_BASE,
            mmap_offset: 0,
            mmap_handle: self.file.as_raw_fd(),
        };
        frontend
            .set_mem_table(&[region])
            .map_err(refused("the memory"))?;
        for pair in 0..self.settings.queues {
            self.start(&mut frontend, pair)?;
        }
        self.frontend = Some(frontend);
        Ok(())
    }

    fn negotiate(&mut self, frontend: &mut Frontend) -> Result<(), DriverError> {
        frontend.set_owner().map_err(refused("the owner"))?;
        let offered = frontend.get_features().map_err(refused("the features"))?;
        self.features = Features::from_bits(offered & self.settings.features.bits());
        if self.features.has(Features::PROTOCOL) {
            let offered = frontend
                .get_protocol_features()
                .map_err(refused("the protocol's features"))?;
            let wanted = VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::REPLY_ACK;
            frontend
                .set_protocol_features(offered & wanted)
                .map_err(refused("the protocol's features"))?;
            frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        }
        frontend
            .set_features(self.features.bits())
            .map_err(refused("the features"))?;
        for queue in &mut self.queues {
            queue.agree(self.features);
        }
        Ok(())
    }

    fn start(&mut self, frontend: &mut Frontend, pair: u16) -> Result<(), DriverError> {
        let queue = &self.queues[usize::from(pair)];
        for (side, ring) in queue.rings().into_iter().enumerate() {
            let index = usize::from(pair) * 2 + side;
            let config = VringConfigData {
                queue_max_size: self.settings.size,
                queue_size: self.settings.size,
                flags: 0,
                desc_table_addr: USER_BASE + ring.at.descriptors,
                used_ring_addr: USER_BASE + ring.at.used,
                avail_ring_addr: USER_BASE + ring.at.available,
                log_addr: None,
            };
            let base = ring.used_index(&self.memory);
            frontend
                .set_vring_num(index, self.settings.size)
                .and_then(|()| frontend.set_vring_addr(index, &config))
                .and_then(|()| frontend.set_vring_base(index, base))
                .and_then(|()| frontend.set_vring_call(index, &ring.call))
                .and_then(|()| frontend.set_vring_kick(index, &ring.kick))
                .map_err(refused("a ring"))?;
            if self.features.has(Features::PROTOCOL) {
                frontend
                    .set_vring_enable(index, true)
                    .map_err(refused("enabling a ring"))?;
            }
        }
        Ok(())
    }

    /// What is agreed with the device.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Closes the connection; rings and memory stay.
    pub fn leave(&mut self) {
        self.frontend = None;
    }

    /// Stops a ring (two for each queue pair, the first for receiving), and says where it stands.
    ///
    /// # Errors
    /// Where the driver is not connected, or the device refuses.
    pub fn stop(&mut self, ring: u16) -> Result<u32, DriverError> {
        let frontend = self.frontend.as_mut().ok_or(DriverError::NotConnected)?;
        frontend
            .get_vring_base(ring.into())
            .map_err(refused("stopping a ring"))
    }

    /// Hands a frame to the device, and kicks where it asks for it; false where the ring is full.
    pub fn send(&mut self, pair: u16, header: &NetHeader, frame: &[u8]) -> bool {
        self.queues
            .get_mut(usize::from(pair))
            .is_some_and(|queue| queue.send(&self.memory, header, frame))
    }

    /// Takes a frame that the device has put into the receive buffers, if there is one.
    pub fn receive(&mut self, pair: u16) -> Option<(NetHeader, Vec<u8>)> {
        self.queues
            .get_mut(usize::from(pair))?
            .receive(&self.memory)
    }

    /// Asks to be interrupted with the next frame that is received.
    pub fn want_call(&mut self, pair: u16) {
        if let Some(queue) = self.queues.get_mut(usize::from(pair)) {
            queue.want_call(&self.memory);
        }
    }

    /// One queue pair.
    pub fn queue(&mut self, pair: u16) -> Option<&mut DriverQueue> {
        self.queues.get_mut(usize::from(pair))
    }

    /// The guest's address of a place in its memory.
    pub const fn address(offset: u64) -> u64 {
        GUEST_BASE + offset
    }

    /// Bytes of the guest's memory.
    pub const fn memory_len(&self) -> u64 {
        self.len
    }

    /// Reads the guest's memory; what is outside reads as nothing.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) {
        read(&self.memory, offset, bytes);
    }

    /// Overwrites the guest's memory; what is outside is left out.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        write(&self.memory, offset, bytes);
    }

    /// Cuts the guest's memory short while the device uses it, as a broken or bad machine may.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn shrink(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

fn claim(len: u64) -> RegionClaim {
    RegionClaim {
        guest: GUEST_BASE,
        user: USER_BASE,
        len,
        offset: 0,
    }
}

fn read(memory: &Memory, offset: u64, bytes: &mut [u8]) {
    if let Some(run) = memory.guest(Driver::address(offset), bytes.len(), &mut 0) {
        run.copy_to(bytes);
    }
}

fn write(memory: &Memory, offset: u64, bytes: &[u8]) {
    if let Some(run) = memory.guest(Driver::address(offset), bytes.len(), &mut 0) {
        run.copy_from(bytes);
    }
}
