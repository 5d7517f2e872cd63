//! Sessions come, stay and go.

use std::time::Duration;

use super::net::{Net, asn, net};
use crate::bgp::config::{RemoteAs, RemoteKind, StaticRoute, StaticWay};
use crate::bgp::policy::Policy;
use crate::bgp::{Family, Happening, Input, SessionState, Standing};
use crate::fabric::LinkId;

const SECOND: Duration = Duration::from_secs(1);

fn pair() -> Net {
    let mut net = Net::mesh(2);
    net.begin();
    net.pass(SECOND);
    net
}

#[test]
fn two_that_call_each_other_have_one_session() {
    let net = pair();
    for (node, name) in [(0, "n2"), (1, "n1")] {
        let peer = net.peer(node, name);
        assert_eq!(
            peer.state,
            SessionState::Established,
            "{:?}",
            net.nodes[node].told
        );
        assert_eq!(peer.families, Family::ALL);
        assert_eq!(peer.counters.established, 1);
        assert_eq!(net.nodes[node].count(Happening::Up), 1);
        assert_eq!(
            net.nodes[node].count(Happening::Down),
            0,
            "{:?}",
            net.nodes[node].told
        );
    }
}

#[test]
fn a_route_comes_and_goes() {
    let mut net = pair();
    net.originate(0, "203.0.113.0/24");
    assert!(net.has(1, "203.0.113.0/24"));
    let ways = &net.nodes[1].kernel[&super::net::net("203.0.113.0/24")];
    assert_eq!(ways[0].via, net.nodes[0].address);
    net.tell(0, Input::Withdraw(super::net::net("203.0.113.0/24")));
    assert!(!net.has(1, "203.0.113.0/24"));
    assert_eq!(net.nodes[1].speaker.counts().0, 0, "nothing is left");
}

#[test]
fn a_quiet_session_stays() {
    let mut net = pair();
    net.pass(Duration::from_hours(1));
    assert!(net.is_up(0, "n2"));
    assert_eq!(net.peer(0, "n2").counters.established, 1);
}

#[test]
fn silence_ends_it_after_the_hold_time() {
    let mut net = pair();
    net.nodes[1].alive = false;
    net.pass(Duration::from_mins(1));
    assert!(net.is_up(0, "n2"), "the hold time is 90 s");
    net.pass(Duration::from_secs(31));
    assert!(!net.is_up(0, "n2"));
    let why = net.peer(0, "n2").why.unwrap();
    assert!(why.contains("hold time"), "{why}");
}

#[test]
fn what_is_not_ready_is_not_told() {
    let mut net = pair();
    let (prefix, marks) = (
        net_of("203.0.113.7/32"),
        crate::bgp::config::Marks::default(),
    );
    let originate = |ready| Input::Originate {
        prefix,
        marks: marks.clone(),
        ready,
    };
    net.tell(0, originate(false));
    assert!(!net.has(1, "203.0.113.7/32"));
    net.tell(0, originate(true));
    assert!(net.has(1, "203.0.113.7/32"));
    net.tell(0, originate(false));
    assert!(!net.has(1, "203.0.113.7/32"));
}

fn net_of(text: &str) -> ipnet::IpNet {
    net(text)
}

#[test]
fn a_route_is_passed_on_once_the_kernel_has_it() {
    let mut net = Net::mesh(3);
    // 1 – 2 – 3 in a row.
    net.nodes[0].config.peers.remove("n3");
    net.nodes[2].config.peers.remove("n1");
    net.nodes[1].kernel_answers = false;
    net.begin();
    net.pass(SECOND);
    net.originate(0, "198.51.100.0/24");
    assert!(net.has(1, "198.51.100.0/24"));
    assert!(
        !net.has(2, "198.51.100.0/24"),
        "the kernel has not answered"
    );
    let why = net.nodes[1]
        .speaker
        .explain(net_of("198.51.100.0/24"))
        .unwrap();
    let towards = why.peers.iter().find(|peer| &*peer.name == "n3").unwrap();
    assert_eq!(
        towards.why.as_deref(),
        Some("the kernel does not have it yet")
    );
    net.kernel(1);
    assert!(net.has(2, "198.51.100.0/24"));
    let explained = net.nodes[2]
        .speaker
        .explain(net_of("198.51.100.9/32"))
        .unwrap();
    assert_eq!(
        explained.routes[0].attributes.as_path.to_string(),
        "65002 65001"
    );
}

