//! The seeds' network as configuration: two sleds, a VPC with two subnets, three instances.
//!
//! | | sled | addresses | outside |
//! |---|---|---|---|
//! | `test` | 1 | 10.0.1.5, `fd12:3456:789a:1:72:77ff:fe00:1` (SLAAC) | ports 16384–17407 of 198.51.100.1 and `2001:db8:1::1` |
//! | `web` | 2 | 10.0.1.6, `fd12:3456:789a:1::6` | floating 203.0.113.10 and `2001:db8:2::10` |
//! | `db` | 2 | 10.0.2.5, `fd12:3456:789a:2::5` | ports 17408–18431 of 198.51.100.1 |
//!
//! The VPC is 4096, its subnets 10.0.1.0/24 and 10.0.2.0/24,
//! `fd12:3456:789a:1::/64` and `fd12:3456:789a:2::/64`;
//! the AZ is `fd52:7761:6b65::/48`, the sleds are 1 and 2 of rack 1, boundary services are the group
//! at `fd52:7761:6b65:ff10::1`. The default firewall rules hold, and HTTP in for `web`.

use std::error::Error;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use rackweave_engine::mapping::MappingTable;
use rackweave_engine::{Port, Program};
use rackweave_types::state::{
    BoundaryGroup, BoundaryState, Caps, DhcpSettings, ExistingConnections, ExternalAddress,
    ExternalKind, Filters, FirewallAction, FirewallRule, FirewallRuleId, MappingEntry,
    MappingState, NatBlock, PortAddress, PortBlock, PortConfig, PortLimits, ProtocolFilter, Route,
    RouteId, RouteTarget, Router, RouterId, RuleSet, RuleSetId, SledUnderlay, StateVersion, Subnet,
    SubnetId, VpcState,
};
use rackweave_types::{
    Direction, Generation, MacAddr, NodePrefix, PortId, PortRange, Vni, reserved,
};
use rackweave_vpc::{PortProgram, mapping_table};

/// The VPC's identifier.
pub const VPC: u32 = 4096;
/// The inner Ethernet address of boundary services.
pub const BOUNDARY_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0x00, 0x01]);
/// The keys of the flow tables of every port of the scene.
pub const SECRET: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

/// The configuration; a test changes what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The VPC.
    pub vpc: VpcState,
    /// Boundary services.
    pub boundary: BoundaryState,
    /// Sled 1 and sled 2.
    pub sleds: [SledUnderlay; 2],
    /// Who holds the VPC's addresses.
    pub mappings: MappingState,
    /// Who holds external addresses alone.
    pub external: MappingState,
    /// `test` on sled 1.
    pub test: PortConfig,
    /// `web` on sled 2.
    pub web: PortConfig,
    /// `db` on sled 2.
    pub db: PortConfig,
}

impl Scene {
    /// The scene as the module says.
    ///
    /// # Errors
    /// Never: the literals are right.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let sleds = [sled(1)?, sled(2)?];
        let vpc = vpc()?;
        let test = port(1, 1, ["10.0.1.5", "fd12:3456:789a:1:72:77ff:fe00:1"])?;
        let web = port(2, 1, ["10.0.1.6", "fd12:3456:789a:1::6"])?;
        let db = port(3, 2, ["10.0.2.5", "fd12:3456:789a:2::5"])?;
        let mut scene = Self {
            boundary: boundary()?,
            vpc,
            sleds,
            mappings: none()?,
            external: none()?,
            test,
            web,
            db,
        };
        scene.test.nat = vec![
            block("198.51.100.1", 16_384)?,
            block("2001:db8:1::1", 16_384)?,
        ];
        scene.db.nat = vec![block("198.51.100.1", 17_408)?];
        scene.web.external = vec![
            floating("203.0.113.10", "10.0.1.6")?,
            floating("2001:db8:2::10", "fd12:3456:789a:1::6")?,
        ];
        scene.web.rule_sets.push(RuleSetId::new(2));
        scene.mappings.vni = scene.vpc.vni;
        scene.external.vni = scene.boundary.vni;
        scene.remap();
        Ok(scene)
    }

    /// Makes the mappings true again after ports have been changed or moved.
    pub fn remap(&mut self) {
        let mut inside = Vec::new();
        let mut outside = Vec::new();
        for port in [&self.test, &self.web, &self.db] {
            let (sled, mac) = (self.sled_of(port).sled, port.mac);
            let entry = |addr: IpAddr| MappingEntry {
                prefix: IpNet::from(addr),
                sled,
                mac,
            };
            inside.extend(port.addresses.iter().map(|own| entry(own.address)));
            outside.extend(port.external.iter().map(|external| entry(external.outside)));
        }
        self.mappings.entries = inside;
        self.external.entries = outside;
    }

    /// The sled of one of the scene's ports.
    #[must_use]
    pub fn sled_of(&self, port: &PortConfig) -> &SledUnderlay {
        &self.sleds[usize::from(port.id != self.test.id)]
    }

    /// The program of one of the scene's ports.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn program(&self, port: &PortConfig) -> Result<PortProgram, rackweave_vpc::ConfigError> {
        rackweave_vpc::program(port, &self.vpc, &self.boundary, self.sled_of(port))
    }

    /// The program of one of the scene's ports, ready to run; peers have no mappings.
    ///
    /// # Errors
    /// What is wrong with the configuration or the program.
    pub fn compile(&self, port: &PortConfig) -> Result<Arc<Program>, Box<dyn Error>> {
        let program = self.program(port)?;
        let table = |vni: &Vni| {
            let states = [&self.mappings, &self.external];
            let found = states.into_iter().find(|state| state.vni == *vni);
            Arc::new(found.map_or_else(MappingTable::default, mapping_table))
        };
        let tables = program.tables.iter().map(table).collect();
        Ok(Arc::new(Program::compile(&program.spec, tables)?))
    }

    /// One of the scene's ports, running on one shard.
    ///
    /// # Errors
    /// What is wrong with the configuration or the program.
    pub fn start(&self, port: &PortConfig) -> Result<Port, Box<dyn Error>> {
        let limits = self.program(port)?.limits;
        Ok(Port::new(1, SECRET, limits, &self.compile(port)?)?)
    }
}

