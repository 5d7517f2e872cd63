//! Two sleds and a switch.

use rackweave_types::{BootstrapPrefix, Role};

use super::net::{Net, prefix};
use crate::fabric::{EventKind, Input};

/// Sleds 0 and 1 on switch 2.
fn triangle(is_assigned: bool) -> Net {
    let mut net = Net::new();
    let place = |place| Some(place).filter(|_| is_assigned);
    net.node(Role::Sled, place((1, 1)));
    net.node(Role::Sled, place((1, 2)));
    net.node(Role::Switch, place((1, 0xfd)));
    net.wire(0, 2);
    net.wire(1, 2);
    net
}

#[test]
fn the_bootstrap_network_needs_no_assignment() {
    let mut net = triangle(false);
    net.run_ms(200);
    for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
        let hops = if from == 2 || to == 2 { 1 } else { 2 };
        assert_eq!(
            net.walk(from, net.bootstrap(to)),
            Ok(hops),
            "{from} to {to}"
        );
    }
    let sleds = net.nodes[0].fabric.sleds();
    assert_eq!(sleds.len(), 3);
    assert!(sleds.iter().all(|sled| sled.is_reachable));
}

#[test]
fn assigned_nodes_reach_each_other_by_their_own_prefixes() {
    let mut net = triangle(true);
    net.run_ms(200);
    for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
        let own = net.own(to).unwrap();
        assert!(net.walk(from, own).is_ok(), "{from} to {to}");
        assert!(net.walk(from, net.bootstrap(to)).is_ok());
    }
    let route = &net.nodes[0].kernel[&prefix(1, 2).net()];
    assert_eq!(route.source, net.own(0));
    let bootstrap = BootstrapPrefix::new(net.nodes[1].settings.hardware);
    let route = &net.nodes[0].kernel[&bootstrap.net()];
    assert_eq!(route.source, Some(net.bootstrap(0)));
}

#[test]
fn an_assignment_that_comes_later_is_told() {
    let mut net = triangle(false);
    net.run_ms(200);
    for (node, number) in [(0, 1), (2, 0xfd), (1, 2)] {
        let assignment = Net::assignment(&net.nodes[node].settings, (1, number));
        net.input(node, std::time::Duration::ZERO, Input::Assigned(assignment));
        net.run_ms(50);
    }
    for (from, to) in [(0, 1), (1, 0), (2, 0), (1, 2)] {
        let own = net.own(to).unwrap();
        assert!(net.walk(from, own).is_ok(), "{from} to {to}");
    }
    assert_eq!(net.nodes[0].kernel[&prefix(1, 2).net()].source, net.own(0));
}

#[test]
fn a_link_that_goes_down_takes_its_routes_and_gives_them_back() {
    let mut net = triangle(true);
    net.run_ms(200);
    net.cut(1, 2);
    net.run_ms(5);
    let gone = net.own(1).unwrap();
    assert!(net.walk(0, gone).unwrap_err().starts_with("no route"));
    assert_eq!(net.nodes[1].kernel.len(), 0);
    assert!(net.events(2, EventKind::Link)[2].contains("eth2 is down"));
    net.heal(1, 2);
    net.run_ms(50);
    assert_eq!(net.walk(0, gone), Ok(2));
}

#[test]
fn silence_is_found_by_liveness() {
    let mut net = triangle(true);
    net.run_ms(200);
    net.silence(1, 2);
    net.run_ms(20);
    assert!(net.walk(0, net.own(1).unwrap()).is_err(), "not yet found");
    net.run_ms(20);
    let gone = net.own(1).unwrap();
    assert!(net.walk(0, gone).unwrap_err().starts_with("no route"));
    assert!(
        net.events(2, EventKind::Liveness)
            .iter()
            .any(|e| e.contains("is dead: silence"))
    );
}
