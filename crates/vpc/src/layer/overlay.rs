//! Geneve: to whom a packet is sent, and from whom one is taken.
//!
//! Between guests a packet carries the sender's VNI, across a peering too, and is taken only from
//! the host that holds its source. What goes out or comes in carries the boundary's: it is taken
//! for an external address that the port holds, from a boundary group, from a sled of the rack
//! (which relays what a switch cannot deliver), or from the host that holds the external address
//! it comes from.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use ipnet::Ipv6Net;
use rackweave_engine::program::{Action, Encapsulate, Layer, Match, MeterSpec, Select, Target};
use rackweave_types::state::{BoundaryGroup, BoundaryState, Cap, TransitHolder};
use rackweave_types::{Direction, Vni};

use super::layer;
use super::router::{Origin, peer_routes, priority};
use crate::network::{
    Network, OWN_TABLE, TO_INTERNET, TO_PEER, TO_VPC, deny, peer_table, tagged, to_host,
};
use crate::numbers::host;
use crate::rule::{LayerName, RuleKind, Rules};

/// The layer of a port.
pub(crate) fn overlay(network: Network<'_>) -> Layer {
    layer(
        LayerName::Overlay,
        outbound(network).or(deny()),
        inbound(network).or(deny()),
    )
}

/// The boundary groups that serve an external address.
pub(crate) fn groups_of(
    boundary: &BoundaryState,
    outside: IpAddr,
) -> impl Iterator<Item = &BoundaryGroup> {
    let serves = move |group: &&BoundaryGroup| {
        group.pools.is_empty() || group.pools.iter().any(|pool| pool.contains(&outside))
    };
    boundary.groups.iter().filter(serves)
}

fn outbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    let own = network.vpc.vni;
    let vpc = send(network, Select::Mapping { table: OWN_TABLE }, own);
    rules.add(RuleKind::Vpc, tagged(TO_VPC), vpc);
    for (route, peer) in peer_routes(network) {
        let matches = Match {
            dst: Some(route.destination),
            ..tagged(TO_PEER)
        };
        let actions = send(
            network,
            Select::Mapping {
                table: peer_table(peer),
            },
            own,
        );
        let priority = priority(route.destination, Origin::User);
        let item = network.vpc.peers[peer].vni.get();
        rules.add_item(RuleKind::Peer, item, priority, matches, actions);
    }
    for outside in network.held() {
        let target = |group: &BoundaryGroup| Target {
            underlay: group.address,
            mac: group.mac,
        };
        let group = groups_of(network.boundary, outside).map(target).collect();
        let select = Select::MappingOrGroup {
            table: network.external_table(),
            group,
        };
        let matches = Match {
            src: Some(host(outside)),
            ..tagged(TO_INTERNET)
        };
        let actions = send(network, select, network.boundary.vni);
        rules.add(RuleKind::Internet, matches, actions);
    }
    rules
}

fn inbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    let own = (network.vpc.vni, OWN_TABLE, &network.vpc.transit);
    let peers = network.vpc.peers.iter().enumerate();
    let peers = peers.map(|(at, peer)| (peer.vni, peer_table(at), &peer.transit));
    for (kind, (vni, table, transit)) in [(RuleKind::Vpc, own)]
        .into_iter()
        .chain(peers.map(|peer| (RuleKind::Peer, peer)))
    {
        let item = if kind == RuleKind::Vpc { 0 } else { vni.get() };
        for holder in transit {
            let actions = receive(network, None);
            rules.add_item(
                RuleKind::TransitSender,
                item,
                0,
                transit_sender(vni, holder),
                actions,
            );
        }
        let verify = Action::VerifySource { table };
        rules.add_item(kind, item, 0, from_vni(vni), receive(network, Some(verify)));
    }
    from_outside(network, &mut rules);
    rules.add(RuleKind::NotHeld, from_vni(network.boundary.vni), deny());
    rules.add(RuleKind::ForeignVni, Match::default(), deny());
    rules
}

