//! Racks joined by a mesh of switches, or by spines.

use super::net::{Net, prefix, rack};

const REST_MS: u64 = 300;

#[test]
fn two_racks_reach_each_other_by_their_summaries() {
    let (mut net, switches) = Net::racks(2, 2, 0);
    net.run_ms(REST_MS);
    net.check().unwrap();
    // Sleds 0 and 1, switches 2 and 3; sleds 4 and 5, switches 6 and 7.
    assert_eq!(net.walk(0, net.own(4).unwrap()), Ok(3));
    let both = Some(vec![(2, 1), (3, 1)]);
    assert_eq!(net.ways(0, rack(2).net()), both);
    assert_eq!(net.ways(2, rack(2).net()), Some(vec![(6, 1), (7, 1)]));
    assert_eq!(net.ways(0, prefix(2, 1).net()), None);
    // The own rack's /56 is unreachable, but for what is more specific.
    assert_eq!(net.ways(switches[0], rack(1).net()), Some(vec![]));
    assert!(net.nodes[2].kernel.keys().all(|net| net.prefix_len() > 0));
}

#[test]
fn a_sled_whose_link_is_lost_is_routed_by_itself_until_it_is_back() {
    let (mut net, _) = Net::racks(2, 2, 0);
    net.run_ms(REST_MS);
    net.cut(4, 6);
    net.run_ms(20);
    net.check().unwrap();
    let lost = prefix(2, 1).net();
    assert_eq!(net.ways(2, lost), Some(vec![(7, 1)]));
    assert_eq!(net.ways(2, rack(2).net()), Some(vec![(6, 1), (7, 1)]));
    // Both switches of rack 1 reach it as well as before: their sleds need no more than the summary.
    assert_eq!(net.ways(0, lost), None);
    // Its own rack goes round: switch 6 by a switch of the other rack, sled 5 by switch 7 alone.
    assert_eq!(net.ways(6, lost).unwrap().len(), 2);
    assert_eq!(net.ways(5, lost), Some(vec![(7, 1)]));
    net.heal(4, 6);
    net.run_ms(50);
    net.check().unwrap();
    assert_eq!(net.ways(2, lost), None);
    assert_eq!(net.ways(6, lost), Some(vec![(4, 1)]));
}

#[test]
fn a_sled_on_one_switch_and_one_on_the_other_go_round_by_another_rack() {
    let (mut net, _) = Net::racks(2, 2, 0);
    net.run_ms(REST_MS);
    net.cut(0, 2);
    net.cut(1, 3);
    net.run_ms(100);
    net.check().unwrap();
    assert_eq!(net.walk(0, net.own(1).unwrap()), Ok(4));
}

#[test]
fn a_rack_by_itself_has_no_way_round() {
    let (mut net, _) = Net::racks(1, 2, 0);
    net.run_ms(REST_MS);
    net.cut(0, 2);
    net.cut(1, 3);
    net.run_ms(100);
    net.check().unwrap();
    assert!(!net.is_reachable(0, 1));
    assert!(net.walk(0, net.own(1).unwrap()).is_err());
}

#[test]
fn spines_join_racks() {
    let (mut net, _) = Net::racks(3, 1, 2);
    net.run_ms(REST_MS);
    net.check().unwrap();
    let spine = net.nodes.len() - 1;
    // One route a rack, and one for each of its switches: only one of the two reaches it.
    assert_eq!(net.nodes[spine].kernel.len(), 9);
    // Where spines lie between, all ways to the one lead to the other too.
    assert_eq!(net.ways(1, prefix(2, 0xfd).net()), None);
    net.cut(0, 1);
    net.run_ms(50);
    net.check().unwrap();
    net.cut(2, spine);
    net.run_ms(50);
    net.check().unwrap();
}

#[test]
fn no_single_failure_makes_a_loop_or_a_blackhole() {
    let (net, _) = Net::racks(2, 2, 0);
    for (a, b) in net.wires() {
        let (mut net, _) = Net::racks(2, 2, 0);
        net.run_ms(REST_MS);
        net.cut(a, b);
        net.run_ms(100);
        net.check()
            .unwrap_or_else(|why| panic!("{a}–{b} cut: {why}"));
        net.heal(a, b);
        net.run_ms(100);
        net.check()
            .unwrap_or_else(|why| panic!("{a}–{b} healed: {why}"));
    }
}

#[test]
fn once_at_rest_nothing_is_said_but_that_sessions_live() {
    let (mut net, _) = Net::racks(2, 2, 0);
    net.run_ms(2_000);
    let (sent, installs) = (
        net.sent,
        net.nodes.iter().map(|n| n.installs).sum::<usize>(),
    );
    net.run_ms(10_000);
    let sessions = 2 * net.wires().len();
    let each = (net.sent - sent) / sessions;
    assert!(
        (8..=24).contains(&each),
        "{each} datagrams a session in 10 s"
    );
    assert_eq!(
        net.nodes.iter().map(|n| n.installs).sum::<usize>(),
        installs
    );
}

#[test]
fn restarts_lose_no_packet() {
    let (net, _) = Net::racks(2, 2, 0);
    for node in 0..net.nodes.len() {
        let (mut net, _) = Net::racks(2, 2, 0);
        net.run_ms(REST_MS);
        let before = net
            .nodes
            .iter()
            .map(|n| n.kernel.clone())
            .collect::<Vec<_>>();
        let filters = net.nodes[node].filters.clone();
        net.kill(node);
        for ms in 0..400 {
            if ms == 100 {
                net.start(node);
            }
            net.run_ms(1);
            assert_eq!(net.nodes[node].filters, filters, "{node} lets in the same");
            net.check()
                .unwrap_or_else(|why| panic!("{node}, {ms} ms after its end: {why}"));
        }
        let after = net
            .nodes
            .iter()
            .map(|n| n.kernel.clone())
            .collect::<Vec<_>>();
        assert_eq!(before, after, "the same routes as before");
        assert!(
            !net.nodes[node].fabric.node().is_holding,
            "{node} is all there"
        );
    }
}

#[test]
fn a_link_that_dies_while_a_node_restarts_is_not_waited_for() {
    let (mut net, _) = Net::racks(2, 2, 0);
    net.run_ms(REST_MS);
    net.kill(0);
    net.cut(0, 2);
    net.run_ms(100);
    net.start(0);
    net.run_ms(100);
    net.check().unwrap();
    assert!(!net.nodes[0].fabric.node().is_holding);
}

#[test]
fn a_switch_that_lost_its_power_loses_nothing_when_it_is_back() {
    for outage_ms in [500, 5_000] {
        let (mut net, _) = Net::racks(2, 2, 0);
        net.run_ms(REST_MS);
        let wires = net.wired(2);
        net.kill(2);
        for to in &wires {
            net.cut(*to, 2);
        }
        net.run_ms(outage_ms);
        net.nodes[2].kernel.clear();
        net.start(2);
        for to in &wires {
            net.heal(*to, 2);
        }
        for ms in 0..200 {
            for from in [0, 1, 3, 4, 5, 6, 7] {
                for to in [0, 1, 3, 4, 5, 6, 7] {
                    let walked = net.walk(from, net.own(to).unwrap());
                    assert!(
                        walked.is_ok(),
                        "{ms} ms after its return, {from} to {to}: {walked:?}"
                    );
                }
            }
            net.run_ms(1);
        }
        net.check().unwrap();
    }
}
