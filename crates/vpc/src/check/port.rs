//! Checks of a port.

use alloc::collections::BTreeSet;
use core::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::reserved;
use rackweave_types::state::{Cap, ExternalAddress, ExternalKind, PortAddress};

use super::{Checked, MAX_ADDRESSES, each, ensure, fault, prefix};
use crate::error::Problem;
use crate::layer::overlay::{MIN_BURST_BYTES, MIN_BURST_PACKETS, groups_of};
use crate::network::Network;
use crate::numbers::host;

pub(super) fn port(network: Network<'_>) -> Checked {
    let port = network.port;
    ensure(
        port.vni == network.vpc.vni,
        "vni",
        Problem::WrongVpc(network.vpc.vni),
    )?;
    ensure(
        reserved::is_guest_mac(port.mac),
        "mac",
        Problem::NotGuestMac,
    )?;
    addresses(network)?;
    each("transit", &port.transit, |_, net| prefix::written(*net, ""))?;
    let router = network.router().is_some();
    ensure(router, "router", Problem::NoSuchRouter(port.router))?;
    let mut seen = BTreeSet::new();
    each("rule_sets", &port.rule_sets, |_, id| {
        ensure(seen.insert(*id), "", Problem::Duplicate)?;
        let known = network.vpc.rule_sets.iter().any(|set| set.id == *id);
        ensure(known, "", Problem::NoSuchRuleSet(*id))
    })?;
    external(network)?;
    nat(network)?;
    cap(&port.caps.outbound, "caps.out")?;
    cap(&port.caps.inbound, "caps.in")?;
    limits(network)?;
    let max = network
        .underlay
        .mtu
        .inside()
        .map_or(0, rackweave_types::Mtu::get);
    ensure(port.mtu.get() <= max, "mtu", Problem::MtuTooLong { max })?;
    each("dhcp.dns", &port.dhcp.dns, |_, server| {
        prefix::of_host(*server, "")
    })
}

fn addresses(network: Network<'_>) -> Checked {
    let addresses = &network.port.addresses;
    let count = addresses.len();
    ensure(count > 0, "addresses", Problem::NoAddress)?;
    ensure(
        count <= MAX_ADDRESSES,
        "addresses",
        Problem::TooMany { max: MAX_ADDRESSES },
    )?;
    let mut seen = BTreeSet::new();
    each("addresses", addresses, |_, own| {
        address(network, own)?;
        ensure(seen.insert(own.address), "address", Problem::Duplicate)
    })
}

fn address(network: Network<'_>, own: &PortAddress) -> Checked {
    let subnet = network
        .vpc
        .subnets
        .iter()
        .find(|subnet| subnet.id == own.subnet);
    let Some(subnet) = subnet else {
        return fault("subnet", Problem::NoSuchSubnet(own.subnet));
    };
    let net = match own.address {
        IpAddr::V4(_) => subnet.ipv4.map(IpNet::V4),
        IpAddr::V6(_) => subnet.ipv6.map(IpNet::V6),
    };
    let Some(net) = net.filter(|net| net.contains(&own.address)) else {
        return fault("address", Problem::NotInSubnet(own.subnet));
    };
    let reserved = match (net, own.address) {
        (IpNet::V4(net), IpAddr::V4(addr)) => reserved::ipv4_in_subnet(net, addr).is_some(),
        (IpNet::V6(net), IpAddr::V6(addr)) => reserved::ipv6_in_subnet(net, addr).is_some(),
        _ => false,
    };
    ensure(!reserved, "address", Problem::ReservedAddress)
}

fn external(network: Network<'_>) -> Checked {
    let mut outsides = BTreeSet::new();
    let mut ephemeral = BTreeSet::new();
    each("external", &network.port.external, |_, external| {
        let ExternalAddress {
            kind,
            outside,
            inside,
        } = *external;
        let one_family = outside.is_ipv4() == inside.is_ipv4();
        ensure(one_family, "outside", Problem::FamilyMismatch)?;
        self::outside(network, outside, "outside")?;
        ensure(outsides.insert(outside), "outside", Problem::Duplicate)?;
        let own = network.addresses().any(|addr| addr == inside);
        ensure(own, "inside", Problem::NotOwnAddress)?;
        let first = kind != ExternalKind::Ephemeral || ephemeral.insert(inside);
        ensure(first, "kind", Problem::EphemeralTwice)
    })
}

fn nat(network: Network<'_>) -> Checked {
    let port = network.port;
    each("nat", &port.nat, |at, block| {
        let v4 = block.address.is_ipv4();
        outside(network, block.address, "address")?;
        let alone = port
            .external
            .iter()
            .any(|external| external.outside == block.address);
        ensure(!alone, "address", Problem::Duplicate)?;
        let before = port.nat[..at]
            .iter()
            .any(|before| before.address.is_ipv4() == v4);
        ensure(!before, "address", Problem::NatTwice)?;
        let own = network.addresses().any(|addr| addr.is_ipv4() == v4);
        ensure(own, "address", Problem::NoAddressOfFamily)
    })
}

/// An external address: of the world outside, and served by somebody.
fn outside(network: Network<'_>, addr: IpAddr, field: &str) -> Checked {
    prefix::outside(network, host(addr), field)?;
    let served = groups_of(network.boundary, addr).next().is_some();
    ensure(served, field, Problem::NoBoundaryGroup)
}

fn cap(cap: &Cap, place: &str) -> Checked {
    let at = |field: &str| alloc::format!("{place}.{field}");
    let zero = cap.bytes.is_some_and(|rate| rate.get() == 0);
    ensure(!zero, &at("bytes"), Problem::Zero)?;
    let zero = cap.packets.is_some_and(|rate| rate.get() == 0);
    ensure(!zero, &at("packets"), Problem::Zero)?;
    let bursts = [
        ("burst_bytes", cap.burst_bytes, MIN_BURST_BYTES),
        ("burst_packets", cap.burst_packets, MIN_BURST_PACKETS),
    ];
    for (field, burst, min) in bursts {
        let enough = burst.is_none_or(|burst| burst >= min);
        ensure(enough, &at(field), Problem::BurstTooSmall { min })?;
    }
    Ok(())
}

fn limits(network: Network<'_>) -> Checked {
    let limits = network.port.limits;
    let counts = [
        ("limits.flows", limits.flows),
        ("limits.fragments", limits.fragments),
        ("limits.punts", limits.punts),
    ];
    for (field, count) in counts {
        ensure(count != Some(0), field, Problem::Zero)?;
    }
    let none = limits.replies.is_some_and(|rate| rate.get() == 0);
    ensure(!none, "limits.replies", Problem::Zero)
}
