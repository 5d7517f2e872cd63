//! What belongs to the sleds themselves: their way out, and the boundary as all see it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_types::state::{
    BoundaryGroup, BoundaryState, Caps, DhcpSettings, ExistingConnections, ExternalAddress,
    ExternalKind, Filters, FirewallAction, FirewallRule, FirewallRuleId, MappingEntry, NatEntry,
    PortAddress, PortConfig, PortLimits, ProtocolFilter, Route, RouteId, RouteTarget, Router,
    RouterId, RuleSet, RuleSetId, SledUnderlay, StateObject, StateVersion, Subnet, SubnetId,
    SystemState, VpcState,
};
use rackweave_types::{
    AzPrefix, Direction, Generation, MacAddr, Mtu, NodePrefix, PortId, PortRange, ServicePrefix,
    ServiceRole, Vni, reserved,
};

use super::object::Planned;
use crate::allocate::drawn::SLED_MAC;
use crate::intent::Intent;
use crate::key::Kind;
use crate::model::{AzGiven, AzSpec, BoundaryGroupSpec, Entry, Object, SledGiven, SledSpec};

/// The number of every part of the system VPC.
const ONE: u32 = 1;
/// Port ids of sleds have these bits set, which ids of objects never have.
const SYSTEM_PORTS: u64 = 0xffff_0000_0000_0000;

/// The network identifier of the system VPC.
pub(super) fn vni() -> Vni {
    Vni::new(100).unwrap_or(Vni::BOUNDARY)
}

/// The IPv4 block of the system VPC, of shared address space (RFC 6598): rack and node are the last octets.
pub(crate) const IPV4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 16);

/// The boundary as every sled sees it.
pub(super) fn boundary(intent: &Intent, az: &Entry<AzSpec, AzGiven>) -> BoundaryState {
    let group =
        |group: &BoundaryGroupSpec| {
            let service =
                ServicePrefix::new(az.spec.prefix, ServiceRole::BoundaryGroup, group.index).ok()?;
            let [a, b, c] = reserved::GUEST_MAC_PREFIX;
            let pools = group.pools.iter().filter_map(|name| {
                match intent.find(Kind::IpPool, None, name)? {
                    Object::IpPool(pool) => Some(&pool.spec.blocks),
                    _ => None,
                }
            });
            Some(BoundaryGroup {
                address: service.address(),
                mac: MacAddr::new([a, b, c, 0xff, 0, group.index + 1]),
                pools: pools.flatten().copied().collect(),
            })
        };
    BoundaryState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        vni: Vni::BOUNDARY,
        mtu: az.spec.boundary_mtu,
        groups: az.spec.groups.iter().filter_map(group).collect(),
    }
}

/// The anycast address of a boundary group, and its Ethernet address.
pub(super) fn group_addresses(az: AzPrefix, index: u8) -> Option<(Ipv6Addr, MacAddr)> {
    let service = ServicePrefix::new(az, ServiceRole::BoundaryGroup, index).ok()?;
    let [a, b, c] = reserved::GUEST_MAC_PREFIX;
    let mac = MacAddr::new([a, b, c, 0xff, 0, index.checked_add(1)?]);
    Some((service.address(), mac))
}

/// Whether some group serves an external address.
pub(super) fn is_served(boundary: &BoundaryState, outside: IpAddr) -> bool {
    boundary.groups.iter().any(|group| {
        group.pools.is_empty() || group.pools.iter().any(|pool| pool.contains(&outside))
    })
}

/// A sled's place on the underlay.
pub(super) const fn underlay(sled: &SledSpec, mtu: Mtu) -> SledUnderlay {
    SledUnderlay {
        version: StateVersion::CURRENT,
        sled: sled.prefix,
        src_mac: sled.src_mac,
        dst_mac: sled.dst_mac,
        mtu,
    }
}

/// The VPC of all sleds' own ports, and its rules: out, and nothing in, but for users where a controller serves them.
pub(super) fn vpc(az: &Entry<AzSpec, AzGiven>) -> [Planned; 3] {
    let ipv6 = az.given.system_ipv6;
    let route = |id, destination| Route {
        id: RouteId::new(id),
        destination,
        target: RouteTarget::InternetGateway,
    };
    let routes = vec![
        route(1, IpNet::V4(Ipv4Net::default())),
        route(2, IpNet::V6(Ipv6Net::default())),
    ];
    let vpc = VpcState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        vni: vni(),
        ipv4: vec![IPV4],
        ipv6,
        subnets: vec![Subnet {
            id: SubnetId::new(ONE),
            ipv4: Some(IPV4),
            ipv6: ipv6.and_then(subnet_v6),
        }],
        routers: vec![Router {
            id: RouterId::new(ONE),
            routes,
        }],
        rule_sets: Vec::new(),
        existing_connections: ExistingConnections::Keep,
        transit: Vec::new(),
        peers: Vec::new(),
    };
    let out = FirewallRule {
        id: FirewallRuleId::new(ONE),
        priority: u16::MAX,
        direction: Direction::Out,
        action: FirewallAction::Allow,
        filters: Filters::default(),
    };
    let users = FirewallRule {
        id: FirewallRuleId::new(ONE + 1),
        priority: u16::MAX,
        direction: Direction::In,
        action: FirewallAction::Allow,
        filters: Filters {
            protocols: vec![ProtocolFilter::Tcp],
            ports: vec![PortRange::single(az.spec.api_port)],
            ..Filters::default()
        },
    };
    let set = |id, rule| {
        let set = RuleSet {
            id,
            generation: Generation::ZERO,
            rules: vec![rule],
        };
        Planned::new(StateObject::RuleSet { vpc: vni(), set })
    };
    [
        Planned::new(StateObject::Vpc(vpc)),
        set(OUT, out),
        set(USERS, users),
    ]
}

