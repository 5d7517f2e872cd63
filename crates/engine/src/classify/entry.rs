//! Rules as they stand in leaves: compared without a branch, two to a cache line (IPv4) or one (IPv6).

use super::cube::{Cube, DST, Point, SRC, Span};

/// A rule's rank (its place in the order of precedence), and whether its box says all that it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Tag {
    const INEXACT: u32 = 1 << 31;

    /// The tag of a rank below 2^31.
    pub(super) const fn new(rank: u32, exact: bool) -> Self {
        Self(if exact { rank } else { rank | Self::INEXACT })
    }

    /// The rank.
    #[inline]
    pub(super) const fn rank(self) -> u32 {
        self.0 & !Self::INEXACT
    }

    /// Whether a packet in the box has all that the rule asks for.
    #[inline]
    pub(super) const fn is_exact(self) -> bool {
        self.0 & Self::INEXACT == 0
    }
}

/// One family's form of a rule's box.
pub(super) trait Entry: Copy {
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
    src_mask: u32,
    dst: u32,
    dst_mask: u32,
    ranges: Ranges,
    tag: Tag,
}

impl Entry for V4Entry {
    fn new(cube: &Cube, tag: Tag) -> Self {
        // A prefix is an aligned block, so the mask is where its ends agree.
        let mask = |span: Span| !(span.lo ^ span.hi);
        let (src, dst) = (cube.spans[SRC], cube.spans[DST]);
        Self {
            src: src.lo,
            src_mask: mask(src),
            dst: dst.lo,
            dst_mask: mask(dst),
            ranges: Ranges::new(cube),
            tag,
        }
    }

    #[inline]
    fn holds(&self, point: &Point) -> bool {
        let src = (point.word(SRC) & self.src_mask) ^ self.src;
        let dst = (point.word(DST) & self.dst_mask) ^ self.dst;
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