/// The underlay of a sled of rack 1.
fn sled(node: u8) -> Result<SledUnderlay, Box<dyn Error>> {
    let subnet = u16::from_be_bytes([1, node]);
    let addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, subnet, 0, 0, 0, 1);
    Ok(SledUnderlay {
        version: StateVersion::CURRENT,
        sled: NodePrefix::of(addr)?,
        src_mac: MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0x00, node]),
        dst_mac: MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0xff, node]),
        mtu: reserved::UNDERLAY_MTU,
    })
}

fn boundary() -> Result<BoundaryState, Box<dyn Error>> {
    Ok(BoundaryState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        vni: Vni::BOUNDARY,
        mtu: reserved::GUEST_MTU,
        groups: vec![BoundaryGroup {
            address: "fd52:7761:6b65:ff10::1".parse()?,
            mac: BOUNDARY_MAC,
            pools: Vec::new(),
        }],
    })
}

fn vpc() -> Result<VpcState, Box<dyn Error>> {
    let vni = Vni::new(VPC)?;
    let subnet = |id, ipv4: &str, ipv6: &str| -> Result<Subnet, Box<dyn Error>> {
        let (ipv4, ipv6) = (Some(ipv4.parse()?), Some(ipv6.parse()?));
        Ok(Subnet {
            id: SubnetId::new(id),
            ipv4,
            ipv6,
        })
    };
    let way_out = |id, destination: &str| -> Result<Route, Box<dyn Error>> {
        let (id, target) = (RouteId::new(id), RouteTarget::InternetGateway);
        Ok(Route {
            id,
            destination: destination.parse()?,
            target,
        })
    };
    let http = FirewallRule {
        id: FirewallRuleId::new(5),
        priority: 100,
        direction: Direction::In,
        action: FirewallAction::Allow,
        filters: Filters {
            protocols: vec![ProtocolFilter::Tcp],
            ports: vec![PortRange::single(80)],
            ..Filters::default()
        },
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
        routers: vec![Router {
            id: RouterId::new(1),
            routes: vec![way_out(1, "0.0.0.0/0")?, way_out(2, "::/0")?],
        }],
        rule_sets: vec![
            RuleSet::default_rules(RuleSetId::new(1), vni),
            RuleSet {
                id: RuleSetId::new(2),
                generation: Generation::ZERO,
                rules: vec![http],
            },
        ],
        existing_connections: ExistingConnections::Keep,
        transit: Vec::new(),
        peers: Vec::new(),
    })
}

fn port(number: u8, subnet: u32, addresses: [&str; 2]) -> Result<PortConfig, Box<dyn Error>> {
    let address = |text: &str| -> Result<PortAddress, Box<dyn Error>> {
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
        vni: Vni::new(VPC)?,
        addresses: addresses
            .into_iter()
            .map(address)
            .collect::<Result<_, _>>()?,
        transit: Vec::new(),
        router: RouterId::new(1),
        rule_sets: vec![RuleSetId::new(1)],
        external: Vec::new(),
        nat: Vec::new(),
        caps: Caps::default(),
        limits: PortLimits::default(),
        mtu: reserved::GUEST_MTU,
        dhcp: DhcpSettings::default(),
    })
}

fn block(address: &str, first: u16) -> Result<NatBlock, Box<dyn Error>> {
    Ok(NatBlock {
        address: address.parse()?,
        ports: PortBlock::new(first, 1024)?,
    })
}

fn floating(outside: &str, inside: &str) -> Result<ExternalAddress, Box<dyn Error>> {
    let kind = ExternalKind::Floating;
    Ok(ExternalAddress {
        kind,
        outside: outside.parse()?,
        inside: inside.parse()?,
    })
}

fn none() -> Result<MappingState, Box<dyn Error>> {
    Ok(MappingState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        vni: Vni::new(0)?,
        entries: Vec::new(),
    })
}
