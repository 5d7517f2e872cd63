//! What a sender is told of packets that go no further.

use rackweave_engine::{DropReason, Verdict};
use rackweave_testkit::packet::FrameBuilder;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::{
    Filters, FirewallAction, FirewallRule, FirewallRuleId, HostFilter, ProtocolFilter, RuleSet,
    RuleSetId,
};
use rackweave_types::{Direction, Generation, Mtu, PortRange};

use crate::stage::{Stage, Who};

const REJECTED: Verdict = Verdict::Refuse(DropReason::RuleDenied);
/// A protocol that is neither TCP, UDP nor ICMP (RFC 3692).
const EXPERIMENT: u8 = 253;
const TEST_V6: &str = "fd12:3456:789a:1:72:77ff:fe00:1";

fn reject(id: u32, direction: Direction, filters: Filters) -> FirewallRule {
    FirewallRule {
        id: FirewallRuleId::new(id),
        priority: 10,
        direction,
        action: FirewallAction::Reject,
        filters,
    }
}

/// The guest's own rules refuse what it sends: the gateway tells it.
#[test]
fn reject_out() {
    let mut scene = Scene::new().unwrap();
    let nets = ["10.0.2.0/24", "fd12:3456:789a:2::/64"];
    let hosts = nets.map(|net| HostFilter::Cidr(net.parse().unwrap()));
    let filters = Filters {
        hosts: hosts.to_vec(),
        ..Filters::default()
    };
    let rule = reject(11, Direction::Out, filters);
    scene.vpc.rule_sets[0].rules.push(rule);
    let mut stage = Stage::of(scene);
    for frame in [
        FrameBuilder::tcp("10.0.1.5:40000", "10.0.2.5:80")
            .syn()
            .numbers(1_000_000, 0),
        FrameBuilder::tcp("10.0.1.5:40000", "10.0.2.5:80").payload(b"in the middle"),
        FrameBuilder::udp("10.0.1.5:5000", "10.0.2.5:7000").payload(b"hello"),
        FrameBuilder::other("10.0.1.5", "10.0.2.5", EXPERIMENT).payload_len(32),
        FrameBuilder::tcp(&format!("[{TEST_V6}]:40000"), "[fd12:3456:789a:2::5]:80")
            .syn()
            .numbers(1_000_000, 0),
        FrameBuilder::udp(&format!("[{TEST_V6}]:5000"), "[fd12:3456:789a:2::5]:7000")
            .payload(b"hello"),
    ] {
        stage.sends(Who::Test, &frame.build(), REJECTED);
    }
    stage.matches("reject_out");
}

/// The other end's rules refuse what comes: the refusal travels back through the tunnel, and the
/// sender's engine takes it for what it is.
#[test]
fn reject_in() {
    let mut scene = Scene::new().unwrap();
    let filters = Filters {
        protocols: vec![ProtocolFilter::Tcp, ProtocolFilter::Udp],
        ports: vec![PortRange::single(8080)],
        ..Filters::default()
    };
    scene.vpc.rule_sets.push(RuleSet {
        id: RuleSetId::new(3),
        generation: Generation::ZERO,
        rules: vec![reject(12, Direction::In, filters)],
    });
    scene.web.rule_sets.push(RuleSetId::new(3));
    let mut stage = Stage::of(scene);
    for frame in [
        FrameBuilder::tcp("10.0.1.5:40000", "10.0.1.6:8080")
            .syn()
            .numbers(1_000_000, 0),
        FrameBuilder::udp("10.0.1.5:5000", "10.0.1.6:8080").payload(b"hello"),
        FrameBuilder::tcp(&format!("[{TEST_V6}]:40000"), "[fd12:3456:789a:1::6]:8080")
            .syn()
            .numbers(1_000_000, 0),
        FrameBuilder::udp(&format!("[{TEST_V6}]:5000"), "[fd12:3456:789a:1::6]:8080")
            .payload(b"hello"),
    ] {
        let out = stage.sends(Who::Test, &frame.build(), Verdict::Forward);
        let refusal = stage.receives(Who::Web, &out, REJECTED);
        stage.receives(Who::Test, &refusal, Verdict::Forward);
    }
    stage.matches("reject_in");
}

/// The guest's NIC takes 8000 octets, the way out 1500.
#[test]
fn too_big() {
    let mut scene = Scene::new().unwrap();
    scene.test.mtu = Mtu::new(8_000).unwrap();
    let mut stage = Stage::of(scene);
    let v6 = format!("[{TEST_V6}]:5000");
    for (own, far) in [
        ("10.0.1.5:5000", "192.0.2.1:7000"),
        (&v6, "[2001:db8:9::9]:7000"),
    ] {
        let long = FrameBuilder::udp(own, far).payload_len(2_000);
        let refused = Verdict::Refuse(DropReason::TooBig);
        stage.sends(Who::Test, &long.build(), refused);
        let fits = FrameBuilder::udp(own, far).payload_len(1_400);
        stage.sends(Who::Test, &fits.build(), Verdict::Forward);
    }
    stage.matches("too_big");
}

/// The first hop of a traceroute is the gateway.
#[test]
fn time_exceeded() {
    let mut stage = Stage::new();
    for (own, far) in [
        (
            ("10.0.1.5", "10.0.1.5:5000"),
            ("192.0.2.1", "192.0.2.1:33434"),
        ),
        (
            (TEST_V6, "[fd12:3456:789a:1:72:77ff:fe00:1]:5000"),
            ("2001:db8:9::9", "[2001:db8:9::9]:33434"),
        ),
    ] {
        let refused = Verdict::Refuse(DropReason::TtlExceeded);
        let udp = FrameBuilder::udp(own.1, far.1).ttl(1).payload_len(32);
        stage.sends(Who::Test, &udp.build(), refused);
        let echo = FrameBuilder::echo(own.0, far.0, 7).ttl(1).payload_len(56);
        stage.sends(Who::Test, &echo.build(), refused);
    }
    stage.matches("time_exceeded");
}
