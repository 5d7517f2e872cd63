//! The driver's side of a queue pair.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{Ordering, fence};

use rackweave_wire::virtio_net::{Form, NetHeader};

use super::{Driver, DriverSettings, EFD_NONBLOCK, EventFd, Features, Memory, read, write};

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// How a frame that is sent lies in descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Header and frame in one buffer after the other.
    Together,
    /// The header in a descriptor of its own.
    HeaderApart,
    /// As [`Self::HeaderApart`], in an indirect table.
    Indirect,
}

/// Where the tables of a ring are, in bytes from the start of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingAt {
    /// The descriptors.
    pub descriptors: u64,
    /// The available ring.
    pub available: u64,
    /// The used ring.
    pub used: u64,
    /// The buffers, one for each descriptor.
    pub buffers: u64,
    /// The indirect tables, one of four descriptors for each descriptor.
    pub indirect: u64,
}

/// Bytes of one ring with its buffers, in whole pages.
pub(super) fn room(settings: &DriverSettings) -> u64 {
    let size = u64::from(settings.size);
    let tables =
        16 * size + (6 + 2 * size).next_multiple_of(64) + (6 + 8 * size).next_multiple_of(64);
    let indirect = 64 * size;
    (tables + indirect + size * u64::from(settings.buffer)).next_multiple_of(4096)
}

impl RingAt {
    fn new(settings: &DriverSettings, ring: u64) -> Self {
        let size = u64::from(settings.size);
        let descriptors = ring * room(settings);
        let available = descriptors + 16 * size;
        let used = available + (6 + 2 * size).next_multiple_of(64);
        let indirect = used + (6 + 8 * size).next_multiple_of(64);
        Self {
            descriptors,
            available,
            used,
            indirect,
            buffers: indirect + 64 * size,
        }
    }
}

/// One ring.
#[derive(Debug)]
pub(super) struct DriverRing {
    pub(super) at: RingAt,
    pub(super) kick: EventFd,
    pub(super) call: EventFd,
    size: u16,
    event_index: bool,
    /// The next available index.
    available: u16,
    /// The next used index to look at.
    used: u16,
    /// Descriptors of the chains that the device has, in order.
    chains: VecDeque<u16>,
    /// The next descriptor that is free, and how many are.
    next: u16,
    free: u16,
}

impl DriverRing {
    fn new(settings: &DriverSettings, ring: u64) -> io::Result<Self> {
        Ok(Self {
            at: RingAt::new(settings, ring),
            kick: EventFd::new(EFD_NONBLOCK)?,
            call: EventFd::new(EFD_NONBLOCK)?,
            size: settings.size,
            event_index: false,
            available: 0,
            used: 0,
            chains: VecDeque::new(),
            next: 0,
            free: settings.size,
        })
    }

    /// What the device has published.
    pub(super) fn used_index(&self, memory: &Memory) -> u16 {
        let index = word(memory, self.at.used + 2);
        fence(Ordering::SeqCst);
        index
    }

    /// Writes one descriptor into a table.
    fn describe(memory: &Memory, at: u64, address: u64, len: u32, flags: u16, next: u16) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        bytes[12..14].copy_from_slice(&flags.to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        write(memory, at, &bytes);
    }

    /// The number of a descriptor, `ahead` of the next free one.
    fn slot(&self, ahead: u16) -> u16 {
        self.next.wrapping_add(ahead) & (self.size - 1)
    }

    /// Makes the next `descriptors` free ones, already written, a chain of the device.
    fn offer(&mut self, memory: &Memory, descriptors: u16) {
        let entry = self.at.available + 4 + 2 * u64::from(self.available & (self.size - 1));
        write(memory, entry, &self.slot(0).to_le_bytes());
        self.next = self.slot(descriptors);
        self.free -= descriptors;
        self.chains.push_back(descriptors);
        let old = self.available;
        self.available = old.wrapping_add(1);
        fence(Ordering::SeqCst);
        write(memory, self.at.available + 2, &self.available.to_le_bytes());
        fence(Ordering::SeqCst);
        let wanted = if self.event_index {
            word(memory, self.at.used + 4 + 8 * u64::from(self.size)) == old
        } else {
            word(memory, self.at.used) & 1 == 0
        };
        if wanted {
            // A full counter is a kick that waits already.
            let _kicked = self.kick.write(1);
        }
    }

    /// Takes back a chain that the device has used: its head, and the bytes that were written.
    fn take(&mut self, memory: &Memory) -> Option<(u16, u32)> {
        if self.used_index(memory) == self.used {
            return None;
        }
        let mut element = [0; 8];
        let at = self.at.used + 4 + 8 * u64::from(self.used & (self.size - 1));
        read(memory, at, &mut element);
        self.used = self.used.wrapping_add(1);
        self.free += self.chains.pop_front().unwrap_or_default();
        let [h0, h1, _, _, l0, l1, l2, l3] = element;
        Some((
            u16::from_le_bytes([h0, h1]),
            u32::from_le_bytes([l0, l1, l2, l3]),
        ))
    }
}

fn word(memory: &Memory, at: u64) -> u16 {
    let mut bytes = [0; 2];
    read(memory, at, &mut bytes);
    u16::from_le_bytes(bytes)
}

/// One queue pair of a driver.
#[derive(Debug)]
pub struct DriverQueue {
    receive: DriverRing,
    transmit: DriverRing,
    form: Form,
    buffer: u32,
    layout: Layout,
}

