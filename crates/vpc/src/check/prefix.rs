//! Checks of prefixes and addresses.

use core::net::IpAddr;

use ipnet::IpNet;

use super::{Checked, ensure, fault};
use crate::error::Problem;
use crate::network::Network;
use crate::numbers::{LINK_LOCAL_V4, LINK_LOCAL_V6, MARTIAN, MULTICAST, host};

/// Whether two prefixes have an address in common.
pub(super) fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// A prefix as it should be written: no bits behind its length, and no IPv4 in the clothes of
/// IPv6.
pub(super) fn written(net: IpNet, field: &str) -> Checked {
    if net != net.trunc() {
        return fault(field, Problem::HostBits(net.trunc()));
    }
    let mapped = matches!(net, IpNet::V6(net)
        if net.prefix_len() >= 96 && net.addr().to_ipv4_mapped().is_some());
    ensure(!mapped, field, Problem::NotUnicast)
}

/// A prefix in which hosts can have their addresses.
pub(super) fn of_hosts(net: IpNet, field: &str) -> Checked {
    written(net, field)?;
    let link_local = [LINK_LOCAL_V4.into(), LINK_LOCAL_V6.into()];
    let special = MARTIAN.into_iter().chain(MULTICAST).chain(link_local);
    let meets = special.into_iter().any(|special| overlap(special, net));
    ensure(!meets, field, Problem::NotUnicast)
}

/// An address that a host can have.
pub(super) fn of_host(addr: IpAddr, field: &str) -> Checked {
    of_hosts(host(addr), field)
}

/// A prefix or address of the world outside: of hosts, not inside, not of the underlay.
pub(super) fn outside(network: Network<'_>, net: IpNet, field: &str) -> Checked {
    of_hosts(net, field)?;
    let inside = network
        .blocks()
        .chain(network.peer_blocks())
        .any(|block| overlap(block, net));
    ensure(!inside, field, Problem::InsideVpc)?;
    not_underlay(network, net, field)
}

/// A prefix that is not of the underlay.
pub(super) fn not_underlay(network: Network<'_>, net: IpNet, field: &str) -> Checked {
    let az = network.underlay.sled.az().net().into();
    ensure(!overlap(az, net), field, Problem::Underlay)
}
