//! What a port counts: traffic by kind, where packets went, rules, and its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use rackweave_engine::counters::{Cast, Network, SIZE_BOUNDS, Tally, Traffic, Transport};
use rackweave_engine::flow::TcpState;
use rackweave_engine::{Direction, DropReason, Existing, Frame, Port, Verdict};
use rackweave_testkit::exchange::{carry, forwarded, from_guest, send};
use rackweave_testkit::packet::{self, flag};
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::RuleSetId;
use rackweave_types::{Instant, MacAddr};

use crate::{TestResult, adds_up, millis};

const NOW: Instant = Instant::START;
const V6: &str = "fd12:3456:789a:1:72:77ff:fe00:1";

/// A frame of the guest, and how it is to be counted.
struct Sent {
    bytes: Vec<u8>,
    cast: Cast,
    network: Network,
    transport: Transport,
    verdict: Verdict,
}

/// Frames of every kind, with every fate.
fn mixed(scene: &Scene) -> Result<Vec<Sent>, Box<dyn Error>> {
    use Network::{Ipv4, Ipv6};
    use Verdict::{Drop, Forward, Hairpin, Punt};
    let to = |dst| from_guest(&scene.test, "10.0.1.5", dst);
    let (web, gateway) = (to("10.0.1.6")?, to("10.0.1.1")?);
    let web6 = from_guest(&scene.test, V6, "fd12:3456:789a:1::6")?;
    let sent = |bytes, network, transport, verdict| Sent {
        bytes,
        cast: Cast::Unicast,
        network,
        transport,
        verdict,
    };
    let (mac, denied) = (scene.test.mac, Drop(DropReason::RuleDenied));
    let mut padded = packet::tcp(&web, (1_002, 22), flag::SYN, b"");
    padded.resize(60, 0);
    let mut all: Vec<Sent> = [0, 22, 23, 85, 86, 213, 214, 469, 470, 981, 982, 1_472]
        .into_iter()
        .map(|len| {
            let bytes = packet::udp(&web, (1_000, 2_000), &vec![1; len]);
            sent(bytes, Ipv4, Transport::Udp, Forward)
        })
        .collect();
    all.extend([
        sent(padded, Ipv4, Transport::Tcp, Forward),
        sent(
            packet::udp(&web6, (1_000, 2_000), &[0; 900]),
            Ipv6,
            Transport::Udp,
            Forward,
        ),
        sent(
            packet::tcp(&web6, (1_000, 22), flag::SYN, b""),
            Ipv6,
            Transport::Tcp,
            Forward,
        ),
        sent(
            packet::ip(&web, packet::Header::new(132), &[0; 200]),
            Ipv4,
            Transport::Other,
            Forward,
        ),
        sent(
            packet::echo(&gateway, true, 1, 1, b"ping"),
            Ipv4,
            Transport::Icmp,
            Hairpin,
        ),
        sent(
            packet::udp(&to("10.0.1.2")?, (1_000, 53), b"who?"),
            Ipv4,
            Transport::Udp,
            Punt,
        ),
        sent(
            packet::udp(&to("127.0.0.1")?, (1_000, 53), b"me?"),
            Ipv4,
            Transport::Udp,
            denied,
        ),
        Sent {
            cast: Cast::Broadcast,
            ..sent(
                packet::arp_request(mac, [10, 0, 1, 5].into(), [10, 0, 1, 1].into()),
                Network::Other,
                Transport::Other,
                Hairpin,
            )
        },
        Sent {
            cast: Cast::Multicast,
            ..sent(
                packet::router_solicitation(mac, V6.parse()?),
                Ipv6,
                Transport::Icmp,
                Hairpin,
            )
        },
        Sent {
            cast: Cast::Multicast,
            ..sent(
                packet::neighbor_solicitation(mac, V6.parse()?, "fe80::1".parse()?),
                Ipv6,
                Transport::Icmp,
                Hairpin,
            )
        },
    ]);
    Ok(all)
}

/// The breakdowns of `traffic` are those of these frames, and each adds up to all of them.
fn is_of(traffic: &Traffic, sent: &[Sent]) {
    let tally = |wanted: &dyn Fn(&Sent) -> bool| {
        let wanted = sent.iter().filter(|sent| wanted(sent));
        wanted.fold(Tally::default(), |sum, sent| Tally {
            packets: sum.packets + 1,
            bytes: sum.bytes + sent.bytes.len() as u64,
        })
    };
    let class = |sent: &Sent| {
        SIZE_BOUNDS
            .iter()
            .position(|bound| sent.bytes.len() <= *bound as usize)
    };
    for (place, bound) in SIZE_BOUNDS.iter().enumerate() {
        let expected = tally(&|sent| class(sent) == Some(place));
        assert_eq!(traffic.of_size(place), expected, "up to {bound} octets");
    }
    for cast in [Cast::Unicast, Cast::Multicast, Cast::Broadcast] {
        assert_eq!(
            traffic.of_cast(cast),
            tally(&|sent| sent.cast == cast),
            "{cast:?}"
        );
    }
    for network in [Network::Ipv4, Network::Ipv6, Network::Other] {
        assert_eq!(
            traffic.of_network(network),
            tally(&|sent| sent.network == network),
            "{network:?}"
        );
    }
    for transport in [
        Transport::Tcp,
        Transport::Udp,
        Transport::Icmp,
        Transport::Other,
    ] {
        let expected = tally(&|sent| sent.transport == transport);
        assert_eq!(traffic.of_transport(transport), expected, "{transport:?}");
    }
    assert_eq!(traffic.total(), tally(&|_| true));
}

