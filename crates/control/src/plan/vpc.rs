//! What the ports of a VPC have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::{
    DomainName, FirewallRule, FirewallRuleId, Peer, RecordData, Route, RouteId, RouteTarget,
    Router, RouterId, RuleSet, RuleSetId, StateObject, StateVersion, Subnet, TransitHolder,
    VpcState, ZoneRecord, ZoneState,
};
use rackweave_types::{Generation, Vni};

use super::dirty::{Parts, Rules};
use super::object::Planned;
use crate::decide::blocks_of;
use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::{
    AzGiven, AzSpec, Entry, FirewallRuleGiven, FirewallRuleSpec, Object, RouteGiven, RouteSpec,
    RouteTargetSpec, RuleTarget, VpcGiven, VpcSpec,
};
use crate::resolve::{Members, filters};

/// What was planned for a VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VpcRecord {
    pub(super) vni: Vni,
    /// The router of subnets that name none.
    pub(super) router: RouterId,
    /// The rule sets in force, each with its targets.
    pub(super) sets: Vec<(RuleSetId, BTreeSet<RuleTarget>)>,
    /// The VPCs that it is joined with.
    pub(super) peers: BTreeSet<Id>,
}

impl VpcRecord {
    /// Whether ports and sleds stand on the same, but for the rule sets.
    pub(super) fn stands_like(&self, other: &Self) -> bool {
        (self.vni, self.router, &self.peers) == (other.vni, other.router, &other.peers)
    }
}

/// Everything of a VPC but its ports and its mapping table: the parts that were planned again.
pub(super) struct VpcPlan {
    pub(super) record: VpcRecord,
    pub(super) frame: Option<Planned>,
    pub(super) sets: Vec<(RuleSetId, Planned)>,
    pub(super) zone: Option<Planned>,
    /// Which these are.
    pub(super) parts: Parts,
}

/// Plans parts of a VPC, all where it was not planned before; none where it is not there.
pub(super) fn plan(
    intent: &Intent,
    az: &Entry<AzSpec, AzGiven>,
    id: Id,
    parts: Parts,
    before: Option<&VpcRecord>,
) -> Option<VpcPlan> {
    let vpc = intent.vpc(id)?;
    let vni = vpc.given.vni?;
    let parts = if before.is_some() { parts } else { Parts::ALL };
    let kept = before.filter(|_| match parts.rules {
        Rules::None => true,
        Rules::IfMembers => !names_members(intent, id),
        Rules::All => false,
    });
    let rules = match kept {
        Some(before) => RuleSets {
            targets: before.sets.clone(),
            planned: Vec::new(),
        },
        None => rule_sets(intent, id, vni),
    };
    let record = VpcRecord {
        vni,
        router: system_router(intent, id),
        sets: rules.targets,
        peers: intent
            .peers(id)
            .filter(|peer| intent.vpc(*peer).is_some())
            .collect(),
    };
    let frame = parts.frame.then(|| frame(intent, vpc, vni, &record));
    Some(VpcPlan {
        frame: frame.map(|frame| Planned::new(StateObject::Vpc(frame))),
        sets: rules.planned,
        zone: if parts.zone {
            zone(intent, az, vpc, vni)
        } else {
            None
        },
        parts,
        record,
    })
}

fn system_router(intent: &Intent, vpc: Id) -> RouterId {
    let mut routers = intent.children(Kind::Router, Some(vpc), None);
    let system = routers.find_map(|router| match router {
        Object::Router(router) if router.given.system => Some(router.given.number),
        _ => None,
    });
    RouterId::new(system.unwrap_or(0))
}

fn frame(
    intent: &Intent,
    vpc: &Entry<VpcSpec, VpcGiven>,
    vni: Vni,
    record: &VpcRecord,
) -> VpcState {
    let id = vpc.meta.id;
    let subnets = intent.children(Kind::Subnet, Some(id), None);
    let mut subnets: Vec<_> = subnets
        .filter_map(|subnet| match subnet {
            Object::Subnet(subnet) => Some(Subnet {
                id: subnet.given.id(),
                ipv4: subnet.spec.ipv4,
                ipv6: subnet.given.ipv6,
            }),
            _ => None,
        })
        .collect();
    subnets.sort_by_key(|subnet| subnet.id);
    let mut peers: Vec<_> = record
        .peers
        .iter()
        .filter_map(|peer| self::peer(intent, *peer))
        .collect();
    peers.sort_by_key(|peer| peer.vni);
    let routers = intent.children(Kind::Router, Some(id), None);
    let mut routers: Vec<_> = routers
        .filter_map(|router| match router {
            Object::Router(router) => Some(Router {
                id: RouterId::new(router.given.number),
                routes: routes(intent, vpc, router.meta.id, &peers),
            }),
            _ => None,
        })
        .collect();
    routers.sort_by_key(|router| router.id);
    VpcState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        vni,
        ipv4: vpc.spec.ipv4.clone(),
        ipv6: vpc.given.ipv6,
        subnets,
        routers,
        rule_sets: Vec::new(),
        existing_connections: vpc.spec.existing_connections,
        transit: transit(intent, id),
        peers,
    }
}

