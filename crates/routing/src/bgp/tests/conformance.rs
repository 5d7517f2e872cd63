//! What users of other daemons report as broken, each with its test.

use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::net::{Net, net};
use crate::bgp::config::Marks;
use crate::bgp::policy::{Policy, PrefixList, Rule, Verdict};
use crate::bgp::{Happening, Input, Output, Speaker};

const SECOND: Duration = Duration::from_secs(1);

fn mesh(count: u8) -> Net {
    let mut net = Net::mesh(count);
    net.begin();
    net.pass(SECOND);
    net
}

/// A change to one peer, of whatever kind, resets no other one's session.
#[test]
fn a_change_resets_no_session_that_it_does_not_concern() {
    let mut net = mesh(4);
    let established = |net: &Net, name| net.peer(0, name).counters.established;
    net.nodes[0].peer("n2").hold_s = 30;
    net.nodes[0].peer("n3").import = Policy::default();
    net.nodes[0].peer("n3").export = Policy::default();
    net.nodes[0].peer("n3").retry_s = 7;
    net.nodes[0].peer("n3").max_prefixes = Some(10);
    net.nodes[0].config.multipath = 1;
    net.configure(0);
    net.pass(Duration::from_secs(30));
    assert_eq!(established(&net, "n2"), 2, "its own hold time changed");
    assert_eq!(
        established(&net, "n3"),
        1,
        "policy and limits reset nothing"
    );
    assert_eq!(established(&net, "n4"), 1, "it is not concerned");
    net.nodes[0].config.peers.remove("n2");
    net.configure(0);
    net.pass(Duration::from_secs(30));
    assert_eq!((established(&net, "n3"), established(&net, "n4")), (1, 1));
    assert_eq!(net.nodes[0].count(Happening::Down), 2);
}

/// A new policy moves what it concerns, in the running session.
#[test]
fn a_new_policy_takes_effect_without_a_reset() {
    let mut net = mesh(2);
    for prefix in ["10.1.0.0/16", "10.2.0.0/16"] {
        net.originate(0, prefix);
    }
    let only_first = Policy {
        rules: vec![Rule {
            when: crate::bgp::policy::Match {
                prefixes: Some(PrefixList::from(vec!["10.1.0.0/16".parse().unwrap()])),
                ..Default::default()
            },
            then: Verdict::Accept,
            ..Rule::default()
        }],
        otherwise: Verdict::Reject,
    };
    net.nodes[1].peer("n1").import = only_first.clone();
    net.configure(1);
    net.settle();
    assert!(net.has(1, "10.1.0.0/16") && !net.has(1, "10.2.0.0/16"));
    net.nodes[1].peer("n1").import = Policy::accept_all();
    net.configure(1);
    net.settle();
    assert!(net.has(1, "10.2.0.0/16"), "what was refused was kept");
    net.nodes[0].peer("n2").export = only_first;
    net.configure(0);
    net.settle();
    assert!(net.has(1, "10.1.0.0/16") && !net.has(1, "10.2.0.0/16"));
    assert_eq!(net.peer(1, "n1").counters.established, 1);
}

/// The end of the table is told when the table was told, and not before.
#[test]
fn the_end_is_not_told_before_the_last_route() {
    let mut net = Net::mesh(2);
    net.nodes[0].alive = false;
    net.configure(1);
    for number in 0..5000_u32 {
        let prefix = Ipv4Net::new((0x0b00_0000 + (number << 8)).into(), 24).unwrap();
        net.one(1, originate(prefix.into()));
    }
    net.nodes[0].alive = true;
    let mut told = 0;
    net.configure(0);
    for _ in 0..60 {
        net.pass(SECOND);
        told = net.nodes[0]
            .speaker
            .routes(Some("n2"), None, usize::MAX)
            .count();
    }
    assert_eq!(told, 5000);
    // What was sent, in its order: the routes, and then the two ends.
    assert_eq!(net.peer(0, "n2").received, 5000);
}

