//! Delay and loss: what is announced of them, and what share ways get.

use super::net::{Net, prefix, rack};

fn at_rest() -> Net {
    let (mut net, _) = Net::racks(2, 2, 0);
    net.run_ms(200);
    for (a, b) in net.wires() {
        net.measure(a, b, 100, 0);
    }
    net.run_ms(1_000);
    net
}

/// The shares of sled 0's two switches for its neighbour sled, and for the other rack.
fn shares(net: &Net) -> [Vec<(usize, u8)>; 2] {
    [prefix(1, 2).net(), rack(2).net()].map(|prefix| net.ways(0, prefix).unwrap())
}

#[test]
fn equal_ways_stay_equal_and_nothing_is_said_of_noise() {
    let mut net = at_rest();
    let both = vec![(2, 1), (3, 1)];
    assert_eq!(shares(&net), [both.clone(), both.clone()]);
    let installs = net.nodes[0].installs;
    let route = &net.nodes[0].fabric.routes()[0];
    assert!(route.cost.0 >= 100_000, "{route:?}");
    for round in 0..20 {
        net.measure(0, 2, 100 + 30 * (round % 3), 0);
        net.run_ms(50);
    }
    assert_eq!(shares(&net), [both.clone(), both]);
    assert_eq!(net.nodes[0].installs, installs);
}

#[test]
fn a_slow_link_of_its_own_is_left_within_100_ms() {
    let mut net = at_rest();
    net.measure(0, 2, 5_100, 0);
    net.run_ms(100);
    assert_eq!(shares(&net), [vec![(3, 1)], vec![(3, 1)]]);
    net.measure(0, 2, 100, 0);
    net.run_ms(1_000);
    assert_eq!(shares(&net), [vec![(2, 1), (3, 1)], vec![(2, 1), (3, 1)]]);
}

#[test]
fn a_lossy_link_far_away_is_left_by_who_is_told_of_it() {
    let mut net = at_rest();
    // Between switch 2 and both of rack 2's: sled 0 hears of it by what switch 2 announces.
    net.measure(2, 6, 100, 100_000);
    net.measure(2, 7, 100, 100_000);
    net.run_ms(300);
    let [near, far] = shares(&net);
    assert_eq!(far, [(3, 1)]);
    assert_eq!(near, [(2, 1), (3, 1)], "it does not matter within the rack");
    // One of the two heals: switch 2 uses that one, and is as good as switch 3 again.
    net.measure(2, 7, 100, 0);
    net.run_ms(2_000);
    assert_eq!(net.ways(2, rack(2).net()), Some(vec![(7, 1)]));
    assert_eq!(shares(&net)[1], [(2, 1), (3, 1)]);
}

#[test]
fn a_slow_link_to_the_sled_that_is_asked_for_counts_within_the_rack() {
    let mut net = at_rest();
    net.measure(1, 2, 8_000, 0);
    net.run_ms(300);
    assert_eq!(shares(&net)[0], [(3, 1)]);
}

#[test]
fn when_the_slow_side_changes_weights_change_once() {
    let mut net = at_rest();
    net.measure(0, 2, 5_100, 0);
    net.run_ms(3_000);
    for turn in 0..20 {
        let (slow, fast) = if turn % 2 == 0 { (3, 2) } else { (2, 3) };
        let before = net.nodes[0].installs;
        net.measure(0, slow, 5_100, 0);
        net.run_ms(20);
        net.measure(0, fast, 100, 0);
        net.run_ms(2_980);
        let fast = u8::try_from(fast).unwrap();
        assert_eq!(shares(&net)[0], [(usize::from(fast), 1)]);
        let routes = net.nodes[0]
            .kernel
            .values()
            .filter(|route| !route.hops.is_empty());
        let most = routes.count();
        assert!(net.nodes[0].installs - before <= most, "turn {turn}");
    }
}

#[test]
fn costs_add_up_along_the_way_and_are_told_by_and_by() {
    let mut net = at_rest();
    let cost = |net: &Net| {
        let routes = net.nodes[0].fabric.routes();
        let route = routes.iter().find(|route| route.prefix == rack(2).net());
        route.unwrap().cost.0
    };
    // Its own link; that of the switch, 100 µs, is too little to be announced anew.
    assert_eq!(cost(&net), 100_000);
    let sent = net.sent;
    for (a, b) in [(2, 6), (2, 7), (3, 6), (3, 7)] {
        net.measure(a, b, 900, 0);
    }
    net.run_ms(200);
    assert_eq!(cost(&net), 1_000_000);
    // Each switch told its two sleds, and each of the other rack's: no storm.
    assert!(net.sent - sent < 100, "{} datagrams", net.sent - sent);
}

#[test]
fn a_grey_last_link_is_left_by_other_racks_and_not_by_both_its_switches() {
    let mut net = at_rest();
    let far = prefix(2, 1).net();
    assert_eq!(net.ways(2, far), None);
    // Sled 4 of rack 2 has switches 6 (fd) and 7 (fe).
    net.measure(4, 6, 100, 100_000);
    net.run_ms(100);
    assert_eq!(net.ways(2, far), Some(vec![(7, 1)]));
    net.check().unwrap();
    // Both are bad: one of them has to do.
    net.measure(4, 7, 100, 100_000);
    net.run_ms(1_000);
    assert_eq!(net.ways(2, far), Some(vec![(7, 1)]));
    let installs = net.nodes[2].installs;
    net.run_ms(10_000);
    assert_eq!(net.nodes[2].installs, installs, "they do not take turns");
    net.measure(4, 6, 100, 0);
    net.run_ms(1_000);
    assert_eq!(net.ways(2, far), Some(vec![(6, 1)]));
    net.check().unwrap();
    // The one that is left loses the sled: the other one, bad as it may be, is told of at once.
    net.cut(4, 6);
    net.run_ms(20);
    assert_eq!(net.ways(2, far), Some(vec![(7, 1)]));
    net.check().unwrap();
}

#[test]
fn two_last_links_that_turn_grey_at_once_are_not_both_left() {
    let mut net = at_rest();
    net.measure(4, 6, 100, 100_000);
    net.measure(4, 7, 100, 100_000);
    net.run_ms(2_000);
    assert_eq!(net.ways(2, prefix(2, 1).net()), Some(vec![(7, 1)]));
    net.check().unwrap();
}
