//! Checks of boundary services and of the underlay.

use alloc::collections::BTreeSet;

use rackweave_types::state::{BoundaryGroup, SledUnderlay};
use rackweave_types::{MacAddr, ServicePrefix, ServiceRole, reserved};

use super::{Checked, each, ensure, prefix};
use crate::error::Problem;
use crate::network::Network;

pub(super) fn underlay(underlay: &SledUnderlay) -> Checked {
    ensure(!underlay.sled.node().is_switch(), "sled", Problem::NotSled)?;
    unicast(underlay.src_mac, "src_mac")?;
    unicast(underlay.dst_mac, "dst_mac")?;
    let floor = reserved::UNDERLAY_MTU_FLOOR;
    ensure(
        underlay.mtu >= floor,
        "mtu",
        Problem::MtuTooShort { min: floor.get() },
    )
}

pub(super) fn boundary(network: Network<'_>) -> Checked {
    let boundary = network.boundary;
    let system = boundary.vni.get() < reserved::FIRST_VPC_VNI && boundary.vni.get() != 0;
    ensure(system, "vni", Problem::NotSystemVni)?;
    let mut seen = BTreeSet::new();
    each("groups", &boundary.groups, |_, group| {
        ensure(
            is_group(network, group),
            "address",
            Problem::NotBoundaryGroup,
        )?;
        ensure(seen.insert(group.address), "address", Problem::Duplicate)?;
        unicast(group.mac, "mac")?;
        each("pools", &group.pools, |_, pool| prefix::written(*pool, ""))
    })
}

fn is_group(network: Network<'_>, group: &BoundaryGroup) -> bool {
    ServicePrefix::of(group.address).is_some_and(|service| {
        service.role() == ServiceRole::BoundaryGroup
            && service.az() == network.underlay.sled.az()
            && service.address() == group.address
    })
}

/// The Ethernet address of one station.
fn unicast(mac: MacAddr, field: &str) -> Checked {
    ensure(
        !mac.is_multicast() && mac != MacAddr::ZERO,
        field,
        Problem::NotUnicastMac,
    )
}
