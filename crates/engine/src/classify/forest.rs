//! Search trees over one family's rules.
//!
//! A node cuts the space by a few bits of one word of the point; a leaf lists the rules whose box reaches into its
//! part, by rank. Nodes only narrow down: bits that all rules of a node share are skipped unseen, and an entry
//! compares everything, so a packet that went astray finds nothing in its leaf.

use alloc::vec::Vec;
use core::ops::Range;

use super::cube::Point;
use super::entry::{Entry, Tag};

/// A rank that no rule has: nothing was found.
pub(super) const NO_RANK: u32 = u32::MAX;

/// Where a search goes on: a node's slots or a leaf's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(8))]
pub(super) struct Slot {
    /// The first slot or entry.
    first: u32,
    /// Bit 31 set: a node that looks at `width` bits (9–13) above the lowest `shift` (4–8) of a word (0–3).
    /// Bit 31 clear: the number of a leaf's entries.
    what: u32,
}

/// Which bits of which word a node looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The word's number.
    pub(super) dim: usize,
    /// Bits below those that count.
    pub(super) shift: u32,
    /// How many bits count: the node has two to this power children.
    pub(super) width: u32,
}

impl Cut {
    /// How many children there are.
    pub(super) const fn children(self) -> usize {
        1 << self.width
    }

    /// The last child's number.
    pub(super) const fn mask(self) -> u32 {
        (1 << self.width) - 1
    }
}

impl Slot {
    /// A leaf without entries.
    pub(super) const EMPTY: Self = Self { first: 0, what: 0 };
    const NODE: u32 = 1 << 31;

    /// The leaf with `count` entries from `first` on.
    pub(super) fn leaf(first: u32, count: u32) -> Self {
        debug_assert!(count < Self::NODE, "a leaf of {count} entries");
        Self { first, what: count }
    }

    /// The node whose children stand from `first` on.
    pub(super) fn node(first: u32, cut: Cut) -> Self {
        debug_assert!(cut.dim < 16 && cut.shift < 32 && cut.width < 32, "{cut:?}");
        let dim = u32::try_from(cut.dim).unwrap_or(0);
        Self {
            first,
            what: dim | cut.shift << 4 | cut.width << 9 | Self::NODE,
        }
    }

    #[inline]
    const fn is_node(self) -> bool {
        self.what & Self::NODE != 0
    }

    /// A leaf's entries among all.
    #[inline]
    const fn entries(self) -> Range<usize> {
        place(self.first)..place(self.first) + place(self.what)
    }

    /// The slot of the child that a point belongs to.
    #[inline]
    fn child(self, point: &Point) -> usize {
        let word = point.word(place(self.what & 15));
        let mask = !(u32::MAX << (self.what >> 9 & 31));
        place(self.first) + place(word >> (self.what >> 4 & 31) & mask)
    }
}

/// A number that was a vector's length, back as one.
#[inline]
pub(super) const fn place(number: u32) -> usize {
    number as usize
}

/// One tree, and the best rank in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) root: Slot,
    pub(super) best: u32,
}

/// The trees of one family, best rank first.
#[derive(Clone, Debug)]
pub(super) struct Forest<E> {
    pub(super) trees: Vec<Tree>,
    pub(super) slots: Vec<Slot>,
    pub(super) entries: Vec<E>,
}

impl<E: Entry> Forest<E> {
    /// The lowest rank of the rules that the point is in, or [`NO_RANK`]. `accept` is asked about rules whose box
    /// does not say all.
    #[inline]
    pub(super) fn search(&self, point: &Point, accept: impl Fn(u32) -> bool) -> u32 {
        let mut best = NO_RANK;
        for tree in &self.trees {
            if tree.best > best {
                break;
            }
            best = best.min(self.search_tree(tree.root, point, &accept));
        }
        best
    }

    #[inline]
    fn search_tree(&self, root: Slot, point: &Point, accept: &impl Fn(u32) -> bool) -> u32 {
        let mut slot = root;
        while slot.is_node() {
            slot = self.slots[slot.child(point)];
        }
        let entries = &self.entries[slot.entries()];
        let found = entries.iter().find(|entry| {
            entry.holds(point) && (entry.tag().is_exact() || accept(entry.tag().rank()))
        });
        found.map_or(NO_RANK, |entry| Tag::rank(entry.tag()))
    }

    /// Octets on the heap.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self.trees.as_slice())
            + size_of_val(self.slots.as_slice())
            + size_of_val(self.entries.as_slice())
    }
}