#[test]
fn every_breakdown_of_traffic_adds_up_to_what_was_received() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let sent = mixed(&scene)?;
    for frame in &sent {
        let (verdict, _) = send(&mut test, Direction::Out, &frame.bytes, NOW)?;
        match frame.verdict {
            Verdict::Drop(reason) if verdict == Verdict::Refuse(reason) => {}
            expected => assert_eq!(verdict, expected, "{:02x?}", frame.bytes),
        }
    }
    for malformed in [&b"short"[..], &sent[0].bytes[..30]] {
        let (verdict, _) = send(&mut test, Direction::Out, malformed, NOW)?;
        assert_eq!(verdict, Verdict::Drop(DropReason::Truncated));
    }
    let counters = test.counters();
    is_of(&counters.traffic[0], &sent);
    is_of(&counters.traffic[1], &[]);
    let malformed = counters.dropped(Direction::Out, DropReason::Truncated);
    assert_eq!(malformed, 2);
    assert_eq!(
        counters.traffic[0].total().packets + malformed,
        counters.received[0]
    );
    adds_up(&counters);
    Ok(())
}

#[test]
fn what_comes_from_the_wire_is_counted_without_its_tunnel() -> TestResult {
    let scene = Scene::new()?;
    let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
    let sent: Vec<Sent> = mixed(&scene)?;
    let sent: Vec<Sent> = sent
        .into_iter()
        .filter(|sent| sent.verdict == Verdict::Forward)
        .collect();
    for frame in &sent {
        let frame = forwarded(send(&mut test, Direction::Out, &frame.bytes, NOW)?)?;
        forwarded(send(&mut web, Direction::In, frame.bytes(), NOW)?)?;
    }
    // Ethernet padding stays behind.
    let unpadded = |mut sent: Sent| {
        if sent.bytes.len() == 60 {
            sent.bytes.truncate(54);
        }
        sent
    };
    let sent: Vec<Sent> = sent.into_iter().map(unpadded).collect();
    is_of(&web.counters().traffic[1], &sent);
    let strange = [&b"no tunnel"[..], &[0; 100]];
    for bytes in strange {
        let mut frame = Frame::new(bytes);
        let verdict = web.process(Direction::In, &mut frame, NOW);
        assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
    }
    let counters = web.counters();
    assert_eq!(
        counters.traffic[1].total().packets + 2,
        counters.received[1]
    );
    adds_up(&counters);
    Ok(())
}

/// The counters of all rules, by layer, whether inbound, and number (`None` for defaults).
fn hits(port: &Port) -> BTreeMap<(String, bool, Option<u64>), u64> {
    let hits = port.shards()[0].rule_hits().into_iter();
    hits.map(|rule| {
        let number = rule.rule.map(|rule| rule.0);
        (
            (rule.layer, rule.direction == Direction::In, number),
            rule.hits,
        )
    })
    .collect()
}

#[test]
fn rules_that_stay_keep_their_counters() -> TestResult {
    let mut scene = Scene::new()?;
    let mut web = scene.start(&scene.web)?;
    let mut test = scene.start(&scene.test)?;
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    for port in 1_000..1_010 {
        carry(
            &mut test,
            &mut web,
            &packet::tcp(&there, (port, 80), flag::SYN, b""),
            NOW,
        )?;
    }
    let before = hits(&web);
    assert!(before.values().any(|hits| *hits == 10));
    scene.web.rule_sets.retain(|set| *set != RuleSetId::new(2));
    web.install(&scene.compile(&scene.web)?, Existing::Keep);
    let after = hits(&web);
    let gone: BTreeSet<_> = before
        .keys()
        .filter(|rule| !after.contains_key(*rule))
        .collect();
    assert!(!gone.is_empty(), "the rule for HTTP is gone");
    for (rule, hits) in &after {
        assert_eq!(before.get(rule).unwrap_or(&0), hits, "{rule:?}");
    }
    carry(
        &mut test,
        &mut web,
        &packet::tcp(&there, (2_000, 22), flag::SYN, b""),
        NOW,
    )?;
    let grown: Vec<_> = hits(&web)
        .into_iter()
        .filter(|(rule, hits)| after[rule] != *hits)
        .collect();
    // One rule or default in each of the six layers.
    assert_eq!(grown.len(), 6, "{grown:?}");
    assert!(grown.iter().all(|(rule, hits)| after[rule] + 1 == *hits));
    Ok(())
}

