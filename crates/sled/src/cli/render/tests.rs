//! Tables as they stand on a terminal. They are frozen: who reads them with awk may go by their columns.

use rackweave_api::sled::{
    ControllerStatus, Device, Drop, InstanceName, LayerStep, ObjectError, OuterSummary, PassedOver,
    Rule, StateStatus, Traffic, UnderlayStatus, Verdict,
};
use rackweave_types::state::InstanceId;
use rackweave_types::{Generation, MacAddr, PortId, Vni, reserved};

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn status_names_the_underlay_and_what_was_refused() {
    let told = status(
        &Status {
            program: "rackweave 0.1.0".to_owned(),
            pid: 4711,
            uptime_ms: 3_725_000,
            sled: None,
            underlay: UnderlayStatus {
                kind: "udp".to_owned(),
                passed_over: vec![PassedOver {
                    kind: "tap".to_owned(),
                    why: "the kernel has no TUN_F_UDP_TUNNEL_GSO".to_owned(),
                }],
            },
            controller: Some(ControllerStatus {
                fault: Some("https://[fd00:1:2:ff00::1]:6094: it ended its stream".to_owned()),
                ..ControllerStatus::default()
            }),
            state: StateStatus {
                generation: Some(Generation::new(6)),
                errors: vec![ObjectError {
                    object: "ports[1].mac, port 2".to_owned(),
                    error: "twice".to_owned(),
                }],
            },
            ports: 2,
            flows: 17,
            workers: vec![WorkerStatus {
                index: 0,
                cpu: None,
                poll: "adaptive".to_owned(),
                busy_ns: 1,
                spin_ns: 2,
                sleep_ns: 5,
            }],
        },
        false,
    );
    let expected = "\
sled        rackweave 0.1.0, process 4711, up 1h02m
underlay    not known yet over udp
            not tap: the kernel has no TUN_F_UDP_TUNNEL_GSO
controller  none is heard; what was said last holds
            https://[fd00:1:2:ff00::1]:6094: it ended its stream
host state  generation 6 applied
  refused   ports[1].mac, port 2: twice
ports       2
flows       17

WORKER  CPU  POLL       BUSY  SPINNING  ASLEEP
     0  any  adaptive  12.5%     25.0%   62.5%
";
    assert_eq!(told, expected);
}

