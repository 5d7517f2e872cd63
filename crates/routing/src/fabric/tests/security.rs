//! Who claims what is not its own.

use rackweave_types::{BootstrapPrefix, Role};

use super::net::{Net, prefix, rack};
use crate::fabric::{EventKind, LinkId};

#[test]
fn the_second_claimant_of_a_prefix_is_refused_and_both_are_named() {
    let mut net = Net::new();
    for _ in 0..2 {
        net.node(Role::Sled, Some((1, 1)));
    }
    let switch = net.node(Role::Switch, Some((1, 0xfd)));
    net.wire(0, switch);
    net.run_ms(100);
    net.wire(1, switch);
    net.run_ms(100);
    let claimed = prefix(1, 1).net();
    assert_eq!(net.ways(switch, claimed), Some(vec![(0, 1)]));
    let conflicts = net.events(switch, EventKind::Conflict);
    assert_eq!(conflicts.len(), 1);
    for named in ["sled0", "sled1", "fd00:1122:3344:101::/64"] {
        assert!(conflicts[0].contains(named), "{conflicts:?}");
    }
    let explained = net.nodes[switch].fabric.explain(claimed);
    let why: Vec<&str> = explained
        .paths
        .iter()
        .map(|path| path.why.as_str())
        .collect();
    assert_eq!(
        why,
        [
            "used, with 1 of 1 of the traffic",
            "not used: another node claimed it first"
        ]
    );
    let bootstrap = |node: usize| BootstrapPrefix::new(net.nodes[node].settings.hardware).net();
    let (first, second) = (net.link(switch, 0), net.link(switch, 1));
    let lets_in = |link: &LinkId| net.nodes[switch].filters[link].clone().unwrap();
    assert_eq!(lets_in(&first), [claimed, bootstrap(0)]);
    assert_eq!(
        lets_in(&second),
        [bootstrap(1)],
        "nor may it send from there"
    );
    // When the first is gone, the second has it.
    net.cut(0, switch);
    net.run_ms(40_000);
    let lets_in = net.nodes[switch].filters[&second].clone().unwrap();
    let own = BootstrapPrefix::new(net.nodes[1].settings.hardware).net();
    assert_eq!(lets_in, [claimed, own]);
    assert_eq!(net.ways(switch, claimed), Some(vec![(1, 1)]));
    assert!(net.events(switch, EventKind::Conflict)[1].contains("sled1"));
}

#[test]
fn two_racks_of_one_number_are_named_both() {
    let (mut net, switches) = Net::racks(2, 1, 0);
    net.run_ms(200);
    // A third rack comes with the number of the second.
    let stranger = net.node(Role::Switch, Some((2, 0xfd)));
    net.wire(stranger, switches[0]);
    net.run_ms(200);
    let conflicts = net.events(switches[0], EventKind::Conflict);
    assert!(!conflicts.is_empty());
    let stranger_name = format!("switch{stranger}");
    for named in ["number 02", "switch4", &stranger_name] {
        assert!(conflicts[0].contains(named), "{named} in {conflicts:?}");
    }
    // What was there before goes on.
    assert_eq!(net.walk(0, net.own(3).unwrap()), Ok(3));
}

#[test]
fn a_rack_of_this_nodes_own_number_is_not_let_in() {
    let (mut net, switches) = Net::racks(1, 1, 0);
    let stranger = net.node(Role::Switch, Some((1, 0xfd)));
    net.wire(stranger, switches[0]);
    net.run_ms(200);
    let conflicts = net.events(switches[0], EventKind::Conflict);
    assert!(conflicts[0].contains("this node") && conflicts[0].contains("number 01"));
    net.check_one(0, switches[0]).unwrap();
}

#[test]
fn a_sled_outside_its_rack_is_refused_its_prefix() {
    let mut net = Net::new();
    let sled = net.node(Role::Sled, Some((2, 1)));
    let switch = net.node(Role::Switch, Some((1, 0xfd)));
    net.wire(sled, switch);
    net.run_ms(100);
    let refused = net.events(switch, EventKind::Refused);
    assert!(refused[0].contains("fd00:1122:3344:201::/64") && refused[0].contains("sled0"));
    assert_eq!(net.ways(switch, prefix(2, 1).net()), None);
    let explained = net.nodes[switch].fabric.explain(prefix(2, 1).net());
    assert_eq!(explained.refused.len(), 1);
}

