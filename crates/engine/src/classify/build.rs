//! Growing a forest from rules.

use alloc::vec;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::cube::{Cube, DIMS, Span};
use super::cut::{Candidate, Plan, Region, Scratch, Step, View, slots_room};
use super::entry::Entry;
use super::forest::{Forest, Node, Slot, Tree, place};

/// Rules that are listed rather than told apart further.
const LEAF: usize = 2;
/// The deepest node; the bits of a point give out much earlier.
const MAX_DEPTH: u32 = 24;
/// Trees that a search goes through at most.
const MAX_TREES: usize = 4;
/// Entries (and slots, eight for one) that a tree may have for each of its rules.
const ROOM_PER_RULE: usize = 8;
/// Lists up to this length are searched for rules that others hide.
const SHORT: usize = 16;

impl<E: Entry> Forest<E> {
    /// The forest of these rules, which stand in the order of their rank.
    pub(super) fn build(rules: &[Candidate]) -> Self {
        let forest = Self {
            trees: Vec::new(),
            nodes: Vec::new(),
            slots: Vec::new(),
            entries: Vec::new(),
        };
        let mut builder = Builder {
            rules,
            forest,
            leaves: HashMap::new(),
            scratch: Scratch::default(),
        };
        let mut rest: Vec<u32> = (0..).take(rules.len()).collect();
        if !rest.is_empty() {
            builder.forest.entries.push(E::NOTHING);
        }
        while !rest.is_empty() {
            let last = builder.forest.trees.len() + 1 == MAX_TREES;
            let (tree, left) = builder.tree(rest, !last);
            builder.forest.trees.push(tree);
            rest = left;
        }
        let mut forest = builder.forest;
        forest.trees.sort_by_key(|tree| tree.best);
        forest.nodes.shrink_to_fit();
        forest.slots.shrink_to_fit();
        forest.entries.shrink_to_fit();
        forest
    }
}

/// A node that is not grown yet.
struct Bud {
    list: Vec<u32>,
    region: Region,
    /// Entries that it may have, slots counted as [`slots_room`].
    room: usize,
    depth: u32,
}

struct Builder<'a, E> {
    rules: &'a [Candidate],
    forest: Forest<E>,
    /// Leaves with the same rules are one.
    leaves: HashMap<Vec<u32>, Slot>,
    scratch: Scratch,
}

