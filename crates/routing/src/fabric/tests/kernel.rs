//! The kernel's answers are state; what is stale is kept.

use std::time::Duration;

use super::net::{Net, prefix, rack};
use crate::fabric::view::HeldView;
use crate::fabric::{EventKind, Input, KernelRoute};

#[test]
fn what_the_kernel_refuses_is_not_announced() {
    let (mut net, _) = Net::racks(2, 1, 0);
    // Switch 1 cannot have rack 2.
    net.nodes[1].refuses.insert(rack(2).net());
    net.run_ms(300);
    assert_eq!(net.ways(0, rack(2).net()), Some(vec![(2, 1)]));
    assert!(net.walk(0, net.own(3).unwrap()).is_ok());
    let events = net.events(1, EventKind::Repair);
    assert!(events[0].contains("out of memory"), "{events:?}");
    let routes = net.nodes[1].fabric.routes();
    let route = routes
        .iter()
        .find(|route| route.prefix == rack(2).net())
        .unwrap();
    assert!(matches!(&route.kernel, HeldView::Refused(why) if why.contains("out of memory")));
    // At the next comparison it is asked again.
    net.nodes[1].refuses.clear();
    compare(&mut net, 1);
    assert_eq!(net.ways(0, rack(2).net()), Some(vec![(1, 1), (2, 1)]));
}

/// Has a node compare its table with its kernel's.
fn compare(net: &mut Net, node: usize) {
    let held = net.nodes[node].kernel.values().map(|route| KernelRoute {
        prefix: route.prefix,
        source: route.source,
        hops: route.hops.clone(),
    });
    let held = Input::Kernel(held.collect());
    net.input(node, Duration::ZERO, held);
    net.run_ms(50);
}

#[test]
fn what_is_lost_from_the_kernel_is_mended() {
    let (mut net, _) = Net::racks(2, 1, 0);
    net.run_ms(300);
    compare(&mut net, 1);
    assert!(net.events(1, EventKind::Repair).is_empty());
    net.nodes[1].kernel.remove(&rack(2).net());
    let foreign = net.nodes[1].kernel[&prefix(1, 1).net()].clone();
    let stray = prefix(3, 3).net();
    let mut stray_route = foreign;
    stray_route.prefix = stray;
    net.nodes[1].kernel.insert(stray, stray_route);
    compare(&mut net, 1);
    net.check().unwrap();
    assert!(!net.nodes[1].kernel.contains_key(&stray));
    assert_eq!(net.events(1, EventKind::Repair).len(), 1);
}

#[test]
fn routes_of_a_dead_control_are_kept_while_it_forwards_and_no_longer_than_30_s() {
    let (mut net, _) = Net::racks(2, 1, 0);
    net.run_ms(300);
    let before = net.nodes[0].kernel.clone();
    net.kill(1);
    net.run_ms(32_000);
    assert_eq!(net.nodes[0].kernel, before);
    let neighbors = net.nodes[0].fabric.neighbors();
    assert!(neighbors[0].stale > 0 && neighbors[0].stale == neighbors[0].routes);
    net.run_ms(3_000);
    assert_eq!(net.ways(0, rack(2).net()), Some(vec![(2, 1)]));
    net.start(1);
    net.run_ms(6_000);
    assert_eq!(net.nodes[0].kernel, before);
}

#[test]
fn a_dead_control_whose_forwarding_dies_is_left_at_once() {
    let (mut net, _) = Net::racks(2, 1, 0);
    net.run_ms(300);
    net.kill(1);
    net.run_ms(4_000);
    for node in [0, 4, 5] {
        net.cut(1, node);
    }
    net.run_ms(20);
    assert_eq!(net.ways(0, rack(2).net()), Some(vec![(2, 1)]));
    assert!(net.walk(0, net.own(3).unwrap()).is_ok());
}

#[test]
fn what_a_restarted_node_does_not_say_again_is_swept() {
    let (mut net, _) = Net::racks(1, 2, 0);
    net.run_ms(300);
    let lost = prefix(1, 2).net();
    net.kill(2);
    net.cut(1, 2);
    net.run_ms(100);
    assert_eq!(
        net.ways(0, lost),
        Some(vec![(2, 1), (3, 1)]),
        "switch 2 says nothing"
    );
    net.start(2);
    net.run_ms(300);
    assert_eq!(net.ways(0, lost), Some(vec![(3, 1)]));
    net.check().unwrap();
}

#[test]
fn explain_says_why_each_way_is_used_or_not() {
    let (mut net, _) = Net::racks(2, 2, 0);
    for (a, b) in net.wires() {
        net.measure(a, b, 100, 0);
    }
    net.run_ms(300);
    net.measure(0, 2, 9_000, 0);
    net.cut(4, 6);
    net.run_ms(300);
    let explained = net.nodes[0].fabric.explain(prefix(2, 1).net());
    assert!(
        explained
            .summary
            .contains("served by fd00:1122:3344:200::/56"),
        "{explained:?}"
    );
    let mut whys: Vec<&str> = explained
        .paths
        .iter()
        .map(|path| path.why.as_str())
        .collect();
    // They come in the order in which they were heard of.
    whys.sort_unstable();
    assert!(whys[0].contains("backup"), "{whys:?}");
    assert!(whys[1].contains("used, with 1 of 1"), "{whys:?}");
    // Switch 2 sees that only one switch of rack 2 reaches the sled.
    let explained = net.nodes[2].fabric.explain(prefix(2, 1).net());
    let whys: Vec<&str> = explained
        .paths
        .iter()
        .map(|path| path.why.as_str())
        .collect();
    assert!(
        whys.iter()
            .any(|why| why.contains("does not reach this node")),
        "{whys:?}"
    );
    assert!(
        whys.iter().any(|why| why.contains("used, with 1 of 1")),
        "{whys:?}"
    );
    let none = net.nodes[0]
        .fabric
        .explain("fd00:1122:3344:901::/64".parse().unwrap());
    assert!(none.summary.contains("nobody announces"), "{none:?}");
    let own = net.nodes[0].fabric.explain(prefix(1, 1).net());
    assert!(own.is_local && own.summary.contains("this node's own"));
    assert_eq!(own.announced.len(), 1);
}