/// What every sled may do.
const OUT: RuleSetId = RuleSetId::new(1);
/// What users may do with a sled whose controller serves them.
const USERS: RuleSetId = RuleSetId::new(2);

/// The rule sets of a sled's own port.
pub(super) fn rule_sets(sled: &SledSpec) -> Vec<RuleSetId> {
    let mut sets = vec![OUT];
    sets.extend(sled.api.then_some(USERS));
    sets
}

fn subnet_v6(block: Ipv6Net) -> Option<Ipv6Net> {
    Ipv6Net::new(block.network(), 64).ok()
}

/// A sled's own port and what says so; none where the sled has no way out.
pub(super) fn port(
    az: &Entry<AzSpec, AzGiven>,
    boundary: &BoundaryState,
    sled: &Entry<SledSpec, SledGiven>,
) -> Option<[Planned; 2]> {
    let served = sled.given.nat.iter().map(|nat| nat.block);
    let nat: Vec<_> = served
        .filter(|block| is_served(boundary, block.address))
        .collect();
    let outside = sled.given.api.iter().map(|(_, outside)| *outside);
    let outside: Vec<_> = outside.filter(|at| is_served(boundary, *at)).collect();
    if nat.is_empty() && outside.is_empty() {
        return None;
    }
    let prefix = sled.spec.prefix;
    let [rack, node] = [prefix.rack().rack().get(), prefix.node().get()];
    let [a, b, c] = reserved::GUEST_MAC_PREFIX;
    let [first, second, ..] = IPV4.network().octets();
    let v6 = az.given.system_ipv6.map(|block| {
        let host = u128::from(u16::from_be_bytes([rack, node]));
        IpAddr::V6(Ipv6Addr::from(u128::from(block.network()) | host))
    });
    let own = [
        Some(IpAddr::V4(Ipv4Addr::new(first, second, rack, node))),
        v6,
    ];
    let external = outside.into_iter().filter_map(|outside| {
        let mut own = own.into_iter().flatten();
        let inside = own.find(|at: &IpAddr| at.is_ipv4() == outside.is_ipv4())?;
        Some(ExternalAddress {
            kind: ExternalKind::Floating,
            outside,
            inside,
        })
    });
    let address = |address| PortAddress {
        address,
        subnet: SubnetId::new(ONE),
    };
    let id = port_id(prefix);
    let port = PortConfig {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        id,
        mac: MacAddr::new([a, b, c, SLED_MAC, rack, node]),
        slot: 0,
        vni: vni(),
        addresses: own.into_iter().flatten().map(address).collect(),
        transit: Vec::new(),
        router: RouterId::new(ONE),
        rule_sets: rule_sets(&sled.spec),
        external: external.collect(),
        nat,
        caps: Caps::default(),
        limits: PortLimits::default(),
        mtu: reserved::GUEST_MTU,
        dhcp: DhcpSettings::default(),
    };
    let system = SystemState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        port: id,
        resolvers: az.spec.resolvers.clone(),
    };
    Some([
        Planned::new(StateObject::Port(port)),
        Planned::new(StateObject::System(system)),
    ])
}

/// The blocks of ports of a sled's own port, as entries of the switches' table.
pub(super) fn blocks(sled: NodePrefix, port: Option<&Planned>) -> Vec<NatEntry> {
    match port.map(|port| &*port.object) {
        Some(StateObject::Port(port)) => super::port::blocks(&port.nat, sled, port.mac),
        _ => Vec::new(),
    }
}

/// The external addresses of a sled's own port, as entries of the boundary's table.
pub(super) fn outside(sled: NodePrefix, port: Option<&Planned>) -> Vec<MappingEntry> {
    match port.map(|port| &*port.object) {
        Some(StateObject::Port(port)) => {
            let entry = |external: &ExternalAddress| MappingEntry {
                prefix: IpNet::from(external.outside),
                sled,
                mac: port.mac,
            };
            port.external.iter().map(entry).collect()
        }
        _ => Vec::new(),
    }
}

/// The id of a sled's own port.
pub(super) fn port_id(sled: NodePrefix) -> PortId {
    let place = u16::from_be_bytes([sled.rack().rack().get(), sled.node().get()]);
    PortId::new(SYSTEM_PORTS | u64::from(place))
}
