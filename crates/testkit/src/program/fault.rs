//! Faults put into valid programs: each of them one thing that a program may not be.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use rackweave_engine::Direction;
use rackweave_engine::program::{
    Action, Match, MeterSpec, NatPool, PortRange, Problem, ProgramError, ProgramSpec, Rule, RuleId,
    RuleSet, Select,
};
use rackweave_engine::respond::{Responder, ResponderError};
use rackweave_types::MacAddr;

use super::world::{LOCALS, POOLS, ROUTER_V4, ROUTER_V6};
use super::{Plan, tunnel};
use crate::source::Source;

/// Makes a valid program invalid, and says what is wrong with it then.
pub type Fault = fn(&mut Source<'_>, &mut Plan) -> ProgramError;

/// Every way to make a program invalid.
pub const FAULTS: &[Fault] = &[
    no_layer,
    too_many_layers,
    nameless_layer,
    namesakes,
    same_number,
    no_action,
    two_ends,
    no_end,
    wrap_inbound,
    unwrap_outbound,
    verify_outbound,
    table,
    pool,
    meter,
    meter_twice,
    meter_in_two_layers,
    ports_of_icmp,
    ports_of_sctp,
    type_of_tcp,
    families_matched,
    families_exchanged,
    mapped_prefix,
    mapped_address,
    mapped_pool,
    empty_group,
    empty_rest,
    unaligned_block,
    odd_block,
    small_mtu,
    not_ip,
    no_burst,
    short_burst,
    translated_twice,
    responder,
];

/// Puts one of the faults into a valid program, and says what is wrong with it then.
pub fn put(source: &mut Source<'_>, plan: &mut Plan) -> Option<ProgramError> {
    let fault = source.pick_of(FAULTS)?;
    Some(fault(source, plan))
}

/// An IPv4 address as IPv6 writes it where sockets of both families meet (RFC 4291, section 2.5.5.2).
const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0a00, 5);

fn error(place: impl Into<String>, problem: Problem) -> ProgramError {
    ProgramError {
        place: place.into(),
        problem,
    }
}

fn either(source: &mut Source<'_>) -> Direction {
    source.pick(&[Direction::Out, Direction::In])
}

fn layer_place(spec: &ProgramSpec, layer: usize) -> String {
    let name = spec.layers.get(layer).map_or("", |layer| &layer.name);
    format!("layers[{layer}] \"{name}\"")
}

fn set_of(spec: &mut ProgramSpec, layer: usize, direction: Direction) -> Option<&mut RuleSet> {
    let layer = spec.layers.get_mut(layer)?;
    Some(match direction {
        Direction::Out => &mut layer.outbound,
        Direction::In => &mut layer.inbound,
    })
}

/// Adds a rule to a layer; its place.
fn add(
    plan: &mut Plan,
    layer: usize,
    direction: Direction,
    matches: Match,
    actions: Vec<Action>,
) -> String {
    let mut place = layer_place(&plan.spec, layer);
    if let Some(set) = set_of(&mut plan.spec, layer, direction) {
        let name = match direction {
            Direction::Out => "out",
            Direction::In => "in",
        };
        place = format!("{place}.{name}.rules[{}]", set.rules.len());
        set.rules.push(Rule {
            id: RuleId(u64::MAX),
            priority: 0,
            matches,
            actions,
        });
    }
    place
}

fn layer_of(source: &mut Source<'_>, plan: &Plan) -> usize {
    source.below(plan.spec.layers.len())
}

/// A rule with these actions, of which one is wrong.
fn acting(
    source: &mut Source<'_>,
    plan: &mut Plan,
    direction: Direction,
    actions: Vec<Action>,
    (wrong, problem): (usize, Problem),
) -> ProgramError {
    let layer = layer_of(source, plan);
    let place = add(plan, layer, direction, Match::default(), actions);
    error(format!("{place}.actions[{wrong}]"), problem)
}

/// A rule with an action that is wrong wherever it stands.
fn action(
    source: &mut Source<'_>,
    plan: &mut Plan,
    action: Action,
    problem: Problem,
) -> ProgramError {
    let direction = either(source);
    acting(
        source,
        plan,
        direction,
        vec![action, Action::Allow],
        (0, problem),
    )
}

/// A rule with predicates of which one is wrong.
fn asking(
    source: &mut Source<'_>,
    plan: &mut Plan,
    matches: Match,
    (field, problem): (&str, Problem),
) -> ProgramError {
    let (layer, direction) = (layer_of(source, plan), either(source));
    let place = add(plan, layer, direction, matches, vec![Action::Allow]);
    error(format!("{place}.match.{field}"), problem)
}

fn no_layer(_: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    plan.spec.layers.clear();
    error("layers", Problem::LayerCount(0))
}

