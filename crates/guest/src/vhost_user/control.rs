//! What a machine says about a device, over its socket.
//!
//! Every message is a claim. What makes no sense is an error, and an error ends the connection; the machine may come
//! again. Rings are handed to the workers ready made, so that a worker never waits for this thread; this thread waits
//! until the worker has done what the machine was promised.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tracing::debug;
use vhost::VhostUserMemoryRegionBase;
use vhost::vhost_user::message::{
    VhostTransferStateDirection, VhostTransferStatePhase, VhostUserConfigFlags, VhostUserInflight,
    VhostUserMemoryRegion, VhostUserProtocolFeatures, VhostUserShMemConfig, VhostUserSharedMsg,
    VhostUserSingleMemoryRegion, VhostUserVringAddrFlags, VhostUserVringState,
};
use vhost::vhost_user::{Error, GpuBackend, Result, VhostUserBackendReqHandlerMut};

use super::features::Features;
use super::memory::{MAX_REGIONS, Memory, MemoryError, RegionClaim};
use super::queue::{Agreement, Answer, Bell, Command, Side};
use super::ring::Ring;
use super::table::{MAX_SIZE, TableAddresses, Tables};

/// How often this thread looks whether it is to end while it waits for a worker.
const TICK: Duration = Duration::from_millis(50);
/// For how many of these it waits: a worker answers between two batches, so that one that takes seconds is not there.
const TICKS: u32 = 200;

/// The way to the worker of one queue pair.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) bell: Arc<Bell>,
    pub(super) commands: SyncSender<Command>,
}

/// What the machine has said about one ring.
#[derive(Debug, Default)]
struct Vring {
    size: u16,
    addresses: Option<TableAddresses>,
    base: u16,
    kick: Option<Arc<File>>,
    call: Option<Arc<File>>,
    enabled: bool,
    running: bool,
}

/// One connection of a machine to a device.
#[derive(Debug)]
pub(super) struct Connection {
    offered: Features,
    agreed: Features,
    protocol: VhostUserProtocolFeatures,
    memory: Arc<Memory>,
    vrings: Vec<Vring>,
    links: Vec<Link>,
    ending: Arc<AtomicBool>,
}

impl Connection {
    pub(super) fn new(offered: Features, links: Vec<Link>, ending: Arc<AtomicBool>) -> Self {
        Self {
            offered,
            agreed: Features::default(),
            protocol: VhostUserProtocolFeatures::empty(),
            memory: Arc::default(),
            vrings: (0..2 * links.len()).map(|_| Vring::default()).collect(),
            links,
            ending,
        }
    }

    /// Whether the machine waits for answers where it asks for them.
    pub(super) fn answers(&self) -> bool {
        self.protocol.contains(VhostUserProtocolFeatures::REPLY_ACK)
    }

    /// Stops all rings; the machine is gone, or is to go.
    pub(super) fn end(&mut self) {
        for index in 0..self.vrings.len() {
            if let Err(error) = self.stop(index) {
                debug!(%error, ring = index, "ring not stopped");
            }
        }
    }

    fn vring(&mut self, index: usize) -> Result<&mut Vring> {
        self.vrings.get_mut(index).ok_or(Error::InvalidParam)
    }

    /// Has the worker of a ring do something; waits for it.
    fn tell(&self, index: usize, ring: Option<(Ring, Agreement)>) -> Result<Answer> {
        let link = self.links.get(index / 2).ok_or(Error::InvalidParam)?;
        let (reply, answer) = sync_channel(1);
        let side = if index.is_multiple_of(2) {
            Side::Receive
        } else {
            Side::Transmit
        };
        link.commands
            .try_send(Command { side, ring, reply })
            .map_err(|_| Error::BackendInternalError)?;
        link.bell.ring();
        for _ in 0..TICKS {
            match answer.recv_timeout(TICK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !self.ending.load(Ordering::Relaxed) => {}
                Err(_) => break,
            }
        }
        Err(Error::BackendInternalError)
    }

    fn stop(&mut self, index: usize) -> Result<()> {
        if !std::mem::take(&mut self.vring(index)?.running) {
            return Ok(());
        }
        let answer = self.tell(index, None)?;
        if let Some(stands) = answer.index {
            self.vring(index)?.base = stands;
        }
        Ok(())
    }

