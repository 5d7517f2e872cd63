use super::*;
use crate::netlink::{LinkSettings, MAIN_TABLE, Path, RouteKind};
use crate::testing::{neighbours, runtime, soon};

/// Takes in changes until one is as wanted, and gives it.
async fn wait_for(monitor: &mut Monitor, wanted: impl Fn(&Change) -> bool) -> Change {
    soon(async {
        loop {
            let changes = monitor.changes().await.unwrap();
            if let Some(found) = changes.into_iter().find(&wanted) {
                return found;
            }
        }
    })
    .await
}

#[test]
fn links_and_addresses_are_listed_and_followed() {
    let Some([left, right]) = neighbours("links_and_addresses_are_listed_and_followed") else {
        return;
    };
    let runtime = runtime();
    let mut monitor = left.open(&runtime, Monitor::links);
    let mut listed = Vec::new();
    runtime.block_on(soon(async {
        while listed.last() != Some(&Change::Listed) {
            listed.extend(monitor.changes().await.unwrap());
        }
    }));
    let named = |wanted: &dyn Fn(&Change) -> bool| listed.iter().any(wanted);
    let own = left.link;
    assert!(named(
        &|it| matches!(it, Change::Link(link) if link.index == own && link.running)
    ));
    let address = IpNet::new(left.address.into(), 64).unwrap();
    let had = Change::Address {
        link: own,
        address,
        tentative: false,
    };
    assert!(named(&|it| *it == had), "{listed:?}");

    let down = LinkSettings {
        up: Some(false),
        ..LinkSettings::default()
    };
    right.netlink.ensure_link("right", &down).unwrap();
    runtime.block_on(async {
        let dark = |it: &Change| matches!(it, Change::Link(link) if link.index == own && !link.running && link.up);
        wait_for(&mut monitor, dark).await;
    });
    let more: IpNet = "fd00::7/128".parse().unwrap();
    left.netlink.ensure_address("lo", more).unwrap();
    left.netlink.remove_address("lo", more).unwrap();
    runtime.block_on(async {
        let came = |it: &Change| matches!(it, Change::Address { address, .. } if *address == more);
        wait_for(&mut monitor, came).await;
    });
    left.netlink.remove_link("left").unwrap();
    runtime.block_on(async {
        wait_for(&mut monitor, |it| *it == Change::LinkGone { index: own }).await;
    });
}

#[test]
fn a_tentative_address_is_settled() {
    let Some([left, _right]) = neighbours("a_tentative_address_is_settled") else {
        return;
    };
    let runtime = runtime();
    let mut monitor = left.open(&runtime, Monitor::links);
    let text = "fe80::7/64";
    let address: IpNet = text.parse().unwrap();
    let settings = "net/ipv6/conf/left";
    let asking = || {
        crate::sysctl::ensure(&format!("{settings}/accept_dad"), "1")?;
        // So that it asks for longer than the test takes.
        crate::sysctl::ensure(&format!("{settings}/dad_transmits"), "100")
    };
    left.netns.run_in(asking).unwrap().unwrap();
    let add = ["-6", "addr", "add", text, "dev", "left"];
    let added = left
        .netns
        .run_in(|| std::process::Command::new("ip").args(add).status());
    assert!(added.unwrap().unwrap().success());
    runtime.block_on(async {
        let is = |it: &Change, wanted| matches!(it, Change::Address { address: a, tentative, .. } if *a == address && *tentative == wanted);
        wait_for(&mut monitor, |it| is(it, true)).await;
        monitor.settle(left.link, address).unwrap();
        wait_for(&mut monitor, |it| is(it, false)).await;
    });
}

#[test]
fn routes_are_followed_with_who_changed_them() {
    let Some([left, right]) = neighbours("routes_are_followed_with_who_changed_them") else {
        return;
    };
    let runtime = runtime();
    let mut monitor = left.open(&runtime, Monitor::routes);
    let mut socket = left.open(&runtime, crate::netlink::RouteSocket::open);
    let route = Route {
        destination: "fd00:1::/64".parse().unwrap(),
        table: MAIN_TABLE,
        metric: 100,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 82,
        paths: vec![Path::via(left.link, right.address.into())],
    };
    let create = crate::netlink::RouteChange::Create(route.clone());
    socket.apply(&[create]).unwrap().pop().unwrap().unwrap();
    let down = LinkSettings {
        up: Some(false),
        ..LinkSettings::default()
    };
    left.netlink.ensure_link("left", &down).unwrap();
    runtime.block_on(async {
        let by = socket.port();
        let made = Change::Route {
            route: route.clone(),
            by,
        };
        wait_for(&mut monitor, |it| *it == made).await;
        let gone = Change::RouteGone { route, by: 0 };
        wait_for(&mut monitor, |it| *it == gone).await;
    });
}