fn too_many_layers(_: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let count = ProgramSpec::MAX_LAYERS + 1;
    let layers = plan.spec.layers.iter().cloned().cycle().take(count);
    plan.spec.layers = layers.collect();
    error("layers", Problem::LayerCount(count))
}

fn nameless_layer(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let layer = layer_of(source, plan);
    if let Some(layer) = plan.spec.layers.get_mut(layer) {
        layer.name.clear();
    }
    error(layer_place(&plan.spec, layer), Problem::LayerName)
}

fn namesakes(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let layer = layer_of(source, plan);
    let same = plan.spec.layers.get(layer).cloned();
    plan.spec.layers.extend(same);
    let last = plan.spec.layers.len() - 1;
    error(layer_place(&plan.spec, last), Problem::LayerName)
}

fn same_number(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let (layer, direction) = (layer_of(source, plan), either(source));
    add(
        plan,
        layer,
        direction,
        Match::default(),
        vec![Action::Allow],
    );
    let place = add(
        plan,
        layer,
        direction,
        Match::default(),
        vec![Action::Allow],
    );
    error(format!("{place}.id"), Problem::DuplicateRule)
}

fn no_action(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let direction = either(source);
    acting(source, plan, direction, vec![], (0, Problem::ActionsEnd))
}

fn two_ends(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    action(source, plan, Action::AllowStateful, Problem::ActionsEnd)
}

fn no_end(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let direction = either(source);
    let actions = vec![Action::SetSrcMac(MacAddr::ZERO)];
    acting(source, plan, direction, actions, (0, Problem::ActionsEnd))
}

fn misplaced(
    source: &mut Source<'_>,
    plan: &mut Plan,
    direction: Direction,
    action: Action,
) -> ProgramError {
    let problem = (0, Problem::WrongDirection(direction));
    acting(
        source,
        plan,
        direction,
        vec![action, Action::Allow],
        problem,
    )
}

fn wrap_inbound(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let wrap = Action::Encapsulate(tunnel(source));
    misplaced(source, plan, Direction::In, wrap)
}

fn limit(mtu: u16) -> Action {
    Action::Mtu {
        mtu,
        router_v4: ROUTER_V4,
        router_v6: ROUTER_V6,
    }
}

fn unwrap_outbound(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    misplaced(source, plan, Direction::Out, Action::Decapsulate)
}

fn verify_outbound(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let verify = Action::VerifySource { table: 0 };
    misplaced(source, plan, Direction::Out, verify)
}

/// The first number that names nothing, or one beyond.
fn beyond(source: &mut Source<'_>, count: usize) -> u16 {
    u16::try_from(count + source.below(3)).unwrap_or(u16::MAX)
}

fn table(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let table = beyond(source, plan.tables.len());
    let select = Action::Select(Select::Mapping { table });
    action(source, plan, select, Problem::NoSuchTable(table))
}

fn pool(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let pool = beyond(source, plan.spec.pools.len());
    let translate = Action::SourceNat { pool };
    action(source, plan, translate, Problem::NoSuchPool(pool))
}

fn meter(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let meter = beyond(source, plan.spec.meters.len());
    let count = Action::Meter { meter };
    action(source, plan, count, Problem::NoSuchMeter(meter))
}

fn meter_twice(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let (direction, count) = (either(source), Action::Meter { meter: 0 });
    let actions = vec![count.clone(), count, Action::Allow];
    acting(source, plan, direction, actions, (1, Problem::MeterTwice))
}

fn meter_in_two_layers(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let direction = either(source);
    let mut other = plan.spec.layers.first().cloned();
    if let Some(layer) = &mut other {
        "one more".clone_into(&mut layer.name);
        for set in [&mut layer.outbound, &mut layer.inbound] {
            set.rules.clear();
            set.default = vec![Action::Allow];
        }
    }
    plan.spec.layers.extend(other);
    let last = plan.spec.layers.len() - 1;
    let count = vec![Action::Meter { meter: 0 }, Action::Allow];
    for layer in [0, last] {
        add(plan, layer, direction, Match::default(), count.clone());
    }
    let metering = |layer: &usize| {
        let set = set_of(&mut plan.spec, *layer, direction);
        let lists = set.into_iter().flat_map(|set| {
            let rules = set.rules.iter().map(|rule| &rule.actions);
            rules.chain([&set.default]).collect::<Vec<_>>()
        });
        let is_meter = |action: &Action| matches!(action, Action::Meter { .. });
        lists.flatten().any(is_meter)
    };
    let second = (0..=last).filter(metering).nth(1).unwrap_or(last);
    error(layer_place(&plan.spec, second), Problem::MeterTwice)
}

fn ports_of_icmp(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let matches = Match {
        src_port: Some(PortRange::ALL),
        icmp_code: Some(0),
        ..Match::default()
    };
    let problem = Problem::Contradiction("ports and an icmp type");
    asking(source, plan, matches, ("icmp_type", problem))
}

