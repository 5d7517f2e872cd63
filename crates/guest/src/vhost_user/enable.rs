//! `VHOST_USER_SET_VRING_ENABLE`, read by ourselves.
//!
//! QEMU's network card sends it before `SET_FEATURES`, which the protocol's crate takes for an error: it wants the
//! protocol's features agreed first. So this one message is looked for before the crate reads the next one.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{MsgFlags, recv};

const SET_VRING_ENABLE: u32 = 18;
/// Version of the protocol, in a message's flags.
const VERSION: u32 = 1;
const VERSION_MASK: u32 = 3;
const REPLY: u32 = 4;
const NEED_REPLY: u32 = 8;
/// Bytes of a message's header, and of this message whole.
const HEADER_LEN: usize = 12;
const MESSAGE_LEN: usize = HEADER_LEN + 8;

/// What the machine asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enable {
    pub(super) ring: u32,
    pub(super) state: u32,
    wants_answer: bool,
}

impl Enable {
    /// Takes the message off the socket if it is the next one; waits until it is known.
    pub(super) fn take(socket: &mut UnixStream) -> io::Result<Option<Self>> {
        let mut bytes = [0; MESSAGE_LEN];
        let peek = MsgFlags::MSG_PEEK | MsgFlags::MSG_WAITALL;
        let seen = recv(socket.as_raw_fd(), &mut bytes[..HEADER_LEN], peek)?;
        let [request, flags, len, ..] = words(&bytes);
        let is_it = seen == HEADER_LEN
            && request == SET_VRING_ENABLE
            && flags & (VERSION_MASK | REPLY) == VERSION
            && len == 8;
        if !is_it {
            return Ok(None);
        }
        socket.read_exact(&mut bytes)?;
        let [_, _, _, ring, state] = words(&bytes);
        Ok(Some(Self {
            ring,
            state,
            wants_answer: flags & NEED_REPLY != 0,
        }))
    }

    /// Tells the machine how it went, where it wants to know.
    pub(super) fn answer(self, socket: &mut UnixStream, went_well: bool) -> io::Result<()> {
        if !self.wants_answer {
            return Ok(());
        }
        let failed = u32::from(!went_well);
        let message = [SET_VRING_ENABLE, VERSION | REPLY, 8, failed, 0];
        socket.write_all(message.map(u32::to_ne_bytes).as_flattened())
    }
}

/// The message's words, in the host's order as the protocol has it.
fn words(bytes: &[u8; MESSAGE_LEN]) -> [u32; 5] {
    let (words, _) = bytes.as_chunks::<4>();
    let mut numbers = [0; 5];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = u32::from_ne_bytes(*word);
    }
    numbers
}
