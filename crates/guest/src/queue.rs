//! What the queues of every kind of device share.

use crate::Claim;

/// Bytes of the longest frame that a guest can hand over: a whole IP packet, and Ethernet with a VLAN tag before it.
pub const MAX_FRAME: usize = 65_535 + 18;

/// What a queue had to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing.
    Empty,
    /// A frame, in the first bytes of the caller's buffer.
    Frame {
        /// Bytes of the frame.
        len: usize,
    },
    /// Something that is no frame; it is gone, and counted.
    Refused(Claim),
}

/// What became of a frame that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The device has it, or will have it with the next flush.
    Taken,
    /// The other side takes nothing now; the frame is lost.
    Full,
    /// The other side cannot take such a frame; it is lost.
    Unsendable,
}
