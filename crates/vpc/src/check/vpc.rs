//! Checks of a VPC but for its firewall rules.

use alloc::collections::BTreeSet;

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::state::{Peer, Route, RouteTarget, Subnet};
use rackweave_types::{Vni, reserved};

use super::{Checked, each, ensure, fault, prefix};
use crate::error::Problem;
use crate::network::{Network, nets};
use crate::numbers::host;

/// The prefix of unique local addresses.
const UNIQUE_LOCAL: u8 = 0xfc;

pub(super) fn vpc(network: Network<'_>) -> Checked {
    let vpc = network.vpc;
    vni(network, vpc.vni)?;
    blocks(network, &vpc.ipv4, vpc.ipv6)?;
    let mut seen = BTreeSet::new();
    each("subnets", &vpc.subnets, |at, subnet| {
        ensure(seen.insert(subnet.id), "id", Problem::Duplicate)?;
        self::subnet(network, at, subnet)
    })?;
    let mut seen = BTreeSet::new();
    each("routers", &vpc.routers, |_, router| {
        ensure(seen.insert(router.id), "id", Problem::Duplicate)?;
        let (mut ids, mut destinations) = (BTreeSet::new(), BTreeSet::new());
        each("routes", &router.routes, |_, route| {
            ensure(ids.insert(route.id), "id", Problem::Duplicate)?;
            prefix::written(route.destination, "destination")?;
            let new = destinations.insert(route.destination);
            ensure(new, "destination", Problem::Duplicate)?;
            target(network, route)
        })
    })?;
    each("transit", &vpc.transit, |_, holder| {
        prefix::written(holder.prefix, "prefix")
    })?;
    let mut seen = BTreeSet::from([vpc.vni]);
    each("peers", &vpc.peers, |_, peer| {
        ensure(seen.insert(peer.vni), "vni", Problem::Duplicate)?;
        self::peer(network, peer)
    })
}

fn vni(network: Network<'_>, vni: Vni) -> Checked {
    let reserved = vni.get() == 0 || vni == network.boundary.vni;
    ensure(!reserved, "vni", Problem::ReservedVni)
}

/// The blocks of a VPC, this one or a peer.
fn blocks(network: Network<'_>, ipv4: &[ipnet::Ipv4Net], ipv6: Option<Ipv6Net>) -> Checked {
    each("ipv4", ipv4, |at, block| {
        prefix::of_hosts(IpNet::V4(*block), "")?;
        let before = ipv4[..at].iter().find(|before| overlap(**before, *block));
        before.map_or(Ok(()), |before| {
            fault("", Problem::Overlap(IpNet::V4(*before)))
        })
    })?;
    let Some(ipv6) = ipv6 else { return Ok(()) };
    prefix::of_hosts(ipv6.into(), "ipv6")?;
    ensure(ipv6.prefix_len() == 48, "ipv6", Problem::PrefixLength(48))?;
    let unique_local = ipv6.addr().octets()[0] & 0xfe == UNIQUE_LOCAL;
    ensure(unique_local, "ipv6", Problem::NotUniqueLocal)?;
    let metadata = ipv6.contains(&reserved::METADATA_V6);
    ensure(!metadata, "ipv6", Problem::ReservedAddress)?;
    prefix::not_underlay(network, ipv6.into(), "ipv6")
}

fn overlap(a: ipnet::Ipv4Net, b: ipnet::Ipv4Net) -> bool {
    prefix::overlap(a.into(), b.into())
}

fn subnet(network: Network<'_>, at: usize, subnet: &Subnet) -> Checked {
    ensure(
        subnet.ipv4.is_some() || subnet.ipv6.is_some(),
        "ipv4",
        Problem::NoPrefix,
    )?;
    let before = &network.vpc.subnets[..at];
    if let Some(net) = subnet.ipv4 {
        let max = reserved::IPV4_SUBNET_MAX_LEN;
        ensure(net.prefix_len() <= max, "ipv4", Problem::PrefixTooLong(max))?;
        let others = before
            .iter()
            .filter_map(|subnet| subnet.ipv4)
            .map(IpNet::V4);
        subnet_prefix(network, net.into(), "ipv4", others)?;
    }
    if let Some(net) = subnet.ipv6 {
        ensure(net.prefix_len() == 64, "ipv6", Problem::PrefixLength(64))?;
        let others = before
            .iter()
            .filter_map(|subnet| subnet.ipv6)
            .map(IpNet::V6);
        subnet_prefix(network, net.into(), "ipv6", others)?;
    }
    Ok(())
}

fn subnet_prefix(
    network: Network<'_>,
    net: IpNet,
    field: &str,
    mut others: impl Iterator<Item = IpNet>,
) -> Checked {
    prefix::written(net, field)?;
    let within = network.blocks().any(|block| block.contains(&net));
    ensure(within, field, Problem::OutsideVpc)?;
    let other = others.find(|other| prefix::overlap(*other, net));
    other.map_or(Ok(()), |other| fault(field, Problem::Overlap(other)))
}

fn target(network: Network<'_>, route: &Route) -> Checked {
    let vpc = network.vpc;
    match route.target {
        RouteTarget::Instance(addr) => {
            let one_family = addr.is_ipv4() == route.destination.addr().is_ipv4();
            ensure(one_family, "target", Problem::FamilyMismatch)?;
            let within = network.blocks().any(|block| block.contains(&host(addr)));
            ensure(within, "target", Problem::OutsideVpc)
        }
        RouteTarget::Subnet(id) => {
            let subnet = vpc.subnets.iter().find(|subnet| subnet.id == id);
            let Some(subnet) = subnet else {
                return fault("target", Problem::NoSuchSubnet(id));
            };
            let v4 = subnet.ipv4.map(IpNet::V4);
            let v6 = subnet.ipv6.map(IpNet::V6);
            let within = v4
                .into_iter()
                .chain(v6)
                .any(|net| net.contains(&route.destination));
            ensure(within, "destination", Problem::OutsideTarget)
        }
        RouteTarget::Peer(vni) => {
            let known = vpc.peers.iter().any(|peer| peer.vni == vni);
            ensure(known, "target", Problem::NoSuchVpc(vni))
        }
        RouteTarget::Drop | RouteTarget::InternetGateway => Ok(()),
    }
}

fn peer(network: Network<'_>, peer: &Peer) -> Checked {
    vni(network, peer.vni)?;
    blocks(network, &peer.ipv4, peer.ipv6)?;
    let own = |net: IpNet| network.blocks().find(|block| prefix::overlap(*block, net));
    each("ipv4", &peer.ipv4, |_, net| {
        own((*net).into()).map_or(Ok(()), |block| fault("", Problem::Overlap(block)))
    })?;
    if let Some(block) = nets(&[], peer.ipv6.as_ref()).find_map(own) {
        return fault("ipv6", Problem::Overlap(block));
    }
    each("transit", &peer.transit, |_, holder| {
        prefix::written(holder.prefix, "prefix")
    })
}
