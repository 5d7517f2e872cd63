//! Routes of the VPC.
//!
//! The gateway is one hop, on the sender's side: it decrements the TTL of what the guest sends and
//! tells it what is too long. The longest prefix wins; among equals a user's route goes before the
//! one that the subnet made by itself. What no route leads to is refused, so that a guest that
//! tries IPv6 without a way out falls back at once.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rackweave_engine::program::{Action, Layer, Match, Tag};
use rackweave_types::reserved;
use rackweave_types::state::{Route, RouteTarget};

use super::layer;
use crate::network::{Network, TO_INTERNET, TO_PEER, TO_VPC, deny, to};
use crate::numbers::{LINK_LOCAL_V4, LINK_LOCAL_V6, MARTIAN, MULTICAST, host};
use crate::rule::{LayerName, RuleKind, Rules};

/// The layer of a port.
pub(crate) fn router(network: Network<'_>) -> Layer {
    let out = outbound(network).or(deny());
    layer(
        LayerName::Router,
        out,
        inbound(network).or(receive(network)),
    )
}

fn outbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    let port_mtu = network.port.mtu.get();
    for route in network
        .router()
        .into_iter()
        .flat_map(|router| &router.routes)
    {
        let actions = match route.target {
            RouteTarget::Instance(addr) => {
                let mut actions = forward(network, port_mtu, TO_VPC);
                actions.insert(0, Action::Via(addr));
                actions
            }
            RouteTarget::Subnet(_) => forward(network, port_mtu, TO_VPC),
            RouteTarget::Peer(_) => forward(network, port_mtu, TO_PEER),
            RouteTarget::Drop => deny(),
            RouteTarget::InternetGateway => forward(
                network,
                port_mtu.min(network.boundary.mtu.get()),
                TO_INTERNET,
            ),
        };
        let (item, priority) = (route.id.get(), priority(route.destination, Origin::User));
        rules.add_item(
            RuleKind::Route,
            item,
            priority,
            to(route.destination),
            actions,
        );
    }
    for subnet in &network.vpc.subnets {
        for net in subnet
            .ipv4
            .map(IpNet::V4)
            .into_iter()
            .chain(subnet.ipv6.map(IpNet::V6))
        {
            let (item, priority) = (subnet.id.get(), priority(net, Origin::Subnet));
            let actions = forward(network, port_mtu, TO_VPC);
            rules.add_item(RuleKind::SubnetRoute, item, priority, to(net), actions);
        }
    }
    let last = Match::default();
    rules.add_item(RuleKind::NoRoute, 0, u16::MAX, last, network.reject_out());
    rules
}

/// From outside nobody may claim to be inside; other networks have proved their sources.
fn inbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    let from_outside = |src| Match {
        vni: Some(network.boundary.vni),
        src: Some(src),
        ..Match::default()
    };
    for block in network.blocks().chain(network.peer_blocks()) {
        rules.add(RuleKind::InsideFromOutside, from_outside(block), deny());
    }
    let special = [
        LINK_LOCAL_V4.into(),
        LINK_LOCAL_V6.into(),
        host(reserved::METADATA_V6),
        network.underlay.sled.az().net().into(),
    ];
    for net in MARTIAN.into_iter().chain(MULTICAST).chain(special) {
        rules.add(RuleKind::MartianSource, from_outside(net), deny());
    }
    rules
}

/// Hands a packet on to the guest, if its NIC takes one so long.
fn receive(network: Network<'_>) -> Vec<Action> {
    let mtu = Action::Mtu {
        mtu: network.port.mtu.get(),
        router_v4: network.primary_v4().unwrap_or(Ipv4Addr::UNSPECIFIED),
        router_v6: network
            .addresses_v6()
            .next()
            .unwrap_or(Ipv6Addr::UNSPECIFIED),
    };
    vec![mtu, Action::Allow]
}

/// Does what a router does, and tells the overlay where to.
fn forward(network: Network<'_>, mtu: u16, tag: Tag) -> Vec<Action> {
    let (router_v4, router_v6) = (network.gateway_v4(), reserved::GATEWAY_V6);
    vec![
        Action::Route {
            router_v4,
            router_v6,
        },
        Action::Mtu {
            mtu,
            router_v4,
            router_v6,
        },
        Action::Tag(tag),
        Action::Allow,
    ]
}

/// Who made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    User,
    Subnet,
}

/// Longer prefixes first, then users' routes.
pub(crate) fn priority(destination: IpNet, origin: Origin) -> u16 {
    let unused = u16::from(destination.max_prefix_len() - destination.prefix_len());
    unused * 2 + u16::from(origin == Origin::Subnet)
}

/// The port's routes to peers: the overlay asks them again which peer.
pub(crate) fn peer_routes(network: Network<'_>) -> impl Iterator<Item = (&Route, usize)> {
    let routes = network
        .router()
        .into_iter()
        .flat_map(|router| &router.routes);
    routes.filter_map(move |route| {
        let RouteTarget::Peer(vni) = route.target else {
            return None;
        };
        let at = network.vpc.peers.iter().position(|peer| peer.vni == vni)?;
        Some((route, at))
    })
}
