//! The sled's socket: frozen lines, and what a release apart may read.
//!
//! The files in `golden/` are frozen. A test that fails here says that a command and a daemon of another release no
//! longer understand each other: do not change a line, add new ones.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

use std::fmt::Debug;
use std::net::IpAddr;

use rackweave_api::local::{
    ApiError, Cancel, Code, Failure, FromDaemon, Hello, Reply, Request as Asked, ToDaemon, encode,
};
use rackweave_api::sled::{
    Applied, ApplyRequest, CaptureBegun, CaptureEnd, CaptureRequest, Captured, CapturedPacket,
    Description, Device, Drop, Drops, DropsRequest, End, ExplainRequest, Explanation, Flow,
    FlowFilter, Flows, FlowsRequest, FrameSummary, InstanceName, LayerStep, ObjectError,
    OuterSummary, PacketSpec, PassedOver, Point, PortInfo, Ports, PortsRequest, Request, Rule,
    Rules, RulesRequest, StateStatus, Status, StatusRequest, StopRequest, Stopped, Traffic,
    UnderlayStatus, Verdict, WorkerStatus,
};
use rackweave_types::state::{BoundaryState, HostState, InstanceId, SledUnderlay, StateVersion};
use rackweave_types::{Direction, Generation, MacAddr, NodePrefix, PortId, Vni, reserved};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const REQUESTS: &str = include_str!("golden/sled-requests-v1.jsonl");
const REPLIES: &str = include_str!("golden/sled-replies-v1.jsonl");

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn end(address: &str, port: u16) -> End {
    End {
        address: ip(address),
        port,
    }
}

fn node() -> NodePrefix {
    NodePrefix::of("fd52:7761:6b65:101::1".parse().unwrap()).unwrap()
}

fn state() -> HostState {
    HostState {
        version: StateVersion::CURRENT,
        generation: Generation::new(7),
        underlay: SledUnderlay {
            version: StateVersion::CURRENT,
            sled: node(),
            src_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            dst_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
            mtu: reserved::UNDERLAY_MTU,
        },
        boundary: BoundaryState {
            version: StateVersion::CURRENT,
            generation: Generation::new(1),
            vni: Vni::BOUNDARY,
            mtu: reserved::GUEST_MTU,
            groups: Vec::new(),
        },
        system: None,
        vpcs: Vec::new(),
        mappings: Vec::new(),
        ports: Vec::new(),
        attachments: Vec::new(),
        zones: Vec::new(),
        instances: Vec::new(),
    }
}

/// Every line a client of this release sends.
fn requests() -> Vec<ToDaemon<Request>> {
    let port = || "web".to_owned();
    let description = Description {
        protocol: 6,
        from: end("10.0.1.5", 40_000),
        to: end("192.0.2.7", 443),
        tcp_flags: Some(2),
        icmp: Some([8, 0]),
        payload: 100,
        src_mac: Some(MacAddr::new([2, 0, 0, 0, 0, 1])),
        outer_source: Some("fd52:7761:6b65:102::1".parse().unwrap()),
        vni: Some(Vni::BOUNDARY),
    };
    let bodies = [
        Request::Status(StatusRequest {}),
        Request::Ports(PortsRequest {}),
        Request::Flows(FlowsRequest::default()),
        Request::Flows(FlowsRequest {
            port: Some(port()),
            filter: FlowFilter {
                address: Some("10.0.1.0/24".parse().unwrap()),
                port: Some(443),
                protocol: Some(6),
            },
            limit: Some(1000),
        }),
        Request::Rules(RulesRequest { port: port() }),
        Request::Drops(DropsRequest { port: None }),
        Request::Drops(DropsRequest { port: Some(port()) }),
        Request::Explain(ExplainRequest {
            port: port(),
            direction: Direction::Out,
            packet: PacketSpec::Described(description),
        }),
        Request::Explain(ExplainRequest {
            port: port(),
            direction: Direction::In,
            packet: PacketSpec::Hex("0011".to_owned()),
        }),
        Request::Capture(CaptureRequest {
            port: port(),
            points: vec![Point::Guest, Point::Wire],
            limit: Some(10),
            for_ms: Some(10_000),
        }),
        Request::Apply(ApplyRequest {
            state: Box::new(state()),
        }),
        Request::Stop(StopRequest {}),
    ];
    let hello = ToDaemon::Hello(Hello {
        version: 1,
        oldest: 1,
        ..Hello::new("sled", "rackweave 0.1.0")
    });
    let asked = |(id, body)| ToDaemon::Request(Asked { id, body });
    [hello]
        .into_iter()
        .chain((1..).zip(bodies).map(asked))
        .chain([ToDaemon::Cancel(Cancel { id: 10 })])
        .collect()
}

