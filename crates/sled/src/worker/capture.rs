//! Copies of a port's frames for who watches it.

use rackweave_engine::Verdict;
use rackweave_engine::frame::{Frame, Offload};
use rackweave_types::Instant;
use tokio::sync::mpsc::Sender;

/// Where a frame was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapturePoint {
    /// As the guest sent it, before the engine.
    GuestOut,
    /// As it is given to the guest.
    GuestIn,
    /// As it leaves for the wire or a local port, after the engine.
    WireOut,
    /// As it came from the wire or a local port, before the engine.
    WireIn,
}

/// A frame that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Where.
    pub point: CapturePoint,
    /// When its batch was processed.
    pub at: Instant,
    /// From the Ethernet header on: the guest's, or the outer one.
    pub bytes: Box<[u8]>,
    /// What the engine decided, at the points before it.
    pub verdict: Option<String>,
    /// Checksum and segmentation work that travelled with it.
    pub offload: Offload,
}

/// Takes what a port's captures see; a full channel drops, and the worker counts it.
#[derive(Clone, Debug)]
pub struct CaptureSink {
    sender: Sender<Captured>,
}

impl CaptureSink {
    /// A sink into a bounded channel.
    #[must_use]
    pub const fn new(sender: Sender<Captured>) -> Self {
        Self { sender }
    }

    /// Gives a frame away; says whether there was room.
    pub(crate) fn offer(&self, captured: Captured) -> bool {
        self.sender.try_send(captured).is_ok()
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Captured {
    /// A copy of a frame.
    pub(crate) fn of(point: CapturePoint, at: Instant, frame: &Frame) -> Self {
        Self {
            point,
            at,
            bytes: frame.bytes().into(),
            verdict: None,
            offload: frame.offload,
        }
    }
}

/// A verdict in words.
pub(crate) fn words(verdict: Verdict) -> String {
    match verdict {
        Verdict::Forward => "forward".into(),
        Verdict::Hairpin => "answered".into(),
        Verdict::Punt => "punt".into(),
        Verdict::Drop(reason) => format!("drop {reason}"),
        Verdict::Refuse(reason) => format!("refuse {reason}"),
        Verdict::HandOver(to) => format!("handed over to shard {}", to.shard),
    }
}
