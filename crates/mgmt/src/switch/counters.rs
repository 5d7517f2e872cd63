//! What a port has seen.

use core::fmt;

/// Why a frame that came in was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// The port is not in use.
    PortOff,
    /// The frame ends before its header does.
    Truncated,
    /// It has a tag where none is taken.
    Tagged,
    /// It has no tag where one is due.
    Untagged,
    /// It has a tag behind its tag.
    NestedTag,
    /// Its VLAN is none that the port is in.
    NotListed,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::PortOff,
        Self::Truncated,
        Self::Tagged,
        Self::Untagged,
        Self::NestedTag,
        Self::NotListed,
    ];

    /// The reason's name, as counters are labelled.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PortOff => "port_off",
            Self::Truncated => "truncated",
            Self::Tagged => "tagged",
            Self::Untagged => "untagged",
            Self::NestedTag => "nested_tag",
            Self::NotListed => "not_listed",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Frames of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    came: u64,
    left: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// Frames that came in and were taken.
    #[must_use]
    pub const fn frames_in(&self) -> u64 {
        self.came
    }

    /// Frames that left.
    #[must_use]
    pub const fn frames_out(&self) -> u64 {
        self.left
    }

    /// Frames that came in and were dropped for this reason.
    #[must_use]
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.dropped[Self::place(reason)]
    }

    pub(super) const fn came(&mut self) {
        self.came += 1;
    }

    pub(super) const fn left(&mut self) {
        self.left += 1;
    }

    pub(super) fn dropped(&mut self, reason: DropReason) {
        self.dropped[Self::place(reason)] += 1;
    }

    fn place(reason: DropReason) -> usize {
        let place = DropReason::ALL.iter().position(|other| *other == reason);
        place.unwrap_or_default()
    }
}
