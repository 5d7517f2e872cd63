//! What the transformation promises, told by what other code of ours reads of its packets.

use std::net::IpAddr;

use rackweave_types::state::{
    BoundaryDevice, MappingEntry, MappingState, NatBlock, NatEntry, NatState, PortBlock,
    StateVersion, SwitchConfig, SwitchState,
};
use rackweave_types::{AzPrefix, Generation, MacAddr, Mtu, NodePrefix, Vni, reserved};
use rackweave_wire::ethernet::EthernetView;
use rackweave_wire::geneve::GeneveView;
use rackweave_wire::ipv4::Ipv4View;
use rackweave_wire::ipv6::Ipv6View;
use rackweave_wire::udp::UdpView;

use super::*;
use crate::mapping::Mappings;
use crate::settings::Hop;

const MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0, 1]);
const HOLDER: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 9]);

fn hop(last: u8) -> Hop {
    Hop {
        dst: MacAddr::new([2, 0, 0, 0, 0, last]),
        src: MacAddr::new([2, 0, 0, 0, 1, last]),
        link: None,
    }
}

fn settings() -> Settings {
    Settings {
        group: "fd52:7761:6b65:ff10::1".parse().unwrap(),
        mac: MAC,
        az: AzPrefix::new([0xfd, 0x52, 0x77, 0x61, 0x6b, 0x65]).unwrap(),
        mtu: reserved::UNDERLAY_MTU,
        fabric: hop(1),
        customer: hop(2),
        counts_hop: true,
    }
}

fn mappings() -> Mappings {
    let sled = NodePrefix::of("fd52:7761:6b65:105::1".parse().unwrap()).unwrap();
    let one = |prefix: &str| MappingEntry {
        prefix: prefix.parse().unwrap(),
        sled,
        mac: HOLDER,
    };
    let block = |address: &str| NatEntry {
        block: NatBlock {
            address: address.parse().unwrap(),
            ports: PortBlock::new(4096, 1024).unwrap(),
        },
        sled,
        mac: HOLDER,
    };
    let state = SwitchState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        config: SwitchConfig {
            version: StateVersion::CURRENT,
            generation: Generation::ZERO,
            switch: NodePrefix::of("fd52:7761:6b65:1fd::1".parse().unwrap()).unwrap(),
            boundary: Some(BoundaryDevice {
                group: settings().group,
                mac: MAC,
                mtu: reserved::GUEST_MTU,
                underlay_mtu: reserved::UNDERLAY_MTU,
                pools: pools(),
            }),
            asn: None,
            uplinks: Vec::new(),
            peers: Vec::new(),
            routes: Vec::new(),
        },
        external: Some(MappingState {
            version: StateVersion::CURRENT,
            generation: Generation::ZERO,
            vni: Vni::BOUNDARY,
            entries: vec![one("203.0.113.7/32"), one("2001:db8:99::7/128")],
        }),
        nat: Some(NatState {
            version: StateVersion::CURRENT,
            generation: Generation::ZERO,
            entries: vec![block("203.0.113.8"), block("2001:db8:99::8")],
        }),
    };
    let (mappings, unusable) = Mappings::of(&state);
    assert_eq!(unusable, []);
    mappings
}

fn pools() -> Vec<IpNet> {
    ["203.0.113.0/24", "2001:db8:99::/64"]
        .map(|pool| pool.parse().unwrap())
        .to_vec()
}

