//! How a node cuts its part of the space: which bits tell its rules apart best.

use alloc::vec::Vec;

use super::cube::{Cube, DIMS, Span};
use super::entry::Tag;
use super::forest::{Cut, place};

/// A rule as the builder sees it, which knows it by its place among the family's rules.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) cube: Cube,
    /// An exact rule hides rules of higher rank.
    pub(super) tag: Tag,
}

/// A box that holds every packet that may match a rule of the node.
pub(super) type Region = [Span; DIMS];

/// A node's rules in rank order, and where they are told apart.
pub(super) struct View<'a> {
    pub(super) rules: &'a [Candidate],
    pub(super) list: &'a [u32],
    pub(super) region: &'a Region,
    /// For each rule of `list`, the words (one bit each) in which it does not fill the region, and bit 15 where it
    /// is not exact.
    open: Vec<u16>,
}

/// A cut and its worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) cut: Cut,
    /// Rules that reach into more children than this are left to another tree.
    pub(super) limit: u32,
    /// Entries that a search compares after the cut, in [`Plan::ENTRY`]s; the lower the better.
    pub(super) cost: u64,
}

impl Plan {
    /// What comparing one entry costs.
    pub(super) const ENTRY: u64 = 64;
    /// What another tree costs.
    const TREE: u64 = 5 * Self::ENTRY;
    /// What a search costs more for all rules that are left to other trees.
    const LEFT: u64 = 8 * Self::ENTRY;

    /// Whether following the plan costs less than comparing all rules.
    fn is_worth_it(&self, rules: usize) -> bool {
        let all = Self::ENTRY * u64::try_from(rules).unwrap_or(u64::MAX);
        self.cost + Self::ENTRY < all
    }
}

/// What [`View::distribute`] does with a rule.
pub(super) enum Step {
    /// It reaches into this child.
    Child(usize),
    /// It reaches into more children than the limit.
    Left,
}

const INEXACT: u16 = 1 << 15;
/// Rules that a first look at many cuts takes into account.
const SAMPLE: usize = 512;
/// Cuts that get a second look with all rules.
const SHORT_LIST: usize = 4;
/// Rules that are rather compared one by one than cut narrowly.
const FEW: usize = 32;
/// The widest cut.
const MAX_WIDTH: u32 = 20;

impl<'a> View<'a> {
    pub(super) fn new(rules: &'a [Candidate], list: &'a [u32], region: &'a Region) -> Self {
        let open = list
            .iter()
            .map(|id| open_words(&rules[place(*id)], region))
            .collect();
        Self {
            rules,
            list,
            region,
            open,
        }
    }

    fn rule(&self, id: u32) -> &Candidate {
        &self.rules[place(id)]
    }

    /// The node's rules up to the first that hides all behind it.
    pub(super) fn reachable(&self) -> usize {
        self.open
            .iter()
            .position(|open| *open == 0)
            .map_or(self.list.len(), |at| at + 1)
    }

    /// Tells `visit` for each rule in turn into which children it reaches; not those in which an earlier rule hides
    /// it. Stops where `visit` returns false.
    pub(super) fn distribute(
        &self,
        cut: Cut,
        limit: u32,
        next_open: &mut Vec<u32>,
        mut visit: impl FnMut(u32, Step) -> bool,
    ) {
        let children = u32::try_from(cut.children()).unwrap_or(u32::MAX);
        next_open.clear();
        next_open.extend(0..=children);
        let region = self.region[cut.dim];
        let aligned = is_aligned(cut, region);
        for (id, open) in self.list.iter().zip(&self.open) {
            let Some(span) = self.rule(*id).cube.spans[cut.dim].intersection(region) else {
                continue;
            };
            let (first, last) = (span.lo >> cut.shift, span.hi >> cut.shift);
            let reach = (last - first).min(cut.mask());
            if reach >= limit {
                if !visit(*id, Step::Left) {
                    return;
                }
                continue;
            }
            let hides = open & !(1 << cut.dim) == 0;
            let start = if reach == cut.mask() {
                0
            } else {
                first & cut.mask()
            };
            // Bits above the cut may carry: the children then go on from 0.
            let runs = [
                (start, (start + reach).min(cut.mask())),
                (0, (start + reach) & cut.mask()),
            ];
            let runs = if start + reach > cut.mask() {
                &runs[..]
            } else {
                &runs[..1]
            };
            for (from, to) in runs {
                let mut child = find(next_open, *from);
                while child <= *to {
                    if !visit(*id, Step::Child(place(child))) {
                        return;
                    }
                    if hides && fills(span, child, cut, region, aligned) {
                        next_open[place(child)] = child + 1;
                    }
                    child = find(next_open, child + 1);
                }
            }
        }
    }

    /// The part of the region in which a child's rules can match.
    pub(super) fn child_region(&self, cut: Cut, child: usize) -> Region {
        let mut region = *self.region;
        let span = region[cut.dim];
        if is_aligned(cut, span) {
            let child = u32::try_from(child).unwrap_or(0);
            region[cut.dim] = child_span(cut, child, span)
                .intersection(span)
                .unwrap_or(span);
        }
        region
    }