impl<E: Entry> Builder<'_, E> {
    /// Grows a tree of these rules. Gives back the best rank in it too, and the rules that it leaves to others.
    fn tree(&mut self, list: Vec<u32>, leave: bool) -> (Tree, Vec<u32>) {
        let room = list.len() * ROOM_PER_RULE + 64;
        let mut node = Bud {
            list,
            region: [Span::new(0, u32::MAX); DIMS],
            room,
            depth: 0,
        };
        let mut left = Vec::new();
        self.tidy(&mut node);
        let plan = if node.list.len() <= LEAF {
            None
        } else {
            let view = View::new(self.rules, &node.list, &node.region);
            let plan = view.plan(node.room, leave, &mut self.scratch);
            if let Some(plan) = plan {
                view.distribute(
                    plan.cut,
                    plan.limit,
                    &mut self.scratch.next_open,
                    |id, step| {
                        if let Step::Left = step {
                            left.push(id);
                        }
                        true
                    },
                );
            }
            plan
        };
        node.list.retain(|id| left.binary_search(id).is_err());
        let best = node
            .list
            .first()
            .map_or(u32::MAX, |id| self.rules[place(*id)].tag.rank());
        let root = match plan {
            Some(plan) => self.split(&node, plan),
            None => self.leaf(node.list),
        };
        (Tree { root, best }, left)
    }

    /// Grows a node.
    fn node(&mut self, mut node: Bud) -> Slot {
        self.tidy(&mut node);
        if node.list.len() <= LEAF || node.depth == MAX_DEPTH {
            return self.leaf(node.list);
        }
        let view = View::new(self.rules, &node.list, &node.region);
        match view.plan(node.room, false, &mut self.scratch) {
            Some(plan) => self.split(&node, plan),
            None => self.leaf(node.list),
        }
    }

    /// Makes the region as small as the rules allow and takes out what other rules hide.
    fn tidy(&self, node: &mut Bud) {
        let Bud { list, region, .. } = node;
        for (dim, span) in region.iter_mut().enumerate() {
            let spans = list
                .iter()
                .filter_map(|id| self.cube(*id).spans[dim].intersection(*span));
            let hull = spans.reduce(|a, b| Span::new(a.lo.min(b.lo), a.hi.max(b.hi)));
            *span = hull.unwrap_or(*span);
        }
        let reachable = View::new(self.rules, list, region).reachable();
        list.truncate(reachable);
        if list.len() <= SHORT {
            let all = list.clone();
            let mut place = 0;
            list.retain(|id| {
                let hidden = all[..place].iter().any(|by| self.hides(*by, *id, region));
                place += 1;
                !hidden
            });
        }
    }

    fn cube(&self, id: u32) -> &Cube {
        &self.rules[place(id)].cube
    }

    /// Whether each packet of the region that is in rule `id` is in rule `by` too.
    fn hides(&self, by: u32, id: u32, region: &Region) -> bool {
        let (over, under) = (self.cube(by), self.cube(id));
        let mut dims = over.spans.iter().zip(&under.spans).zip(region);
        self.rules[place(by)].tag.is_exact()
            && dims.all(|((over, under), region)| {
                under
                    .intersection(*region)
                    .is_none_or(|part| over.contains(part))
            })
    }

    /// The leaf with these rules.
    fn leaf(&mut self, list: Vec<u32>) -> Slot {
        if list.is_empty() {
            return Slot::EMPTY;
        }
        if let Some(slot) = self.leaves.get(&list) {
            return *slot;
        }
        let slot = Slot::leaf(length(&self.forest.entries));
        for (at, id) in list.iter().enumerate() {
            let Candidate { cube, tag } = &self.rules[place(*id)];
            let tag = if at + 1 == list.len() {
                tag.last()
            } else {
                *tag
            };
            self.forest.entries.push(E::new(cube, tag));
        }
        self.leaves.insert(list, slot);
        slot
    }

    /// Cuts a node as planned and grows its children.
    fn split(&mut self, node: &Bud, plan: Plan) -> Slot {
        let cut = plan.cut;
        let view = View::new(self.rules, &node.list, &node.region);
        let lists = Lists::new(&view, plan, &mut self.scratch);
        let first = length(&self.forest.slots);
        let start = self.forest.slots.len();
        self.forest
            .slots
            .resize(start + cut.children(), Slot::EMPTY);
        let mut uses: HashMap<&[u32], (u32, Option<Slot>)> = HashMap::new();
        for list in lists.iter().filter(|list| list.len() > LEAF) {
            uses.entry(list).or_default().0 += 1;
        }
        let spare = node.room.saturating_sub(slots_room(cut));
        for (child, list) in lists.iter().enumerate() {
            let shared = uses.get_mut(list).filter(|(count, _)| *count > 1);
            if let Some((_, Some(slot))) = shared {
                self.forest.slots[start + child] = *slot;
                continue;
            }
            // A list that several children share is grown once, for all of their space.
            let region = if shared.is_some() {
                node.region
            } else {
                view.child_region(cut, child)
            };
            let room = spare * list.len() / lists.all.len().max(1);
            let grown = Bud {
                list: list.to_vec(),
                region,
                room,
                depth: node.depth + 1,
            };
            let slot = self.node(grown);
            if let Some((_, known)) = shared {
                *known = Some(slot);
            }
            self.forest.slots[start + child] = slot;
        }
        let node = Slot::node(length(&self.forest.nodes));
        self.forest.nodes.push(Node::new(first, cut));
        node
    }
}

/// The rules of each child, one after the other.
struct Lists {
    all: Vec<u32>,
    ends: Vec<usize>,
}

impl Lists {
    fn new(view: &View<'_>, plan: Plan, scratch: &mut Scratch) -> Self {
        let Scratch { next_open, .. } = scratch;
        let mut ends = vec![0_usize; plan.cut.children()];
        view.distribute(plan.cut, u32::MAX, next_open, |_, step| {
            if let Step::Child(child) = step {
                ends[child] += 1;
            }
            true
        });
        let mut sum = 0;
        for end in &mut ends {
            // For now the start; filling moves it to the end.
            (*end, sum) = (sum, sum + *end);
        }
        let mut all = vec![0; sum];
        view.distribute(plan.cut, u32::MAX, next_open, |id, step| {
            if let Step::Child(child) = step {
                all[ends[child]] = id;
                ends[child] += 1;
            }
            true
        });
        Self { all, ends }
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.all[start..*end])
    }
}

fn length<T>(vec: &[T]) -> u32 {
    u32::try_from(vec.len()).unwrap_or(u32::MAX)
}
