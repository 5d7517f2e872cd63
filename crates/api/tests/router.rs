//! The router's socket: frozen lines, and what a release apart may read.
//!
//! The files in `golden/` are frozen. A test that fails here says that a program and a router of another release no
//! longer understand each other: do not change a line, add new ones.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

use std::fmt::Debug;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use rackweave_api::local::{FromDaemon, Hello, Reply, Request as Asked, ToDaemon, encode};
use rackweave_api::router::{
    Event, Events, EventsRequest, ExplainRequest, Explanation, Link, LldpNeighbors, LldpRequest,
    Neighbor, Neighbors, NeighborsRequest, Node, NodeRequest, OriginScope, OriginateRequest,
    Originated, OriginatedPrefix, Origination, Path, Paths, PathsRequest, RackInitRequest,
    RackNode, RackReplaceRequest, RackShowRequest, RackTable, RefusedAnnouncement, RefusedMessages,
    RefusedPrefix, Request, Route, Routes, RoutesRequest, SERVICE, Sled, Sleds, SledsRequest,
    Status, StatusRequest, StopRequest, Stopped, UseRequest, Used, VerifiedPath, Way,
    WithdrawRequest, Withdrawn,
};
use rackweave_types::{MacAddr, NodePrefix, RackPrefix, Role};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const REQUESTS: &str = include_str!("golden/router-requests-v1.jsonl");
const REPLIES: &str = include_str!("golden/router-replies-v1.jsonl");

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn mac(last: u8) -> MacAddr {
    MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, last])
}

fn prefix() -> NodePrefix {
    NodePrefix::of(ip("fd00:1122:3344:105::1")).unwrap()
}

fn rack() -> RackPrefix {
    prefix().rack()
}

/// Every line a client of this release sends.
fn requests() -> Vec<ToDaemon<Request>> {
    let origination = |prefix, scope, ready| Origination {
        prefix: net(prefix),
        scope,
        ready,
    };
    let bodies = [
        Request::Status(StatusRequest {}),
        Request::Node(NodeRequest {}),
        Request::Neighbors(NeighborsRequest {}),
        Request::Routes(RoutesRequest {}),
        Request::Paths(PathsRequest { prefix: None }),
        Request::Paths(PathsRequest {
            prefix: Some(net("fd00:1122:3344:200::/56")),
        }),
        Request::Lldp(LldpRequest {}),
        Request::Explain(ExplainRequest {
            to: net("fd00:1122:3344:105::1/128"),
        }),
        Request::Sleds(SledsRequest {}),
        Request::Events(EventsRequest::default()),
        Request::Events(EventsRequest {
            since_ms: Some(600_000),
            follow: true,
        }),
        Request::Originate(OriginateRequest {
            asker: "controller".to_owned(),
            prefixes: vec![
                origination("fd00:1122:3344:ff00::/64", OriginScope::Service, true),
                origination("fd00:1122:3355::/48", OriginScope::Site, false),
            ],
        }),
        Request::Withdraw(WithdrawRequest {
            asker: "controller".to_owned(),
        }),
        Request::Use(UseRequest {
            asker: "sled".to_owned(),
            destinations: vec![ip("fd00:1122:3344:106::1")],
        }),
        Request::RackShow(RackShowRequest {}),
        Request::RackInit(RackInitRequest {
            rack: rack(),
            keys: Some("/root/keys".into()),
        }),
        Request::Stop(StopRequest { all: true }),
        Request::RackReplace(RackReplaceRequest {
            keeper: "BRM7".to_owned(),
            next: Some("BRM8".to_owned()),
            keys: Some("/root/keys".into()),
        }),
    ];
    let hello = ToDaemon::Hello(Hello {
        version: 1,
        oldest: 1,
        ..Hello::new(SERVICE, "rackweave 0.1.0")
    });
    let asked = |(id, body)| ToDaemon::Request(Asked { id, body });
    let bodies = (1..).zip(bodies).map(asked);
    [hello].into_iter().chain(bodies).collect()
}

