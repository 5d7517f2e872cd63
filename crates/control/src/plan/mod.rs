//! From what was asked for to the state of every node.
//!
//! Each object of a node's state is a pure function of the intent. A commit names the objects that
//! changed; `dirty` says which planned ones stand on these, before and after; they are planned
//! again, compared, and what differs goes to the nodes that have it. So the plan after a commit is
//! the one that a new plan of the whole would be, whatever happened before.
//!
//! ```text
//! commit ─ dirty ─► vpc ─► port ─► needs of sleds ─► differences ─ encode ─► a delta for each node
//!                  (frame, rule    (and its mapping
//!                   sets, zone)     entries)
//! ```

mod again;
mod delta;
mod dirty;
mod instance;
mod needs;
mod object;
mod port;
mod switch;
mod system;
mod table;
mod view;
mod vpc;

use std::collections::{BTreeMap, BTreeSet};

use rackweave_types::state::{MappingEntry, NatEntry, SledUnderlay, StateObject};
use rackweave_types::{Generation, NodePrefix, Vni};

pub use delta::{EncodedChange, NodeDelta, PlanDelta};
use dirty::{Dirty, Parts};
use needs::Needs;
use object::{ObjectKey, Planned};
use port::PortRecord;
use switch::Switch;
pub(crate) use system::IPV4 as SYSTEM_IPV4;
use table::{Table, TableChange};
use vpc::VpcRecord;

use crate::change::Commit;
use crate::intent::Intent;
use crate::key::Id;

/// The state of every node that follows from an intent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    head: Generation,
    objects: BTreeMap<ObjectKey, Planned>,
    tables: BTreeMap<Vni, Table<MappingEntry>>,
    nat: Table<NatEntry>,
    vpcs: BTreeMap<Id, VpcRecord>,
    ports: BTreeMap<Id, PortRecord>,
    /// The NICs on each sled, as planned.
    sled_ports: BTreeSet<(Id, Id)>,
    nodes: BTreeMap<Id, Node>,
    sleds: BTreeMap<NodePrefix, Id>,
    /// The sleds whose guests can reach the world outside.
    outside: BTreeSet<Id>,
    switches: BTreeMap<Id, Switch>,
}

/// What a sled has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    underlay: SledUnderlay,
    system: Option<Planned>,
    needs: Needs,
    /// The blocks of ports of the sled itself.
    blocks: Vec<NatEntry>,
    /// The external addresses of the sled itself.
    external: Vec<MappingEntry>,
}

/// What became different while a commit was planned.
#[derive(Debug, Default)]
struct Changed {
    objects: BTreeSet<ObjectKey>,
    tables: BTreeMap<Vni, TableChange<MappingEntry>>,
    nat: Option<TableChange<NatEntry>>,
    /// Zones as they were.
    zones: BTreeMap<Vni, Planned>,
    /// Switches as they were; none where one came.
    switches: BTreeMap<Id, Option<Switch>>,
    /// Sleds of which something but shared objects became different, and what they needed before.
    needs: BTreeMap<Id, Needs>,
    /// Sleds whose own objects became different.
    own: BTreeMap<Id, Vec<StateObject>>,
    come: BTreeSet<Id>,
    gone: Vec<NodePrefix>,
}

impl Plan {
    /// Plans everything.
    #[must_use]
    pub fn new(intent: &Intent) -> Self {
        let mut plan = Self::default();
        let dirty = Dirty::all(intent);
        plan.replan(intent, dirty);
        plan
    }

    /// Applies a commit to the intent that this plan is of, and plans what it concerns.
    pub fn commit(&mut self, intent: &mut Intent, commit: &Commit) -> PlanDelta {
        let mut dirty = Dirty::default();
        let keys = || commit.changes.iter().map(|change| change.key);
        keys().for_each(|key| dirty.mark(intent, key));
        intent.apply(commit);
        keys().for_each(|key| dirty.mark(intent, key));
        if dirty.everything || self.boundary_differs(intent) {
            let mut all = Dirty::all(intent);
            let vpcs = self.vpcs.keys();
            all.vpcs.extend(vpcs.map(|vpc| (*vpc, Parts::ALL)));
            all.ports.extend(self.ports.keys());
            all.instances
                .extend(self.ports.values().map(|port| port.instance));
            all.sleds.extend(self.nodes.keys());
            all.switches.extend(self.switches.keys());
            dirty = all;
        }
        let changed = self.replan(intent, dirty);
        delta::assemble(self, intent, &changed)
    }

    /// The commits that the plan follows from.
    #[must_use]
    pub const fn head(&self) -> Generation {
        self.head
    }

    /// What commits, each on top of the one before, would mean for nodes. Intent and plan are afterwards as they were.
    ///
    /// As long as planning the commits twice: forth and back.
    pub fn preview(&mut self, intent: &mut Intent, commits: &[Commit]) -> Vec<PlanDelta> {
        let head = intent.head();
        let mut deltas = Vec::with_capacity(commits.len());
        let mut back = Vec::with_capacity(commits.len());
        for commit in commits {
            back.push(intent.undo(commit));
            deltas.push(self.commit(intent, commit));
        }
        for commit in back.iter().rev() {
            self.commit(intent, commit);
        }
        intent.rewind(head);
        self.head = head;
        deltas
    }

    /// The NICs on a sled, as planned.
    fn ports_on(&self, sled: Id) -> impl Iterator<Item = (Id, &PortRecord)> {
        let range = (sled, Id::new(0))..=(sled, Id::new(Id::MAX));
        let nics = self.sled_ports.range(range).map(|(_, nic)| *nic);
        nics.filter_map(|nic| Some((nic, self.ports.get(&nic)?)))
    }

    fn boundary_differs(&self, intent: &Intent) -> bool {
        let boundary = intent.az().map(|az| {
            let boundary = system::boundary(intent, az);
            Planned::new(StateObject::Boundary(boundary))
        });
        boundary.as_ref() != self.objects.get(&ObjectKey::Boundary)
    }
}
