//! Sleds that a switch leaves out of its rack's summary though it reaches them: their link is slow or lossy.
//!
//! A summary says nothing of the last link of a way. So that other racks leave a link that went grey, its switch no
//! longer counts the sled among those that it reaches, as long as the rack's other switch does: ways to the sled then lead
//! there (automatic disaggregation). The switch itself goes on delivering what still comes.
//!
//! Both must not do so at once. The first switch of the rack (fd) leaves a sled out as soon as the other one has it; the
//! second only after the first has had it for [`PATIENCE`] of its own link's misery.

use std::collections::BTreeMap;
use std::time::Duration;

use rackweave_types::{Instant, NodeNumber};

use super::select::node_of;
use super::{EventKind, Fabric};
use crate::ddm::item::{Cost, Members};
use crate::ddm::weigh::weight;

/// How long the second switch of a rack waits.
const PATIENCE: Duration = Duration::from_millis(300);

/// Who is left out.
#[derive(Debug, Default)]
pub(super) struct Shunned {
    nodes: Members,
    /// Since when the second switch would leave them out.
    since: BTreeMap<NodeNumber, Instant>,
}

impl Shunned {
    /// When the second switch has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.values().min().map(|since| since.after(PATIENCE))
    }
}

impl Fabric {
    /// The nodes of the rack that this switch counts among those that it reaches.
    pub(super) fn counted(&mut self) -> Members {
        let direct = self.direct();
        let Some(rack) = self.own_rack() else {
            return direct;
        };
        let sets = self.candidates(rack).filter_map(|c| c.members.as_deref());
        let others = sets.fold(Members::default(), |all, set| all.union(set));
        let shared = direct.intersection(&others);
        let costs: Vec<(NodeNumber, Cost)> = direct
            .iter()
            .filter(|node| !node.is_switch())
            .filter_map(|node| {
                let least = self.least_of(self.candidates(node_of(rack, node)?))?;
                let cost = least.ways.iter().map(|(_, cost)| *cost).min()?;
                Some((node, cost))
            })
            .collect();
        let best = costs
            .iter()
            .map(|(_, cost)| *cost)
            .min()
            .unwrap_or_default();
        let is_first = self.own.assignment.as_ref();
        let is_first = is_first.is_some_and(|a| a.prefix.node() == NodeNumber::SWITCHES[0]);
        let (now, before) = (self.now.at, self.shunned.nodes);
        let mut nodes = Members::default();
        let mut since = BTreeMap::new();
        for (node, cost) in costs {
            let was = before.contains(node).then_some(0);
            if !shared.contains(node) || weight(best, cost, was) > 0 {
                continue;
            }
            let began = self.shunned.since.get(&node).copied().unwrap_or(now);
            if is_first || was.is_some() || now.since(began) >= PATIENCE {
                nodes.insert(node);
            } else {
                since.insert(node, began);
            }
        }
        self.shunned.since = since;
        self.shun(&nodes);
        direct.without(&nodes)
    }

    fn shun(&mut self, nodes: &Members) {
        let before = std::mem::replace(&mut self.shunned.nodes, *nodes);
        let tell = |fabric: &mut Self, nodes: Members, what: &str| {
            let numbers: Vec<String> = nodes.iter().map(|node| node.to_string()).collect();
            if !numbers.is_empty() {
                let what = format!("nodes {} of the rack {what}", numbers.join(", "));
                fabric.event(EventKind::Route, what);
            }
        };
        let slow = "have a slow or lossy link here: other racks are told to take the other switch";
        tell(self, nodes.without(&before), slow);
        tell(
            self,
            before.without(nodes),
            "are reached from other racks by this switch again",
        );
    }

    /// The second switch may have waited long enough.
    pub(super) fn on_shunned_time(&mut self) {
        if self
            .shunned
            .deadline()
            .is_some_and(|due| due <= self.now.at)
        {
            self.retold.extend(self.own_rack());
        }
    }
}
