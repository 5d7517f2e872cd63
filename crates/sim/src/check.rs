//! What must hold once routes are calm: packets are walked through the forwarding tables, hop by hop, by all ways that a
//! route has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv6Addr;

use rackweave_types::{BootstrapPrefix, Role};

use crate::topology::{NodeIx, Topology};
use crate::world::World;

/// What does not hold. Nodes are named as in the topology, the first is where the packet began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A packet comes back to where it was.
    Loop {
        /// Whom it was for.
        to: Ipv6Addr,
        /// The way that it went.
        path: Vec<String>,
    },
    /// A packet is lost though there is a way.
    Blackhole {
        /// Whom it was for.
        to: Ipv6Addr,
        /// The way that it went.
        path: Vec<String>,
        /// Why it went no further.
        why: &'static str,
    },
    /// A packet passes a sled, or a packet of the bootstrap network leaves its rack.
    Astray {
        /// Whom it was for.
        to: Ipv6Addr,
        /// The way that it went.
        path: Vec<String>,
    },
    /// A node routes to the bootstrap prefix of a node that is not of its rack.
    Bootstrap {
        /// Who.
        node: String,
        /// Whose prefix.
        of: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loop { to, path } => write!(f, "loop to {to}: {}", path.join(" ")),
            Self::Blackhole { to, path, why } => {
                write!(f, "blackhole to {to}: {}: {why}", path.join(" "))
            }
            Self::Astray { to, path } => write!(f, "astray to {to}: {}", path.join(" ")),
            Self::Bootstrap { node, of } => {
                write!(f, "{node} routes to the bootstrap prefix of {of}")
            }
        }
    }
}

/// What a packet can be for.
#[derive(Clone, Debug)]
struct Target {
    address: Ipv6Addr,
    /// Who has the address.
    owners: Vec<NodeIx>,
    is_bootstrap: bool,
}

/// What becomes of packets for a target from a node on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// All arrive.
    Arrives,
    /// Some do not.
    Fails(&'static str),
    /// Some come back.
    Loops,
    /// Some pass where they must not.
    Astray,
}

/// Whether packets from every node that is up to every address arrive where a way is allowed, and by allowed ways.
#[must_use]
pub fn check(world: &World) -> Vec<Violation> {
    let targets = targets(world);
    let mut violations = foreign_bootstrap(world);
    for target in &targets {
        check_target(world, target, None, &mut violations);
    }
    violations
}

/// The same for packets from some nodes to the addresses of some nodes alone: where all would be too many.
#[must_use]
pub fn check_some(world: &World, from: &[NodeIx], to: &[NodeIx]) -> Vec<Violation> {
    let mut violations = foreign_bootstrap(world);
    let targets = targets(world);
    let wanted = targets
        .iter()
        .filter(|target| target.owners.iter().any(|one| to.contains(one)));
    for target in wanted {
        check_target(world, target, Some(from), &mut violations);
    }
    violations
}

/// From where packets arrive at which address, by all ways that they may take.
#[must_use]
pub fn arrivals(world: &World) -> BTreeSet<(NodeIx, Ipv6Addr)> {
    let mut arrivals = BTreeSet::new();
    for target in &targets(world) {
        let mut walk = Walk::new(world, target);
        for (ix, _) in world.topology.all().filter(|(ix, _)| world.is_up(*ix)) {
            if walk.fate(ix, true) == Fate::Arrives {
                arrivals.insert((ix, target.address));
            }
        }
    }
    arrivals
}

fn targets(world: &World) -> Vec<Target> {
    let mut owners = BTreeMap::<Ipv6Addr, Vec<NodeIx>>::new();
    for (ix, spec) in world.topology.all().filter(|(ix, _)| world.is_up(*ix)) {
        owners.entry(spec.bootstrap()).or_default().push(ix);
        if let Some(prefix) = spec.prefix {
            owners.entry(prefix.tunnel_endpoint()).or_default().push(ix);
        }
    }
    for (ix, service) in world.served().filter(|(ix, _)| world.is_up(*ix)) {
        owners.entry(service.address()).or_default().push(ix);
    }
    let each = owners.into_iter().map(|(address, owners)| Target {
        address,
        owners,
        is_bootstrap: BootstrapPrefix::of(address).is_ok(),
    });
    each.collect()
}