#[test]
fn a_connection_tells_what_passed_how_it_stands_and_when() -> TestResult {
    let scene = Scene::new()?;
    let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let back = from_guest(&scene.web, "10.0.1.6", "10.0.1.5")?;
    let flags = [
        flag::SYN,
        flag::SYN | flag::ACK,
        flag::ACK,
        flag::FIN | flag::ACK,
    ];
    let states = [
        TcpState::SynOut,
        TcpState::SynReceivedOut,
        TcpState::Established,
        TcpState::FinIn,
    ];
    let mut expected = ([0_u64; 2], [0_u64; 2]);
    for (at, (flags, state)) in flags.into_iter().zip(states).enumerate() {
        let (now, payload) = (millis(100 + at as u64), vec![0; at * 10]);
        if at % 2 == 0 {
            carry(
                &mut test,
                &mut web,
                &packet::tcp(&there, (1_000, 22), flags, &payload),
                now,
            )?;
        } else {
            carry(
                &mut web,
                &mut test,
                &packet::tcp(&back, (22, 1_000), flags, &payload),
                now,
            )?;
        }
        expected.0[at % 2] += 1;
        expected.1[at % 2] += 40 + payload.len() as u64;
        let (flows, next) = test.shards()[0].flows(0, 100);
        assert_eq!((flows.len(), next), (1, None));
        let flow = flows[0];
        assert_eq!((flow.packets, flow.bytes), expected);
        assert_eq!((flow.tcp, flow.began), (Some(state), Direction::Out));
        assert_eq!((flow.start, flow.last_use), (millis(100), now));
        assert_eq!((flow.guest.local_port, flow.guest.remote_port), (1_000, 22));
    }
    Ok(())
}

#[test]
fn connections_are_walked_while_packets_pass() -> TestResult {
    let mut scene = Scene::new()?;
    scene.test.limits.flows = Some(1_024);
    let (mut test, mut web) = (scene.start(&scene.test)?, scene.start(&scene.web)?);
    let there = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    let back = from_guest(&scene.web, "10.0.1.6", "10.0.1.5")?;
    let there_from = |port, flags| packet::tcp(&there, (port, 22), flags, b"");
    for port in 0..200 {
        carry(&mut test, &mut web, &there_from(port, flag::SYN), NOW)?;
        let answer = packet::tcp(&back, (22, port), flag::SYN | flag::ACK, b"");
        carry(&mut web, &mut test, &answer, NOW)?;
        carry(&mut test, &mut web, &there_from(port, flag::ACK), NOW)?;
    }
    let mut met = BTreeMap::new();
    let (mut cursor, mut flood) = (Some(0), 0);
    while let Some(at) = cursor {
        let (page, next) = test.shards()[0].flows(at, 7);
        assert!(page.len() <= 7);
        for flow in page
            .into_iter()
            .filter(|flow| flow.tcp == Some(TcpState::Established))
        {
            *met.entry(flow.guest.local_port).or_insert(0) += 1;
        }
        cursor = next;
        // Between the pages connections are used, and others come and drive out one another.
        for port in 0..200 {
            let mut frame = Frame::new(&there_from(port, flag::ACK));
            assert_eq!(
                test.process(Direction::Out, &mut frame, millis(1)),
                Verdict::Forward
            );
        }
        for _ in 0..20 {
            flood += 1;
            let mut frame = Frame::new(&packet::udp(&there, (1_000 + flood, 9), b""));
            assert_eq!(
                test.process(Direction::Out, &mut frame, millis(1)),
                Verdict::Forward
            );
        }
    }
    assert!(test.counters().flows_evicted > 0, "the table was full");
    let once: BTreeMap<u16, i32> = (0..200).map(|port| (port, 1)).collect();
    assert_eq!(met, once);
    Ok(())
}

#[test]
fn frames_for_nobody_are_counted_by_their_address() -> TestResult {
    let scene = Scene::new()?;
    let mut test = scene.start(&scene.test)?;
    let mut ends = from_guest(&scene.test, "10.0.1.5", "10.0.1.6")?;
    ends.dst_mac = MacAddr::new([0x01, 0, 0x5e, 0, 0, 1]);
    send(
        &mut test,
        Direction::Out,
        &packet::udp(&ends, (1, 2), b"group"),
        NOW,
    )?;
    let counters = test.counters();
    assert_eq!(counters.traffic[0].of_cast(Cast::Multicast).packets, 1);
    assert_eq!(
        test.flow_count(),
        0,
        "what goes to a group is no connection"
    );
    adds_up(&counters);
    Ok(())
}