fn originate(prefix: IpNet) -> Input {
    Input::Originate {
        prefix,
        marks: Marks::default(),
        ready: true,
    }
}

/// A daemon that is killed and comes back loses no route, at either end, and nothing is told too early.
#[test]
fn a_restart_deletes_no_route() {
    let mut net = mesh(3);
    net.originate(0, "203.0.113.0/24");
    net.originate(1, "198.51.100.0/24");
    net.kill(0);
    net.pass(Duration::from_secs(5));
    assert!(
        net.has(1, "203.0.113.0/24") && net.has(2, "203.0.113.0/24"),
        "they are kept"
    );
    net.revive(0);
    for _ in 0..50 {
        net.pass(Duration::from_millis(200));
        assert!(
            net.has(1, "203.0.113.0/24"),
            "what it originates is not known yet"
        );
        assert!(
            net.has(0, "198.51.100.0/24"),
            "its own kernel keeps what it has"
        );
    }
    assert!(net.is_up(0, "n2") && net.is_up(0, "n3"));
    assert!(
        net.nodes[0].speaker.is_deferring(),
        "its programs have not spoken"
    );
    net.originate(0, "203.0.113.0/24");
    net.tell(0, Input::Originated);
    net.settle();
    assert!(!net.nodes[0].speaker.is_deferring());
    assert_eq!(net.nodes[0].settled, 1);
    net.pass(Duration::from_mins(10));
    for node in [1, 2] {
        assert!(net.has(node, "203.0.113.0/24"));
    }
    assert!(net.has(0, "198.51.100.0/24"));
}

/// What a peer does not tell again after its restart goes, as soon as it has told everything.
#[test]
fn what_is_not_told_again_goes() {
    let mut net = mesh(2);
    net.originate(0, "203.0.113.0/24");
    net.originate(0, "203.0.114.0/24");
    net.kill(0);
    net.revive(0);
    net.originate(0, "203.0.113.0/24");
    net.tell(0, Input::Originated);
    net.pass(Duration::from_secs(10));
    assert!(net.is_up(1, "n1"));
    assert!(net.has(1, "203.0.113.0/24") && !net.has(1, "203.0.114.0/24"));
}

/// A peer that does not come back is forgotten after its restart time.
#[test]
fn who_does_not_come_back_is_forgotten() {
    let mut net = mesh(2);
    net.originate(0, "203.0.113.0/24");
    net.kill(0);
    net.pass(Duration::from_secs(119));
    assert!(net.has(1, "203.0.113.0/24"));
    net.pass(Duration::from_secs(2));
    assert!(!net.has(1, "203.0.113.0/24"));
}

/// The speaker forgets nothing while a large policy is applied, and every single step is small.
#[test]
fn a_large_table_is_gone_through_in_small_steps() {
    let mut net = mesh(2);
    for number in 0..20_000_u32 {
        let prefix = Ipv4Net::new((0x0b00_0000 + (number << 8)).into(), 24).unwrap();
        net.one(0, originate(prefix.into()));
    }
    net.settle();
    assert_eq!(net.nodes[1].kernel.len(), 20_000);
    net.nodes[1].peer("n1").import = Policy::default();
    let config = Box::new(net.nodes[1].config.clone());
    let mut out = Vec::new();
    let now = net.now;
    let speaker = &mut net.nodes[1].speaker;
    speaker.handle(now, Input::Config(config), &mut out);
    let mut steps = 0;
    let removed = |out: &[Output]| {
        out.iter()
            .filter(|output| matches!(output, Output::Remove(_)))
            .count()
    };
    let mut all = removed(&out);
    while speaker.deadline() == Some(rackweave_types::Instant::START) {
        out.clear();
        speaker.handle(now, Input::Tick, &mut out);
        assert!(removed(&out) <= 2048, "a step is bounded");
        all += removed(&out);
        steps += 1;
    }
    assert_eq!(all, 20_000);
    assert!(steps >= 9, "{steps}");
}

