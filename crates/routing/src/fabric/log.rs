//! Events, and how neighbours and ways are named in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::Ipv6Net;

use super::{Event, EventKind, Fabric, Hop, LinkId, Output};
use crate::ddm::item::NodeId;
use crate::ddm::learned::NeighborIndex;

/// So many prefixes are named where more change alike.
const NAMED: usize = 4;

impl Fabric {
    pub(super) fn event(&mut self, kind: EventKind, what: String) {
        let at = self.now.at;
        self.out.push(Output::Event(Event { at, kind, what }));
    }

    /// The link's name.
    pub(super) fn link_name(&self, link: LinkId) -> String {
        let state = self.links.get(&link).map(|link| &link.state);
        state.map_or_else(|| format!("link {}", link.0), |state| state.name.clone())
    }

    /// A neighbour's role, identity and link, as people know it.
    pub(super) fn neighbor_name(&self, index: NeighborIndex) -> String {
        let Some(neighbor) = self.neighbors.get(index) else {
            return "a neighbour that is gone".to_owned();
        };
        let link = self.link_name(neighbor.link);
        match &neighbor.peer {
            Some(peer) if peer.name == peer.id.0.to_string() => {
                format!("{} {} on {link}", peer.role, peer.name)
            }
            Some(peer) => format!("{} {} ({}) on {link}", peer.role, peer.name, peer.id.0),
            None => format!("{} on {link}", neighbor.address),
        }
    }

    /// A node by its name where it is this one or a neighbour, else by its hardware address.
    pub(super) fn node_name(&self, node: NodeId) -> String {
        if node == self.own.id {
            return format!("this node, {} ({})", self.own.name, node.0);
        }
        let known = self.neighbors.iter().find(|(_, n)| n.id() == Some(node));
        known.map_or_else(
            || node.0.to_string(),
            |(index, _)| self.neighbor_name(index),
        )
    }

    /// Tells of the routes that changed since the last time, those alike in one event.
    pub(super) fn tell_routes(&mut self) {
        for (ways, prefixes) in std::mem::take(&mut self.rerouted) {
            let mut what: Vec<String> = prefixes
                .iter()
                .take(NAMED)
                .map(Ipv6Net::to_string)
                .collect();
            if prefixes.len() > NAMED {
                what.push(format!("and {} more", prefixes.len() - NAMED));
            }
            let ways = self.describe(ways.as_deref());
            self.event(EventKind::Route, format!("{}: {ways}", what.join(", ")));
        }
    }

    pub(super) fn describe(&self, ways: Option<&[Hop]>) -> String {
        match ways {
            None => "no route any more".to_owned(),
            Some([]) => "unreachable beyond what more specific routes say".to_owned(),
            Some(ways) => {
                let each = ways.iter().map(|hop| {
                    let index = self.neighbors.find(hop.link, hop.via);
                    let name = index.map_or_else(
                        || format!("{} on {}", hop.via, self.link_name(hop.link)),
                        |index| self.neighbor_name(index),
                    );
                    format!("{name}, weight {}", hop.weight)
                });
                format!("now through {}", each.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// Prefixes whose ways changed, by their new ways.
pub(super) type Rerouted = BTreeMap<Option<Arc<[Hop]>>, Vec<Ipv6Net>>;