fn check_target(
    world: &World,
    target: &Target,
    from: Option<&[NodeIx]>,
    violations: &mut Vec<Violation>,
) {
    let reach = reach(world, target);
    let mut walk = Walk::new(world, target);
    let sources = world
        .topology
        .all()
        .map(|(ix, _)| ix)
        .filter(|ix| world.is_up(*ix));
    for source in sources {
        if from.is_some_and(|from| !from.contains(&source)) {
            continue;
        }
        let fate = walk.fate(source, true);
        let to = target.address;
        let path = || walk.example(source);
        violations.extend(match fate {
            Fate::Arrives => None,
            Fate::Loops => Some(Violation::Loop { to, path: path() }),
            Fate::Astray => Some(Violation::Astray { to, path: path() }),
            Fate::Fails(why) if reach.contains(&source) => Some(Violation::Blackhole {
                to,
                path: path(),
                why,
            }),
            Fate::Fails(_) => None,
        });
    }
}

/// Who has an allowed way to the target.
///
/// A way passes switches and spines, also of other racks, but no sled. To a bootstrap address there is one between a sled
/// and a switch of its rack that share a cable, and between two sleds by one such switch.
fn reach(world: &World, target: &Target) -> BTreeSet<NodeIx> {
    let topology = &world.topology;
    let mut reached: BTreeSet<NodeIx> = target.owners.iter().copied().collect();
    let mut edge: Vec<(NodeIx, usize)> = reached.iter().map(|ix| (*ix, 0)).collect();
    while let Some((at, hops)) = edge.pop() {
        let here = &topology.nodes[at.0];
        let passes = hops == 0 || here.role.is_transit();
        if !passes || (target.is_bootstrap && hops == 2) {
            continue;
        }
        for next in neighbors(world, at) {
            let there = &topology.nodes[next.0];
            let allowed =
                !target.is_bootstrap || (here.rack() == there.rack() && here.role != there.role);
            if allowed && reached.insert(next) {
                edge.push((next, hops + 1));
            }
        }
    }
    // From a switch no way leads by a sled to the other switch: those of two hops from a switch are no sleds.
    if target.is_bootstrap {
        let owner_is_sled = |ix: &NodeIx| topology.nodes[ix.0].role == Role::Sled;
        if !target.owners.iter().all(owner_is_sled) {
            reached
                .retain(|ix| target.owners.contains(ix) || topology.nodes[ix.0].role == Role::Sled);
        }
    }
    reached
}

/// Those at the other ends of a node's cables that pass frames.
fn neighbors(world: &World, at: NodeIx) -> impl Iterator<Item = NodeIx> {
    let topology = &world.topology;
    let cables = topology.nodes[at.0].cables.iter();
    cables
        .filter(|cable| world.passes(**cable))
        .map(move |cable| {
            let [a, b] = topology.cables[cable.0].ends.map(|end| end.node);
            if a == at { b } else { a }
        })
}

struct Walk<'a> {
    world: &'a World,
    target: &'a Target,
    fates: BTreeMap<(NodeIx, bool), Fate>,
    /// Where the packet is, on its way from where it began.
    path: Vec<NodeIx>,
}

impl<'a> Walk<'a> {
    const fn new(world: &'a World, target: &'a Target) -> Self {
        Self {
            world,
            target,
            fates: BTreeMap::new(),
            path: Vec::new(),
        }
    }

    /// What becomes of packets for the target at a node, where they begin there or not.
    fn fate(&mut self, at: NodeIx, begins: bool) -> Fate {
        if self.path.contains(&at) {
            return Fate::Loops;
        }
        if let Some(fate) = self.fates.get(&(at, begins)) {
            return *fate;
        }
        self.path.push(at);
        let fate = self.forward(at, begins);
        self.path.pop();
        self.fates.insert((at, begins), fate);
        fate
    }

