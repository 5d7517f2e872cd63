//! Search trees over one family's rules.
//!
//! A node cuts the space by a few bits of one word of the point; a leaf lists the rules whose box reaches into its
//! part, by rank. Nodes only narrow down: bits that all rules of a node share are skipped unseen, and an entry
//! compares everything, so a packet that went astray finds nothing in its leaf.

use alloc::vec::Vec;

use super::cube::Point;
use super::entry::Entry;

/// A rule that was found: its rank in the upper half, who it is in the lower, so that the least is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found(u64);

impl Found {
    /// No rule; it comes after every other.
    pub(super) const NOTHING: Self = Self(u64::MAX);

    #[inline]
    fn new(rank: u32, rule: u32) -> Self {
        Self(u64::from(rank) << 32 | u64::from(rule))
    }

    /// Who the rule is.
    #[inline]
    pub(super) fn rule(self) -> Option<u32> {
        let rule = u32::try_from(self.0 & u64::from(u32::MAX)).ok()?;
        (self != Self::NOTHING).then_some(rule)
    }
}

/// Where a search goes on: at a node, or at a leaf's first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

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
    /// The leaf at [`Entry::NOTHING`], the first entry of all.
    pub(super) const EMPTY: Self = Self(0);
    const NODE: u32 = 1 << 31;

    /// The leaf whose entries stand from `first` on.
    pub(super) fn leaf(first: u32) -> Self {
        debug_assert!(first < Self::NODE, "{first} entries");
        Self(first)
    }

    /// This node.
    pub(super) fn node(place: u32) -> Self {
        debug_assert!(place < Self::NODE, "{place} nodes");
        Self(place | Self::NODE)
    }

    #[inline]
    const fn is_node(self) -> bool {
        self.0 & Self::NODE != 0
    }

    /// The node's or entry's place.
    #[inline]
    const fn place(self) -> usize {
        place(self.0 & !Self::NODE)
    }
}

/// An inner node: the cut, and where the children's slots begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
pub(super) struct Node {
    first: u32,
    lane: u32,
    shift: u32,
    mask: u32,
}

impl Node {
    /// The node with this cut, whose children stand from `first` on.
    pub(super) fn new(first: u32, cut: Cut) -> Self {
        let dim = u32::try_from(cut.dim).unwrap_or(0);
        Self {
            first,
            lane: dim / 2,
            shift: dim % 2 * 32 + cut.shift,
            mask: cut.mask(),
        }
    }

    /// The slot of the child that a point belongs to.
    #[inline]
    fn child(self, point: &Point) -> usize {
        let bits = point.lane(place(self.lane)) >> (self.shift & 63) & u64::from(self.mask);
        place(self.first) + usize::try_from(bits).unwrap_or(0)
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
    pub(super) nodes: Vec<Node>,
    pub(super) slots: Vec<Slot>,
    /// The leaves, one after the other; the first is [`Entry::NOTHING`].
    pub(super) entries: Vec<E>,
}

impl<E: Entry> Forest<E> {
    /// The rule of lowest rank that the point is in. `accept` is asked about rules whose box does not say all; it
    /// gives back who the rule is if the packet has the rest too.
    #[inline]
    pub(super) fn search(&self, point: &Point, accept: impl Fn(u32) -> Option<u32>) -> Found {
        let mut best = Found::NOTHING;
        for tree in &self.trees {
            if Found::new(tree.best, 0) > best {
                break;
            }
            best = best.min(self.search_tree(tree.root, point, &accept));
        }
        best
    }

    #[inline]
    fn search_tree(
        &self,
        root: Slot,
        point: &Point,
        accept: &impl Fn(u32) -> Option<u32>,
    ) -> Found {
        let mut slot = root;
        while slot.is_node() {
            slot = self.slots[self.nodes[slot.place()].child(point)];
        }
        for entry in &self.entries[slot.place()..] {
            let tag = entry.tag();
            if entry.holds(point) {
                let rule = if tag.is_exact() {
                    Some(tag.rule)
                } else {
                    accept(tag.rule)
                };
                if let Some(rule) = rule {
                    return Found::new(tag.rank(), rule);
                }
            }
            if tag.is_last() {
                break;
            }
        }
        Found::NOTHING
    }

    /// Octets on the heap.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self.trees.as_slice())
            + size_of_val(self.nodes.as_slice())
            + size_of_val(self.slots.as_slice())
            + size_of_val(self.entries.as_slice())
    }
}
