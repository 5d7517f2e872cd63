//! Random programs: valid ones with every predicate and every action, and ones with one fault.

mod actions;
mod fault;
mod matches;
pub mod world;

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rackweave_engine::Direction;
use rackweave_engine::mapping::{Mapping, MappingTable, Previous};
use rackweave_engine::program::{Action, Encapsulate, Program, ProgramError, Select};
use rackweave_engine::program::{
    Layer, MeterSpec, NatPool, ProgramSpec, Rule, RuleId, RuleSet, Timeouts, Underlay,
};
use rackweave_types::{Instant, MacAddr};

pub(crate) use actions::responder;
pub use fault::{FAULTS, Fault, put as put_fault};

use crate::source::Source;

/// What programs may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Addresses and ports are rewritten to whatever a rule says. Without, only 1:1 and source translation rewrite,
    /// which is all that a port of several shards allows.
    pub rewrites: bool,
    /// Rules that run dry: meters with a rate, pools of few ports.
    pub scarce: bool,
    /// Rules ask for Ethernet addresses. A record has those that frames of its two directions leave with, and need not
    /// have those of its connection's first packet, which decide whether a change of rules cuts it.
    pub forgotten: bool,
}

impl Scope {
    /// Everything.
    pub const ALL: Self = Self {
        rewrites: true,
        scarce: true,
        forgotten: true,
    };
}

/// A program with the tables it refers to, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The program.
    pub spec: ProgramSpec,
    /// Who holds which prefix, table by table; where one stands twice, the later counts.
    pub tables: Vec<Vec<(IpNet, Mapping)>>,
}

impl Plan {
    /// A random valid program.
    #[must_use]
    pub fn draw(source: &mut Source<'_>, scope: Scope) -> Self {
        let tables: Vec<_> = (0..=source.below(2)).map(|_| table(source)).collect();
        let mut spec = ProgramSpec {
            layers: Vec::new(),
            underlay: underlay(),
            pools: pools(source, scope),
            meters: meters(source, scope),
            timeouts: Timeouts::default(),
        };
        let count = 1 + source.below(6);
        // Meters stand in one layer for each direction.
        let metering = [source.below(count), source.below(count)];
        for index in 0..count {
            let mut drawer = actions::Drawer {
                scope,
                spec: &spec,
                tables: tables.len(),
                direction: Direction::Out,
                meters: metering[0] == index,
                last: index + 1 == count,
            };
            let outbound = rule_set(source, &drawer);
            drawer.direction = Direction::In;
            drawer.meters = metering[1] == index;
            let inbound = rule_set(source, &drawer);
            spec.layers.push(Layer {
                name: format!("layer {index}"),
                outbound,
                inbound,
            });
        }
        Self { spec, tables }
    }

    /// The form that runs.
    ///
    /// # Errors
    /// What is wrong with the program.
    pub fn compile(&self) -> Result<Arc<Program>, ProgramError> {
        let table = |entries: &Vec<_>| Arc::new(MappingTable::new(entries.iter().copied()));
        let tables = self.tables.iter().map(table).collect();
        Program::compile(&self.spec, tables).map(Arc::new)
    }

    /// Changes one thing, an action to a denial or the other way round or the place of a holder; or everything.
    pub fn change(&mut self, source: &mut Source<'_>, scope: Scope, now: Instant) {
        if source.one_in(4) {
            *self = Self::draw(source, scope);
        } else {
            self.change_a_little(source, now);
        }
    }

    /// Changes one thing; the layers stay.
    pub fn change_a_little(&mut self, source: &mut Source<'_>, now: Instant) {
        if source.one_in(3) {
            self.turn_a_rule(source);
        } else {
            self.move_a_holder(source, now);
        }
    }

    fn turn_a_rule(&mut self, source: &mut Source<'_>) {
        let layer = source.below(self.spec.layers.len());
        let Some(layer) = self.spec.layers.get_mut(layer) else {
            return;
        };
        let set = if source.one_in(2) {
            &mut layer.inbound
        } else {
            &mut layer.outbound
        };
        let place = source.below(set.rules.len() + 1);
        let actions = match set.rules.get_mut(place) {
            Some(rule) => &mut rule.actions,
            None => &mut set.default,
        };
        if let Some(last) = actions.last_mut() {
            *last = match last {
                Action::Deny { .. } => Action::AllowStateful,
                _ => Action::Deny { reply: None },
            };
        }
    }

