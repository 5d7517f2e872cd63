//! A packet that the engine owns: bytes with room in front, and what is still to be done to them.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

/// One frame in a buffer of its own, starting at an Ethernet header.
///
/// Guest memory is copied into it once, so that nobody changes what was parsed. Headers are added in front by using
/// up headroom, and taken off by giving it back; the payload never moves.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    /// What hardware (or whoever sends the frame on) is still to do, or has already done.
    pub offload: Offload,
}

/// Checksum and segmentation work that travels with a frame (the virtio-net header in our words).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// State of the transport checksum.
    pub checksum: Checksum,
    /// How the frame is to be cut, where it is longer than the path allows.
    pub segment: Option<Segment>,
}

/// State of the transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// As it stands in the packet; not looked at yet.
    #[default]
    Complete,
    /// As it stands in the packet, and found to be right.
    Verified,
    /// The field holds the sum over the pseudo header only; whoever sends the frame adds the rest.
    Partial {
        /// Where summing begins, in octets from the start of the frame.
        start: u16,
        /// Where the checksum field is, in octets from `start`.
        offset: u16,
    },
}

/// How a large frame is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What is cut.
    pub kind: SegmentKind,
    /// Octets of payload in each segment but the last; never 0 for a valid frame.
    pub size: u16,
}

/// What kind of segments a large frame becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// TCP segments (TSO).
    Tcp,
    /// UDP datagrams (USO).
    Udp,
}

/// More room was asked for in front of a frame than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHeadroom {
    /// Octets asked for.
    pub needed: usize,
    /// Octets there are.
    pub available: usize,
}

impl fmt::Display for NoHeadroom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} octets of headroom needed, {} there",
            self.needed, self.available
        )
    }
}

impl core::error::Error for NoHeadroom {}

impl Frame {
    /// Room in front of every new frame: the longest outer header (94 octets), rounded up to cache lines.
    pub const HEADROOM: usize = 128;
    /// Room behind a new frame at least, so that a reply that the engine makes in place fits.
    pub const MIN_CAPACITY: usize = 1600;

    /// A frame with a copy of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut frame = Self::with_capacity(bytes.len());
        frame.fill(bytes);
        frame
    }

    /// An empty frame that can be filled with `capacity` octets.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let room = Self::HEADROOM + capacity.max(Self::MIN_CAPACITY);
        Self {
            buf: vec![0; room].into_boxed_slice(),
            start: Self::HEADROOM,
            end: Self::HEADROOM,
            offload: Offload::default(),
        }
    }

    /// Replaces the contents; the buffer grows only where it is too small. Offloads are reset.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.resize_for_overwrite(bytes.len())
            .copy_from_slice(bytes);
    }

    /// Makes the frame `len` octets long with its full headroom, for the caller to overwrite. Offloads are reset.
    pub fn resize_for_overwrite(&mut self, len: usize) -> &mut [u8] {
        if self.buf.len() < Self::HEADROOM + len {
            *self = Self::with_capacity(len);
        }
        self.start = Self::HEADROOM;
        self.end = Self::HEADROOM + len;
        self.offload = Offload::default();
        self.bytes_mut()
    }

    /// The frame's octets.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// The frame's octets, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start..self.end]
    }

    /// Length in octets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no octet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room left in front, in octets.
    #[must_use]
    pub fn headroom(&self) -> usize {
        self.start
    }

    /// Adds `len` octets in front and returns the whole frame; what the new octets hold is undefined.
    ///
    /// # Errors
    /// Where there is not that much headroom; the frame is as before.
    pub fn push_front(&mut self, len: usize) -> Result<&mut [u8], NoHeadroom> {
        if len > self.start {
            return Err(NoHeadroom {
                needed: len,
                available: self.start,
            });
        }
        self.start -= len;
        Ok(&mut self.buf[self.start..self.end])
    }

    /// Takes up to `len` octets off the front.
    pub fn pull_front(&mut self, len: usize) {
        self.start = self.end.min(self.start + len);
    }

    /// Cuts the frame to at most `len` octets.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("len", &self.len())
            .field("headroom", &self.headroom())
            .field("offload", &self.offload)
            .finish_non_exhaustive()
    }
}
