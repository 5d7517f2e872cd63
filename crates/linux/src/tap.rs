//! The underlay over a TAP device with tunnel segmentation offload (Linux since 6.17).
//!
//! The program writes whole underlay frames, Geneve superframes of 64 KB among them, and the host's
//! IPv6 routing carries them on; what arrives for the tunnel end point is routed into the device.
//! Nothing is cut before the NIC, or, between two such hosts on one machine, at all.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::uio::{readv, writev};
use rackweave_wire::virtio_net::{Form, NetHeader};

mod device;
mod host;
mod train;

pub use device::{TapError, supported};
pub use host::{TapHost, remove};

use device::Device;
use train::Train;

/// The header that a TAP of the underlay puts in front of every frame: the one that can name a tunnel.
const FORM: Form = Form::Tunnel;

/// The longest frame that the kernel gives or takes: an IPv6 packet of 65,535 octets of payload and its Ethernet
/// header.
pub const FRAME_MAX: usize = 14 + 40 + 65_535;

/// How many flows can wait at once to have more joined to them.
const TRAINS: usize = 8;

/// One queue of an underlay TAP. Nothing here blocks; a file descriptor to wait for is [`as_fd`](AsFd::as_fd).
#[derive(Debug)]
pub struct TapQueue {
    device: Device,
    /// Flows are spread over them by their source port; each keeps its order.
    trains: [Train; TRAINS],
    losses: TapLosses,
}

impl TapQueue {
    /// Opens so many queues of the TAP with this name in the namespace of the calling thread, and
    /// makes the device where there is none. It stays when the process ends, and what was set up
    /// around it with it.
    ///
    /// The kernel gives each flow to one of the queues: to the one that sent last for it, where the
    /// flow has the same outer source port in both directions, as flows of the engine have.
    ///
    /// The device is only made: [`TapHost`] joins the host to it.
    ///
    /// # Errors
    /// Where the process may not (it needs root), the name is another device's, or the kernel knows no tunnel
    /// segmentation offload.
    pub fn open(name: &str, queues: u16) -> Result<Vec<Self>, TapError> {
        let open = |_| Device::open(name, FORM.header_len()).map(Self::of);
        let queues = (0..queues.max(1))
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        for queue in &queues {
            queue.device.persist()?;
        }
        Ok(queues)
    }

    fn of(device: Device) -> Self {
        Self {
            device,
            trains: Default::default(),
            losses: TapLosses::default(),
        }
    }

    /// Takes the next frame that arrived: its header, and its length, which is at most that of `frame`. `None` where
    /// nothing waits. Frames that have no valid header, or do not fit, are counted and passed over.
    ///
    /// # Errors
    /// Where the device is gone.
    pub fn receive(
        &mut self,
        header: &mut NetHeader,
        frame: &mut [u8],
    ) -> io::Result<Option<usize>> {
        let room = frame.len();
        loop {
            let (mut head, mut beyond) = ([0; FORM.header_len()], [0; 1]);
            let mut parts = [
                IoSliceMut::new(&mut head),
                IoSliceMut::new(frame),
                // The kernel is silent about what it cut off; this is where it would begin.
                IoSliceMut::new(&mut beyond),
            ];
            let read = match readv(&self.device, &mut parts) {
                Ok(read) => read,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let Some(len) = read.checked_sub(FORM.header_len()) else {
                self.losses.malformed += 1;
                continue;
            };
            if len > room {
                self.losses.truncated += 1;
                continue;
            }
            match NetHeader::parse(FORM, &head) {
                Ok(parsed) => {
                    *header = parsed;
                    return Ok(Some(len));
                }
                Err(_) => self.losses.malformed += 1,
            }
        }
    }

    /// Sends a frame, at the latest with the next [`flush`](Self::flush): small packets of one flow
    /// and size go together. Whether the queue took it; where not, and where the kernel does not
    /// take it later, it is counted.
    pub fn send(&mut self, header: &NetHeader, frame: &[u8]) -> bool {
        let train = train_of(frame);
        if self.trains[train].join(header, frame) {
            return true;
        }
        self.flush_train(train);
        self.trains[train].begin(header, frame) || self.write(header, frame, 1)
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        for train in 0..TRAINS {
            self.flush_train(train);
        }
    }

    fn flush_train(&mut self, train: usize) {
        let count = self.trains[train].count();
        if count > 0 {
            let mut taken = std::mem::take(&mut self.trains[train]);
            let (header, frame) = taken.take();
            self.write(&header, frame, count);
            self.trains[train] = taken;
        }
    }

    /// Gives the kernel a frame that stands for so many packets. Whether it took it.
    fn write(&mut self, header: &NetHeader, frame: &[u8], count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(1);
        let mut head = [0; FORM.header_len()];
        if header.emit(FORM, &mut head).is_err() {
            self.losses.refused += count;
            return false;
        }
        let parts = [IoSlice::new(&head), IoSlice::new(frame)];
        loop {
            let lost = match writev(&self.device, &parts) {
                Ok(_) => return true,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => &mut self.losses.full,
                Err(Errno::EIO) => &mut self.losses.down,
                Err(_) => &mut self.losses.refused,
            };
            *lost += count;
            return false;
        }
    }

    /// What was lost since the queue was opened.
    #[must_use]
    pub const fn losses(&self) -> TapLosses {
        self.losses
    }
}

impl AsFd for TapQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

/// The train that a frame belongs to: one for each outer source port.
fn train_of(frame: &[u8]) -> usize {
    let port = frame.get(54..).and_then(|rest| rest.first_chunk());
    port.map_or(0, |port| usize::from(u16::from_be_bytes(*port)) % TRAINS)
}

/// Frames lost, by reason. What the kernel dropped before we read it, the device's own counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapLosses {
    /// The kernel had no memory for it.
    pub full: u64,
    /// The device is down.
    pub down: u64,
    /// The kernel found header and frame not to belong together.
    pub refused: u64,
    /// Arrived without a valid header.
    pub malformed: u64,
    /// Arrived longer than there was room for.
    pub truncated: u64,
}