#[test]
fn nothing_is_exchanged_without_policy() {
    let mut net = Net::mesh(2);
    net.nodes[1].peer("n1").import = Policy::default();
    net.begin();
    net.pass(SECOND);
    net.originate(0, "203.0.113.0/24");
    assert!(!net.has(1, "203.0.113.0/24"));
    let routes: Vec<_> = net.nodes[1].speaker.routes(Some("n1"), None, 10).collect();
    let Standing::Refused(why) = &routes[0].standing else {
        panic!("{routes:?}");
    };
    assert!(why.contains("import policy"), "{why}");
}

#[test]
fn a_loop_is_not_used() {
    let mut net = Net::mesh(3);
    net.begin();
    net.pass(SECOND);
    net.originate(0, "203.0.113.0/24");
    let own: Vec<_> = net.nodes[0].speaker.routes(Some("n2"), None, 10).collect();
    let refused =
        |standing: &Standing| matches!(standing, Standing::Refused(why) if why.contains("65001"));
    assert!(own.iter().all(|route| refused(&route.standing)), "{own:?}");
    // Both others have a direct way and a longer one.
    let two = net.nodes[1]
        .speaker
        .explain(net_of("203.0.113.0/24"))
        .unwrap();
    assert_eq!(two.routes[0].standing, Standing::Best);
    assert_eq!(&*two.routes[0].from, "n1");
    assert_eq!(two.ways.len(), 1);
}

#[test]
fn two_uplinks_are_used_at_once() {
    let mut net = Net::mesh(3);
    net.nodes[0].config.peers.remove("n2");
    net.nodes[1].config.peers.remove("n1");
    net.begin();
    net.pass(SECOND);
    net.originate(0, "0.0.0.0/0");
    net.originate(1, "0.0.0.0/0");
    let ways = net.nodes[2].kernel[&net_of("0.0.0.0/0")].clone();
    assert_eq!(ways.len(), 2, "{ways:?}");
    net.kill(0);
    net.pass(SECOND);
    let explained = net.nodes[2].speaker.explain(net_of("0.0.0.0/0")).unwrap();
    assert_eq!(
        explained.ways.len(),
        2,
        "a router that restarts goes on forwarding"
    );
    net.pass(Duration::from_secs(121));
    assert_eq!(net.nodes[2].kernel[&net_of("0.0.0.0/0")].len(), 1);
}

#[test]
fn a_wrong_system_is_refused_and_named() {
    let mut net = Net::mesh(2);
    net.nodes[0].peer("n2").remote_as = RemoteAs::Number(asn(64_999));
    net.begin();
    net.pass(SECOND);
    let peer = net.peer(0, "n2");
    assert_ne!(peer.state, SessionState::Established);
    let why = peer.why.unwrap();
    assert!(
        why.contains("65002") && why.contains("not the configured one"),
        "{why}"
    );
    let why = net.peer(1, "n1").why.unwrap();
    assert!(why.contains("bad peer as"), "{why}");
    net.nodes[0].peer("n2").remote_as = RemoteAs::Any(RemoteKind::External);
    net.configure(0);
    net.pass(Duration::from_mins(2));
    assert!(net.is_up(0, "n2"), "{:?}", net.nodes[0].told);
}

#[test]
fn an_administrator_says_why() {
    let mut net = pair();
    net.nodes[0].peer("n2").shutdown = Some("moving racks".to_owned());
    net.configure(0);
    net.pass(SECOND);
    assert_eq!(net.peer(0, "n2").state, SessionState::Idle);
    let why = net.peer(1, "n1").why.unwrap();
    assert!(!net.is_up(1, "n1") && why.contains("hard reset"), "{why}");
    net.nodes[0].peer("n2").shutdown = None;
    net.configure(0);
    net.pass(Duration::from_secs(10));
    assert!(net.is_up(0, "n2"));
}

