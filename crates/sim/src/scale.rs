//! What a large fabric costs: entries of its switches, time to converge, messages and memory of its routers.

use std::collections::BTreeMap;
use std::time::Duration;

use rackweave_routing::ddm::item::Scope;
use rackweave_routing::ddm::policy::scope_of;
use rackweave_types::{NodePrefix, Role, ServicePrefix, ServiceRole};
use serde::Serialize;

use crate::check::check_some;
use crate::fault::{Fault, Manner, Part};
use crate::node::{Counters, Node};
use crate::tape::Tape;
use crate::topology::{FABRIC_PORTS, NodeIx, NodeSpec, Topology};
use crate::world::World;

/// How long no route must have changed for routes to be calm.
const CALM: Duration = Duration::from_millis(500);
/// How long routes may take to be calm.
const LIMIT: Duration = Duration::from_mins(1);

/// What is to be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Racks.
    pub racks: usize,
    /// Sleds of each.
    pub sleds: usize,
    /// The seed.
    pub seed: u64,
}

/// Entries of a forwarding table, by what they lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entries {
    /// The sleds of its own rack, and itself.
    pub own_sleds: usize,
    /// Racks of its AZ, each a /56; its own is unreachable.
    pub racks: usize,
    /// Prefixes of the service rack.
    pub service: usize,
    /// Nodes of other racks that are routed otherwise than their rack.
    pub disaggregated: usize,
    /// Other AZs, each a /48.
    pub sites: usize,
    /// Bootstrap prefixes of its rack.
    pub bootstrap: usize,
    /// All.
    pub total: usize,
}

/// What the routers of one role cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Routers {
    /// How many there are.
    pub count: usize,
    /// Ports towards switches and spines, at most.
    pub fabric_ports: usize,
    /// Entries of the one with most.
    pub entries: Entries,
    /// Messages that each sent from its start until routes were calm, on average.
    pub messages_mean: u64,
    /// Messages that the one sent that sent most.
    pub messages_max: u64,
    /// Octets that each sent, on average.
    pub octets_mean: u64,
    /// Ways that the one heard of that heard of most.
    pub candidates_max: usize,
}

/// Something that happened to the fabric, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// What happened.
    pub what: String,
    /// From then until the last route took its last ways, in microseconds of virtual time; none where there was no rest.
    pub converged_us: Option<u64>,
    /// Messages that all routers sent meanwhile, those included that only say that they live.
    pub messages: u64,
    /// Routes that all routers installed or removed meanwhile.
    pub routes: u64,
    /// Entries of the switch that has most.
    pub switch_entries: Entries,
    /// Packets that did not arrive as they must; the first few.
    pub violations: Vec<String>,
}

/// What a large fabric costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scale {
    /// What was simulated.
    pub shape: Shape,
    /// Nodes and cables.
    pub nodes: usize,
    /// Cables.
    pub cables: usize,
    /// Entries of the switch that has most, after the cold start.
    pub switch_entries: usize,
    /// The start of all within 50 ms, and failures after it.
    pub steps: Vec<Step>,
    /// By role, after the cold start.
    pub routers: BTreeMap<String, Routers>,
}

/// Routers that stand for others of their kind where one is looked at, by what they are and their name.
pub const SAMPLES: [(&str, &str); 4] = [
    ("sled", "r2s1"),
    ("switch", "r2fd"),
    ("spine", "p0s0"),
    ("core", "c0"),
];

/// What kinds of routers are looked at one by one.
pub const ROLES: [Role; 3] = [Role::Sled, Role::Switch, Role::Spine];

/// The racks in pods behind spines, with services on some nodes.
#[must_use]
pub fn world(shape: Shape) -> World {
    let mut world = plain(shape);
    for (_, name) in SAMPLES {
        if let Some(ix) = world.topology.find(name) {
            world.record(ix);
        }
    }
    world
}

fn plain(shape: Shape) -> World {
    let topology = Topology::spines(shape.racks, shape.sleds);
    let mut world = World::new(topology, shape.seed);
    for (name, role, index) in [
        ("r1s1", ServiceRole::Controller, 0),
        ("r2s1", ServiceRole::Controller, 1),
        ("r3s1", ServiceRole::Controller, 2),
        ("r1s2", ServiceRole::InternalDns, 0),
        ("r2s2", ServiceRole::InternalDns, 0),
        ("r1fd", ServiceRole::BoundaryGroup, 0),
        ("r1fe", ServiceRole::BoundaryGroup, 0),
        ("r2fd", ServiceRole::BoundaryGroup, 1),
        ("r2fe", ServiceRole::BoundaryGroup, 1),
    ] {
        let served = world.topology.find(name).and_then(|ix| {
            let az = world.topology.nodes[ix.0].az;
            Some((ix, ServicePrefix::new(az, role, index).ok()?))
        });
        if let Some((ix, service)) = served {
            world.serve(ix, service);
        }
    }
    world
}

/// Starts the fabric, has some of it fail and heal, and looks at what that costs. `say` is told of each step. Beside the
/// figures it gives what the [`SAMPLES`] were told at the cold start.
#[must_use]
pub fn scale(
    world: &mut World,
    shape: Shape,
    mut say: impl FnMut(&Step),
) -> (Scale, BTreeMap<NodeIx, Tape>) {
    let mut steps = Vec::new();
    let mut step = |world: &mut World, what: &str| {
        let step = watch(world, what);
        say(&step);
        steps.push(step);
    };
    step(world, "all start");
    let tapes = world.take_tapes();
    let routers = ROLES.map(|role| (role.to_string(), routers(world, role)));
    let (nodes, cables) = (world.topology.nodes.len(), world.topology.cables.len());
    for (what, manner, part) in failures(&world.topology) {
        let fault = Fault { part, manner };
        world.fail(fault);
        step(world, &format!("{what} fails ({manner})"));
        world.heal(fault);
        step(world, &format!("{what} is back"));
    }
    let routers = BTreeMap::from(routers);
    let switches = routers.get("switch");
    let scale = Scale {
        shape,
        nodes,
        cables,
        switch_entries: switches.map_or(0, |switches| switches.entries.total),
        steps,
        routers,
    };
    (scale, tapes)
}

