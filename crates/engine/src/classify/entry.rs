//! Rules as they stand in leaves: compared by a few operations, two to a cache line (IPv4) or one (IPv6).

use super::cube::{Cube, DST, Point, SRC, Span};

/// What is known of a rule besides its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Bits 0–29: the rank, its place in the order of precedence.
    bits: u32,
    /// Who the rule is, for whoever searches.
    pub(super) rule: u32,
}

impl Tag {
    const INEXACT: u32 = 1 << 31;
    const LAST: u32 = 1 << 30;
    /// More ranks than there may be.
    pub(super) const RANKS: u32 = Self::LAST;

    /// The tag of a rule with a rank below [`Tag::RANKS`].
    pub(super) const fn new(rank: u32, rule: u32, exact: bool) -> Self {
        Self {
            bits: if exact { rank } else { rank | Self::INEXACT },
            rule,
        }
    }

    /// The tag as that of the last entry of a leaf.
    pub(super) const fn last(self) -> Self {
        Self {
            bits: self.bits | Self::LAST,
            rule: self.rule,
        }
    }

    /// The rank.
    #[inline]
    pub(super) const fn rank(self) -> u32 {
        self.bits & (Self::RANKS - 1)
    }

    /// Whether a packet in the box has all that the rule asks for.
    #[inline]
    pub(super) const fn is_exact(self) -> bool {
        self.bits & Self::INEXACT == 0
    }

    /// Whether no entry of the leaf comes after this.
    #[inline]
    pub(super) const fn is_last(self) -> bool {
        self.bits & Self::LAST != 0
    }
}

/// One family's form of a rule's box.
pub(super) trait Entry: Copy {
    /// A leaf's only entry, which holds no packet.
    const NOTHING: Self;

    /// The entry for a box.
    fn new(cube: &Cube, tag: Tag) -> Self;

    /// Whether the packet is in the box.
    fn holds(&self, point: &Point) -> bool;

    /// The rule.
    fn tag(&self) -> Tag;
}

/// What both families compare alike: numbers `lo` to `lo + len`.
#[derive(Clone, Copy, Debug)]
struct Range {
    lo: u16,
    len: u16,
}

impl Range {
    fn new(span: Span) -> Self {
        let clamp = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Self {
            lo: clamp(span.lo),
            len: clamp(span.hi - span.lo),
        }
    }

    #[inline]
    const fn contains(self, number: u16) -> bool {
        number.wrapping_sub(self.lo) <= self.len
    }
}

/// Source port, destination port, protocol.
#[derive(Clone, Copy, Debug)]
struct Ranges([Range; 3]);

impl Ranges {
    /// A protocol that no packet has.
    const NONE: Self = Self(
        [Range {
            lo: u16::MAX,
            len: 0,
        }; 3],
    );

    fn new(cube: &Cube) -> Self {
        let [.., src_port, dst_port, protocol] = cube.spans;
        Self([src_port, dst_port, protocol].map(Range::new))
    }

    #[inline]
    const fn hold(self, point: &Point) -> bool {
        let [src_port, dst_port, protocol] = self.0;
        src_port.contains(point.src_port)
            & dst_port.contains(point.dst_port)
            & protocol.contains(point.protocol)
    }
}

/// A rule for IPv4 and ARP: 32 octets, so that none lies across two cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct V4Entry {
    src: u32,
    dst: u32,
    /// How many of the address's last bits do not count.
    src_free: u8,
    dst_free: u8,
    ranges: Ranges,
    tag: Tag,
}

impl Entry for V4Entry {
    const NOTHING: Self = Self {
        src: 0,
        dst: 0,
        src_free: 0,
        dst_free: 0,
        ranges: Ranges::NONE,
        tag: Tag::new(0, 0, true).last(),
    };

    fn new(cube: &Cube, tag: Tag) -> Self {
        Self {
            src: cube.spans[SRC].lo,
            dst: cube.spans[DST].lo,
            src_free: 32_u8.saturating_sub(cube.src.len),
            dst_free: 32_u8.saturating_sub(cube.dst.len),
            ranges: Ranges::new(cube),
            tag,
        }
    }

    #[inline]
    fn holds(&self, point: &Point) -> bool {
        // 64 bits wide, for all 32 may be free.
        let word = u64::from(u32::MAX);
        let src = ((point.lane(SRC / 2) & word) ^ u64::from(self.src)) >> (self.src_free & 63);
        let dst = ((point.lane(DST / 2) & word) ^ u64::from(self.dst)) >> (self.dst_free & 63);
        ((src | dst) == 0) & self.ranges.hold(point)
    }

    #[inline]
    fn tag(&self) -> Tag {
        self.tag
    }
}

/// A rule for IPv6: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct V6Entry {
    src: u128,
    dst: u128,
    src_len: u8,
    dst_len: u8,
    ranges: Ranges,
    tag: Tag,
}

/// The mask of each prefix length.
const MASKS: [u128; 256] = {
    let mut masks = [u128::MAX; 256];
    masks[0] = 0;
    let mut len = 1;
    while len < 128 {
        masks[len] = masks[len - 1] >> 1 | 1 << 127;
        len += 1;
    }
    masks
};

impl Entry for V6Entry {
    const NOTHING: Self = Self {
        src: 0,
        dst: 0,
        src_len: 0,
        dst_len: 0,
        ranges: Ranges::NONE,
        tag: Tag::new(0, 0, true).last(),
    };

    fn new(cube: &Cube, tag: Tag) -> Self {
        Self {
            src: cube.src.bits,
            dst: cube.dst.bits,
            src_len: cube.src.len,
            dst_len: cube.dst.len,
            ranges: Ranges::new(cube),
            tag,
        }
    }

    #[inline]
    fn holds(&self, point: &Point) -> bool {
        let src = (point.src & MASKS[usize::from(self.src_len)]) ^ self.src;
        let dst = (point.dst & MASKS[usize::from(self.dst_len)]) ^ self.dst;
        ((src | dst) == 0) & self.ranges.hold(point)
    }

    #[inline]
    fn tag(&self) -> Tag {
        self.tag
    }
}