    fn forward(&mut self, at: NodeIx, begins: bool) -> Fate {
        let node = &self.world.nodes[at.0];
        if node.addresses.contains(&self.target.address) {
            return Fate::Arrives;
        }
        if !begins && !self.may_pass(at) {
            return Fate::Astray;
        }
        let Some(route) = node.fib.lookup(self.target.address) else {
            return Fate::Fails("no route");
        };
        if route.hops.is_empty() {
            return Fate::Fails("unreachable");
        }
        let mut worst = Fate::Arrives;
        for hop in &route.hops {
            let end = self.world.other_end(at, hop.link, hop.via);
            let fate = match end {
                None => Fate::Fails("the route leads to nobody"),
                Some((cable, next)) if self.world.passes(cable) => self.fate(next, false),
                Some(_) => Fate::Fails("the link does not pass frames"),
            };
            worst = worse(worst, fate);
        }
        worst
    }

    /// Whether packets of others for the target may pass a node.
    fn may_pass(&self, at: NodeIx) -> bool {
        let spec = &self.world.topology.nodes[at.0];
        let rack_of = |ix: &NodeIx| self.world.topology.nodes[ix.0].rack();
        spec.role.is_transit()
            && (!self.target.is_bootstrap
                || self
                    .target
                    .owners
                    .iter()
                    .any(|ix| rack_of(ix) == spec.rack()))
    }

    /// A way that a packet can go from there and that ends badly.
    fn example(&self, from: NodeIx) -> Vec<String> {
        let name = |ix: NodeIx| self.world.topology.nodes[ix.0].name.clone();
        let mut path = vec![from];
        let mut at = from;
        loop {
            let route = self.world.nodes[at.0].fib.lookup(self.target.address);
            let hops = route.map(|route| &route.hops[..]).unwrap_or_default();
            let ends = hops
                .iter()
                .filter_map(|hop| self.world.other_end(at, hop.link, hop.via));
            let bad = |ix: &NodeIx| self.fates.get(&(*ix, false)) != Some(&Fate::Arrives);
            let next = ends.map(|(_, next)| next).find(bad);
            let Some(next) = next else {
                break;
            };
            let again = path.contains(&next);
            path.push(next);
            at = next;
            if again {
                break;
            }
        }
        path.into_iter().map(name).collect()
    }
}

const fn worse(a: Fate, b: Fate) -> Fate {
    match (a, b) {
        (Fate::Loops, _) | (_, Fate::Loops) => Fate::Loops,
        (Fate::Astray, _) | (_, Fate::Astray) => Fate::Astray,
        (Fate::Fails(why), _) | (_, Fate::Fails(why)) => Fate::Fails(why),
        (Fate::Arrives, Fate::Arrives) => Fate::Arrives,
    }
}

/// Routes to bootstrap prefixes of other racks.
fn foreign_bootstrap(world: &World) -> Vec<Violation> {
    let topology: &Topology = &world.topology;
    let owners: BTreeMap<Ipv6Addr, NodeIx> = topology
        .all()
        .map(|(ix, spec)| (spec.bootstrap(), ix))
        .collect();
    let mut violations = Vec::new();
    for (ix, spec) in topology.all() {
        for route in world.nodes[ix.0].fib.iter() {
            let Ok(prefix) = BootstrapPrefix::of(route.prefix.addr()) else {
                continue;
            };
            let of = owners
                .get(&prefix.address())
                .map(|ix| &topology.nodes[ix.0]);
            if of.is_none_or(|of| of.rack() != spec.rack() || of.rack().is_none()) {
                violations.push(Violation::Bootstrap {
                    node: spec.name.clone(),
                    of: of.map_or_else(|| prefix.address().to_string(), |of| of.name.clone()),
                });
            }
        }
    }
    violations
}