    /// What the cut is worth, or `None` where it makes more than `room` entries and slots.
    fn cost(&self, cut: Cut, limit: u32, room: usize, scratch: &mut Scratch) -> Option<u64> {
        let Scratch { next_open, counts } = scratch;
        counts.clear();
        counts.resize(cut.children(), 0_u32);
        let room = u64::try_from(room.checked_sub(slots_room(cut))?).ok()?;
        let (mut copies, mut squares, mut left) = (0_u64, 0_u64, 0_u64);
        self.distribute(cut, limit, next_open, |_, step| {
            match step {
                Step::Left => left += 1,
                Step::Child(child) => {
                    copies += 1;
                    squares += 2 * u64::from(counts[child]) + 1;
                    counts[child] += 1;
                }
            }
            copies <= room
        });
        if copies > room || copies == 0 {
            return None;
        }
        let all = u64::try_from(self.list.len()).unwrap_or(u64::MAX);
        let length = Plan::ENTRY * squares / copies;
        let size = Plan::ENTRY / 4 * copies / all + Plan::ENTRY / 16 * (1 << cut.width) / all;
        let others = if left == 0 {
            0
        } else {
            Plan::TREE + Plan::LEFT * left / all
        };
        Some(length * (all - left).max(1) / all + size + others)
    }

    /// Every cut worth a look: for each word the windows of `width` bits that end within what differs.
    fn windows(&self, width: u32) -> impl Iterator<Item = Cut> + '_ {
        self.region.iter().enumerate().flat_map(move |(dim, span)| {
            let differing = 32 - (span.lo ^ span.hi).leading_zeros();
            (1..=differing).rev().map(move |top| {
                let width = width.min(top);
                Cut {
                    dim,
                    shift: top - width,
                    width,
                }
            })
        })
    }

    /// The best cut, or `None` where none is worth it. With `leave`, rules may be left to another tree.
    pub(super) fn plan(&self, room: usize, leave: bool, scratch: &mut Scratch) -> Option<Plan> {
        let step = self.list.len().div_ceil(SAMPLE).max(1);
        let sample: Vec<u32> = self.list.iter().copied().step_by(step).collect();
        let view = View::new(self.rules, &sample, self.region);
        let full = width_for(self.list.len());
        let mut width = width_for(sample.len());
        let mut widths = full.saturating_sub(3).max(1)..=full;
        let mut plans: Vec<Plan> = Vec::new();
        // Where rules overlap too much for a wide cut there may be room for a narrow one.
        loop {
            for cut in view.windows(width) {
                let costs = view.weigh(cut, room / step, leave, scratch);
                plans.extend(costs.filter(|plan| plan.is_worth_it(sample.len())));
            }
            if !plans.is_empty() || width == 1 || self.list.len() <= FEW {
                break;
            }
            width /= 2;
            widths = width..=width;
        }
        plans.sort_by_key(|plan| plan.cost);
        plans.truncate(SHORT_LIST);
        let mut best: Option<Plan> = None;
        for plan in plans {
            let top = plan.cut.shift + plan.cut.width;
            for width in widths.clone() {
                let width = width.min(top);
                let cut = Cut {
                    dim: plan.cut.dim,
                    shift: top - width,
                    width,
                };
                let costs = self.weigh(cut, room, leave, scratch);
                best = best.into_iter().chain(costs).min_by_key(|plan| plan.cost);
            }
        }
        best.filter(|plan| plan.is_worth_it(self.list.len()))
    }

    /// The cut with all rules, and with those left out that reach into more than an eighth of its children.
    fn weigh(
        &self,
        cut: Cut,
        room: usize,
        leave: bool,
        scratch: &mut Scratch,
    ) -> impl Iterator<Item = Plan> + use<> {
        let narrow = u32::try_from(cut.children() / 8).unwrap_or(u32::MAX).max(1);
        let limits = [Some(u32::MAX), leave.then_some(narrow)];
        limits
            .map(|limit| {
                let limit = limit?;
                let cost = self.cost(cut, limit, room, scratch)?;
                Some(Plan { cut, limit, cost })
            })
            .into_iter()
            .flatten()
    }
}

/// Room of a cut's slots, in entries.
pub(super) const fn slots_room(cut: Cut) -> usize {
    cut.children() / 8
}

/// Four to eight children a rule, so that most have a leaf of their own.
fn width_for(rules: usize) -> u32 {
    (rules.max(1).ilog2() + 3).min(MAX_WIDTH)
}

/// Whether the children's spans are contiguous: no bit above the cut differs within the region.
fn is_aligned(cut: Cut, region: Span) -> bool {
    let top = cut.shift + cut.width;
    top >= 32 || region.lo >> top == region.hi >> top
}

/// The numbers of a child of an aligned cut.
fn child_span(cut: Cut, child: u32, region: Span) -> Span {
    let top = cut.shift + cut.width;
    let base = if top >= 32 {
        0
    } else {
        region.lo >> top << top
    };
    let lo = base | child << cut.shift;
    Span::new(lo, lo | ((1 << cut.shift) - 1))
}

/// Whether a rule with this span hides what comes after it in the child, as far as the cut word goes.
fn fills(span: Span, child: u32, cut: Cut, region: Span, aligned: bool) -> bool {
    if !aligned {
        return span.contains(region);
    }
    child_span(cut, child, region)
        .intersection(region)
        .is_none_or(|part| span.contains(part))
}

/// See [`View::open`].
fn open_words(rule: &Candidate, region: &Region) -> u16 {
    let spans = rule.cube.spans.iter().zip(region).enumerate();
    let open = spans.fold(0, |open, (dim, (span, region))| {
        open | u16::from(!span.contains(*region)) << dim
    });
    if rule.tag.is_exact() {
        open
    } else {
        open | INEXACT
    }
}

/// The first child from `child` on that no rule has filled.
fn find(next_open: &mut [u32], child: u32) -> u32 {
    let mut at = child;
    while next_open[place(at)] != at {
        let next = next_open[place(at)];
        next_open[place(at)] = next_open[place(next)];
        at = next;
    }
    at
}

/// Vectors that are used again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) next_open: Vec<u32>,
    pub(super) counts: Vec<u32>,
}
