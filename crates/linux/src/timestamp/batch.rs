//! Receiving in batches, without allocation.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, iovec, mmsghdr, sockaddr_in6};

use super::Stamp;
use crate::udp::control::next;
use crate::udp::message::{ADDRESS_LEN, address, no_message, no_part};

/// Datagrams of a batch.
const SLOTS: usize = 16;
/// Room for each; what is longer comes cut.
const ROOM: usize = 256;
/// `SCM_TSTAMP_SND` of `linux/errqueue.h`, which libc lacks: a device driver took it.
const SENT: u32 = 0;
/// Room for what the kernel says of each.
const CONTROL: usize = 192;

/// A datagram that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Who sent it.
    pub from: Ipv6Addr,
    /// From which port.
    pub port: u16,
    /// The hop limit that it came with.
    pub hop_limit: u8,
    /// When.
    pub at: Option<Stamp>,
    /// Its octets; at most 256.
    pub bytes: &'a [u8],
}

/// A datagram left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// What it was sent with.
    pub tag: u64,
    /// When.
    pub at: Stamp,
}

/// What the kernel writes to: sixteen datagrams at once. One batch serves many sockets, one after the other.
pub struct Batch {
    payloads: Box<[[u8; ROOM]; SLOTS]>,
    controls: Box<[ControlRoom; SLOTS]>,
    addresses: Box<[sockaddr_in6; SLOTS]>,
    parts: Box<[iovec; SLOTS]>,
    headers: Box<[mmsghdr; SLOTS]>,
    count: usize,
}

/// Control messages begin at multiples of eight.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct ControlRoom([u8; CONTROL]);

#[expect(
    unsafe_code,
    reason = "the kernel's headers hold raw pointers, which are not Send"
)]
// SAFETY: the pointers point into the boxes beside them, which move with them, and are written anew before each use.
unsafe impl Send for Batch {}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({})", self.count)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self {
            payloads: Box::new([[0; ROOM]; SLOTS]),
            controls: Box::new([ControlRoom([0; CONTROL]); SLOTS]),
            addresses: Box::new([address(Ipv6Addr::UNSPECIFIED, 0); SLOTS]),
            parts: Box::new([no_part(); SLOTS]),
            headers: Box::new([no_message(); SLOTS]),
            count: 0,
        }
    }

    /// Whether the last fill left something behind, perhaps.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count == SLOTS
    }

    /// The datagrams that arrived.
    pub fn arrivals(&self) -> impl Iterator<Item = Arrival<'_>> {
        (0..self.count).map(|slot| {
            let said = Said::read(self.control(slot));
            let from = &self.addresses[slot];
            let len = usize::try_from(self.headers[slot].msg_len).unwrap_or(0);
            Arrival {
                from: from.sin6_addr.s6_addr.into(),
                port: u16::from_be(from.sin6_port),
                hop_limit: said.hop_limit.unwrap_or(0),
                at: said.at,
                bytes: &self.payloads[slot][..len.min(ROOM)],
            }
        })
    }

    /// The kernel's numbers of datagrams that left, and when.
    pub(super) fn departures(&self) -> impl Iterator<Item = (u32, Stamp)> {
        (0..self.count).filter_map(|slot| {
            let said = Said::read(self.control(slot));
            Some((said.departed?, said.at?))
        })
    }

    /// Receives up to a batch; zero where nothing waits.
    #[expect(unsafe_code, reason = "nix allocates for every recvmmsg(2)")]
    pub(super) fn fill(&mut self, socket: &UdpSocket, flags: c_int) -> io::Result<usize> {
        self.point();
        self.count = 0;
        let (fd, headers) = (socket.as_raw_fd(), self.headers.as_mut_ptr());
        let count = libc::c_uint::try_from(SLOTS).unwrap_or(1);
        let flags = flags | libc::MSG_DONTWAIT;
        // SAFETY: `headers` are `count` headers, and `point` has made each of them name only memory of its own slot,
        // with its length, which `&mut self` keeps for us alone. No timeout is given.
        let got = unsafe { libc::recvmmsg(fd, headers, count, flags, ptr::null_mut()) };
        let Ok(got) = usize::try_from(got) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            };
        };
        self.count = got;
        Ok(got)
    }

    /// Makes every header name the memory of its slot.
    fn point(&mut self) {
        let rooms = self.payloads.iter_mut().zip(self.controls.iter_mut());
        let rooms = rooms.zip(self.addresses.iter_mut());
        let kernel = self.headers.iter_mut().zip(self.parts.iter_mut());
        for (((payload, control), address), (header, part)) in rooms.zip(kernel) {
            part.iov_base = payload.as_mut_ptr().cast();
            part.iov_len = ROOM;
            let message = &mut header.msg_hdr;
            message.msg_name = (&raw mut *address).cast();
            message.msg_namelen = ADDRESS_LEN;
            message.msg_iov = part;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = CONTROL;
            message.msg_flags = 0;
        }
    }

    fn control(&self, slot: usize) -> &[u8] {
        let len = self.headers[slot].msg_hdr.msg_controllen;
        &self.controls[slot].0[..len.min(CONTROL)]
    }
}

/// What the kernel said of a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    hop_limit: Option<u8>,
    at: Option<Stamp>,
    /// The number of the datagram whose departure this tells.
    departed: Option<u32>,
}

/// The numbers in the first octets.
fn numbers<const N: usize>(value: &[u8]) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    for (number, octets) in numbers.iter_mut().zip(0..) {
        let octets = value.get(octets * 8..)?.first_chunk()?;
        *number = u64::from_ne_bytes(*octets);
    }
    Some(numbers)
}

impl Said {
    /// Reads control messages; what is not known or cut short is passed over.
    fn read(mut control: &[u8]) -> Self {
        let mut said = Self::default();
        while let Some((message, rest)) = next(control) {
            control = rest;
            match (message.level, message.kind) {
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    let value = message
                        .value
                        .first_chunk()
                        .map(|v| c_int::from_ne_bytes(*v));
                    said.hop_limit = value.and_then(|value| u8::try_from(value).ok());
                }
                // `struct scm_timestamping`: three times; the first is that of software.
                (libc::SOL_SOCKET, libc::SO_TIMESTAMPING) => {
                    said.at = numbers(message.value)
                        .filter(|[seconds, _]| *seconds > 0)
                        .map(|[seconds, nanos]| {
                            Stamp(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
                        });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                    said.departed = departure(message.value);
                }
                _ => {}
            }
        }
        said
    }
}

/// The number in a `struct sock_extended_err` that tells a departure: octets 0–3 `ee_errno`, 4 `ee_origin`, 8–11
/// `ee_info`, 12–15 `ee_data`.
fn departure(value: &[u8]) -> Option<u32> {
    let origin = *value.get(4)?;
    let info = u32::from_ne_bytes(*value.get(8..)?.first_chunk()?);
    let data = u32::from_ne_bytes(*value.get(12..)?.first_chunk()?);
    let told = origin == libc::SO_EE_ORIGIN_TIMESTAMPING && info == SENT;
    told.then_some(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(control: Vec<u8>, len in 0..200_usize, level in 0..64_i32, kind in 0..64_i32) {
            let said = Said::read(&control);
            let header = [&len.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes(), &control];
            let again = Said::read(&header.concat());
            prop_assert!(control.len() >= 16 || said == Said::default());
            prop_assert!(len > control.len() + 16 || level != 0 || again == Said::default());
        }
    }
}