    fn move_a_holder(&mut self, source: &mut Source<'_>, now: Instant) {
        let table = source.below(self.tables.len());
        let Some(table) = self.tables.get_mut(table) else {
            return;
        };
        let place = source.below(table.len());
        if let Some((_, mapping)) = table.get_mut(place) {
            let until = now.after(Duration::from_secs(1 + u64::from(source.octet() % 8)));
            let underlay = source.pick(&world::SLEDS);
            let previous = Previous {
                underlay: mapping.underlay,
                until,
            };
            mapping.previous = (previous.underlay != underlay).then_some(previous);
            mapping.underlay = underlay;
        }
    }
}

/// The guest's host.
#[must_use]
pub const fn underlay() -> Underlay {
    Underlay {
        source: world::SLEDS[0],
        src_mac: MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 1]),
        dst_mac: MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0xff, 1]),
        guest_mtu: 1500,
    }
}

/// Pools of both families, with ports of their own.
fn pools(source: &mut Source<'_>, scope: Scope) -> Vec<NatPool> {
    let (first, ports) = world::POOL_PORTS;
    let few = scope.scarce && source.one_in(2);
    let pool = |(place, address)| NatPool {
        address,
        first_port: first * (1 + place),
        ports: if few { 4 } else { ports },
    };
    (0_u16..).zip(world::POOLS).map(pool).collect()
}

fn meters(source: &mut Source<'_>, scope: Scope) -> Vec<MeterSpec> {
    let dry = scope.scarce && source.one_in(2);
    let tight = MeterSpec {
        bytes_per_second: Some(10_000),
        burst_bytes: 65_535,
        packets_per_second: Some(10),
        burst_packets: 5,
    };
    let spec = if dry { tight } else { MeterSpec::default() };
    vec![MeterSpec::default(), spec]
}

/// The holders of some addresses, and of prefixes around them.
fn table(source: &mut Source<'_>) -> Vec<(IpNet, Mapping)> {
    let everything = ["0.0.0.0/0", "::/0"];
    let mut entries: Vec<(IpNet, Mapping)> = everything
        .iter()
        .filter_map(|net| net.parse().ok())
        .map(|net| (net, mapping(world::SLEDS[1])))
        .collect();
    for addr in world::REMOTES.into_iter().chain(world::OUTSIDES) {
        let sled = match source.maybe(4, |source| source.pick(&world::SLEDS)) {
            Some(sled) => sled,
            None => world::home(addr),
        };
        if source.one_in(8) {
            continue;
        }
        entries.push((IpNet::from(addr), mapping(sled)));
    }
    if source.one_in(4) {
        entries.drain(..2);
    }
    entries
}

/// Frames of all holders come from the gateway: what a host's Ethernet address is, its peers do not see.
const fn mapping(underlay: Ipv6Addr) -> Mapping {
    Mapping {
        underlay,
        mac: world::MACS[2],
        previous: None,
    }
}

fn rule_set(source: &mut Source<'_>, drawer: &actions::Drawer<'_>) -> RuleSet {
    let count = source.below(5);
    let scope = drawer.scope;
    let rule = |number| Rule {
        id: RuleId(number),
        priority: u16::from(source.octet() % 4),
        matches: matches::draw(source, scope, drawer.direction),
        actions: drawer.actions(source),
    };
    let rules = (1..).take(count).map(rule).collect();
    RuleSet {
        rules,
        default: drawer.default(source),
    }
}

/// The tunnel that the last layer wraps packets into.
fn tunnel(source: &mut Source<'_>) -> Encapsulate {
    Encapsulate {
        vni: world::vni(source.pick(&world::VNIS)),
        external: source.one_in(3),
        source: source.maybe(3, |source| u64::from(source.word())),
    }
}

/// How a destination is found in one of so many tables.
fn select(source: &mut Source<'_>, tables: usize) -> Select {
    let table = u16::try_from(source.below(tables)).unwrap_or(0);
    let group = |source: &mut Source<'_>| {
        let targets = 1 + source.below(3);
        world::SLEDS[1..]
            .iter()
            .take(targets)
            .map(|underlay| rackweave_engine::program::Target {
                underlay: *underlay,
                mac: world::MACS[3],
            })
            .collect()
    };
    match source.below(4) {
        0 | 1 => Select::Mapping { table },
        2 => Select::Group(group(source)),
        _ => Select::MappingOrGroup {
            table,
            group: group(source),
        },
    }
}
