//! Links, addresses, routes, rules and neighbours in namespaces of their own.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::*;
use crate::netns::Netns;
use crate::testing::root;

fn namespace() -> Option<(Netns, Netlink)> {
    if !root("a test of netlink") {
        return None;
    }
    let netns = Netns::temporary("rwt-nl").unwrap();
    let netlink = netns.run_in(Netlink::open).unwrap().unwrap();
    Some((netns, netlink))
}

const UP: LinkSettings = LinkSettings {
    mac: None,
    mtu: None,
    queue_len: None,
    up: Some(true),
};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn links_are_made_changed_moved_and_removed() {
    let (Some((_here, netlink)), Some((there, other))) = (namespace(), namespace()) else {
        return;
    };
    netlink.create_veth("e0", "e1").unwrap();
    netlink.move_link("e1", &there).unwrap();
    let mac = "02:00:00:00:00:01".parse().unwrap();
    let settings = LinkSettings {
        mac: Some(mac),
        mtu: Some(9000),
        queue_len: Some(500),
        ..UP
    };
    for _ in 0..2 {
        netlink.ensure_link("e0", &settings).unwrap();
    }
    let link = netlink.link("e0").unwrap();
    assert_eq!((link.mac, link.mtu, link.up), (Some(mac), 9000, true));
    assert!(!link.running, "the other end is off");
    assert!(!link.hardware && !netlink.link("lo").unwrap().hardware);
    assert!(!netlink.wait_for_link("e0", Duration::ZERO).unwrap());
    other.ensure_link("e1", &UP).unwrap();
    assert!(netlink.wait_for_link("e0", Duration::from_secs(5)).unwrap());
    assert!(netlink.link("e0").unwrap().running);
    let names = netlink.links().unwrap().into_iter().map(|link| link.name);
    assert_eq!(names.collect::<Vec<_>>(), ["lo", "e0"]);
    for _ in 0..2 {
        netlink.remove_link("e0").unwrap();
    }
    let error = other.link("e1").unwrap_err();
    assert!(
        matches!(error, NetlinkError::NoLink { ref name } if name == "e1"),
        "{error}"
    );
}

#[test]
fn addresses_come_and_go() {
    let Some((_netns, netlink)) = namespace() else {
        return;
    };
    netlink.ensure_link("lo", &UP).unwrap();
    for address in ["fd00::1/128", "fd00::1/128", "192.0.2.1/24"] {
        netlink.ensure_address("lo", net(address)).unwrap();
    }
    let addresses = || {
        let mut all = netlink.addresses("lo").unwrap();
        all.sort();
        all
    };
    let loopback = ["127.0.0.1/8", "::1/128"].map(net);
    let [v4, v6] = loopback;
    assert_eq!(
        addresses(),
        [v4, net("192.0.2.1/24"), v6, net("fd00::1/128")]
    );
    for address in ["fd00::1/128", "192.0.2.1/24", "192.0.2.1/24"] {
        netlink.remove_address("lo", net(address)).unwrap();
    }
    assert_eq!(addresses(), loopback);
}

#[test]
fn routes_are_replaced_and_removed() {
    let Some((_netns, netlink)) = namespace() else {
        return;
    };
    for (link, peer) in [("e0", "p0"), ("e1", "p1")] {
        netlink.create_veth(link, peer).unwrap();
        netlink.ensure_link(peer, &UP).unwrap();
        netlink.ensure_link(link, &UP).unwrap();
    }
    let [one, two] = ["e0", "e1"].map(|name| netlink.link(name).unwrap().index);
    let [fe1, fe2] = ["fe80::1", "fe80::2"].map(ip);
    let single = Route {
        table: 1000,
        metric: 77,
        ..Route::new(net("fd00:1::/64"), Path::via(one, fe1))
    };
    let weighted = Path {
        weight: 3,
        ..Path::via(two, fe2)
    };
    let several = Route {
        paths: vec![Path::via(one, fe1), weighted],
        ..single.clone()
    };
    let v4 = Route {
        destination: net("10.9.0.0/16"),
        ..several.clone()
    };
    for route in [&single, &several, &single, &several, &v4] {
        netlink.ensure_route(route).unwrap();
    }
    assert_eq!(netlink.routes(1000).unwrap(), [v4.clone(), several.clone()]);
    for route in [&single, &v4, &v4] {
        netlink.remove_route(route).unwrap();
    }
    assert_eq!(netlink.routes(1000).unwrap(), []);
    let nowhere = Route::new(net("fd00:2::/64"), Path::on_link(999));
    let error = netlink.ensure_route(&nowhere).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot set route fd00:2::/64 of table 254"
    );
    assert_eq!(error.errno(), Some(libc::ENODEV));
}

#[test]
fn rules_stand_once() {
    let Some((_netns, netlink)) = namespace() else {
        return;
    };
    let before = netlink.rules().unwrap();
    let rule = Rule {
        priority: 100,
        to: net("fd00::1/128"),
        protocol: Some(17),
        port: Some(6081),
        table: 6081,
    };
    for _ in 0..2 {
        netlink.ensure_rule(&rule).unwrap();
    }
    let mut after = netlink.rules().unwrap();
    assert_eq!(after.iter().filter(|it| **it == rule).count(), 1);
    after.retain(|it| *it != rule);
    assert_eq!(after, before);
    for _ in 0..2 {
        netlink.remove_rule(&rule).unwrap();
    }
    assert_eq!(netlink.rules().unwrap(), before);
}

#[test]
fn neighbours_are_set_and_forgotten() {
    let Some((_netns, netlink)) = namespace() else {
        return;
    };
    netlink.create_veth("e0", "e1").unwrap();
    netlink.ensure_link("e0", &UP).unwrap();
    let address = ip("fd00::9");
    for mac in ["02:00:00:00:00:08", "02:00:00:00:00:09"] {
        netlink
            .ensure_neighbour("e0", address, mac.parse().unwrap())
            .unwrap();
    }
    let neighbour = Neighbour {
        address,
        mac: "02:00:00:00:00:09".parse().unwrap(),
        permanent: true,
    };
    assert_eq!(netlink.neighbours("e0").unwrap(), [neighbour]);
    for _ in 0..2 {
        netlink.remove_neighbour("e0", address).unwrap();
    }
    assert_eq!(netlink.neighbours("e0").unwrap(), []);
}
