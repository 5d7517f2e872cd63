//! Why packets go where they go.

use ipnet::Ipv6Net;

use rackweave_types::NodePrefix;

use super::view::{ExplainView, PathView};
use super::{Fabric, Hop};
use crate::ddm::item::Scope;
use crate::ddm::learned::Candidate;
use crate::ddm::policy::scope_of;
use crate::rib::Protocol;

impl Fabric {
    /// Every way to every prefix that was heard of.
    #[must_use]
    pub fn paths(&self) -> Vec<PathView> {
        let prefixes = self.learned.iter().map(|(prefix, _)| prefix);
        prefixes
            .flat_map(|prefix| self.paths_to(prefix, None))
            .collect()
    }

    /// Why packets to the prefix (or, with a length of 128, to an address) go where they go.
    #[must_use]
    pub fn explain(&self, asked: Ipv6Net) -> ExplainView {
        let mut served = self
            .rib
            .iter()
            .filter(|(prefix, _, _)| prefix.contains(&asked))
            .collect::<Vec<_>>();
        served.sort_by_key(|(prefix, _, _)| prefix.prefix_len());
        let best = served.last().copied();
        let route = best.map(|(prefix, protocol, ways)| self.route(prefix, protocol, ways));
        let node = Ipv6Net::new(asked.addr(), NodePrefix::LENGTH.min(asked.prefix_len()));
        let node = node.map_or(asked, |net| net.trunc());
        let is_local = self.is_local(node);
        let number = NodePrefix::try_from(node).ok();
        let mut paths = self.paths_to(node, None);
        if let Some(number) = number.filter(|_| node.prefix_len() == NodePrefix::LENGTH) {
            paths.extend(self.paths_to(number.rack().net(), Some(number)));
        }
        let refused = self.neighbors.iter().flat_map(|(index, neighbor)| {
            let its = neighbor
                .refused
                .iter()
                .filter(|(key, _)| key.prefix == node);
            its.map(move |(_, (_, why))| (self.neighbor_name(index), why.to_string()))
        });
        ExplainView {
            asked,
            summary: self.summary(
                node,
                is_local,
                best.map(|(prefix, protocol, ways)| (prefix, protocol, &**ways)),
            ),
            route,
            is_local,
            paths,
            refused: refused.collect(),
            announced: self.announced(node),
        }
    }

    fn summary(
        &self,
        node: Ipv6Net,
        is_local: bool,
        best: Option<(Ipv6Net, Protocol, &[Hop])>,
    ) -> String {
        match best {
            _ if is_local => format!("{node} is this node's own: packets end here"),
            None if self.learned.of(node).is_empty() => {
                format!(
                    "nobody announces {node}, and the fabric has no default route: packets are dropped"
                )
            }
            None => format!("no way to {node} can be used now: packets are dropped"),
            Some((prefix, Protocol::Own, _)) => {
                format!(
                    "{prefix} is this switch's own rack, and nobody in it reaches {node}: packets are unreachable"
                )
            }
            Some((prefix, Protocol::Interior, ways)) => {
                let ways = self.describe(Some(ways));
                let held = if self.rib.is_forwarded(prefix) {
                    ""
                } else {
                    ", but the kernel does not have the route"
                };
                if prefix == node {
                    format!("{prefix} is {ways}{held}")
                } else {
                    format!("{node} is served by {prefix}, {ways}{held}")
                }
            }
        }
    }

    /// The ways to a prefix; of a rack's, as ways to one of its nodes.
    fn paths_to(&self, prefix: Ipv6Net, node: Option<NodePrefix>) -> Vec<PathView> {
        let candidates = self.learned.of(prefix).iter();
        candidates
            .map(|candidate| self.path(prefix, node, candidate))
            .collect()
    }

    fn path(&self, prefix: Ipv6Net, node: Option<NodePrefix>, candidate: &Candidate) -> PathView {
        let neighbor = self.neighbors.get(candidate.neighbor);
        let (weight, why) = self.judge(prefix, node, candidate);
        PathView {
            prefix,
            origin: candidate.origin,
            via: neighbor.map_or(std::net::Ipv6Addr::UNSPECIFIED, |n| n.address),
            name: neighbor
                .and_then(|n| n.peer.as_ref())
                .map(|peer| peer.name.clone()),
            link_name: neighbor.map(|n| self.link_name(n.link)).unwrap_or_default(),
            path: candidate.path.to_vec(),
            cost: self.cost(candidate),
            weight,
            is_stale: candidate.stale,
            why,
        }
    }

    /// A candidate's weight, and why.
    fn judge(
        &self,
        prefix: Ipv6Net,
        node: Option<NodePrefix>,
        candidate: &Candidate,
    ) -> (u8, String) {
        let unused = |why: &str| (0, format!("not used: {why}"));
        let Some(neighbor) = self.neighbors.get(candidate.neighbor) else {
            return unused("its neighbour is gone");
        };
        if !neighbor.link_up {
            return unused("its link is down");
        }
        if !neighbor.live {
            return unused("no frames pass to its neighbour");
        }
        if !self.is_first(prefix, candidate) {
            return unused("another node claimed it first");
        }
        if node.is_some_and(|node| !candidate.reaches(node.node())) {
            return unused("the origin does not reach this node of its rack itself");
        }
        let target = node.map_or(prefix, NodePrefix::net);
        if self.is_local(target) {
            return unused("the prefix is this node's own");
        }
        if node.is_none() && self.own_rack() == Some(prefix) {
            return unused("it is this node's own rack: only single nodes of it are routed by it");
        }
        let direct = node.is_some() && self.candidates(target).next().is_some();
        if direct && scope_of(target) == Some(Scope::Rack) {
            return unused("there is a direct way to the node");
        }
        let served = if self.rib.offered(target, Protocol::Interior).is_some() {
            target
        } else {
            prefix
        };
        let least = self.least(served);
        if let Some(least) = least.filter(|least| least.hops < candidate.hops()) {
            let (fewer, its) = (least.hops, candidate.hops());
            return unused(&format!("there are ways of {fewer} hops, and it has {its}"));
        }
        let ways = self.rib.offered(served, Protocol::Interior);
        let hop = ways.into_iter().flat_map(|ways| ways.iter());
        let mut hop = hop.filter(|hop| (hop.link, hop.via) == (neighbor.link, neighbor.address));
        match hop.next() {
            Some(hop) => {
                let of: u32 = ways
                    .into_iter()
                    .flat_map(|w| w.iter())
                    .map(|hop| u32::from(hop.weight))
                    .sum();
                (
                    hop.weight,
                    format!("used, with {} of {of} of the traffic", hop.weight),
                )
            }
            None => unused("it is a backup: too slow or lossy beside the others"),
        }
    }

    /// What neighbours are told of a prefix.
    fn announced(&self, prefix: Ipv6Net) -> Vec<String> {
        let told = self.outboxes.iter().flat_map(|(class, outbox)| {
            outbox.keys_of(prefix).filter_map(move |key| {
                let said = outbox.said(key)?;
                let path: Vec<String> = said.path.iter().map(|node| node.0.to_string()).collect();
                let rack = if class.same_rack {
                    "of this rack"
                } else {
                    "of other racks"
                };
                let (role, cost) = (class.role, said.cost.0);
                Some(format!(
                    "to every {role} {rack}: path {}, cost {cost} ns",
                    path.join(" ")
                ))
            })
        });
        told.collect()
    }
}
