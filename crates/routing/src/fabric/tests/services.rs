//! Addresses of services, and other AZs.

use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_types::Role;

use super::net::Net;
use crate::ddm::item::Scope;
use crate::fabric::{Asker, EventKind, Input};

const CONTROLLER: &str = "fd00:1122:3344:ff00::/64";

fn net_of(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn originate(net: &mut Net, node: usize, prefix: &str, ready: bool) {
    let input = Input::Originate {
        asker: Asker("controller".to_owned()),
        prefix: net_of(prefix),
        scope: Scope::Service,
        ready,
    };
    net.input(node, Duration::ZERO, input);
}

fn withdraw(net: &mut Net, node: usize, prefix: &str) {
    let input = Input::Withdraw {
        asker: Asker("controller".to_owned()),
        prefix: net_of(prefix),
    };
    net.input(node, Duration::ZERO, input);
}

#[test]
fn a_service_is_reached_from_everywhere_while_it_serves() {
    let (mut net, _) = Net::racks(3, 1, 2);
    net.run_ms(300);
    originate(&mut net, 0, CONTROLLER, false);
    net.run_ms(100);
    let address = net_of("fd00:1122:3344:ff00::1/128").addr();
    assert!(net.nodes[0].addresses.contains(&address));
    assert!(net.walk(3, address).is_err(), "it does not serve yet");
    originate(&mut net, 0, CONTROLLER, true);
    net.run_ms(100);
    for node in 1..net.nodes.len() {
        assert!(net.walk(node, address).is_ok(), "from {node}");
    }
    withdraw(&mut net, 0, CONTROLLER);
    net.run_ms(100);
    assert!(!net.nodes[0].addresses.contains(&address));
    for node in 0..net.nodes.len() {
        assert!(
            !net.nodes[node].kernel.contains_key(&net_of(CONTROLLER)),
            "{node}"
        );
    }
}

#[test]
fn anycast_goes_to_the_nearest_that_serves() {
    let (mut net, _) = Net::racks(3, 1, 0);
    net.run_ms(300);
    for node in [0, 3] {
        originate(&mut net, node, CONTROLLER, true);
    }
    net.run_ms(100);
    let address = net_of("fd00:1122:3344:ff00::1/128").addr();
    // Switches 1 and 2 of the first rack lead to their own sled, those of the third rack to either.
    assert_eq!(net.ways(1, net_of(CONTROLLER)), Some(vec![(0, 1)]));
    assert_eq!(net.ways(7, net_of(CONTROLLER)).unwrap().len(), 4);
    assert_eq!(net.walk(6, address), Ok(3));
    originate(&mut net, 0, CONTROLLER, false);
    net.run_ms(100);
    assert_eq!(net.ways(1, net_of(CONTROLLER)).unwrap().len(), 2);
    assert_eq!(net.walk(6, address), Ok(3));
    // Still on its loopback, it answers itself; from the rack's switch packets go to the other.
    assert_eq!(net.walk(1, address), Ok(2));
    assert!(net.nodes[0].addresses.contains(&address));
}

#[test]
fn only_services_are_originated_for_programs() {
    let (mut net, _) = Net::racks(1, 1, 0);
    net.run_ms(100);
    for prefix in ["::/0", "fd00:1122:3344:105::/64", "fd00:1122:3344:200::/56"] {
        originate(&mut net, 0, prefix, true);
    }
    // A boundary group is none of a sled's: its switches refuse it.
    originate(&mut net, 0, "fd00:1122:3344:ff10::/64", true);
    net.run_ms(100);
    assert_eq!(net.events(0, EventKind::Refused).len(), 3);
    let refused = net.events(1, EventKind::Refused);
    assert!(
        refused[0].contains("boundary group") && refused[0].contains("sled0"),
        "{refused:?}"
    );
    assert_eq!(net.ways(1, net_of("fd00:1122:3344:ff10::/64")), None);
    // A switch's it is.
    originate(&mut net, 1, "fd00:1122:3344:ff11::/64", true);
    net.run_ms(100);
    assert_eq!(
        net.ways(0, net_of("fd00:1122:3344:ff11::/64")),
        Some(vec![(1, 1)])
    );
}

#[test]
fn other_azs_are_told_of_the_az_and_of_nothing_in_it() {
    let mut net = Net::new();
    let sled = net.node(Role::Sled, Some((1, 1)));
    let switch = net.node(Role::Switch, Some((1, 0xfd)));
    let far_switch = net.node_of("fd00:5566:7788::/48", Role::Switch, (1, 0xfd));
    let far_sled = net.node_of("fd00:5566:7788::/48", Role::Sled, (1, 1));
    for (a, b) in [(sled, switch), (switch, far_switch), (far_switch, far_sled)] {
        net.wire(a, b);
    }
    originate(&mut net, sled, CONTROLLER, true);
    net.run_ms(300);
    assert_eq!(net.walk(sled, net.own(far_sled).unwrap()), Ok(3));
    assert_eq!(net.walk(far_sled, net.own(sled).unwrap()), Ok(3));
    let far = net.nodes[far_sled].kernel.keys();
    let far: Vec<u8> = far
        .filter(|net| net.addr().segments()[1] == 0x1122)
        .map(Ipv6Net::prefix_len)
        .collect();
    assert_eq!(far, [48]);
}