impl DriverQueue {
    pub(super) fn new(memory: &Memory, settings: &DriverSettings, pair: u16) -> io::Result<Self> {
        let mut queue = Self {
            receive: DriverRing::new(settings, 2 * u64::from(pair))?,
            transmit: DriverRing::new(settings, 2 * u64::from(pair) + 1)?,
            form: Form::Mergeable,
            buffer: settings.buffer,
            layout: settings.layout,
        };
        queue.fill(memory);
        Ok(queue)
    }

    pub(super) fn agree(&mut self, features: Features) {
        let long = features.has(Features::MRG_RXBUF) || features.has(Features::VERSION_1);
        self.form = if long { Form::Mergeable } else { Form::Legacy };
        for ring in [&mut self.receive, &mut self.transmit] {
            ring.event_index = features.has(Features::EVENT_IDX);
        }
    }

    pub(super) fn rings(&self) -> [&DriverRing; 2] {
        [&self.receive, &self.transmit]
    }

    /// Where the receive ring is.
    pub fn receive_at(&self) -> RingAt {
        self.receive.at
    }

    /// Where the transmit ring is.
    pub fn transmit_at(&self) -> RingAt {
        self.transmit.at
    }

    /// How many kicks were sent since the last call, with both rings.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn kicks(&self) -> io::Result<u64> {
        counted(&self.transmit.kick)
    }

    /// How often the device has interrupted since the last call, for received frames.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn calls(&self) -> io::Result<u64> {
        counted(&self.receive.call)
    }

    pub(super) fn want_call(&mut self, memory: &Memory) {
        let ring = &self.receive;
        let at = ring.at.available + 4 + 2 * u64::from(ring.size);
        write(memory, at, &ring.used.to_le_bytes());
        fence(Ordering::SeqCst);
    }

    /// Offers every free receive buffer, each as a chain of its own.
    fn fill(&mut self, memory: &Memory) {
        while self.receive.free > 0 {
            let slot = self.receive.slot(0);
            let buffer = self.receive.at.buffers + u64::from(slot) * u64::from(self.buffer);
            let at = self.receive.at.descriptors + 16 * u64::from(slot);
            let address = Driver::address(buffer);
            DriverRing::describe(memory, at, address, self.buffer, WRITE, 0);
            self.receive.offer(memory, 1);
        }
    }

    pub(super) fn receive(&mut self, memory: &Memory) -> Option<(NetHeader, Vec<u8>)> {
        let mut bytes = Vec::new();
        let mut header = NetHeader::default();
        let mut buffers = 1;
        while buffers > 0 {
            let Some((head, len)) = self.receive.take(memory) else {
                break;
            };
            let at = bytes.len();
            let len = usize::try_from(len.min(self.buffer)).unwrap_or_default();
            bytes.resize(at + len, 0);
            let buffer = self.receive.at.buffers + u64::from(head) * u64::from(self.buffer);
            read(memory, buffer, &mut bytes[at..]);
            if at == 0 {
                header = NetHeader::parse(self.form, &bytes).unwrap_or_default();
                buffers = header.num_buffers.max(1);
            }
            buffers -= 1;
        }
        self.fill(memory);
        bytes
            .get(self.form.header_len()..)
            .map(|frame| (header, frame.to_vec()))
    }

    pub(super) fn send(&mut self, memory: &Memory, header: &NetHeader, frame: &[u8]) -> bool {
        while self.transmit.take(memory).is_some() {}
        let mut bytes = vec![0; self.form.header_len()];
        if header.emit(self.form, &mut bytes).is_err() {
            return false;
        }
        bytes.extend_from_slice(frame);
        let buffer = usize::try_from(self.buffer).unwrap_or(usize::MAX);
        let (first, rest) = match self.layout {
            Layout::Together => bytes.split_at(bytes.len().min(buffer)),
            Layout::HeaderApart | Layout::Indirect => bytes.split_at(self.form.header_len()),
        };
        let pieces: Vec<_> = std::iter::once(first).chain(rest.chunks(buffer)).collect();
        let Ok(count) = u16::try_from(pieces.len()) else {
            return false;
        };
        if count > self.transmit.free || (self.layout == Layout::Indirect && count > 4) {
            return false;
        }
        let indirect = self.layout == Layout::Indirect;
        let at = self.transmit.at;
        let table = at.indirect + 64 * u64::from(self.transmit.slot(0));
        for (number, piece) in (0..count).zip(pieces) {
            let slot = self.transmit.slot(number);
            let buffer = at.buffers + u64::from(slot) * u64::from(self.buffer);
            write(memory, buffer, piece);
            let flags = if number + 1 < count { NEXT } else { 0 };
            let (place, next) = if indirect {
                (table + 16 * u64::from(number), number + 1)
            } else {
                let next = self.transmit.slot(number + 1);
                (at.descriptors + 16 * u64::from(slot), next)
            };
            let len = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            DriverRing::describe(memory, place, Driver::address(buffer), len, flags, next);
        }
        if indirect {
            let place = at.descriptors + 16 * u64::from(self.transmit.slot(0));
            let (address, len) = (Driver::address(table), 16 * u32::from(count));
            DriverRing::describe(memory, place, address, len, INDIRECT, 0);
        }
        // The buffers of an indirect table are those of its descriptors, which are all taken with it.
        self.transmit.offer(memory, count);
        true
    }
}

fn counted(event: &EventFd) -> io::Result<u64> {
    match event.read() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
