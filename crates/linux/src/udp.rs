//! The underlay over UDP sockets: works on any kernel and any NIC.
//!
//! One socket receives on the tunnel end point's port; several others send, because a socket has one
//! source port and the underlay spreads flows by it. Large sends are cut by the kernel or the NIC
//! (`UDP_SEGMENT`), and what arrives in a row comes joined (`UDP_GRO`). Nothing is bound to a device:
//! the kernel's routes choose the path.

use std::io::{self, IoSlice};
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd};

use rackweave_types::reserved::GENEVE_PORT;

pub(crate) mod control;
mod headers;
mod losses;
pub(crate) mod message;
mod receive;
mod send;
mod single;
mod socket;

pub use losses::UdpLosses;
pub use receive::Received;
pub use send::Target;
pub use socket::UdpError;

use receive::Receiver;
use send::Sender;

/// The longest payload of a UDP datagram in IPv6 without a jumbogram: 65,535 octets without the UDP
/// header (RFC 8200, section 3; RFC 768).
pub const PAYLOAD_MAX: usize = 65_535 - 8;

/// Whether the kernel has what the sockets need: tries it on an address, with ports of the kernel's
/// choice.
///
/// # Errors
/// What is missing.
pub fn supported(address: Ipv6Addr) -> Result<(), UdpError> {
    let little = 4096;
    socket::receiving(address, 0, little)?;
    socket::segments(&socket::sending(address, little)?)
}

/// How a queue's sockets are opened.
#[derive(Clone, Copy, Debug)]
pub struct UdpSettings {
    /// The tunnel end point: where we receive, and the source of what we send. It need not be
    /// assigned to a link yet.
    pub address: Ipv6Addr,
    /// How many source ports there are for spreading flows; at least one.
    pub senders: u16,
    /// Octets of kernel memory for what waits, in each direction and socket.
    pub buffer: usize,
    /// How many datagrams, joined ones counted once, one call receives.
    pub batch: usize,
}

impl UdpSettings {
    /// Eight source ports, 8 MiB, 32 at once.
    #[must_use]
    pub const fn new(address: Ipv6Addr) -> Self {
        Self {
            address,
            senders: 8,
            buffer: 8 << 20,
            batch: 32,
        }
    }
}

/// One worker's sockets. The queues of several workers share the port, and the kernel gives each
/// flow to one of them (`SO_REUSEPORT`).
///
/// Nothing here blocks. A file descriptor to wait for is [`as_fd`](AsFd::as_fd).
#[derive(Debug)]
pub struct UdpQueue {
    receiver: Receiver,
    sender: Sender,
}

impl UdpQueue {
    /// Opens the sockets in the namespace of the calling thread. Where the host was joined to an
    /// underlay TAP before, [`tap::remove`](crate::tap::remove) comes first: else nothing arrives here.
    ///
    /// # Errors
    /// Where another program has the port, or the kernel lacks what is needed.
    pub fn open(settings: &UdpSettings) -> Result<Self, UdpError> {
        let at = settings.address;
        let receiving = socket::receiving(at, GENEVE_PORT, settings.buffer)?;
        let sending = (0..settings.senders.max(1))
            .map(|_| socket::sending(at, settings.buffer))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            receiver: Receiver::new(receiving, settings.batch.max(1)),
            sender: Sender::new(sending),
        })
    }

    /// Queues a copy of the payload for the tunnel end point: as one datagram, or cut into datagrams
    /// of `segment` octets, the last one shorter. It leaves with [`flush`](Self::flush) at the
    /// latest. Payloads of one size for one target leave as one segmented send.
    ///
    /// What cannot be sent is counted in [`losses`](Self::losses).
    pub fn send(&mut self, target: &Target, payload: &[u8], segment: Option<u16>) {
        if let Some(room) = self.reserve(target, payload.len(), segment) {
            room.copy_from_slice(payload);
        }
    }

    /// Queues a payload of `len` octets as [`send`](Self::send) does, and gives the room where the
    /// caller writes it; what was there before is not cleared. `None` where it is too long, which is
    /// counted.
    #[must_use]
    pub fn reserve(
        &mut self,
        target: &Target,
        len: usize,
        segment: Option<u16>,
    ) -> Option<&mut [u8]> {
        self.sender.reserve(target, len, segment)
    }

    /// Sends at once, behind what is queued, and copies nothing: for large payloads, where one
    /// system call is little. The payload is the pieces in their order; as for
    /// [`send`](Self::send), `segment` says how it is cut.
    pub fn send_pieces(&mut self, target: &Target, pieces: &[IoSlice<'_>], segment: Option<u16>) {
        self.sender.send_pieces(target, pieces, segment);
    }

    /// Sends what is queued. What the kernel refuses is lost and counted; the rest goes on.
    pub fn flush(&mut self) {
        self.sender.flush();
    }

    /// Takes in what has arrived, up to a batch, and says how many there are; what the last call took in goes. Zero
    /// where nothing waits.
    ///
    /// # Errors
    /// Where the socket is broken.
    pub fn receive(&mut self) -> io::Result<usize> {
        self.receiver.receive()
    }

    /// What the last [`receive`](Self::receive) took in, by its number from zero.
    #[must_use]
    pub fn received(&self, index: usize) -> Option<Received<'_>> {
        self.receiver.received(index)
    }

    /// The source ports that flows are spread over. A frame's outer source port chooses one by its remainder.
    ///
    /// # Errors
    /// Where a socket is broken.
    pub fn source_ports(&self) -> io::Result<Vec<u16>> {
        self.sender.source_ports()
    }

    /// What was lost since the queue was opened.
    #[must_use]
    pub fn losses(&self) -> UdpLosses {
        let mut losses = self.sender.losses();
        self.receiver.add_losses(&mut losses);
        losses
    }
}

impl AsFd for UdpQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

#[cfg(test)]
mod tests;
