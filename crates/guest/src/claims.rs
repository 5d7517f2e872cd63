//! What guests and their machines said that was not so, by name.

use std::fmt;

/// One untrue claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Claim {
    /// A frame longer than the caller's buffer.
    TooLong,
    /// A frame shorter than an Ethernet header.
    TooShort,
    /// A virtio-net header that is cut, unknown, or points outside the frame.
    Header,
    /// A descriptor whose bytes are not in the guest's memory.
    Address,
    /// A descriptor number outside its table.
    DescriptorIndex,
    /// A chain that is longer than a chain may be, or runs in a circle.
    ChainLength,
    /// A buffer to be written in a chain to be read, or the reverse.
    Direction,
    /// An indirect table inside an indirect table, with a next descriptor beside it, or of an odd size.
    Indirect,
    /// A receive buffer with no room.
    NoRoom,
    /// An available index that runs ahead of the ring; the ring is stopped until the driver resets it.
    AvailableIndex,
    /// Memory that the machine took away while it was in use; the ring is stopped until it is set up again.
    MemoryGone,
}

impl Claim {
    /// Every claim, in the order of its counter.
    pub const ALL: [Self; 11] = [
        Self::TooLong,
        Self::TooShort,
        Self::Header,
        Self::Address,
        Self::DescriptorIndex,
        Self::ChainLength,
        Self::Direction,
        Self::Indirect,
        Self::NoRoom,
        Self::AvailableIndex,
        Self::MemoryGone,
    ];

    /// Its name in counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooShort => "too_short",
            Self::Header => "header",
            Self::Address => "address",
            Self::DescriptorIndex => "descriptor_index",
            Self::ChainLength => "chain_length",
            Self::Direction => "direction",
            Self::Indirect => "indirect",
            Self::NoRoom => "no_room",
            Self::AvailableIndex => "available_index",
            Self::MemoryGone => "memory_gone",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each claim was made on one queue since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    counts: [u64; Claim::ALL.len()],
}

impl Claims {
    /// Counts one.
    pub(crate) fn count(&mut self, claim: Claim) {
        for (known, count) in Claim::ALL.iter().zip(&mut self.counts) {
            if *known == claim {
                *count += 1;
            }
        }
    }

    /// How often this claim was made.
    pub fn of(&self, claim: Claim) -> u64 {
        self.iter()
            .find(|(known, _)| *known == claim)
            .map_or(0, |(_, count)| count)
    }

    /// Every claim with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Claim, u64)> + '_ {
        Claim::ALL.into_iter().zip(self.counts.iter().copied())
    }

    /// How many there were of all kinds.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}