/// A peer that reads slowly is told the newest state, once.
#[test]
fn a_slow_peer_costs_no_memory_for_what_is_over() {
    let mut net = mesh(2);
    net.nodes[1].alive = false;
    let now = net.now;
    let mut out = Vec::new();
    let speaker: &mut Speaker = &mut net.nodes[0].speaker;
    let mut octets = 0;
    for _ in 0..20 {
        for number in 0..2000_u32 {
            let prefix = Ipv4Net::new((0x0b00_0000 + (number << 8)).into(), 24).unwrap();
            speaker.handle(now, originate(prefix.into()), &mut out);
            speaker.handle(now, Input::Withdraw(prefix.into()), &mut out);
        }
        octets += out
            .drain(..)
            .map(|output| match output {
                Output::Send { bytes, .. } => bytes.len(),
                _ => 0,
            })
            .sum::<usize>();
    }
    assert!(octets <= crate::bgp::ROOM + 16 * 1024, "{octets}");
    let peer = speaker.peers().next().unwrap();
    assert!(peer.waiting <= 2000, "{}", peer.waiting);
}

/// The best route is told after it changed, also when it changes back.
#[test]
fn a_better_route_takes_the_place_of_a_worse_one() {
    let mut net = mesh(3);
    net.originate(0, "203.0.113.0/24");
    net.originate(1, "203.0.113.0/24");
    let via = |net: &Net| net.nodes[2].kernel[&super::net::net("203.0.113.0/24")].len();
    assert_eq!(via(&net), 2);
    net.tell(0, Input::Withdraw(super::net::net("203.0.113.0/24")));
    assert_eq!(via(&net), 1);
    assert!(net.has(0, "203.0.113.0/24"), "it now has the other's");
    let explained = net.nodes[0]
        .speaker
        .explain(super::net::net("203.0.113.0/24"))
        .unwrap();
    assert_eq!(explained.routes[0].attributes.as_path.to_string(), "65002");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever octets a peer sends in a running session, the speaker goes on, and what it holds of the peer is counted
    /// right.
    #[test]
    fn no_octets_in_a_session_do_harm(
        spoiled in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut net = mesh(2);
        net.originate(0, "203.0.113.0/24");
        net.originate(0, "2001:db8::/32");
        for (at, (index, octet)) in (0_u32..).zip(spoiled) {
            let prefix = Ipv4Net::new((0x0b00_0000 + (at << 8)).into(), 24).unwrap();
            net.tell(0, originate(prefix.into()));
            let mut bytes = crate::bgp::message::announce(
                &super::arbitrary::TERMS,
                &crate::bgp::Attributes::new(crate::bgp::NextHop::V4([10, 0, 0, 1].into())),
                &crate::bgp::message::Prefixes::V4(vec![prefix]),
            ).unwrap().remove(0);
            let place = 19 + index.index(bytes.len() - 19);
            bytes[place] = octet;
            // The far end of the first session that came up is the one of an odd or an even number.
            for conn in 0..8 {
                let conn = crate::bgp::ConnId(conn);
                net.one(1, Input::Received { conn, bytes: bytes.clone() });
            }
            net.settle();
            let held = net.nodes[1].speaker.routes(Some("n1"), None, usize::MAX).count();
            prop_assert!(net.peer(1, "n1").received == held);
        }
        net.pass(Duration::from_mins(5));
        prop_assert!(net.is_up(0, "n2"), "{:?}", net.nodes[1].told);
        prop_assert!(net.has(1, "203.0.113.0/24") && net.has(1, "2001:db8::/32") || !net.has(1, "2001:db8::/32"));
    }
}

#[test]
fn names_are_found() {
    let net = mesh(2);
    assert!(net.nodes[0].speaker.peer_id("n2").is_some());
    assert!(net.nodes[0].speaker.peer_id("nobody").is_none());
    assert_eq!(super::net::net("10.0.0.0/8"), net_of());
}

fn net_of() -> IpNet {
    net("10.0.0.0/8")
}
