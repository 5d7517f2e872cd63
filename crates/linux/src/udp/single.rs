//! Sending one message, at once.

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;

use rackweave_types::reserved::GENEVE_PORT;

use super::control::SendControl;
use super::losses::UdpLosses;
use super::message::{ADDRESS_LEN, address, no_message};

/// One message that is sent on its own.
pub(super) struct Single<'a> {
    pub(super) socket: &'a UdpSocket,
    pub(super) to: Ipv6Addr,
    pub(super) traffic_class: u8,
    /// Octets of each datagram but the last.
    pub(super) size: usize,
}

impl Single<'_> {
    #[expect(
        unsafe_code,
        reason = "nix allocates for every sendmsg(2), and std has none with control messages"
    )]
    pub(super) fn send(&self, pieces: &[IoSlice<'_>], len: usize) -> io::Result<()> {
        let mut address = address(self.to, GENEVE_PORT);
        let segment = if len > self.size { self.size } else { 0 };
        let mut control = SendControl::new(self.traffic_class, u16::try_from(segment).unwrap_or(0));
        let mut message = no_message().msg_hdr;
        message.msg_name = (&raw mut address).cast();
        message.msg_namelen = ADDRESS_LEN;
        // `IoSlice` is an `iovec` by std's promise; the kernel does not write through it.
        message.msg_iov = pieces.as_ptr().cast_mut().cast();
        message.msg_iovlen = pieces.len();
        message.msg_controllen = control.len();
        message.msg_control = (&raw mut control).cast();
        loop {
            // SAFETY: all that `message` names, with its length, is borrowed or local and outlives the call.
            let sent = unsafe { libc::sendmsg(self.socket.as_raw_fd(), &raw const message, 0) };
            if sent >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// What the kernel refused as a whole: tries the datagrams alone that may be sent so, and counts
    /// what is lost.
    pub(super) fn send_refused(&self, error: &io::Error, payload: &[u8], losses: &mut UdpLosses) {
        let number = error.raw_os_error().unwrap_or(0);
        // An empty payload is one datagram too.
        let count = datagrams(payload.len(), self.size).max(1);
        let again = match number {
            _ if count == 1 => &[],
            // A device without checksum offload cannot segment (EIO); older kernels say EINVAL.
            libc::EIO | libc::EINVAL | libc::EOPNOTSUPP => payload,
            // The last one may be shorter, and not too long.
            libc::EMSGSIZE => &payload[payload.len() - payload.len() % self.size..],
            _ => &[],
        };
        losses.count(number, count - datagrams(again.len(), self.size));
        for datagram in again.chunks(self.size) {
            if let Err(error) = self.send(&[IoSlice::new(datagram)], datagram.len()) {
                losses.count(error.raw_os_error().unwrap_or(0), 1);
            }
        }
    }
}

/// How many datagrams of one size a payload makes.
pub(super) fn datagrams(len: usize, size: usize) -> u64 {
    u64::try_from(len.div_ceil(size)).unwrap_or(u64::MAX)
}