fn peer(intent: &Intent, peer: Id) -> Option<Peer> {
    let vpc = intent.vpc(peer)?;
    Some(Peer {
        vni: vpc.given.vni?,
        ipv4: vpc.spec.ipv4.clone(),
        ipv6: vpc.given.ipv6,
        transit: transit(intent, peer),
    })
}

/// Who of a VPC may send with foreign sources.
fn transit(intent: &Intent, vpc: Id) -> Vec<TransitHolder> {
    let holders = intent.transit_of_vpc(vpc).filter_map(|nic| {
        let sled = intent.sled(intent.sled_of(nic)?)?.spec.prefix;
        Some(nic.spec.transit.iter().map(move |prefix| (*prefix, sled)))
    });
    let holders: BTreeSet<_> = holders.flatten().collect();
    holders
        .into_iter()
        .map(|(prefix, sled)| TransitHolder { prefix, sled })
        .collect()
}

/// The routes of a router, by number: its own, and one to each block of a peer that none of its own leads to.
fn routes(
    intent: &Intent,
    vpc: &Entry<VpcSpec, VpcGiven>,
    router: Id,
    peers: &[Peer],
) -> Vec<Route> {
    let own = intent.children(Kind::Route, Some(router), None);
    let own: Vec<&Entry<RouteSpec, RouteGiven>> = own
        .filter_map(|route| match route {
            Object::Route(route) => Some(route),
            _ => None,
        })
        .collect();
    let mut routes: Vec<_> = own
        .iter()
        .filter_map(|route| {
            Some(Route {
                id: RouteId::new(route.given.number),
                destination: route.spec.destination,
                target: target(intent, vpc, &route.spec)?,
            })
        })
        .collect();
    for peer in peers {
        let ipv4 = peer.ipv4.iter().copied().map(IpNet::V4);
        let blocks = ipv4.chain(peer.ipv6.map(IpNet::V6));
        for (place, destination) in (0..=PEER_BLOCKS_MAX).zip(blocks) {
            if own
                .iter()
                .all(|route| route.spec.destination != destination)
            {
                routes.push(Route {
                    id: RouteId::new(PEER_ROUTES | (peer.vni.get() << 7) | place),
                    destination,
                    target: RouteTarget::Peer(peer.vni),
                });
            }
        }
    }
    routes.sort_by_key(|route| route.id);
    routes
}

/// Routes to peers are numbered from here on, by the peer and the place of its block.
const PEER_ROUTES: u32 = 0x8000_0000;
/// The last place of a block that has a number.
const PEER_BLOCKS_MAX: u32 = 127;

fn target(
    intent: &Intent,
    vpc: &Entry<VpcSpec, VpcGiven>,
    spec: &RouteSpec,
) -> Option<RouteTarget> {
    let id = vpc.meta.id;
    match &spec.target {
        RouteTargetSpec::Instance(name) => {
            let instance = intent.find(Kind::Instance, vpc.meta.parent, name)?;
            let nics = intent.nics_of_instance(instance.meta().id);
            let nics = nics.iter().filter(|nic| nic.given.vpc == Some(id));
            let v4 = spec.destination.addr().is_ipv4();
            let mut addresses = nics.flat_map(|nic| nic.given.addresses.iter().copied());
            let via = addresses.find(|address: &IpAddr| address.is_ipv4() == v4)?;
            Some(RouteTarget::Instance(via))
        }
        RouteTargetSpec::Ip(address) => {
            let blocks = blocks_of(intent, id);
            let inside = blocks.iter().any(|block| block.contains(address));
            inside.then_some(RouteTarget::Instance(*address))
        }
        RouteTargetSpec::Subnet(name) => {
            let Object::Subnet(subnet) = intent.find(Kind::Subnet, Some(id), name)? else {
                return None;
            };
            let ipv4 = subnet.spec.ipv4.map(IpNet::V4);
            let mut nets = ipv4.into_iter().chain(subnet.given.ipv6.map(IpNet::V6));
            let within = nets.any(|net| net.contains(&spec.destination));
            within.then(|| RouteTarget::Subnet(subnet.given.id()))
        }
        RouteTargetSpec::Peering(name) => {
            let Object::Peering(peering) = intent.find(Kind::Peering, Some(id), name)? else {
                return None;
            };
            let joined = intent
                .peers(id)
                .find(|peer| Some(*peer) == peering.given.peer)?;
            Some(RouteTarget::Peer(intent.vpc(joined)?.given.vni?))
        }
        RouteTargetSpec::InternetGateway(name) => {
            let gateway = intent.find(Kind::InternetGateway, Some(id), name);
            gateway.map(|_| RouteTarget::InternetGateway)
        }
        RouteTargetSpec::Drop => Some(RouteTarget::Drop),
    }
}