fn node() -> Node {
    Node {
        identity: "BRM7".to_owned(),
        hardware: mac(1),
        role: Role::Sled,
        bootstrap: net("fdb0:a840:2510:1::/64"),
        prefix: Some(prefix()),
        rack: Some(rack()),
        az: Some(rack().az()),
        holding: true,
        signed: true,
    }
}

fn status() -> Status {
    Status {
        program: "rackweave 0.1.0".to_owned(),
        pid: 4711,
        uptime_ms: 86_400_000,
        node: node(),
        links: vec![Link {
            name: "up0".to_owned(),
            mac: mac(1),
            up: true,
            neighbors: 1,
        }],
        sessions: 2,
        neighbors: 3,
        routes: 40,
        routes_held: 39,
        originated: vec![OriginatedPrefix {
            asker: "controller".to_owned(),
            prefix: net("fd00:1122:3344:ff00::/64"),
            ready: true,
            ends_in_ms: Some(12_000),
        }],
        problems: vec!["link up1 is down: see `ip link show up1`".to_owned()],
    }
}

fn neighbor() -> Neighbor {
    Neighbor {
        link: "up0".to_owned(),
        address: ip("fe80::aa40:25ff:fe10:fd"),
        identity: Some("SW0".to_owned()),
        hardware: Some(mac(0xfd)),
        role: Some(Role::Switch),
        prefix: Some(prefix()),
        rack: Some(rack()),
        signed: true,
        session: "up".to_owned(),
        session_ms: 1000,
        live: true,
        link_up: true,
        rtt_ns: Some(85_000),
        loss_ppm: Some(0),
        cost_ns: 85_000,
        announced: 17,
        stale: 1,
        complete: true,
        refused: vec![RefusedPrefix {
            prefix: net("fd00:1122:3344:107::/64"),
            why: "it is assigned to BRM9".to_owned(),
        }],
        refused_messages: vec![RefusedMessages {
            kind: "signature".to_owned(),
            count: 5,
        }],
        allowed: Some(vec![net("fd00:1122:3344:105::/64")]),
    }
}

fn route() -> Route {
    Route {
        prefix: net("fd00:1122:3344:200::/56"),
        scope: Some("summary".to_owned()),
        protocol: "interior".to_owned(),
        ways: vec![Way {
            link: "up0".to_owned(),
            via: ip("fe80::aa40:25ff:fe10:fd"),
            neighbor: Some("SW0".to_owned()),
            weight: 16,
        }],
        hops: 2,
        cost_ns: 170_000,
        kernel: "refused".to_owned(),
        problem: Some("No route to host".to_owned()),
    }
}

fn path() -> Path {
    Path {
        prefix: net("fd00:1122:3344:200::/56"),
        origin: mac(2),
        link: "up0".to_owned(),
        via: ip("fe80::aa40:25ff:fe10:fd"),
        neighbor: Some("SW0".to_owned()),
        nodes: vec![mac(2), mac(0xfd)],
        cost_ns: 170_000,
        weight: 16,
        stale: true,
        why: "used, with 16 of 32 of the traffic".to_owned(),
    }
}

fn sled() -> Sled {
    Sled {
        hardware: mac(1),
        identity: Some("BRM7".to_owned()),
        role: Some(Role::Sled),
        bootstrap: ip("fdb0:a840:2510:1::1"),
        reachable: true,
        prefix: Some(prefix()),
        own: true,
    }
}

fn reply<T: Serialize>(id: u64, more: bool, body: T) -> Value {
    serde_json::to_value(FromDaemon::Reply(Reply { id, body, more })).unwrap()
}