    /// Makes the worker run a ring as the machine has described it so far, or stop it where something is missing.
    fn apply(&mut self, index: usize) -> Result<()> {
        self.stop(index)?;
        let vring = self.vrings.get(index).ok_or(Error::InvalidParam)?;
        let (Some(kick), Some(addresses), true) = (&vring.kick, vring.addresses, vring.enabled)
        else {
            return Ok(());
        };
        let tables =
            Tables::find(&self.memory, vring.size, addresses).ok_or(Error::InvalidParam)?;
        let stands = tables.used_index();
        if stands != vring.base {
            debug!(
                ring = index,
                base = vring.base,
                stands,
                "goes on from the used index"
            );
        }
        let event_index = self.agreed.has(Features::EVENT_IDX);
        let ring = Ring::start(tables, event_index, Arc::clone(kick), vring.call.clone());
        let answer = self.tell(index, Some((ring, self.agreement())))?;
        if !answer.started {
            return Err(Error::InvalidParam);
        }
        self.vring(index)?.running = true;
        Ok(())
    }

    fn apply_all(&mut self) -> Result<()> {
        (0..self.vrings.len()).try_for_each(|index| self.apply(index))
    }

    fn agreement(&self) -> Agreement {
        let mergeable = self.agreed.has(Features::MRG_RXBUF);
        Agreement {
            long_header: mergeable || self.agreed.has(Features::VERSION_1),
            mergeable,
            offloads: self.agreed.offloads(),
        }
    }

    /// Puts other memory in place of what there was, and lets the rings go on in it.
    fn replace_memory(&mut self, memory: Memory) -> Result<()> {
        let running: Vec<_> = (0..self.vrings.len())
            .filter(|index| self.vrings[*index].running)
            .collect();
        for index in &running {
            self.stop(*index)?;
        }
        self.memory = Arc::new(memory);
        running.into_iter().try_for_each(|index| self.apply(index))
    }

    /// The features that this device offers: several queue pairs only where it has them.
    fn offers(&self) -> Features {
        if self.links.len() > 1 {
            self.offered
        } else {
            self.offered.without(Features::MQ)
        }
    }
}

fn claim_of(region: &VhostUserMemoryRegion) -> RegionClaim {
    RegionClaim {
        guest: region.guest_phys_addr,
        user: region.user_addr,
        len: region.memory_size,
        offset: region.mmap_offset,
    }
}

fn memory_error(error: MemoryError) -> Error {
    Error::ReqHandlerError(std::io::Error::other(error))
}

/// A file that no read or write waits for. The machine has it too and can undo this, against its own device's worker.
fn nonblocking(file: Option<File>) -> Result<Option<Arc<File>>> {
    let Some(file) = file else { return Ok(None) };
    let flags = fcntl(&file, FcntlArg::F_GETFL).map_err(|_| Error::InvalidParam)?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(&file, FcntlArg::F_SETFL(flags)).map_err(|_| Error::InvalidParam)?;
    Ok(Some(Arc::new(file)))
}

const NOT_OFFERED: Error = Error::InvalidOperation("a feature that was not offered");