#[test]
fn links_let_in_what_was_taken_in_of_their_sleds() {
    let mut net = Net::new();
    let sled = net.node(Role::Sled, Some((1, 1)));
    let switch = net.node(Role::Switch, Some((1, 0xfd)));
    let other = net.node(Role::Switch, Some((2, 0xfd)));
    let link = |number| LinkId(number);
    net.wire(switch, sled);
    net.wire(switch, other);
    net.run(std::time::Duration::from_micros(10));
    assert_eq!(
        net.nodes[switch].filters[&link(1)],
        Some(vec![]),
        "nobody yet"
    );
    net.run_ms(100);
    let bootstrap = BootstrapPrefix::new(net.nodes[sled].settings.hardware).net();
    let mut allowed = vec![bootstrap, prefix(1, 1).net()];
    allowed.sort_unstable();
    assert_eq!(net.nodes[switch].filters[&link(1)], Some(allowed.clone()));
    assert_eq!(net.nodes[switch].filters[&link(2)], None);
    assert!(net.nodes[sled].filters.is_empty());
    // While the switch restarts, filters stay as they are.
    net.kill(switch);
    net.start(switch);
    net.run(std::time::Duration::from_micros(10));
    assert_eq!(net.nodes[switch].filters[&link(1)], Some(allowed.clone()));
    net.run_ms(200);
    assert_eq!(net.nodes[switch].filters[&link(1)], Some(allowed));
}

#[test]
fn an_assignment_that_is_anothers_is_told() {
    let mut net = Net::new();
    let sled = net.node(Role::Sled, Some((1, 1)));
    let switch = net.node(Role::Switch, Some((1, 0xfd)));
    if let Some(assignment) = &mut net.nodes[sled].settings.assignment {
        assignment.identity = "BRM-9".to_owned();
    }
    net.kill(sled);
    net.start(sled);
    net.wire(sled, switch);
    net.run_ms(100);
    let refused = net.events(switch, EventKind::Refused);
    let told = "refused the assignment that sled sled0 (02:00:00:00:00:01) on eth1 shows: \
                the assignment of fd00:1122:3344:101::/64 is made out to BRM-9, and shown by sled0";
    assert!(refused.contains(&told), "{refused:?}");
    let routes = net.ways(switch, prefix(1, 1).net());
    assert_eq!(
        routes,
        Some(vec![(sled, 1)]),
        "unsigned, the first claimant has it"
    );
}

/// A sled that comes up with its /64 is told of nothing by a switch that does not let it in yet.
#[test]
fn a_new_sled_is_told_when_it_is_let_in() {
    for answers in [true, false] {
        let mut net = Net::new();
        let sled = net.node(Role::Sled, Some((1, 1)));
        let switch = net.node(Role::Switch, Some((1, 0xfd)));
        net.nodes[switch].tells_filters = answers;
        net.wire(sled, switch);
        let mut waited = 0;
        while net.ways(sled, prefix(1, 0xfd).net()).is_none() {
            net.run_ms(1);
            waited += 1;
            assert!(waited < 3_000, "it is never told");
        }
        let expected = if answers { 15..40 } else { 1_000..2_100 };
        assert!(expected.contains(&waited), "{waited} ms");
        assert!(net.walk(sled, net.own(switch).unwrap()).is_ok());
    }
}

/// A switch that comes up is told of nothing by another one that does not let everybody in from it yet.
#[test]
fn a_new_switch_is_told_when_its_link_is_open() {
    let mut net = Net::new();
    let [one, other] = [1, 2].map(|rack| net.node(Role::Switch, Some((rack, 0xfd))));
    let sled = net.node(Role::Sled, Some((1, 1)));
    net.wire(one, sled);
    net.run_ms(100);
    net.wire(other, one);
    let mut waited = 0;
    while net.ways(other, rack(1).net()).is_none() {
        net.run_ms(1);
        waited += 1;
        assert!(waited < 3_000, "it is never told");
    }
    assert!((15..60).contains(&waited), "{waited} ms");
}

/// A sled that is given a /64 while it runs sends from it when its switches let it in, and not before; one that does not say
/// so is not waited for long.
#[test]
fn a_sled_takes_its_prefix_up_when_it_is_let_in() {
    for answers in [true, false] {
        let mut net = Net::new();
        let sled = net.node(Role::Sled, None);
        let switches = [0xfd, 0xfe].map(|number| net.node(Role::Switch, Some((1, number))));
        for switch in switches {
            net.wire(sled, switch);
        }
        net.nodes[switches[1]].tells_filters = answers;
        net.run_ms(200);
        let given = Net::assignment(&net.nodes[sled].settings, (1, 1));
        let prefix = given.prefix.net();
        net.input(
            sled,
            std::time::Duration::ZERO,
            crate::fabric::Input::Assigned(given),
        );
        let mut waited = 0;
        while net.own(sled).is_none() {
            net.run_ms(1);
            waited += 1;
            let let_in = |switch: usize| {
                let link = net.link(switch, sled);
                net.nodes[switch].filters[&link]
                    .as_ref()
                    .unwrap()
                    .contains(&prefix)
            };
            let is_in = switches.into_iter().all(let_in);
            assert!(is_in || net.own(sled).is_none(), "after {waited} ms");
            assert!(waited < 2_000, "it is never taken up");
        }
        if answers {
            assert!((15..30).contains(&waited), "{waited} ms");
        } else {
            assert_eq!(waited, 1_000);
        }
        net.run_ms(20);
        let route = &net.nodes[sled].kernel[&super::net::prefix(1, 0xfd).net()];
        assert_eq!(route.source, net.own(sled));
    }
}