/// Lines that a router of this release sends, one of each kind.
fn replies() -> Vec<Value> {
    let rack = RackTable {
        rack: rack(),
        version: 3,
        nodes: vec![RackNode {
            identity: "BRM7".to_owned(),
            hardware: mac(1),
            role: Role::Sled,
            prefix: prefix(),
            keeper: true,
            signed: true,
        }],
    };
    let event = Event {
        unix_ms: 1_800_000_000_123,
        kind: "link".to_owned(),
        what: "link up1 went down".to_owned(),
    };
    vec![
        reply(1, false, status()),
        reply(2, false, node()),
        reply(
            3,
            false,
            Neighbors {
                neighbors: vec![neighbor()],
            },
        ),
        reply(
            4,
            false,
            Routes {
                routes: vec![route()],
            },
        ),
        reply(
            5,
            false,
            Paths {
                paths: vec![path()],
                verified: vec![VerifiedPath {
                    to: ip("fd00:1122:3344:201::1"),
                    source: 3,
                    rtt_ns: Some(181_000),
                    announced_ns: Some(170_000),
                    differs: false,
                    lost: 1,
                }],
            },
        ),
        reply(
            8,
            false,
            Explanation {
                to: net("fd00:1122:3344:105::1/128"),
                summary: "it goes to SW0".to_owned(),
                local: true,
                route: Some(route()),
                paths: vec![path()],
                refused: vec![RefusedAnnouncement {
                    neighbor: "SW1".to_owned(),
                    why: "it is this node's own".to_owned(),
                }],
                announced: vec!["to every sled of this rack".to_owned()],
            },
        ),
        reply(
            9,
            false,
            Sleds {
                sleds: vec![sled()],
            },
        ),
        reply(
            11,
            true,
            Events {
                events: vec![event],
                forgotten: 2,
            },
        ),
        reply(
            12,
            true,
            Originated {
                prefixes: 2,
                over: false,
            },
        ),
        reply(13, false, Withdrawn { prefixes: 2 }),
        reply(14, false, Used { destinations: 1 }),
        reply(16, false, rack),
        reply(17, false, Stopped {}),
        reply(7, false, LldpNeighbors::default()),
    ]
}

/// Adds a field that nobody knows to every object that is not the tag of a variant (those have one field).
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_unknown_fields);
            if fields.len() != 1 {
                fields.insert("of_a_later_release".to_owned(), Value::Bool(true));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_unknown_fields),
        _ => {}
    }
}

fn reads_later_release<T: DeserializeOwned + Serialize + Debug>(line: &Value) {
    let mut later = line.clone();
    with_unknown_fields(&mut later);
    let read: FromDaemon<T> = serde_json::from_value(later).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), line);
}

#[test]
fn what_a_client_sends_is_frozen() {
    let mut sent = Vec::new();
    for message in requests() {
        encode(&message, &mut sent).unwrap();
    }
    assert_eq!(String::from_utf8(sent).unwrap(), REQUESTS);
}

#[test]
fn what_a_router_sends_is_frozen() {
    // Compared as values: the order of fields is no part of the contract.
    let frozen: Vec<Value> = REPLIES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(replies(), frozen);
}

#[test]
fn a_router_reads_requests_of_the_next_release() {
    for (line, message) in REQUESTS.lines().zip(requests()) {
        let mut later: Value = serde_json::from_str(line).unwrap();
        with_unknown_fields(&mut later);
        let read: ToDaemon<Request> = serde_json::from_value(later).unwrap();
        assert_eq!(read, message);
    }
}

#[test]
fn a_client_reads_replies_of_the_next_release() {
    let lines = replies();
    reads_later_release::<Status>(&lines[0]);
    reads_later_release::<Node>(&lines[1]);
    reads_later_release::<Neighbors>(&lines[2]);
    reads_later_release::<Routes>(&lines[3]);
    reads_later_release::<Paths>(&lines[4]);
    reads_later_release::<Explanation>(&lines[5]);
    reads_later_release::<Sleds>(&lines[6]);
    reads_later_release::<Events>(&lines[7]);
    reads_later_release::<Originated>(&lines[8]);
    reads_later_release::<Withdrawn>(&lines[9]);
    reads_later_release::<Used>(&lines[10]);
    reads_later_release::<RackTable>(&lines[11]);
    reads_later_release::<Stopped>(&lines[12]);
    reads_later_release::<LldpNeighbors>(&lines[13]);
}

#[test]
fn the_names_of_requests_are_all_there() {
    let mut names: Vec<String> = requests()
        .iter()
        .filter_map(|message| match message {
            ToDaemon::Request(asked) => serde_json::to_value(&asked.body).ok(),
            _ => None,
        })
        .filter_map(|body| body.as_object()?.keys().next().cloned())
        .collect();
    names.dedup();
    assert_eq!(names, Request::NAMES);
}
