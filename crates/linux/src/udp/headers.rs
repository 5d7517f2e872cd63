//! Sending many messages on one socket.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use libc::{iovec, mmsghdr, sockaddr_in6};
use rackweave_types::reserved::GENEVE_PORT;

use super::control::SendControl;
use super::message::{ADDRESS_LEN, address, no_message};
use super::send::Message;

/// What the kernel reads, one of each for every message of one socket.
#[derive(Default)]
pub(super) struct Headers {
    headers: Vec<mmsghdr>,
    addresses: Vec<sockaddr_in6>,
    controls: Vec<SendControl>,
    parts: Vec<iovec>,
    /// How many are done.
    next: usize,
}

#[expect(
    unsafe_code,
    reason = "the kernel's headers hold raw pointers, which are not Send"
)]
// SAFETY: the pointers are written by `fill` before each use and mean nothing afterwards.
unsafe impl Send for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({}/{})", self.next, self.headers.len())
    }
}

impl Headers {
    /// Describes the messages, whose payloads are in the room.
    pub(super) fn fill<'a>(&mut self, messages: impl Iterator<Item = &'a Message>, room: &[u8]) {
        self.next = 0;
        self.headers.clear();
        self.addresses.clear();
        self.controls.clear();
        self.parts.clear();
        for message in messages {
            self.addresses.push(address(message.to, GENEVE_PORT));
            let segment = if message.count > 1 { message.size } else { 0 };
            let segment = u16::try_from(segment).unwrap_or(0);
            self.controls
                .push(SendControl::new(message.traffic_class, segment));
            for &(start, len) in &message.parts {
                let part = &room[start..start + len];
                self.parts.push(iovec {
                    // The kernel does not write through it.
                    iov_base: part.as_ptr().cast_mut().cast(),
                    iov_len: part.len(),
                });
            }
            let mut header = no_message();
            header.msg_hdr.msg_iovlen = message.parts.len();
            self.headers.push(header);
        }
        // Now that the vectors grow no more, their elements stay where they are.
        let mut parts = &mut self.parts[..];
        let rest = self.addresses.iter_mut().zip(&mut self.controls);
        for (header, (address, control)) in self.headers.iter_mut().zip(rest) {
            let header = &mut header.msg_hdr;
            let (own, others) = parts.split_at_mut(header.msg_iovlen);
            parts = others;
            header.msg_iov = own.as_mut_ptr();
            header.msg_name = (&raw mut *address).cast();
            header.msg_namelen = ADDRESS_LEN;
            header.msg_controllen = control.len();
            header.msg_control = (&raw mut *control).cast();
        }
    }

    /// Sends as many as the kernel takes, at least one, and says how many.
    #[expect(unsafe_code, reason = "nix allocates for every sendmmsg(2)")]
    pub(super) fn send_next(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let rest = &mut self.headers[self.next..];
        let count = libc::c_uint::try_from(rest.len()).unwrap_or(libc::c_uint::MAX);
        loop {
            // SAFETY: `rest` are `count` headers, and all that they name is in the vectors beside them and in the
            // room that `fill` was given, none of which changed since.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, 0) };
            if let Ok(sent) = usize::try_from(sent) {
                self.next += sent;
                return Ok(sent);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Leaves out the one that the kernel refused.
    pub(super) const fn skip_next(&mut self) {
        self.next += 1;
    }
}