/// The rule sets in force.
#[derive(Default)]
struct RuleSets {
    /// Who each is for.
    targets: Vec<(RuleSetId, BTreeSet<RuleTarget>)>,
    /// What each says.
    planned: Vec<(RuleSetId, Planned)>,
}

fn rule_sets(intent: &Intent, vpc: Id, vni: Vni) -> RuleSets {
    let rules = intent.children(Kind::FirewallRule, Some(vpc), None);
    let mut sets: BTreeMap<u32, Vec<&Entry<FirewallRuleSpec, FirewallRuleGiven>>> = BTreeMap::new();
    for rule in rules {
        if let Object::FirewallRule(rule) = rule
            && rule.spec.enabled
        {
            sets.entry(rule.given.set).or_default().push(rule);
        }
    }
    let named = sets
        .values()
        .flatten()
        .any(|rule| rule.spec.filters.names_members());
    let members = if named {
        Members::of(intent, vpc)
    } else {
        Members::default()
    };
    let mut all = RuleSets::default();
    for (number, mut rules) in sets {
        rules.sort_by_key(|rule| rule.given.number);
        let id = RuleSetId::new(number);
        let of = rules.first().map(|rule| &rule.spec.targets);
        let of = of.into_iter().flatten().cloned().collect();
        all.targets.push((id, of));
        let rules = rules.into_iter().filter_map(|rule| {
            let (direction, asked) = (rule.spec.direction, &rule.spec.filters);
            Some(FirewallRule {
                id: FirewallRuleId::new(rule.given.number),
                priority: rule.spec.priority,
                direction,
                action: rule.spec.action,
                filters: filters(intent, vpc, &members, direction, asked)?,
            })
        });
        let set = RuleSet {
            id,
            generation: Generation::ZERO,
            rules: rules.collect(),
        };
        let object = StateObject::RuleSet { vpc: vni, set };
        all.planned.push((id, Planned::new(object)));
    }
    all
}

/// Whether a rule's filters change with the VPC's NICs.
fn names_members(intent: &Intent, vpc: Id) -> bool {
    let mut rules = intent.children(Kind::FirewallRule, Some(vpc), None);
    rules.any(|rule| match rule {
        Object::FirewallRule(rule) => rule.spec.filters.names_members(),
        _ => false,
    })
}

/// The name of a VPC's zone: the VPC, its project, and the domain of the AZ.
pub(super) fn origin(
    intent: &Intent,
    az: &Entry<AzSpec, AzGiven>,
    vpc: &Entry<VpcSpec, VpcGiven>,
) -> Option<DomainName> {
    let project = intent.project(vpc.meta.parent?)?;
    let name = format!("{}.{}.{}", vpc.meta.name, project.meta.name, az.spec.domain);
    name.parse().ok()
}

/// How long guests may keep an answer, in seconds.
const TTL: u32 = 5;

/// The zone of a VPC: its instances, and what users say. Where both have a name, the instance is it.
fn zone(
    intent: &Intent,
    az: &Entry<AzSpec, AzGiven>,
    vpc: &Entry<VpcSpec, VpcGiven>,
    vni: Vni,
) -> Option<Planned> {
    let mut hosts: BTreeMap<DomainName, BTreeSet<IpAddr>> = BTreeMap::new();
    for nic in intent.nics_of_vpc(vpc.meta.id) {
        let name = intent.instance_of(nic).and_then(super::instance::hostname);
        if let Some(name) = name {
            let addresses = hosts.entry(name).or_default();
            addresses.extend(&nic.given.addresses);
        }
    }
    let custom = intent.children(Kind::DnsRecord, Some(vpc.meta.id), None);
    let custom: Vec<_> = custom
        .filter_map(|record| match record {
            Object::DnsRecord(record) => Some(&record.spec),
            _ => None,
        })
        .filter(|spec| {
            spec.record
                .as_ref()
                .is_none_or(|name| !hosts.contains_key(name))
        })
        .map(|spec| ZoneRecord {
            name: spec.record.clone(),
            data: spec.data.clone(),
        })
        .collect();
    let hosts = hosts.into_iter().map(|(name, addresses)| ZoneRecord {
        name: Some(name),
        data: RecordData::Addresses(addresses.into_iter().collect()),
    });
    let mut records: Vec<_> = hosts.chain(custom).collect();
    // Stable: what is said of one name stays in the order of users' objects.
    records.sort_by(|one, other| one.name.cmp(&other.name));
    Some(Planned::new(StateObject::Zone(ZoneState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        vni,
        origin: origin(intent, az, vpc)?,
        ttl: TTL,
        records,
    })))
}