#[test]
fn ports_stand_in_columns() {
    let told = ports(
        &Ports {
            ports: vec![PortInfo {
                id: PortId::new(1),
                instance: Some(InstanceName {
                    id: InstanceId::new(1),
                    hostname: "web".to_owned(),
                }),
                mac: MacAddr::new([2, 0x72, 0x77, 0, 0, 1]),
                vni: Vni::new(4096).unwrap(),
                addresses: vec![ip("10.0.1.5"), ip("fd12::5")],
                external: Vec::new(),
                mtu: reserved::GUEST_MTU,
                device: Some(Device {
                    kind: "tap".to_owned(),
                    name: Some("tap0".to_owned()),
                    netns: Some("/run/netns/web".to_owned()),
                }),
                running: true,
                attached: false,
                fault: Some("busy".to_owned()),
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
        },
        false,
    );
    let expected = "\
PORT              INSTANCE  MAC                ADDRESSES         EXTERNAL   VPC  DEVICE                      STATE           FLOWS  LIMIT  OUT  IN  DROPS
0000000000000001  web       02:72:77:00:00:01  10.0.1.5,fd12::5  -         4096  tap tap0 in /run/netns/web  no guest: busy     17  65536    1   4      9
";
    assert_eq!(told, expected);
    assert!(ports(&Ports { ports: Vec::new() }, false).starts_with("no ports"));
}

#[test]
fn flows_show_both_ends_and_the_outside() {
    let end = |address: &str, port| End {
        address: ip(address),
        port,
    };
    let flow = Flow {
        port: PortId::new(1),
        worker: 0,
        protocol: 6,
        local: end("10.0.1.5", 40_000),
        remote: end("2001:db8::1", 443),
        outside: Some(end("198.51.100.1", 16_384)),
        outside_remote: None,
        began: Direction::Out,
        state: "established".to_owned(),
        age_ms: 61_000,
        idle_ms: 10,
        packets: [3, 2],
        bytes: [300, 200],
        epochs: Some([2, 1]),
        epoch: 2,
        kept: true,
        offloaded: false,
    };
    let told = flows(
        &Flows {
            flows: vec![flow],
            cut: true,
        },
        false,
    );
    let expected = "\
PORT              PROTO  GUEST               REMOTE             OUTSIDE             STATE          AGE  IDLE  PKTS OUT  PKTS IN  BYTES OUT  BYTES IN  NOTES
0000000000000001  tcp    10.0.1.5:40000  ->  [2001:db8::1]:443  198.51.100.1:16384  established  1m01s  10ms         3        2        300       200  kept against the rules, to be judged again
… and more: raise --limit, or say which: --address, --port-number, --proto
";
    assert_eq!(told, expected);
}

#[test]
fn rules_and_drops_say_what_they_mean() {
    let rule = Rule {
        layer: "firewall".to_owned(),
        direction: Direction::In,
        name: "rule 5".to_owned(),
        item: Some(5),
        priority: Some(100),
        text: "allow tcp to port 80 (set 2)".to_owned(),
        parts: 1,
        hits: 9,
    };
    let told = rules(
        &Rules {
            port: PortId::new(1),
            rules: vec![rule],
        },
        false,
    );
    let expected = "\
DIRECTION  LAYER     PRIORITY  RULE    HITS  SAYS
in         firewall       100  rule 5     9  allow tcp to port 80 (set 2)
";
    assert_eq!(told, expected);
    let drop = Drop {
        port: None,
        by: "wire".to_owned(),
        direction: None,
        reason: "full".to_owned(),
        count: 3,
        meaning: "too slow".to_owned(),
        next: String::new(),
    };
    let expected = "\
PORT  BY    DIRECTION  REASON  COUNT  MEANING   NEXT STEP
-     wire  -          full        3  too slow  -
";
    assert_eq!(drops(&Drops { drops: vec![drop] }, false), expected);
    assert_eq!(
        drops(&Drops { drops: Vec::new() }, false),
        "nothing was dropped\n"
    );
}

#[test]
fn an_explanation_ends_with_the_verdict_and_what_leaves() {
    let frame = |outer| FrameSummary {
        outer,
        src_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
        dst_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
        src: Some(ip("10.0.1.5")),
        dst: Some(ip("10.0.1.6")),
        text: "10.0.1.5:40000 > 10.0.1.6:80 tcp [S]".to_owned(),
        len: 54,
    };
    let step = |ends| LayerStep {
        layer: "firewall".to_owned(),
        rule: "rule 7".to_owned(),
        text: "reject tcp (set 2)".to_owned(),
        does: vec!["deny, and tell the sender".to_owned()],
        changes: Vec::new(),
        ends,
    };
    let told = explanation(
        &Explanation {
            port: PortId::new(1),
            direction: Direction::Out,
            worker: 1,
            packet: frame(None),
            assumed: vec!["the guest sends it to the gateway".to_owned()],
            established: false,
            flow: None,
            layers: vec![step(true)],
            verdict: Verdict {
                kind: "refuse".to_owned(),
                reason: Some("rule_denied".to_owned()),
                meaning: "a rule denied it".to_owned(),
                next: "look".to_owned(),
            },
            result: Some(frame(Some(OuterSummary {
                src: "fd00::1".parse().unwrap(),
                dst: "fd00::2".parse().unwrap(),
                src_port: 50_000,
                vni: Vni::BOUNDARY,
                external: true,
            }))),
        },
        false,
    );
    let expected = "\
port        0000000000000001, out, worker 1
packet      10.0.1.5:40000 > 10.0.1.6:80 tcp [S] (02:00:00:00:00:01 > 02:00:00:00:00:02, 54 octets)
assumed     the guest sends it to the gateway
connection  new: the layers decide

   LAYER     RULE    DOES                       CHANGES  SAYS
x  firewall  rule 7  deny, and tell the sender  -        reject tcp (set 2)

verdict     refuse (rule_denied): a rule denied it
next        look
leaves      10.0.1.5:40000 > 10.0.1.6:80 tcp [S] (02:00:00:00:00:01 > 02:00:00:00:00:02, 54 octets, in geneve fd00::1 > fd00::2, vni 99, external, source port 50000)
";
    assert_eq!(told, expected);
}

#[test]
fn what_was_applied_is_counted() {
    let told = applied(
        &Applied {
            generation: Generation::new(7),
            added: 1,
            changed: 2,
            removed: 3,
            unchanged: 4,
        },
        false,
    );
    assert_eq!(
        told,
        "generation 7 applied: 1 ports added, 2 changed, 3 removed, 4 unchanged\n"
    );
}
