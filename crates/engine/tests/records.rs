//! Where a connection's record may not speak for the layers. Random programs found each of these; see
//! `differential.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use rackweave_engine::mapping::{Mapping, MappingTable, Previous};
use rackweave_engine::program::{
    Action, Encapsulate, Layer, Limits, Match, ProgramSpec, Rule, RuleId, RuleSet, Select, Timeouts,
};
use rackweave_engine::{
    Direction, DropReason, Existing, Frame, Program, Settings, Shard, ShardId, Verdict,
};
use rackweave_testkit::packet::{self, Ends};
use rackweave_testkit::program::underlay;
use rackweave_testkit::program::world::{GATEWAY_MAC, GUEST_MAC, ROUTER_V4, ROUTER_V6, SLEDS, vni};
use rackweave_types::Instant;

const GUEST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));

fn rules(default: Vec<Action>) -> RuleSet {
    RuleSet {
        rules: Vec::new(),
        default,
    }
}

fn wrap(end: Action) -> Vec<Action> {
    let encapsulate = Encapsulate {
        vni: vni(5000),
        external: false,
        source: None,
    };
    vec![
        Action::Select(Select::Mapping { table: 0 }),
        Action::Encapsulate(encapsulate),
        end,
    ]
}

fn unwrap(end: Action) -> Vec<Action> {
    vec![Action::Decapsulate, end]
}

fn layer(name: &str, outbound: RuleSet, inbound: RuleSet) -> Layer {
    Layer {
        name: name.to_owned(),
        outbound,
        inbound,
    }
}

/// A program of these layers; 10.0.1.1 to 10.0.1.3 are on hosts of their own.
#[expect(clippy::unwrap_used, reason = "the program is right")]
fn program(layers: Vec<Layer>, previous: Option<Previous>) -> Arc<Program> {
    let spec = ProgramSpec {
        layers,
        underlay: underlay(),
        pools: Vec::new(),
        meters: Vec::new(),
        timeouts: Timeouts::default(),
    };
    let entry = |last: u8| {
        let mapping = Mapping {
            underlay: SLEDS[usize::from(last)],
            mac: GATEWAY_MAC,
            previous,
        };
        (IpAddr::from([10, 0, 1, last]).into(), mapping)
    };
    let table = MappingTable::new((1..=3).map(entry));
    Arc::new(Program::compile(&spec, vec![Arc::new(table)]).unwrap())
}

fn one_layer(outbound: RuleSet, inbound: RuleSet) -> Arc<Program> {
    program(vec![layer("only", outbound, inbound)], None)
}

#[expect(clippy::unwrap_used, reason = "the limits are right")]
fn shard(program: &Arc<Program>, flows: u32) -> Shard {
    let settings = Settings {
        shard: ShardId::ONLY,
        secret: [1, 2],
        limits: Limits {
            flows,
            ..Limits::default()
        },
    };
    Shard::new(settings, Arc::clone(program)).unwrap()
}

fn now() -> Instant {
    Instant::START.after(Duration::from_secs(1))
}

fn out(dst: IpAddr) -> Ends {
    Ends {
        src_mac: GUEST_MAC,
        dst_mac: GATEWAY_MAC,
        src: GUEST,
        dst,
    }
}

fn send(shard: &mut Shard, frame: &[u8]) -> Verdict {
    shard.process(Direction::Out, &mut Frame::new(frame), now())
}

fn receive(shard: &mut Shard, from: Ipv6Addr, inner: &[u8]) -> Verdict {
    let outer = packet::geneve(from, SLEDS[0], vni(5000), &[], inner);
    shard.process(Direction::In, &mut Frame::new(&outer), now())
}

#[test]
fn a_full_table_makes_room_where_all_destinations_differ() {
    let all = one_layer(rules(wrap(Action::Allow)), rules(unwrap(Action::Allow)));
    let mut shard = shard(&all, 2);
    for last in 1..=3 {
        let frame = packet::udp(&out([10, 0, 1, last].into()), (1000, 53), b"");
        assert_eq!(send(&mut shard, &frame), Verdict::Forward);
    }
    assert_eq!((shard.flow_count(), shard.counters().flows_evicted), (2, 1));
}

#[test]
fn inbound_packets_are_measured_one_by_one() {
    let limit = Action::Mtu {
        mtu: 1000,
        router_v4: ROUTER_V4,
        router_v6: ROUTER_V6,
    };
    let limited = rules(vec![limit, Action::Decapsulate, Action::Allow]);
    let program = one_layer(rules(wrap(Action::Allow)), limited);
    let mut shard = shard(&program, 16);
    let mut came = |len| {
        let frame = packet::udp(&out(PEER).reversed(), (53, 1000), &vec![0; len]);
        receive(&mut shard, SLEDS[1], &frame)
    };
    assert_eq!(came(900), Verdict::Forward);
    assert_eq!(came(1200), Verdict::Refuse(DropReason::TooBig));
    assert_eq!(came(900), Verdict::Forward);
}