/// A link of a sled, a link of a switch upwards, a switch, and a spine of the middle.
fn failures(topology: &Topology) -> Vec<(String, Manner, Part)> {
    let cable = |a, b| {
        let cable = topology.between(topology.find(a)?, topology.find(b)?)?;
        Some((format!("link {a}-{b}"), Manner::Silent, Part::Cable(cable)))
    };
    let node = |name| {
        Some((
            format!("node {name}"),
            Manner::Loud,
            Part::Node(topology.find(name)?),
        ))
    };
    let all = [
        cable("r1s1", "r1fd"),
        cable("r1fe", "p0s0"),
        node("r2fd"),
        node("c0"),
    ];
    all.into_iter().flatten().collect()
}

fn watch(world: &mut World, what: &str) -> Step {
    let before = sum(world);
    let took = world.settle(CALM, LIMIT);
    let after = sum(world);
    let some: Vec<NodeIx> = sample(&world.topology);
    let violations = check_some(world, &some, &some);
    let switches = world
        .topology
        .all()
        .filter(|(_, spec)| spec.role == Role::Switch);
    let entries = switches.map(|(ix, spec)| entries(spec, &world.nodes[ix.0]));
    Step {
        what: what.to_owned(),
        converged_us: took.map(|took| took.as_micros().try_into().unwrap_or(u64::MAX)),
        messages: after.messages - before.messages,
        routes: after.installs + after.removals - before.installs - before.removals,
        switch_entries: entries
            .max_by_key(|entries| entries.total)
            .unwrap_or_default(),
        violations: violations.iter().take(5).map(ToString::to_string).collect(),
    }
}

/// The nodes of the first two racks, of one in the middle and of the last, as far as packets are walked between them.
fn sample(topology: &Topology) -> Vec<NodeIx> {
    let racks: Vec<_> = topology.nodes.iter().filter_map(NodeSpec::rack).collect();
    let (Some(first), Some(last)) = (racks.first(), racks.last()) else {
        return Vec::new();
    };
    let wanted = [*first, racks[racks.len() / 2], *last];
    let second = racks.iter().find(|rack| *rack != first);
    let nodes = topology.all().filter(|(_, spec)| {
        spec.rack()
            .is_some_and(|rack| wanted.contains(&rack) || Some(&rack) == second)
    });
    nodes.map(|(ix, _)| ix).collect()
}

fn sum(world: &World) -> Counters {
    let mut sum = Counters::default();
    for node in &world.nodes {
        sum.messages += node.counters.messages;
        sum.installs += node.counters.installs;
        sum.removals += node.counters.removals;
    }
    sum
}

fn routers(world: &World, role: Role) -> Routers {
    let mut routers = Routers::default();
    let mut sum = Counters::default();
    for (ix, spec) in world.topology.all().filter(|(_, spec)| spec.role == role) {
        let node = &world.nodes[ix.0];
        routers.count += 1;
        routers.fabric_ports = routers.fabric_ports.max(world.topology.fabric_ports(ix));
        let entries = entries(spec, node);
        if entries.total > routers.entries.total {
            routers.entries = entries;
        }
        sum.messages += node.counters.messages;
        sum.octets += node.counters.octets;
        routers.messages_max = routers.messages_max.max(node.counters.messages);
        let candidates = node
            .fabric
            .as_ref()
            .map_or(0, |fabric| fabric.counts().candidates);
        routers.candidates_max = routers.candidates_max.max(candidates);
    }
    let count = u64::try_from(routers.count).unwrap_or(u64::MAX).max(1);
    routers.messages_mean = sum.messages / count;
    routers.octets_mean = sum.octets / count;
    routers
}

/// The entries of a node's forwarding table.
#[must_use]
pub fn entries(spec: &NodeSpec, node: &Node) -> Entries {
    let mut entries = Entries::default();
    for route in node.fib.iter() {
        entries.total += 1;
        let kind = match scope_of(route.prefix) {
            Some(Scope::Bootstrap) => &mut entries.bootstrap,
            Some(Scope::Service) => &mut entries.service,
            Some(Scope::Summary) => &mut entries.racks,
            Some(Scope::Site) => &mut entries.sites,
            Some(Scope::Rack) if is_of(spec, route.prefix.addr()) => &mut entries.own_sleds,
            Some(Scope::Rack) | None => &mut entries.disaggregated,
        };
        *kind += 1;
    }
    entries
}

fn is_of(spec: &NodeSpec, address: std::net::Ipv6Addr) -> bool {
    let of = NodePrefix::of(address).ok().map(NodePrefix::rack);
    of.is_some() && of == spec.rack()
}

/// Whether no switch and no spine has more ports towards others than it may.
#[must_use]
pub fn ports_fit(topology: &Topology) -> bool {
    let transit = topology.all().filter(|(_, spec)| spec.role.is_transit());
    transit
        .into_iter()
        .all(|(ix, _)| topology.fabric_ports(ix) <= FABRIC_PORTS)
}