fn ports_of_sctp(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let matches = Match {
        dst_port: Some(PortRange::single(80)),
        protocol: Some(132),
        ..Match::default()
    };
    let problem = Problem::Contradiction("ports of a protocol other than tcp and udp");
    asking(source, plan, matches, ("protocol", problem))
}

fn type_of_tcp(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let matches = Match {
        icmp_type: Some(8),
        protocol: Some(6),
        ..Match::default()
    };
    let problem = Problem::Contradiction("an icmp type of another protocol");
    asking(source, plan, matches, ("protocol", problem))
}

fn families_matched(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let matches = Match {
        src: Some(LOCALS[0].into()),
        dst: Some(LOCALS[1].into()),
        ..Match::default()
    };
    asking(source, plan, matches, ("dst", Problem::FamilyMismatch))
}

fn families_exchanged(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let exchange = Action::OneToOne {
        inside: LOCALS[0],
        outside: LOCALS[1],
    };
    action(source, plan, exchange, Problem::FamilyMismatch)
}

fn mapped_prefix(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let len = 96 + source.octet() % 33;
    let net = Ipv6Net::new(MAPPED, len).map_or(Ipv6Net::from(MAPPED), |net| net.trunc());
    let matches = Match {
        src: Some(IpNet::V6(net)),
        ..Match::default()
    };
    asking(source, plan, matches, ("src", Problem::MappedAddress))
}

fn mapped_address(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let sets: [fn(IpAddr) -> Action; 3] = [Action::SetSrc, Action::SetDst, Action::Via];
    let set = source.pick(&sets);
    action(source, plan, set(MAPPED.into()), Problem::MappedAddress)
}

/// A pool with something wrong, behind those that are there.
fn pooling(plan: &mut Plan, pool: NatPool, problem: Problem) -> ProgramError {
    let place = format!("pools[{}]", plan.spec.pools.len());
    plan.spec.pools.push(pool);
    error(place, problem)
}

fn mapped_pool(_: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let pool = NatPool {
        address: MAPPED.into(),
        first_port: 0,
        ports: 4,
    };
    pooling(plan, pool, Problem::MappedAddress)
}

fn unaligned_block(_: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let pool = NatPool {
        address: POOLS[0],
        first_port: 2,
        ports: 4,
    };
    pooling(plan, pool, Problem::PortBlock)
}

fn odd_block(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let pool = NatPool {
        address: POOLS[0],
        first_port: 0,
        ports: source.pick(&[0, 3, u16::MAX]),
    };
    pooling(plan, pool, Problem::PortBlock)
}

fn empty_group(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let select = Action::Select(Select::Group(Vec::new()));
    action(source, plan, select, Problem::EmptyGroup)
}

fn empty_rest(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let select = Action::Select(Select::MappingOrGroup {
        table: 0,
        group: Vec::new(),
    });
    action(source, plan, select, Problem::EmptyGroup)
}

fn small_mtu(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let actions = vec![limit(67), Action::Allow];
    let problem = (0, Problem::MtuTooSmall(67));
    acting(source, plan, Direction::Out, actions, problem)
}

fn not_ip(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let matches = Match {
        ether_type: Some(0x86dd),
        dst: Some(LOCALS[0].into()),
        ..Match::default()
    };
    asking(source, plan, matches, ("dst", Problem::NotIp))
}

/// A meter that lets nothing pass, behind those that are there.
fn metering(plan: &mut Plan, meter: MeterSpec) -> ProgramError {
    let place = format!("meters[{}]", plan.spec.meters.len());
    plan.spec.meters.push(meter);
    error(place, Problem::Burst)
}

fn no_burst(_: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let meter = MeterSpec {
        packets_per_second: Some(1),
        ..MeterSpec::default()
    };
    metering(plan, meter)
}

fn short_burst(_: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let meter = MeterSpec {
        bytes_per_second: Some(1),
        burst_bytes: 65_534,
        ..MeterSpec::default()
    };
    metering(plan, meter)
}

fn translated_twice(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let exchange = Action::OneToOne {
        inside: LOCALS[0],
        outside: POOLS[0],
    };
    let direction = either(source);
    let actions = vec![exchange, Action::SourceNat { pool: 0 }, Action::Allow];
    acting(
        source,
        plan,
        direction,
        actions,
        (1, Problem::TranslatedTwice),
    )
}

fn responder(source: &mut Source<'_>, plan: &mut Plan) -> ProgramError {
    let mac = MacAddr::BROADCAST;
    let answer = Action::Hairpin(Box::new(Responder::Arp { mac }));
    let problem = Problem::Responder(ResponderError::Mac {
        field: "mac",
        got: mac,
    });
    let direction = either(source);
    acting(source, plan, direction, vec![answer], (0, problem))
}