#[test]
fn too_many_prefixes_end_it_until_people_look() {
    let mut net = Net::mesh(2);
    net.nodes[1].peer("n1").max_prefixes = Some(2);
    net.begin();
    net.pass(SECOND);
    for prefix in ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"] {
        net.originate(0, prefix);
    }
    net.pass(Duration::from_mins(10));
    assert_eq!(net.peer(1, "n1").state, SessionState::Idle);
    assert!(net.nodes[1].kernel.is_empty());
    let why = net.peer(1, "n1").why.unwrap();
    assert!(why.contains("max_prefixes"), "{why}");
    net.nodes[1].peer("n1").max_prefixes = Some(3);
    net.configure(1);
    net.pass(Duration::from_mins(2));
    assert_eq!(net.nodes[1].kernel.len(), 3);
}

#[test]
fn a_link_that_goes_down_ends_it_at_once() {
    let mut net = Net::mesh(2);
    net.nodes[0].peer("n2").interface = Some("up0".to_owned());
    net.begin();
    net.pass(SECOND);
    assert!(net.peer(0, "n2").why.unwrap().contains("up0 is not there"));
    let link = |up| Input::Link {
        name: "up0".to_owned(),
        link: LinkId(7),
        up,
    };
    net.tell(0, link(true));
    net.pass(Duration::from_secs(10));
    assert!(net.is_up(0, "n2"));
    net.originate(1, "203.0.113.0/24");
    assert_eq!(
        net.nodes[0].kernel[&net_of("203.0.113.0/24")][0].link,
        Some(LinkId(7))
    );
    net.tell(0, link(false));
    assert!(!net.is_up(0, "n2") && net.nodes[0].kernel.is_empty());
    net.tell(0, link(true));
    net.pass(Duration::from_secs(10));
    assert!(net.is_up(0, "n2"));
}

#[test]
fn what_bfd_says_is_believed() {
    let mut net = Net::mesh(2);
    net.nodes[0].peer("n2").bfd = true;
    net.begin();
    net.pass(SECOND);
    let address = net.nodes[1].address;
    assert!(net.nodes[0].watched.contains(&(address, None)));
    net.originate(1, "203.0.113.0/24");
    let liveness = |up| Input::Liveness {
        address,
        link: None,
        up,
        why: "nothing was heard for 30 ms".to_owned(),
    };
    net.tell(0, liveness(false));
    assert!(net.is_up(0, "n2"), "it was never up");
    net.tell(0, liveness(true));
    net.tell(0, liveness(false));
    assert!(
        net.nodes[0].kernel.is_empty(),
        "nothing is kept of what is dead"
    );
    let down = net.nodes[0]
        .told
        .iter()
        .any(|(kind, what)| *kind == Happening::Down && what.contains("30 ms"));
    assert!(down, "{:?}", net.nodes[0].told);
}

#[test]
fn a_static_route_lives_with_its_next_hop() {
    let mut net = Net::mesh(1);
    let via = |address: &str, bfd| StaticWay {
        address: address.parse().unwrap(),
        interface: None,
        bfd,
    };
    net.nodes[0].config.statics = vec![StaticRoute {
        prefix: net_of("0.0.0.0/0"),
        via: vec![via("192.0.2.1", true), via("192.0.2.2", false)],
    }];
    net.begin();
    assert_eq!(net.nodes[0].kernel[&net_of("0.0.0.0/0")].len(), 1);
    let liveness = |up| Input::Liveness {
        address: "192.0.2.1".parse().unwrap(),
        link: None,
        up,
        why: "the neighbour is heard".to_owned(),
    };
    net.tell(0, liveness(true));
    assert_eq!(net.nodes[0].kernel[&net_of("0.0.0.0/0")].len(), 2);
    net.tell(0, liveness(false));
    assert_eq!(net.nodes[0].kernel[&net_of("0.0.0.0/0")].len(), 1);
}

#[test]
fn a_route_is_refreshed_softly() {
    let mut net = pair();
    net.originate(0, "203.0.113.0/24");
    let before = net.peer(0, "n2").counters.updates_sent;
    let reset = Input::Reset {
        peer: "n1".to_owned(),
        soft: true,
    };
    net.tell(1, reset);
    net.pass(SECOND);
    assert!(net.is_up(1, "n1") && net.peer(1, "n1").counters.established == 1);
    assert!(
        net.peer(0, "n2").counters.updates_sent > before,
        "it is told again"
    );
}