#[test]
fn icmp_of_one_kind_does_not_vouch_for_another() {
    let echo = packet::icmp(&out(PEER), 8, 0, [0, 7, 0, 0], b"");
    let odd = packet::icmp(&out(PEER), 8, 1, [0, 7, 0, 0], b"");
    let timestamp = packet::icmp(&out(PEER), 13, 0, [0, 7, 0, 0], &[0; 12]);
    for (denied, kind) in [(&echo, (8, 0)), (&odd, (8, 1)), (&timestamp, (13, 0))] {
        let rule = Rule {
            id: RuleId(1),
            priority: 0,
            matches: Match {
                icmp_type: Some(kind.0),
                icmp_code: Some(kind.1),
                ..Match::default()
            },
            actions: vec![Action::Deny { reply: None }],
        };
        let outbound = RuleSet {
            rules: vec![rule],
            default: wrap(Action::Allow),
        };
        let program = one_layer(outbound, rules(unwrap(Action::Allow)));
        for allowed in [&echo, &odd, &timestamp] {
            if allowed == denied {
                continue;
            }
            let mut shard = shard(&program, 16);
            for _ in 0..2 {
                assert_eq!(send(&mut shard, allowed), Verdict::Forward);
                let refused = Verdict::Drop(DropReason::RuleDenied);
                assert_eq!(send(&mut shard, denied), refused, "{kind:?}");
            }
        }
    }
}

#[test]
fn arp_is_not_translated() {
    let exchange = Action::OneToOne {
        inside: GUEST,
        outside: [203, 0, 113, 2].into(),
    };
    let mut outbound = wrap(Action::Allow);
    outbound.insert(0, exchange);
    let mut shard = shard(
        &one_layer(rules(outbound), rules(unwrap(Action::Allow))),
        16,
    );
    let mut request = packet::arp_request(GUEST_MAC, [10, 0, 0, 5].into(), [10, 0, 1, 1].into());
    request.resize(60, 0);
    let verdict = send(&mut shard, &request);
    assert_eq!(verdict, Verdict::Drop(DropReason::NatMismatch));
}

#[test]
fn two_rules_that_route_are_one_router() {
    let route = Action::Route {
        router_v4: ROUTER_V4,
        router_v6: ROUTER_V6,
    };
    let mut second = wrap(Action::Allow);
    second.insert(0, route.clone());
    let layers = vec![
        layer(
            "first",
            rules(vec![route, Action::Allow]),
            rules(vec![Action::Allow]),
        ),
        layer("second", rules(second), rules(unwrap(Action::Allow))),
    ];
    let mut shard = shard(&program(layers, None), 16);
    let header = packet::Header {
        ttl: 2,
        ..packet::Header::new(17)
    };
    let datagram = packet::udp_datagram(&out(PEER), (1000, 53), b"");
    let frame = packet::ip(&out(PEER), header, &datagram);
    assert_eq!(send(&mut shard, &frame), Verdict::Forward);
    assert_eq!(send(&mut shard, &frame), Verdict::Forward);
}

#[test]
fn an_answer_is_judged_by_what_its_connection_has_passed_by_now() {
    let to = |end: Action| one_layer(rules(wrap(end)), rules(unwrap(Action::Allow)));
    let (plain, stateful) = (to(Action::Allow), to(Action::AllowStateful));
    let mut shard = shard(&plain, 16);
    let asks = packet::udp(&out(PEER), (1000, 53), b"");
    let answers = packet::udp(&out(PEER).reversed(), (53, 1000), b"");
    assert_eq!(send(&mut shard, &asks), Verdict::Forward);
    shard.install(stateful, Existing::Keep);
    assert_eq!(receive(&mut shard, SLEDS[1], &answers), Verdict::Forward);
    // From here on, answers pass the layer statefully: it unwraps none of them, and says so.
    assert_eq!(send(&mut shard, &asks), Verdict::Forward);
    let judged = receive(&mut shard, SLEDS[1], &answers);
    assert_eq!(judged, Verdict::Drop(DropReason::Undecided));
}

#[test]
fn a_connection_from_where_its_peer_was_is_kept_also_after_an_earlier_cut() {
    let moving = Previous {
        underlay: SLEDS[3],
        until: now().after(Duration::from_secs(5)),
    };
    let to = |end: Action| {
        let inbound = vec![Action::VerifySource { table: 0 }, Action::Decapsulate, end];
        let layer = layer("only", rules(wrap(Action::Allow)), rules(inbound));
        program(vec![layer], Some(moving))
    };
    let (open, closed) = (to(Action::AllowStateful), to(Action::Deny { reply: None }));
    let mut shard = shard(&open, 16);
    shard.install(open, Existing::Cut);
    let frame = packet::udp(&out(PEER).reversed(), (53, 1000), b"");
    assert_eq!(receive(&mut shard, SLEDS[3], &frame), Verdict::Forward);
    shard.install(Arc::clone(&closed), Existing::Keep);
    assert_eq!(receive(&mut shard, SLEDS[3], &frame), Verdict::Forward);
    shard.install(closed, Existing::Cut);
    let denied = Verdict::Drop(DropReason::RuleDenied);
    assert_eq!(receive(&mut shard, SLEDS[3], &frame), denied);
}
