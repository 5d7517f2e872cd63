use rackweave_linux::netns::Netns;
use rackweave_linux::sysctl;

use super::*;
use crate::inbox::inbox;
use crate::testing::{cable, ip, namespace, runtime, wanted};

fn patterns(all: &[&str]) -> Patterns {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.try_into().unwrap()
}

#[test]
fn links_of_the_fabric_are_prepared_and_followed() {
    let name = "links_of_the_fabric_are_prepared_and_followed";
    let (Some(left), Some(right)) = (namespace(name), namespace(name)) else {
        return;
    };
    cable((&left, "up0"), (&right, "down0"));
    cable((&left, "other"), (&right, "other"));
    let values = |keys: &[&str]| {
        let get = || {
            keys.iter()
                .map(|key| sysctl::get(key).unwrap())
                .collect::<Vec<_>>()
        };
        left.run_in(get).unwrap()
    };
    let follow = || runtime().block_on(follow(&left, &right, &values));
    left.run_in(follow).unwrap();
}

async fn follow(left: &Netns, right: &Netns, values: &impl Fn(&[&str]) -> Vec<String>) {
    let links = Links::open(patterns(&["up*"]), true).unwrap();
    let node = values(&[
        "net/ipv6/fib_multipath_hash_policy",
        "net/ipv6/conf/all/forwarding",
    ]);
    assert_eq!(node, ["1", "1"]);
    let (to_here, mut inputs) = inbox();
    let follow = async {
        let up = wanted(&mut inputs, |input| match input {
            Input::Link(link) if link.up && link.address.is_some() => Some(link),
            Input::Link(_) => None,
            other => panic!("{other:?}"),
        })
        .await;
        assert_eq!(up.name, "up0");
        let keys = [
            "accept_ra",
            "accept_dad",
            "ignore_routes_with_linkdown",
            "forwarding",
        ];
        let keys = keys.map(|key| format!("net/ipv6/conf/up0/{key}"));
        let set = values(&keys.each_ref().map(String::as_str));
        assert_eq!(set, ["0", "0", "1", "1"]);

        ip(right, "link set down0 down");
        wanted(&mut inputs, |input| match input {
            Input::Link(link) if link.link == up.link && !link.up => Some(()),
            _ => None,
        })
        .await;
        ip(right, "link set down0 up");
        wanted(&mut inputs, |input| {
            (input == Input::Link(up.clone())).then_some(())
        })
        .await;
        ip(left, "link del up0");
        wanted(&mut inputs, |input| {
            (input == Input::LinkGone(up.link)).then_some(())
        })
        .await;
        cable((left, "up1"), (right, "down1"));
        wanted(&mut inputs, |input| match input {
            Input::Link(link) if link.name == "up1" && link.up => Some(()),
            _ => None,
        })
        .await;
    };
    tokio::select! {
        () = follow => {}
        ended = links.run(to_here) => panic!("{ended:?}"),
    }
}

#[test]
fn addresses_that_are_asked_about_are_used_at_once() {
    let name = "addresses_that_are_asked_about_are_used_at_once";
    let (Some(left), Some(right)) = (namespace(name), namespace(name)) else {
        return;
    };
    let asking = || {
        sysctl::ensure("net/ipv6/conf/default/accept_dad", "1").unwrap();
        // So that it asks for longer than the test takes.
        sysctl::ensure("net/ipv6/conf/default/dad_transmits", "100").unwrap();
    };
    left.run_in(asking).unwrap();
    cable((&left, "up0"), (&right, "down0"));
    let settled = async {
        let links = Links::open(patterns(&["up*"]), false).unwrap();
        let (to_here, mut inputs) = inbox();
        let follow = wanted(&mut inputs, |input| match input {
            Input::Link(link) => link.address,
            _ => None,
        });
        tokio::select! {
            address = follow => assert!(address.is_unicast_link_local()),
            ended = links.run(to_here) => panic!("{ended:?}"),
        }
    };
    left.run_in(|| runtime().block_on(settled)).unwrap();
}

#[test]
fn what_is_not_told_of_again_is_gone() {
    let link = |index| Link {
        index,
        name: format!("up{index}"),
        mac: None,
        permanent: None,
        mtu: 1500,
        up: true,
        running: true,
        hardware: true,
    };
    let address = |link, text: &str| Change::Address {
        link,
        address: text.parse().unwrap(),
        tentative: false,
    };
    let mut table = Table::default();
    for change in [
        Change::Link(link(1)),
        Change::Link(link(2)),
        address(1, "fe80::1/64"),
        address(1, "fe80::2/64"),
        address(1, "fd00::2/64"),
        Change::Listed,
    ] {
        table.note(change);
    }
    let shown = |table: &Table| {
        let all = table.links().map(|(link, address)| (link.index, address));
        all.collect::<Vec<_>>()
    };
    let [one, two] = ["fe80::1", "fe80::2"].map(|it| Some(it.parse().unwrap()));
    assert_eq!(shown(&table), [(1, one), (2, None)]);
    for change in [
        Change::Lost,
        Change::Link(link(1)),
        address(1, "fe80::2/64"),
        Change::Listed,
    ] {
        table.note(change);
    }
    assert_eq!(shown(&table), [(1, two)]);
}