/// To an external address that the port holds, and from whom.
fn from_outside(network: Network<'_>, rules: &mut Rules) {
    let vni = network.boundary.vni;
    for held in network.held() {
        let from = |outer: Ipv6Net| Match {
            vni: Some(vni),
            outer_src: Some(outer),
            ..to_host(held)
        };
        for group in &network.boundary.groups {
            let actions = receive(network, None);
            rules.add(RuleKind::FromBoundary, from(group.address.into()), actions);
        }
        let rack = network.underlay.sled.rack().net();
        rules.add(RuleKind::FromRack, from(rack), receive(network, None));
        let verify = Action::VerifySource {
            table: network.external_table(),
        };
        let any = Match {
            vni: Some(vni),
            ..to_host(held)
        };
        rules.add(RuleKind::FromHolder, any, receive(network, Some(verify)));
    }
}

/// An appliance's packets with foreign sources.
fn transit_sender(vni: Vni, holder: &TransitHolder) -> Match {
    Match {
        src: Some(holder.prefix),
        outer_src: Some(holder.sled.tunnel_endpoint().into()),
        ..from_vni(vni)
    }
}

fn from_vni(vni: Vni) -> Match {
    Match {
        vni: Some(vni),
        ..Match::default()
    }
}

/// Wraps a packet, counted against the guest's cap once it is known that it can be sent.
fn send(network: Network<'_>, select: Select, vni: Vni) -> Vec<Action> {
    let encapsulate = Encapsulate {
        vni,
        external: false,
        source: None,
    };
    let mut actions = vec![Action::Select(select)];
    actions.extend(meter(network, Direction::Out));
    actions.extend([Action::Encapsulate(encapsulate), Action::Allow]);
    actions
}

/// Unwraps a packet, counted against the guest's cap once it is known to be from whom it says.
fn receive(network: Network<'_>, verify: Option<Action>) -> Vec<Action> {
    let mut actions: Vec<Action> = verify.into_iter().collect();
    actions.extend(meter(network, Direction::In));
    actions.extend([Action::Decapsulate, Action::Allow]);
    actions
}

/// The least burst of a capped port in octets and packets: a frame of 64 KB passes whole, and it
/// is cut into 54 segments at the least MTU.
pub(crate) const MIN_BURST_BYTES: u64 = 65_535;
/// See [`MIN_BURST_BYTES`].
pub(crate) const MIN_BURST_PACKETS: u64 = 64;

/// The port's meters: those of its caps, outbound first.
pub(crate) fn meters(network: Network<'_>) -> Vec<MeterSpec> {
    let caps = network.port.caps;
    [caps.outbound, caps.inbound]
        .into_iter()
        .filter(|cap| !cap.is_none())
        .map(meter_of)
        .collect()
}

fn meter_of(cap: Cap) -> MeterSpec {
    let tenth = |rate: u64, min: u64| (rate / 10).max(min);
    let bytes = cap.bytes.map(rackweave_types::BytesPerSecond::get);
    let packets = cap.packets.map(rackweave_types::PacketsPerSecond::get);
    let burst_bytes = bytes.map_or(0, |rate| tenth(rate, MIN_BURST_BYTES));
    let burst_packets = packets.map_or(0, |rate| tenth(rate, MIN_BURST_PACKETS));
    MeterSpec {
        bytes_per_second: bytes,
        burst_bytes: cap.burst_bytes.unwrap_or(burst_bytes),
        packets_per_second: packets,
        burst_packets: cap.burst_packets.unwrap_or(burst_packets),
    }
}

fn meter(network: Network<'_>, direction: Direction) -> Option<Action> {
    let caps = network.port.caps;
    let meter = u16::from(direction == Direction::In && !caps.outbound.is_none());
    let cap = match direction {
        Direction::Out => caps.outbound,
        Direction::In => caps.inbound,
    };
    (!cap.is_none()).then_some(Action::Meter { meter })
}