impl VhostUserBackendReqHandlerMut for Connection {
    fn set_owner(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset_owner(&mut self) -> Result<()> {
        self.end();
        Ok(())
    }

    fn reset_device(&mut self) -> Result<()> {
        self.end();
        Ok(())
    }

    fn get_features(&mut self) -> Result<u64> {
        Ok(self.offers().bits())
    }

    fn set_features(&mut self, features: u64) -> Result<()> {
        let features = Features::from_bits(features);
        if !self.offers().has(features) {
            return Err(Error::FeatureMismatch);
        }
        self.agreed = features;
        if !features.has(Features::PROTOCOL) {
            // "If VHOST_USER_F_PROTOCOL_FEATURES has not been negotiated, the ring starts directly in the enabled
            // state."
            for vring in &mut self.vrings {
                vring.enabled = true;
            }
        }
        let running = |vring: &Vring| vring.running;
        if self.vrings.iter().any(running) {
            self.apply_all()?;
        }
        Ok(())
    }

    fn set_mem_table(
        &mut self,
        regions: &[VhostUserMemoryRegion],
        files: Vec<File>,
        _postcopy: Option<bool>,
    ) -> Result<Option<Vec<VhostUserMemoryRegionBase>>> {
        let mut memory = Memory::default();
        for (region, file) in regions.iter().zip(files) {
            memory.add(claim_of(region), file).map_err(memory_error)?;
        }
        self.replace_memory(memory)?;
        Ok(None)
    }

    fn get_max_mem_slots(&mut self) -> Result<u64> {
        u64::try_from(MAX_REGIONS).map_err(|_| Error::BackendInternalError)
    }

    fn add_mem_region(
        &mut self,
        region: &VhostUserSingleMemoryRegion,
        file: File,
        _postcopy: Option<bool>,
    ) -> Result<Option<VhostUserMemoryRegionBase>> {
        let mut memory = Memory::clone(&self.memory);
        memory.add(claim_of(region), file).map_err(memory_error)?;
        self.replace_memory(memory)?;
        Ok(None)
    }

    fn remove_mem_region(&mut self, region: &VhostUserSingleMemoryRegion) -> Result<()> {
        let mut memory = Memory::clone(&self.memory);
        memory.remove(claim_of(region)).map_err(memory_error)?;
        self.replace_memory(memory)
    }

    fn set_vring_num(&mut self, index: u32, size: u32) -> Result<()> {
        let size = u16::try_from(size).map_err(|_| Error::InvalidParam)?;
        if !size.is_power_of_two() || size > MAX_SIZE {
            return Err(Error::InvalidParam);
        }
        self.vring(widened(index))?.size = size;
        Ok(())
    }

    fn set_vring_addr(
        &mut self,
        index: u32,
        _flags: VhostUserVringAddrFlags,
        descriptors: u64,
        used: u64,
        available: u64,
        _log: u64,
    ) -> Result<()> {
        let vring = self.vring(widened(index))?;
        vring.addresses = Some(TableAddresses {
            descriptors,
            available,
            used,
        });
        if vring.running {
            self.apply(widened(index))?;
        }
        Ok(())
    }

    fn set_vring_base(&mut self, index: u32, base: u32) -> Result<()> {
        let base = u16::try_from(base).map_err(|_| Error::InvalidParam)?;
        self.vring(widened(index))?.base = base;
        Ok(())
    }

    fn get_vring_base(&mut self, index: u32) -> Result<VhostUserVringState> {
        self.stop(widened(index))?;
        let vring = self.vring(widened(index))?;
        vring.kick = None;
        vring.call = None;
        let base = vring.base.into();
        Ok(VhostUserVringState::new(index, base))
    }

    fn set_vring_kick(&mut self, index: u8, file: Option<File>) -> Result<()> {
        let kick = nonblocking(file)?;
        if kick.is_none() {
            return Err(Error::InvalidOperation("a ring without a kick"));
        }
        self.vring(index.into())?.kick = kick;
        self.apply(index.into())
    }

    fn set_vring_call(&mut self, index: u8, file: Option<File>) -> Result<()> {
        let call = nonblocking(file)?;
        let vring = self.vring(index.into())?;
        vring.call = call;
        if vring.running {
            self.apply(index.into())?;
        }
        Ok(())
    }

    fn set_vring_err(&mut self, index: u8, _file: Option<File>) -> Result<()> {
        self.vring(index.into())?;
        Ok(())
    }

    fn get_protocol_features(&mut self) -> Result<VhostUserProtocolFeatures> {
        Ok(VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::REPLY_ACK
            | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS)
    }

    fn set_protocol_features(&mut self, features: u64) -> Result<()> {
        self.protocol = VhostUserProtocolFeatures::from_bits_retain(features);
        Ok(())
    }

    fn get_queue_num(&mut self) -> Result<u64> {
        u64::try_from(self.links.len()).map_err(|_| Error::BackendInternalError)
    }

    fn set_vring_enable(&mut self, index: u32, enable: bool) -> Result<()> {
        self.vring(widened(index))?.enabled = enable;
        self.apply(widened(index))
    }

    fn get_config(&mut self, _: u32, _: u32, _: VhostUserConfigFlags) -> Result<Vec<u8>> {
        Err(NOT_OFFERED)
    }

    fn set_config(&mut self, _: u32, _: &[u8], _: VhostUserConfigFlags) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn set_gpu_socket(&mut self, _: GpuBackend) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn get_shared_object(&mut self, _: VhostUserSharedMsg) -> Result<File> {
        Err(NOT_OFFERED)
    }

    fn get_inflight_fd(&mut self, _: &VhostUserInflight) -> Result<(VhostUserInflight, File)> {
        Err(NOT_OFFERED)
    }

    fn set_inflight_fd(&mut self, _: &VhostUserInflight, _: File) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn set_device_state_fd(
        &mut self,
        _: VhostTransferStateDirection,
        _: VhostTransferStatePhase,
        _: File,
    ) -> Result<Option<File>> {
        Err(NOT_OFFERED)
    }

    fn check_device_state(&mut self) -> Result<()> {
        Err(NOT_OFFERED)
    }

    fn get_shmem_config(&mut self) -> Result<VhostUserShMemConfig> {
        Err(NOT_OFFERED)
    }

    fn set_log_base(
        &mut self,
        _: &vhost::vhost_user::message::VhostUserLog,
        _: File,
    ) -> Result<()> {
        Err(NOT_OFFERED)
    }
}

/// A ring's number as an index; one that is too large is no ring.
fn widened(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
