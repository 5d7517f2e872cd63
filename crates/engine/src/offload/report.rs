//! What an executor says of a connection.

use rackweave_types::Instant;

use super::{Executed, OffloadId};
use crate::counters::{SIZE_BOUNDS, size_class};

/// What an executor has done with one connection since it got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffloadReport {
    /// The stay that it is about.
    pub id: OffloadId,
    /// Numbers the stay's reports, from 1 on; only one with a higher number than all before counts.
    pub sequence: u64,
    /// Packets executed out and in, since the first install of the id.
    pub counts: [OffloadCounts; 2],
    /// When the last packet was executed.
    pub last_use: Instant,
    /// All TCP flags that executed packets carried: out, in. An executor that cannot hand back FIN, RST and SYN tells
    /// of them here.
    pub tcp_flags: [u8; 2],
    /// Whether the executor has removed the connection: after a revoke, or because it needed the room.
    pub last: bool,
}

/// Packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OffloadCounts {
    /// Packets; a frame that will be cut counts as its segments.
    pub packets: u64,
    /// Octets of IP packets.
    pub bytes: u64,
    /// Frames by class of length, as [`SIZE_BOUNDS`] names them.
    pub sizes: [SizeCount; SIZE_BOUNDS.len()],
}

/// Frames of one class of length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SizeCount {
    /// Frames; one that will be cut is one.
    pub frames: u64,
    /// Octets of the inner Ethernet frames.
    pub bytes: u64,
}

impl OffloadCounts {
    /// Counts an executed packet.
    pub fn count(&mut self, executed: &Executed) {
        self.packets += executed.packets;
        self.bytes += executed.bytes;
        if let Some(size) = self.sizes.get_mut(size_class(executed.frame_len)) {
            size.frames += 1;
            size.bytes += u64::from(executed.frame_len);
        }
    }

    /// What is counted here beyond `before`; never less than nothing.
    pub(crate) fn beyond(&self, before: &Self) -> Self {
        let mut more = Self {
            packets: self.packets.saturating_sub(before.packets),
            bytes: self.bytes.saturating_sub(before.bytes),
            ..Self::default()
        };
        for ((more, now), before) in more.sizes.iter_mut().zip(&self.sizes).zip(&before.sizes) {
            more.frames = now.frames.saturating_sub(before.frames);
            more.bytes = now.bytes.saturating_sub(before.bytes);
        }
        more
    }

    /// The higher of each count.
    pub(crate) fn highest(&self, other: &Self) -> Self {
        let mut highest = *self;
        highest.packets = highest.packets.max(other.packets);
        highest.bytes = highest.bytes.max(other.bytes);
        for (highest, other) in highest.sizes.iter_mut().zip(&other.sizes) {
            highest.frames = highest.frames.max(other.frames);
            highest.bytes = highest.bytes.max(other.bytes);
        }
        highest
    }
}