fn run(
    way: impl Fn(&Transform<'_, Table<Vec<u64>>>, &mut Vec<u8>) -> Verdict,
    frame: &mut Vec<u8>,
) -> Verdict {
    let entries = mappings().entries();
    let mut held = Table::with_room(entries.len());
    for (key, value) in entries {
        held.insert(key, value).unwrap();
    }
    let transform = Transform {
        settings: &settings(),
        pools: &pools(),
        held: &held,
    };
    way(&transform, frame)
}

fn inbound(frame: &mut Vec<u8>) -> Verdict {
    run(|transform, frame| transform.inbound(frame, 0), frame)
}

/// A frame whose packet has this upper layer.
fn frame(src: &str, dst: &str, protocol: u8, hops: u8, upper: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 12];
    let length = u16::try_from(upper.len()).unwrap();
    match (src.parse().unwrap(), dst.parse().unwrap()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            out.extend([8, 0, 0x45, 0xb9]);
            out.extend((length + 20).to_be_bytes());
            out.extend([0, 0, 0, 0, hops, protocol, 0, 0]);
            out.extend(src.octets());
            out.extend(dst.octets());
            let sum = rackweave_wire::checksum::sum(&out[14..34]);
            out[24..26].copy_from_slice(&rackweave_wire::checksum::finish(sum).to_be_bytes());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            out.extend([0x86, 0xdd, 0x6b, 0x90, 0, 0]);
            out.extend(length.to_be_bytes());
            out.extend([protocol, hops]);
            out.extend(src.octets());
            out.extend(dst.octets());
        }
        _ => panic!("two families"),
    }
    out.extend(upper);
    out
}

const UDP_4100: [u8; 8] = [0, 53, 0x10, 0x04, 0, 8, 0, 0];
const FAMILIES: [[&str; 4]; 2] = [
    ["192.0.2.1", "203.0.113.7", "203.0.113.8", "203.0.113.9"],
    [
        "2001:db8::1",
        "2001:db8:99::7",
        "2001:db8:99::8",
        "2001:db8:99::9",
    ],
];

#[test]
fn an_inbound_packet_goes_to_its_holder() {
    for [from, alone, shared, _] in FAMILIES {
        for to in [alone, shared] {
            let original = frame(from, to, 17, 9, &UDP_4100);
            let mut out = original.clone();
            let octets = u32::try_from(original.len() - 14).unwrap();
            assert_eq!(
                inbound(&mut out),
                Verdict::Forward(Event::InForwarded, octets)
            );
            let ethernet = EthernetView::parse(&out).unwrap();
            assert_eq!(ethernet.dst(), hop(1).dst);
            let ip = Ipv6View::parse(ethernet.payload()).unwrap();
            assert_eq!(ip.dst().to_string(), "fd52:7761:6b65:105::1");
            assert_eq!(ip.src(), settings().group);
            let udp = UdpView::parse(ip.payload()).unwrap();
            assert_eq!(udp.dst_port(), reserved::GENEVE_PORT);
            assert!(udp.src_port() >= 0xc000);
            let geneve = GeneveView::parse(udp.payload()).unwrap();
            assert_eq!(geneve.vni(), Vni::BOUNDARY);
            assert!(geneve.has_critical_options());
            let kinds: Vec<u8> = geneve
                .options()
                .map(|option| option.unwrap().kind)
                .collect();
            assert_eq!(kinds, [reserved::GENEVE_OPTION_EXTERNAL]);
            let inner = EthernetView::parse(geneve.payload()).unwrap();
            assert_eq!((inner.dst(), inner.src()), (HOLDER, MAC));
            if let Ok(ip) = Ipv4View::parse(inner.payload()) {
                assert_eq!(ip.ttl(), 8);
                let sum = rackweave_wire::checksum::sum(&inner.payload()[..20]);
                assert_eq!(sum, 0xffff, "the checksum is right");
            } else {
                assert_eq!(Ipv6View::parse(inner.payload()).unwrap().hop_limit(), 8);
            }
        }
    }
}

#[test]
fn what_comes_out_goes_out_again() {
    for [from, alone, ..] in FAMILIES {
        let mut there = frame(from, alone, 17, 9, &UDP_4100);
        inbound(&mut there);
        // Back from the sled: the ends of the tunnel are exchanged, and congestion was met.
        let (source, target) = (there[22..38].to_vec(), there[38..54].to_vec());
        there[22..38].copy_from_slice(&target);
        there[38..54].copy_from_slice(&source);
        there[74..80].copy_from_slice(&MAC.octets());
        there[15] |= 0x30;
        let back = run(|transform, frame| transform.outbound(frame, 0), &mut there);
        assert!(
            matches!(back, Verdict::Forward(Event::OutForwarded, _)),
            "{back:?}"
        );
        assert_eq!(there[..6], hop(2).dst.octets());
        if from.contains('.') {
            assert_eq!(there[15], 0xbb, "congestion is told");
            assert_eq!(rackweave_wire::checksum::sum(&there[14..34]), 0xffff);
        } else {
            assert_eq!(there[14..16], [0x6b, 0xb0]);
        }
    }
}

