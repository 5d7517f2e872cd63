//! Receiving in batches.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use libc::{iovec, mmsghdr, sockaddr_in6};

use super::control::{Arrival, RECEIVE_SPACE};
use super::losses::UdpLosses;
use super::message::{ADDRESS_LEN, address, no_message, no_part};

/// Room for each message: joined datagrams are no longer than one datagram can be.
const ROOM: usize = 65_536;

/// One or several datagrams of one flow, joined by the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The tunnel end point that sent it.
    pub from: Ipv6Addr,
    /// Its source port.
    pub source_port: u16,
    /// DSCP and ECN of the outer header; of the first datagram, where several were joined.
    pub traffic_class: u8,
    /// Octets of each datagram but the last; not zero.
    pub segment: u16,
    /// The payloads, one behind the other.
    pub bytes: &'a [u8],
}

impl<'a> Received<'a> {
    /// The payloads, one by one.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(usize::from(self.segment.max(1)))
    }
}

/// A message that came in whole: its number in the batch, its length, and what is known of it.
#[derive(Clone, Copy, Debug)]
struct Whole {
    slot: usize,
    len: usize,
    from: Ipv6Addr,
    source_port: u16,
    traffic_class: u8,
    segment: u16,
}

#[derive(Debug)]
pub(super) struct Receiver {
    socket: UdpSocket,
    slots: Slots,
    whole: Vec<Whole>,
    truncated: u64,
    overflow: u64,
    overflow_seen: u32,
}

/// What the kernel writes to, one of each for every message of a batch.
struct Slots {
    payloads: Box<[u8]>,
    controls: Box<[ControlRoom]>,
    addresses: Box<[sockaddr_in6]>,
    parts: Box<[iovec]>,
    headers: Box<[mmsghdr]>,
}

/// Control messages begin at multiples of eight.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct ControlRoom([u8; RECEIVE_SPACE]);

#[expect(
    unsafe_code,
    reason = "the kernel's headers hold raw pointers, which are not Send"
)]
// SAFETY: the pointers point into the boxes beside them, which move with them, and are written anew before each use.
unsafe impl Send for Slots {}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({})", self.headers.len())
    }
}

impl Receiver {
    pub(super) fn new(socket: UdpSocket, batch: usize) -> Self {
        Self {
            socket,
            slots: Slots::new(batch),
            whole: Vec::with_capacity(batch),
            truncated: 0,
            overflow: 0,
            overflow_seen: 0,
        }
    }

    pub(super) fn receive(&mut self) -> io::Result<usize> {
        self.whole.clear();
        let count = self.slots.receive(&self.socket)?;
        for slot in 0..count {
            self.note(slot);
        }
        Ok(self.whole.len())
    }

    pub(super) fn received(&self, index: usize) -> Option<Received<'_>> {
        let whole = self.whole.get(index)?;
        let start = whole.slot * ROOM;
        Some(Received {
            from: whole.from,
            source_port: whole.source_port,
            traffic_class: whole.traffic_class,
            segment: whole.segment,
            bytes: &self.slots.payloads[start..start + whole.len],
        })
    }

    pub(super) fn add_losses(&self, losses: &mut UdpLosses) {
        losses.truncated += self.truncated;
        losses.overflow += self.overflow;
    }

    /// Keeps a message of the batch if it is whole.
    fn note(&mut self, slot: usize) {
        let header = &self.slots.headers[slot];
        let len = usize::try_from(header.msg_len).unwrap_or(usize::MAX);
        let arrival = Arrival::read(self.slots.control(slot));
        if let Some(overflow) = arrival.overflow {
            // The kernel's counter wraps.
            self.overflow += u64::from(overflow.wrapping_sub(self.overflow_seen));
            self.overflow_seen = overflow;
        }
        let cut = libc::MSG_TRUNC | libc::MSG_CTRUNC;
        if header.msg_hdr.msg_flags & cut != 0 || len > ROOM {
            self.truncated += 1;
            return;
        }
        let from = &self.slots.addresses[slot];
        let alone = u16::try_from(len).unwrap_or(u16::MAX);
        self.whole.push(Whole {
            slot,
            len,
            from: from.sin6_addr.s6_addr.into(),
            source_port: u16::from_be(from.sin6_port),
            traffic_class: arrival.traffic_class,
            segment: arrival.segment.unwrap_or(alone).max(1),
        });
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Slots {
    fn new(batch: usize) -> Self {
        Self {
            payloads: vec![0; batch * ROOM].into(),
            controls: vec![ControlRoom([0; RECEIVE_SPACE]); batch].into(),
            addresses: vec![address(Ipv6Addr::UNSPECIFIED, 0); batch].into(),
            parts: vec![no_part(); batch].into(),
            headers: vec![no_message(); batch].into(),
        }
    }

    /// Receives up to a batch; zero where nothing waits.
    #[expect(
        unsafe_code,
        reason = "nix allocates for every recvmmsg(2) and knows no UDP_GRO on IPv6"
    )]
    fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.point();
        let count = libc::c_uint::try_from(self.headers.len()).unwrap_or(libc::c_uint::MAX);
        let headers = self.headers.as_mut_ptr();
        let fd = socket.as_raw_fd();
        // SAFETY: `headers` are `count` headers, and `point` has made each of them name only memory of its own slot,
        // with its length, which `&mut self` keeps for us alone. No timeout is given.
        let got =
            unsafe { libc::recvmmsg(fd, headers, count, libc::MSG_DONTWAIT, ptr::null_mut()) };
        usize::try_from(got).or_else(|_| {
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            }
        })
    }

    /// Makes every header name the memory of its slot.
    fn point(&mut self) {
        let payloads = self.payloads.chunks_exact_mut(ROOM);
        let control = self.controls.iter_mut().zip(&mut self.addresses);
        let kernel = self.headers.iter_mut().zip(&mut self.parts);
        for (((header, part), (control, address)), payload) in kernel.zip(control).zip(payloads) {
            part.iov_base = payload.as_mut_ptr().cast();
            part.iov_len = payload.len();
            let message = &mut header.msg_hdr;
            message.msg_name = (&raw mut *address).cast();
            message.msg_namelen = ADDRESS_LEN;
            message.msg_iov = part;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = RECEIVE_SPACE;
            message.msg_flags = 0;
        }
    }

    /// The control messages of a slot.
    fn control(&self, slot: usize) -> &[u8] {
        let len = self.headers[slot].msg_hdr.msg_controllen;
        &self.controls[slot].0[..len.min(RECEIVE_SPACE)]
    }
}
