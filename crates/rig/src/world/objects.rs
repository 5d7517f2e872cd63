//! The objects that a [`World`](super::World) is made of.

use anyhow::{Context, Result};
use rackweave_types::state::{
    Caps, DhcpSettings, ExistingConnections, Filters, FirewallAction, FirewallRule, FirewallRuleId,
    IcmpFilter, PortAddress, PortConfig, PortLimits, ProtocolFilter, RecordData, Route, RouteId,
    RouteTarget, Router, RouterId, RuleSet, RuleSetId, StateVersion, Subnet, SubnetId, VpcState,
    ZoneRecord, ZoneState,
};
use rackweave_types::{Direction, Generation, MacAddr, PortId, PortRange, Vni, reserved};

use super::Member;

/// Everything out; in from the VPC, and ICMP and SSH from anywhere.
pub(super) const DEFAULT: RuleSetId = RuleSetId::new(1);
/// Everything out; ICMP, SSH and HTTP in; port 81 is refused; the rest is dropped, also from the VPC.
pub(super) const GUARDED: RuleSetId = RuleSetId::new(2);

/// The zone of every VPC.
const ZONE: &str = "vpc.internal";

/// An instance on a sled, with addresses of a subnet.
pub(super) fn member(
    name: &'static str,
    sled: usize,
    number: u8,
    vni: Vni,
    subnet: u32,
    addresses: [&str; 2],
) -> Result<Member> {
    let mut port = port(number, vni, subnet, &addresses)?;
    port.dhcp = DhcpSettings {
        hostname: Some(name.parse()?),
        domain: Some(ZONE.parse()?),
        search: vec![ZONE.parse()?],
        ..DhcpSettings::default()
    };
    Ok(Member {
        name,
        sled,
        port,
        user_data: None,
        device: None,
    })
}

/// A NIC under the default rules.
pub(super) fn port(number: u8, vni: Vni, subnet: u32, addresses: &[&str]) -> Result<PortConfig> {
    let address = |text: &&str| -> Result<PortAddress> {
        Ok(PortAddress {
            address: text.parse()?,
            subnet: SubnetId::new(subnet),
        })
    };
    Ok(PortConfig {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        id: PortId::new(u64::from(number)),
        mac: MacAddr::new([0x02, 0x72, 0x77, 0, 0, number]),
        slot: 0,
        vni,
        addresses: addresses.iter().map(address).collect::<Result<_>>()?,
        transit: Vec::new(),
        router: RouterId::new(1),
        rule_sets: vec![DEFAULT],
        external: Vec::new(),
        nat: Vec::new(),
        caps: Caps::default(),
        limits: PortLimits::default(),
        mtu: reserved::GUEST_MTU,
        dhcp: DhcpSettings::default(),
    })
}

/// A user's VPC; all of them have the same addresses.
pub(super) fn user_vpc(vni: Vni) -> Result<VpcState> {
    let subnet = |id, ipv4: &str, ipv6: &str| -> Result<Subnet> {
        Ok(Subnet {
            id: SubnetId::new(id),
            ipv4: Some(ipv4.parse()?),
            ipv6: Some(ipv6.parse()?),
        })
    };
    Ok(VpcState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        vni,
        ipv4: vec!["10.0.0.0/16".parse()?],
        ipv6: Some("fd12:3456:789a::/48".parse()?),
        subnets: vec![
            subnet(1, "10.0.1.0/24", "fd12:3456:789a:1::/64")?,
            subnet(2, "10.0.2.0/24", "fd12:3456:789a:2::/64")?,
        ],
        routers: vec![way_out()?],
        rule_sets: vec![RuleSet::default_rules(DEFAULT, vni), guarded()],
        existing_connections: ExistingConnections::Keep,
        transit: Vec::new(),
        peers: Vec::new(),
    })
}

/// The VPC of what sleds themselves need from outside.
pub(super) fn system_vpc(vni: Vni) -> Result<VpcState> {
    let mut vpc = user_vpc(vni)?;
    let only = "10.255.0.0/24".parse()?;
    vpc.ipv4 = vec![only];
    vpc.ipv6 = None;
    vpc.subnets = vec![Subnet {
        id: SubnetId::new(1),
        ipv4: Some(only),
        ipv6: None,
    }];
    vpc.routers[0].routes.truncate(1);
    vpc.rule_sets.truncate(1);
    Ok(vpc)
}

fn way_out() -> Result<Router> {
    let route = |id, destination: &str| -> Result<Route> {
        Ok(Route {
            id: RouteId::new(id),
            destination: destination.parse()?,
            target: RouteTarget::InternetGateway,
        })
    };
    Ok(Router {
        id: RouterId::new(1),
        routes: vec![route(1, "0.0.0.0/0")?, route(2, "::/0")?],
    })
}

fn guarded() -> RuleSet {
    let icmp = IcmpFilter::default();
    let tcp = |ports: Vec<PortRange>| Filters {
        protocols: vec![ProtocolFilter::Tcp],
        ports,
        ..Filters::default()
    };
    let pings = Filters {
        protocols: vec![ProtocolFilter::Icmp(icmp), ProtocolFilter::Icmpv6(icmp)],
        ..Filters::default()
    };
    let open = tcp(vec![PortRange::single(22), PortRange::single(80)]);
    let refused = tcp(vec![PortRange::single(81)]);
    RuleSet {
        id: GUARDED,
        generation: Generation::ZERO,
        rules: vec![
            rule(
                11,
                Direction::Out,
                FirewallAction::Allow,
                Filters::default(),
            ),
            rule(12, Direction::In, FirewallAction::Allow, pings),
            rule(13, Direction::In, FirewallAction::Allow, open),
            rule(14, Direction::In, FirewallAction::Reject, refused),
        ],
    }
}

fn rule(id: u32, direction: Direction, action: FirewallAction, filters: Filters) -> FirewallRule {
    FirewallRule {
        id: FirewallRuleId::new(id),
        priority: 100,
        direction,
        action,
        filters,
    }
}

/// The zone of a VPC: its instances by name, an alias, a text and a service.
pub(super) fn zone(vni: Vni, members: &[Member]) -> Result<ZoneState> {
    let record = |name: &str, data| -> Result<ZoneRecord> {
        Ok(ZoneRecord {
            name: Some(name.parse()?),
            data,
        })
    };
    let mut records = Vec::new();
    let mut last = None;
    for member in members.iter().filter(|member| member.port.vni == vni) {
        let addresses = member.port.addresses.iter().map(|own| own.address);
        let data = RecordData::Addresses(addresses.collect());
        records.push(record(member.name, data)?);
        last = Some(member.name);
    }
    let last = format!("{}.{ZONE}", last.context("a VPC has instances")?);
    let service = RecordData::Service {
        priority: 1,
        weight: 1,
        port: 80,
        target: last.parse()?,
    };
    records.push(record("www", RecordData::Alias(last.parse()?))?);
    records.push(record("_http._tcp", service)?);
    // Too long for a datagram of 512 octets, so that a client must ask over TCP.
    for part in 0..4 {
        let text = format!("{part}").repeat(200);
        records.push(record("long", RecordData::Text(text))?);
    }
    Ok(ZoneState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        vni,
        origin: ZONE.parse()?,
        ttl: 5,
        records,
    })
}