fn status() -> Status {
    Status {
        program: "rackweave 0.1.0".to_owned(),
        pid: 4711,
        uptime_ms: 86_400_000,
        sled: Some(node()),
        underlay: UnderlayStatus {
            kind: "udp".to_owned(),
            passed_over: vec![PassedOver {
                kind: "tap".to_owned(),
                why: "the kernel has no TUN_F_UDP_TUNNEL_GSO".to_owned(),
            }],
        },
        controller: None,
        state: StateStatus {
            generation: Some(Generation::new(6)),
            errors: vec![ObjectError {
                object: "port 0000000000000002".to_owned(),
                error: "no subnet 9".to_owned(),
            }],
        },
        ports: 2,
        flows: 17,
        workers: vec![WorkerStatus {
            index: 0,
            cpu: Some(1),
            poll: "adaptive".to_owned(),
            busy_ns: 1,
            spin_ns: 2,
            sleep_ns: 3,
        }],
    }
}

fn ports() -> Ports {
    Ports {
        ports: vec![PortInfo {
            id: PortId::new(1),
            instance: Some(InstanceName {
                id: InstanceId::new(1),
                hostname: "web".to_owned(),
            }),
            mac: MacAddr::new([2, 0x72, 0x77, 0, 0, 1]),
            vni: Vni::new(4096).unwrap(),
            addresses: vec![ip("10.0.1.5"), ip("fd12::5")],
            external: vec![ip("198.51.100.1")],
            mtu: reserved::GUEST_MTU,
            device: Some(Device {
                kind: "tap".to_owned(),
                name: Some("tap0".to_owned()),
                netns: Some("/run/netns/web".to_owned()),
            }),
            running: true,
            attached: true,
            fault: None,
            flows: 17,
            flow_limit: 65_536,
            out: Traffic {
                packets: 1,
                bytes: 2,
                drops: 3,
            },
            inbound: Traffic {
                packets: 4,
                bytes: 5,
                drops: 6,
            },
        }],
    }
}

fn flow() -> Flow {
    Flow {
        port: PortId::new(1),
        worker: 0,
        protocol: 6,
        local: end("10.0.1.5", 40_000),
        remote: end("192.0.2.7", 443),
        outside: Some(end("198.51.100.1", 16_384)),
        outside_remote: Some(end("192.0.2.8", 444)),
        began: Direction::Out,
        state: "established".to_owned(),
        age_ms: 1000,
        idle_ms: 10,
        packets: [3, 2],
        bytes: [300, 200],
        epochs: Some([2, 0]),
        epoch: 2,
        kept: true,
        offloaded: true,
    }
}

fn explanation() -> Explanation {
    let frame = |outer| FrameSummary {
        outer,
        src_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
        dst_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
        src: Some(ip("10.0.1.5")),
        dst: Some(ip("192.0.2.7")),
        text: "10.0.1.5:40000 > 192.0.2.7:443 tcp [S]".to_owned(),
        len: 54,
    };
    Explanation {
        port: PortId::new(1),
        direction: Direction::Out,
        worker: 0,
        packet: frame(None),
        assumed: vec!["it goes to the gateway's Ethernet address".to_owned()],
        established: false,
        flow: Some(flow()),
        layers: vec![LayerStep {
            layer: "firewall".to_owned(),
            rule: "rule 1".to_owned(),
            text: "allow out".to_owned(),
            does: vec!["pass, and the answers too".to_owned()],
            changes: vec!["TTL 64 -> 63".to_owned()],
            ends: true,
        }],
        verdict: Verdict {
            kind: "drop".to_owned(),
            reason: Some("no_mapping".to_owned()),
            meaning: "nobody holds the destination".to_owned(),
            next: "look".to_owned(),
        },
        result: Some(frame(Some(OuterSummary {
            src: "fd52:7761:6b65:101::1".parse().unwrap(),
            dst: "fd52:7761:6b65:102::1".parse().unwrap(),
            src_port: 50_000,
            vni: Vni::new(4096).unwrap(),
            external: true,
        }))),
    }
}

fn reply<T: Serialize>(id: u64, more: bool, body: T) -> Value {
    serde_json::to_value(FromDaemon::Reply(Reply { id, body, more })).unwrap()
}

