//! Views of the machine.

use ipnet::Ipv6Net;

use rackweave_types::{BootstrapPrefix, NodePrefix};

use super::neighbor::{Control, Neighbor};
use super::view::{
    ControlView, Counts, HeldView, NeighborView, NodeView, OriginatedView, RouteView, SledView,
    WayView,
};
use super::{Fabric, Hop};
use crate::ddm::item::NodeId;
use crate::ddm::learned::NeighborIndex;
use crate::ddm::policy::scope_of;
use crate::rib::Protocol;

impl Fabric {
    /// The node itself.
    #[must_use]
    pub fn node(&self) -> NodeView {
        let originated = self.originated.asked.iter().map(|(prefix, askers)| {
            let askers = askers
                .iter()
                .map(|(asker, ready)| (asker.0.clone(), *ready));
            OriginatedView {
                prefix: *prefix,
                askers: askers.collect(),
            }
        });
        NodeView {
            id: self.own.id,
            name: self.own.name.clone(),
            role: self.own.role,
            bootstrap: BootstrapPrefix::new(self.own.id.0).address(),
            prefix: self.own.assignment.as_ref().map(|a| a.prefix),
            rack: self.own.rack,
            az: self.own.az,
            is_holding: self.restart.is_holding(),
            originated: originated.collect(),
            counts: self.counts(),
        }
    }

    /// How much the node holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.neighbors.iter().filter(|(_, n)| n.is_up()).count(),
            neighbors: self.neighbors.iter().count(),
            routes: self.rib.len(),
            held: self.rib.held_count(),
            candidates: self.learned.iter().map(|(_, c)| c.len()).sum(),
            announced: self
                .outboxes
                .values()
                .map(|outbox| outbox.keys().count())
                .sum(),
        }
    }

    /// All neighbours.
    #[must_use]
    pub fn neighbors(&self) -> Vec<NeighborView> {
        let all = self.neighbors.iter();
        all.map(|(index, neighbor)| self.neighbor(index, neighbor))
            .collect()
    }

    fn neighbor(&self, index: NeighborIndex, neighbor: &Neighbor) -> NeighborView {
        let peer = neighbor.peer.as_ref();
        let (mut routes, mut stale) = (0, 0);
        for candidate in self.learned.iter().flat_map(|(_, c)| c) {
            if candidate.neighbor == index {
                routes += 1;
                stale += usize::from(candidate.stale);
            }
        }
        let refused = neighbor.refused.iter();
        let allowed = self.filters.of(neighbor.link);
        NeighborView {
            link: neighbor.link,
            link_name: self.link_name(neighbor.link),
            address: neighbor.address,
            id: peer.map(|peer| peer.id),
            name: peer.map(|peer| peer.name.clone()),
            role: peer.map(|peer| peer.role),
            prefix: peer
                .and_then(|peer| peer.assignment.as_ref())
                .map(|a| a.prefix),
            rack: peer.and_then(|peer| peer.rack),
            is_proven: peer.is_some_and(|peer| peer.proven),
            control: match neighbor.control {
                Control::New { .. } => ControlView::New,
                Control::Up { .. } => ControlView::Up,
                Control::Lost { .. } => ControlView::Lost,
            },
            since: neighbor.control.since(),
            is_live: neighbor.live,
            is_link_up: neighbor.link_up,
            measured: neighbor.measured,
            cost: neighbor.cost(),
            routes,
            stale,
            is_complete: neighbor.is_complete,
            refused: refused
                .map(|(key, (_, why))| (key.prefix, why.to_string()))
                .collect(),
            refused_messages: neighbor.session.refusals().iter().collect(),
            allowed: allowed.map(<[Ipv6Net]>::to_vec),
        }
    }

    /// All routes.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteView> {
        let all = self.rib.iter();
        all.map(|(prefix, protocol, ways)| self.route(prefix, protocol, ways))
            .collect()
    }

    pub(super) fn route(&self, prefix: Ipv6Net, protocol: Protocol, ways: &[Hop]) -> RouteView {
        let least = self
            .least(prefix)
            .filter(|_| protocol == Protocol::Interior);
        let cost = least
            .iter()
            .flat_map(|least| &least.ways)
            .map(|(_, cost)| *cost);
        let kernel = if self.rib.is_pending(prefix) {
            HeldView::Asked
        } else if let Some(why) = self.rib.refused(prefix) {
            HeldView::Refused(why.to_owned())
        } else if self.rib.held(prefix).is_some_and(|held| **held == *ways) {
            HeldView::Held
        } else {
            HeldView::Kept
        };
        RouteView {
            prefix,
            scope: scope_of(prefix),
            protocol,
            ways: ways.iter().map(|hop| self.way(hop)).collect(),
            hops: least.as_ref().map_or(0, |least| least.hops),
            cost: cost.min().unwrap_or_default(),
            kernel,
        }
    }

    fn way(&self, hop: &Hop) -> WayView {
        let index = self.neighbors.find(hop.link, hop.via);
        let neighbor = index.and_then(|index| self.neighbors.get(index));
        let peer = neighbor.and_then(|neighbor| neighbor.peer.as_ref());
        WayView {
            link: hop.link,
            link_name: self.link_name(hop.link),
            via: hop.via,
            name: peer.map(|peer| peer.name.clone()),
            weight: hop.weight,
        }
    }

    /// The sleds and switches of the rack, this node among them: whose bootstrap prefix is in the table.
    #[must_use]
    pub fn sleds(&self) -> Vec<SledView> {
        let own = BootstrapPrefix::new(self.own.id.0);
        let known = self.learned.iter().filter_map(|(prefix, _)| {
            let bootstrap = BootstrapPrefix::try_from(prefix).ok()?;
            Some((bootstrap, self.rib.is_forwarded(prefix)))
        });
        let mut sleds: Vec<SledView> = known
            .map(|(bootstrap, is_reachable)| self.sled(bootstrap, is_reachable))
            .collect();
        sleds.push(SledView {
            name: Some(self.own.name.clone()),
            role: Some(self.own.role),
            prefix: self.own.assignment.as_ref().map(|a| a.prefix),
            is_self: true,
            ..self.sled(own, true)
        });
        sleds.sort_by_key(|sled| (sled.prefix, sled.id));
        sleds
    }

    fn sled(&self, bootstrap: BootstrapPrefix, is_reachable: bool) -> SledView {
        let id = NodeId(bootstrap.hardware());
        let neighbor = self.neighbors.iter().find(|(_, n)| n.id() == Some(id));
        let peer = neighbor.and_then(|(_, neighbor)| neighbor.peer.as_ref());
        let rack = self.own_rack();
        let within = rack.into_iter().flat_map(|rack| self.learned.within(rack));
        let mut its =
            within.filter(|(_, candidates)| candidates.iter().any(|c| c.path.first() == Some(&id)));
        let announced = its.find_map(|(prefix, _)| NodePrefix::try_from(prefix).ok());
        let stated = peer
            .and_then(|peer| peer.assignment.as_ref())
            .map(|a| a.prefix);
        SledView {
            id,
            name: peer.map(|peer| peer.name.clone()),
            role: peer.map(|peer| peer.role),
            bootstrap: bootstrap.address(),
            is_reachable,
            prefix: announced.or(stated),
            is_self: false,
        }
    }
}