#[test]
fn what_nobody_holds_is_refused_and_the_rest_is_the_kernels() {
    for [from, alone, shared, nobody] in FAMILIES {
        let verdict = |to: &str, protocol, hops, upper: &[u8]| {
            let original = frame(from, to, protocol, hops, upper);
            let mut out = original.clone();
            let verdict = inbound(&mut out);
            assert_eq!(out, original);
            verdict
        };
        let other_port = [0, 53, 0x20, 0, 0, 8, 0, 0];
        let drop = Verdict::Drop;
        assert_eq!(verdict(nobody, 17, 9, &UDP_4100), drop(Event::InUnmapped));
        assert_eq!(verdict(shared, 17, 9, &other_port), drop(Event::InNoBlock));
        assert_eq!(verdict(shared, 99, 9, &UDP_4100), drop(Event::InNoPort));
        assert_eq!(verdict(from, 17, 9, &UDP_4100), Verdict::Pass(None));
        let answers = Verdict::Pass(Some(Event::InHopLimit));
        assert_eq!(verdict(alone, 17, 1, &UDP_4100), answers);
        let long = [&UDP_4100[..], &[0; 8980]].concat();
        let answers = Verdict::Pass(Some(Event::InTooLong));
        assert_eq!(verdict(alone, 17, 9, &long), answers);
    }
}

#[test]
fn an_icmp_error_finds_who_sent_the_packet() {
    for [from, _, shared, _] in FAMILIES {
        let v4 = from.contains('.');
        let far = if v4 { "192.0.2.77" } else { "2001:db8::77" };
        let sent = frame(shared, far, 17, 1, &[0x10, 0x04, 0, 53, 0, 8, 0, 0]);
        let (protocol, kind) = if v4 { (1, 11) } else { (58, 3) };
        let mut upper = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        upper.extend(&sent[14..]);
        let mut error = frame(from, shared, protocol, 60, &upper);
        assert!(matches!(
            inbound(&mut error),
            Verdict::Forward(Event::InForwarded, _)
        ));
        // About a packet of somebody else.
        let last = if v4 { 34 + 8 + 15 } else { 54 + 8 + 23 };
        let mut error = frame(from, shared, protocol, 60, &upper);
        error[last] ^= 1;
        assert_eq!(inbound(&mut error), Verdict::Drop(Event::InNoPort));
    }
}

#[test]
fn a_large_segment_tells_its_segment_size() {
    let [from, alone, ..] = FAMILIES[0];
    let tcp = {
        let mut tcp = vec![0; 20 + 20_000];
        tcp[12] = 0x50;
        tcp
    };
    let mut out = frame(from, alone, 6, 9, &tcp);
    let verdict = run(|transform, frame| transform.inbound(frame, 1460), &mut out);
    assert_eq!(verdict, Verdict::Forward(Event::InForwarded, 20_040));
    assert_eq!(out[62], 3);
    assert_eq!(out[70..78], [0xff, 0x52, 0x02, 1, 0x05, 0xb4, 0, 0]);
    let mut narrow = settings();
    narrow.mtu = Mtu::new(1500).unwrap();
    let held = mappings().entries();
    let transform = Transform {
        settings: &narrow,
        pools: &pools(),
        held: &held,
    };
    let mut out = frame(from, alone, 6, 9, &tcp);
    let verdict = transform.inbound(&mut out, 1460);
    assert_eq!(verdict, Verdict::Pass(Some(Event::InTooLong)));
}