/// Every line a daemon of this release sends: its text, and whether this release reads it as what it was.
fn replies() -> Vec<Value> {
    let rule = Rule {
        layer: "firewall".to_owned(),
        direction: Direction::In,
        name: "rule 5".to_owned(),
        item: Some(5),
        priority: Some(100),
        text: "allow tcp to port 80".to_owned(),
        parts: 2,
        hits: 9,
    };
    let dropped = Drop {
        port: Some(PortId::new(1)),
        by: "engine".to_owned(),
        direction: Some(Direction::In),
        reason: "rule_denied".to_owned(),
        count: 3,
        meaning: "a rule denied it".to_owned(),
        next: "see rules".to_owned(),
    };
    let packet = Captured::Packet(CapturedPacket {
        point: Point::Wire,
        direction: Direction::Out,
        at_ns: 1_700_000_000_000_000_000,
        frame: "0011".to_owned(),
        comment: "forwarded".to_owned(),
    });
    let error = ApiError::new(Code::NotFound, "no port is called `web`")
        .cause("none has this name")
        .next("`rackweave sled ports` lists them");
    let hello = FromDaemon::<()>::Hello(Hello {
        version: 1,
        oldest: 1,
        ..Hello::new("sled", "rackweave 0.1.0")
    });
    let failure = FromDaemon::<()>::Error(Failure { id: Some(3), error });
    let fatal = FromDaemon::<()>::Error(Failure {
        id: None,
        error: ApiError::new(Code::TooLong, "a line is longer than 65536 octets"),
    });
    let applied = Applied {
        generation: Generation::new(7),
        added: 1,
        changed: 2,
        removed: 3,
        unchanged: 4,
    };
    vec![
        serde_json::to_value(hello).unwrap(),
        reply(1, false, status()),
        reply(2, false, ports()),
        reply(
            3,
            true,
            Flows {
                flows: vec![flow()],
                cut: false,
            },
        ),
        reply(
            4,
            false,
            Flows {
                flows: Vec::new(),
                cut: true,
            },
        ),
        reply(
            5,
            false,
            Rules {
                port: PortId::new(1),
                rules: vec![rule],
            },
        ),
        reply(
            6,
            false,
            Drops {
                drops: vec![dropped],
            },
        ),
        reply(8, false, explanation()),
        reply(
            10,
            true,
            Captured::Begun(CaptureBegun {
                port: "web".to_owned(),
            }),
        ),
        reply(10, true, packet),
        reply(
            10,
            false,
            Captured::End(CaptureEnd {
                captured: 1,
                lost: 2,
            }),
        ),
        reply(11, false, applied),
        reply(12, false, Stopped {}),
        serde_json::to_value(failure).unwrap(),
        serde_json::to_value(fatal).unwrap(),
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
fn what_a_daemon_sends_is_frozen() {
    // Compared as values: the order of fields is no part of the contract.
    let frozen: Vec<Value> = REPLIES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(replies(), frozen);
}

#[test]
fn a_daemon_reads_requests_of_the_next_release() {
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
    reads_later_release::<Status>(&lines[1]);
    reads_later_release::<Ports>(&lines[2]);
    reads_later_release::<Flows>(&lines[3]);
    reads_later_release::<Flows>(&lines[4]);
    reads_later_release::<Rules>(&lines[5]);
    reads_later_release::<Drops>(&lines[6]);
    reads_later_release::<Explanation>(&lines[7]);
    for line in &lines[8..11] {
        reads_later_release::<Captured>(line);
    }
    reads_later_release::<Applied>(&lines[11]);
    reads_later_release::<Stopped>(&lines[12]);
    reads_later_release::<Value>(&lines[13]);
    reads_later_release::<Value>(&lines[14]);
}

#[test]
fn a_request_that_is_not_known_still_tells_its_number() {
    let line = r#"{"request":{"id":9,"body":{"migrate":{"to":"sled 7"}}}}"#;
    let read: ToDaemon<Value> = serde_json::from_str(line).unwrap();
    let ToDaemon::Request(asked) = read else {
        panic!("a request");
    };
    assert_eq!(asked.id, 9);
    assert!(serde_json::from_value::<Request>(asked.body).is_err());
}

#[test]
fn a_code_of_a_later_release_is_read() {
    let line = r#"{"error":{"id":1,"code":"quota","what":"too many"}}"#;
    let FromDaemon::Error(failure) = serde_json::from_str::<FromDaemon<()>>(line).unwrap() else {
        panic!("an error");
    };
    assert_eq!(failure.error.code, Code::Other);
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
