//! The kernel's programs and their twin in Rust do the same to every packet: as tc and as XDP, in both directions.
//!
//! `PROPTEST_CASES` makes the search longer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "literals of the tests, tests that fail, and one that is skipped says so"
)]

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rackweave_boundary::program::{Kind, Program, Way};
use rackweave_boundary::table::{Key, Table};
use rackweave_boundary::transform::{Transform, Verdict};
use rackweave_boundary::{Event, Mappings, Settings, settings::Hop};
use rackweave_types::state::{
    MappingEntry, MappingState, NatBlock, NatEntry, NatState, PortBlock, StateVersion,
    SwitchConfig, SwitchState,
};
use rackweave_types::{AzPrefix, Generation, MacAddr, Mtu, NodePrefix, Vni};

const MAC: [u8; 6] = [0x02, 0x72, 0x77, 0xff, 0, 1];
const GROUP: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0xff10, 0, 0, 0, 1);
const SLED: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0x0105, 0, 0, 0, 1);

fn settings(counts_hop: bool) -> Settings {
    let hop = |last| Hop {
        dst: MacAddr::new([2, 0, 0, 0, 0, last]),
        src: MacAddr::new([2, 0, 0, 0, 1, last]),
        link: None,
    };
    Settings {
        group: GROUP,
        mac: MacAddr::new(MAC),
        az: AzPrefix::new([0xfd, 0x52, 0x77, 0x61, 0x6b, 0x65]).unwrap(),
        mtu: Mtu::new(Mtu::MIN).unwrap(),
        fabric: hop(1),
        customer: hop(2),
        counts_hop,
    }
}

fn pools() -> Vec<IpNet> {
    ["203.0.113.0/28", "2001:db8:99::/124"]
        .map(|pool| pool.parse().unwrap())
        .to_vec()
}

/// Of the last octet of an address of the pools: 0 to 3 are held alone, 4 to 7 in blocks of 512 and 1,024 ports.
fn mappings() -> Mappings {
    let address = |v4: bool, last: u8| -> IpAddr {
        if v4 {
            [203, 0, 113, last].into()
        } else {
            [0x2001, 0xdb8, 0x99, 0, 0, 0, 0, u16::from(last)].into()
        }
    };
    let sled = |node: u8| NodePrefix::of(format!("fd52:7761:6b65:1{node:02x}::").parse().unwrap());
    let mac = |node: u8| MacAddr::new([2, 0x72, 0x77, 0, 0, node]);
    let (mut alone, mut blocks) = (Vec::new(), Vec::new());
    for (v4, last) in [true, false]
        .into_iter()
        .flat_map(|v4| (0..8).map(move |last| (v4, last)))
    {
        let node = last + 1;
        if last < 4 {
            alone.push(MappingEntry {
                prefix: address(v4, last).into(),
                sled: sled(node).unwrap(),
                mac: mac(node),
            });
            continue;
        }
        let count = if last < 6 { 1024 } else { 512 };
        for first in [1024, 2048, 32_768, 64_512] {
            blocks.push(NatEntry {
                block: NatBlock {
                    address: address(v4, last),
                    ports: PortBlock::new(first, count).unwrap(),
                },
                sled: sled(node).unwrap(),
                mac: mac(node + 16),
            });
        }
    }
    let state = SwitchState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        config: SwitchConfig {
            version: StateVersion::CURRENT,
            generation: Generation::ZERO,
            switch: sled(0xfd).unwrap(),
            boundary: None,
            asn: None,
            uplinks: Vec::new(),
            peers: Vec::new(),
            routes: Vec::new(),
        },
        external: Some(MappingState {
            version: StateVersion::CURRENT,
            generation: Generation::ZERO,
            vni: Vni::BOUNDARY,
            entries: alone,
        }),
        nat: Some(NatState {
            version: StateVersion::CURRENT,
            generation: Generation::ZERO,
            entries: blocks,
        }),
    };
    let (mappings, unusable) = Mappings::of(&state);
    assert!(unusable.is_empty());
    mappings
}

/// An octet that is often one of these.
fn octet(likely: &'static [u8]) -> impl Strategy<Value = u8> {
    prop_oneof![8 => proptest::sample::select(likely), 1 => any::<u8>()]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        proptest::sample::select(
            &[
                1024_u16, 1535, 1536, 2047, 3071, 3072, 33_000, 65_535, 0, 53
            ][..]
        ),
        any::<u16>(),
    ]
}

/// What an upper layer holds: protocol, type of ICMP, two ports, and how much follows.
fn upper() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let protocol = octet(&[6, 17, 1, 58, 47]);
    let kind = octet(&[0, 3, 8, 11, 128, 129, 1, 2, 14]);
    (protocol, kind, port(), port(), 0_usize..40).prop_map(|(protocol, kind, src, dst, more)| {
        let mut out = Vec::new();
        if matches!(protocol, 1 | 58) {
            out.extend([kind, 0, 0, 0]);
            out.extend(dst.to_be_bytes());
            out.extend([0, 1]);
        } else {
            out.extend(src.to_be_bytes());
            out.extend(dst.to_be_bytes());
            out.extend([0, 8, 0, 0]);
        }
        out.resize(out.len() + more, 0x50);
        (protocol, out)
    })
}

/// IPv6 extension headers in front of an upper layer.
fn extended() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let header = (
        octet(&[0, 43, 44, 51, 60]),
        octet(&[0, 1]),
        octet(&[0]),
        octet(&[0, 1, 8]),
    );
    (upper(), proptest::collection::vec(header, 0..6)).prop_map(|((mut next, mut out), headers)| {
        for (kind, length, high, low) in headers {
            let octets = match kind {
                44 => 8,
                51 => (usize::from(length) + 2) * 4,
                _ => (usize::from(length) + 1) * 8,
            };
            let mut header = vec![next, length, high, low];
            header.resize(octets, 0);
            next = kind;
            out.splice(..0, header);
        }
        (next, out)
    })
}

#[derive(Clone, Debug)]
struct Ip {
    tos: u8,
    hops: u8,
    place: u16,
    far: u8,
    near: u8,
    towards_us: bool,
}

fn ip() -> impl Strategy<Value = Ip> {
    let place = prop_oneof![6 => Just(0), 1 => Just(0x2000), 1 => Just(0x4000), 1 => any::<u16>()];
    (
        any::<u8>(),
        octet(&[64, 2, 1, 0]),
        place,
        octet(&[1]),
        0_u8..20,
    )
        .prop_map(|(tos, hops, place, far, near)| Ip {
            tos,
            hops,
            place,
            far,
            near,
            towards_us: true,
        })
}

/// An IP packet between the world and an address of ours.
fn packet(v4: bool, ip: &Ip, protocol: u8, upper: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let length = u16::try_from(upper.len()).unwrap();
    let mut ends = if v4 {
        out.extend([0x45, ip.tos]);
        out.extend((length + 20).to_be_bytes());
        out.extend([0x12, 0x34]);
        out.extend(ip.place.to_be_bytes());
        out.extend([ip.hops, protocol, 0xab, 0xcd]);
        [vec![192, 0, 2, ip.far], vec![203, 0, 113, ip.near]]
    } else {
        out.extend([0x60 | ip.tos >> 4, ip.tos << 4 | 7, 8, 9]);
        out.extend(length.to_be_bytes());
        out.extend([protocol, ip.hops]);
        let far = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(ip.far));
        let near = Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, u16::from(ip.near));
        [far.octets().to_vec(), near.octets().to_vec()]
    };
    if !ip.towards_us {
        ends.swap(0, 1);
    }
    out.extend(ends.concat());
    out.extend(upper);
    out
}

/// An IP packet, now and then an ICMP error about one the other way.
fn any_packet(towards_us: bool) -> impl Strategy<Value = (bool, Vec<u8>)> {
    let error = proptest::option::weighted(0.3, (octet(&[3, 11, 1, 2, 4]), ip(), any::<bool>()));
    let plain = (any::<bool>(), ip(), upper(), extended(), error);
    plain.prop_map(move |(v4, mut ip, upper, extended, error)| {
        ip.towards_us = towards_us;
        let (protocol, upper) = if v4 { upper } else { extended };
        let Some((kind, mut outside, same)) = error else {
            return (v4, packet(v4, &ip, protocol, &upper));
        };
        ip.towards_us = !towards_us;
        outside.towards_us = towards_us;
        if same {
            outside.near = ip.near;
        }
        let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        message.extend(packet(v4, &ip, protocol, &upper));
        let icmp = if v4 { 1 } else { 58 };
        (v4, packet(v4, &outside, icmp, &message))
    })
}

/// The longest frame: with room for a tunnel it is of one piece in the kernel's test bed.
const FRAME_MAX: usize = 3_300;

/// Octets that are changed, and how many are cut off or put behind.
fn damage() -> impl Strategy<Value = (Vec<(usize, u8)>, i16)> {
    let few = prop_oneof![3 => 0_usize..1, 1 => 1_usize..4];
    let flips =
        few.prop_flat_map(|count| proptest::collection::vec((0_usize..160, any::<u8>()), count));
    (
        flips,
        prop_oneof![6 => Just(0_i16), 1 => -60_i16..60, 1 => 1000_i16..1300],
    )
}

fn damaged(mut frame: Vec<u8>, (flips, longer): &(Vec<(usize, u8)>, i16)) -> Vec<u8> {
    for (at, octet) in flips {
        if let Some(place) = frame.get_mut(*at) {
            *place = *octet;
        }
    }
    let by = usize::from(longer.unsigned_abs());
    let length = if *longer < 0 {
        frame.len().saturating_sub(by).max(14)
    } else {
        frame.len() + by
    };
    frame.resize(length.min(FRAME_MAX), 0);
    frame
}

fn ethernet(v4: bool, dst: [u8; 6], packet: &[u8]) -> Vec<u8> {
    let kind: [u8; 2] = if v4 { [8, 0] } else { [0x86, 0xdd] };
    [&dst[..], &[2, 0, 0, 0, 9, 9], &kind, packet].concat()
}

fn inbound_frame() -> impl Strategy<Value = Vec<u8>> {
    (any_packet(true), damage(), any::<bool>()).prop_map(|((v4, mut packet), damage, lengthen)| {
        // A packet that is longer by what is put behind it, or padding.
        let (at, more) = (if v4 { 2 } else { 4 }, u16::try_from(damage.1).unwrap_or(0));
        if lengthen {
            let length = u16::from_be_bytes([packet[at], packet[at + 1]]) + more;
            packet[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        damaged(ethernet(v4, [2; 6], &packet), &damage)
    })
}

fn outbound_frame() -> impl Strategy<Value = Vec<u8>> {
    const EXTERNAL: &[u8] = &[0xff, 0x52, 0x81, 0];
    const MSS: &[u8] = &[0xff, 0x52, 0x02, 1, 5, 0xb4, 0, 0];
    const SOURCE: &[u8] = &[0xff, 0x52, 0x03, 2, 0, 0, 0, 0, 0, 0, 0, 9];
    const FOREIGN: &[u8] = &[0x01, 0x02, 0x04, 0];
    const CRITICAL: &[u8] = &[0x01, 0x02, 0x84, 0];
    const CUT: &[u8] = &[0xff, 0x52, 0x03, 4];
    let option = prop_oneof![
        6 => Just(EXTERNAL), 2 => Just(MSS), 2 => Just(SOURCE), 2 => Just(FOREIGN),
        1 => Just(CRITICAL), 1 => Just(CUT),
    ];
    let options = prop_oneof![
        3 => Just(vec![EXTERNAL]),
        1 => proptest::collection::vec(option, 0..10),
    ];
    let vni = octet(&[99]);
    let parts = (any_packet(false), options, any::<u8>(), vni, damage());
    parts.prop_map(|((v4, packet), options, tos, vni, damage)| {
        let options = options.concat();
        let mut geneve = vec![
            u8::try_from(options.len() / 4).unwrap(),
            0x40,
            0x65,
            0x58,
            0,
            0,
            vni,
            0,
        ];
        geneve.extend(options);
        geneve.extend(ethernet(v4, MAC, &packet));
        let length = u16::try_from(geneve.len() + 8).unwrap().to_be_bytes();
        let mut out = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0x86, 0xdd];
        out.extend([
            0x60 | tos >> 4,
            tos << 4,
            1,
            2,
            length[0],
            length[1],
            17,
            64,
        ]);
        out.extend(SLED.octets());
        out.extend(GROUP.octets());
        out.extend([0xc1, 2, 0x17, 0xc1, length[0], length[1], 0, 0]);
        out.extend(geneve);
        damaged(out, &damage)
    })
}

/// What a program returns for a verdict.
const fn code(kind: Kind, verdict: Verdict) -> u32 {
    match (kind, verdict) {
        (Kind::Tc, Verdict::Pass(_)) => u32::MAX,
        (Kind::Tc, Verdict::Forward(..)) => 0,
        (Kind::Tc, Verdict::Drop(_)) => 2,
        (Kind::Xdp, Verdict::Pass(_) | Verdict::Forward(..)) => 2,
        (Kind::Xdp, Verdict::Drop(_)) => 1,
    }
}

/// A program.
struct Subject {
    program: Program,
    kind: Kind,
    settings: Settings,
}

impl Subject {
    fn load(kind: Kind, counts_hop: bool) -> Self {
        let settings = settings(counts_hop);
        let program = Program::load(kind, &settings, &pools(), &mappings());
        Self {
            program: program.unwrap_or_else(|fault| panic!("{kind:?}: {fault:?}")),
            kind,
            settings,
        }
    }

    fn compare(
        &self,
        held: &Table<Vec<u64>>,
        way: Way,
        frame: &[u8],
        segment: u16,
    ) -> Result<Verdict, TestCaseError> {
        let transform = Transform {
            settings: &self.settings,
            pools: &pools(),
            held,
        };
        let mut expected = frame.to_vec();
        let verdict = match way {
            Way::In => transform.inbound(&mut expected, segment),
            Way::Out => transform.outbound(&mut expected, segment),
        };
        let verdict = match verdict {
            // The kernel's test bed cannot say of what kind segments are, and then makes no room for them.
            Verdict::Forward(Event::InForwarded, _) if segment > 0 => {
                Verdict::Drop(Event::InNoRoom)
            }
            Verdict::Forward(_, _) if segment > 0 => Verdict::Drop(Event::OutNoRoom),
            verdict => verdict,
        };
        let before = self.program.counts().unwrap();
        let run = match self.program.run(way, frame, segment, 1) {
            Ok(run) => run,
            // The kernel's own test bed takes no frame without an IP header.
            Err(_) if frame.len() < 54 => return Ok(verdict),
            Err(fault) => return Err(TestCaseError::fail(format!("{fault:?}"))),
        };
        let kind = self.kind;
        let event = match verdict {
            Verdict::Pass(event) => event.map(|event| (event, 0)),
            Verdict::Forward(event, octets) => Some((event, octets)),
            Verdict::Drop(event) => Some((event, 0)),
        };
        let after = self.program.counts().unwrap().into_iter();
        for ((known, before), (_, after)) in before.into_iter().zip(after) {
            let counted = (after.packets - before.packets, after.octets - before.octets);
            let here = event.filter(|(event, _)| *event == known);
            let expected = here.map_or((0, 0), |(_, octets)| (1, u64::from(octets)));
            prop_assert_eq!(counted, expected, "{:?} {}", kind, known);
        }
        prop_assert_eq!(
            run.code,
            code(kind, verdict),
            "{:?}: {:?} is expected",
            kind,
            verdict
        );
        if !matches!(verdict, Verdict::Drop(_)) {
            prop_assert_eq!(run.frame, expected, "{:?}: {:?}", kind, verdict);
        }
        Ok(verdict)
    }
}

fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("{test}: skipped, for programs of the kernel take root");
    }
    root
}

/// Runs frames through all programs; returns how often each verdict was met.
fn compare_all(
    way: Way,
    frames: impl Strategy<Value = Vec<u8>> + 'static,
) -> Vec<(Verdict, usize)> {
    let entries = mappings().entries();
    let mut held = Table::with_room(entries.len() * 2);
    for (key, value) in entries {
        held.insert(key, value).unwrap();
    }
    let kinds = [Kind::Tc, Kind::Xdp];
    let subjects = kinds.map(|kind| [true, false].map(|hop| Subject::load(kind, hop)));
    let subjects: Vec<Subject> = subjects.into_iter().flatten().collect();
    let met = std::cell::RefCell::new(Vec::<(Verdict, usize)>::new());
    let segment = prop_oneof![3 => Just(0_u16), 1 => 1_u16..1400];
    let config = ProptestConfig {
        cases: ProptestConfig::default().cases.max(1024),
        max_shrink_iters: 4096,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let done = runner.run(&(frames.boxed(), segment), |(frame, segment)| {
        for subject in &subjects {
            let segment = if subject.kind == Kind::Tc { segment } else { 0 };
            let verdict = subject.compare(&held, way, &frame, segment)?;
            let verdict = match verdict {
                Verdict::Forward(event, _) => Verdict::Forward(event, 0),
                other => other,
            };
            let mut met = met.borrow_mut();
            match met.iter_mut().find(|(known, _)| *known == verdict) {
                Some((_, count)) => *count += 1,
                None => met.push((verdict, 1)),
            }
        }
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
    met.into_inner()
}

/// Fails where the frames did not bring about each of these.
fn all_met(met: &[(Verdict, usize)], expected: &[Verdict]) {
    for verdict in expected {
        assert!(
            met.iter().any(|(known, _)| known == verdict),
            "{verdict:?} is not among {met:?}"
        );
    }
}

#[test]
fn inbound_packets_fare_alike() {
    if !is_root("inbound_packets_fare_alike") {
        return;
    }
    let met = compare_all(Way::In, inbound_frame());
    all_met(
        &met,
        &[
            Verdict::Pass(None),
            Verdict::Pass(Some(Event::InHopLimit)),
            Verdict::Pass(Some(Event::InTooLong)),
            Verdict::Forward(Event::InForwarded, 0),
            Verdict::Drop(Event::InUnmapped),
            Verdict::Drop(Event::InNoBlock),
            Verdict::Drop(Event::InNoPort),
            Verdict::Drop(Event::InFragment),
            Verdict::Drop(Event::InMalformed),
        ],
    );
}

#[test]
fn outbound_packets_fare_alike() {
    if !is_root("outbound_packets_fare_alike") {
        return;
    }
    let met = compare_all(Way::Out, outbound_frame());
    all_met(
        &met,
        &[
            Verdict::Pass(None),
            Verdict::Forward(Event::OutForwarded, 0),
            Verdict::Drop(Event::OutMalformed),
            Verdict::Drop(Event::OutVni),
            Verdict::Drop(Event::OutOption),
            Verdict::Drop(Event::OutEcn),
            Verdict::Drop(Event::OutAggregate),
        ],
    );
}

/// What is changed while the program runs is found at once, and what is taken away no more.
#[test]
fn the_program_reads_the_table_as_it_is() {
    if !is_root("the_program_reads_the_table_as_it_is") {
        return;
    }
    let none = Mappings::new(settings(false).az);
    let mut program = Program::load(Kind::Xdp, &settings(false), &pools(), &none).unwrap();
    let ip = Ip {
        tos: 0,
        hops: 64,
        place: 0,
        far: 1,
        near: 2,
        towards_us: true,
    };
    let frame = ethernet(
        true,
        [2; 6],
        &packet(true, &ip, 17, &[0, 53, 4, 0, 0, 8, 0, 0]),
    );
    let length = |program: &Program| {
        let run = program.run(Way::In, &frame, 0, 1).unwrap();
        (run.code, run.frame.len())
    };
    assert_eq!(length(&program), (1, frame.len()), "nobody holds it");
    let all = mappings();
    program.apply(&none.changes(&all)).unwrap();
    assert_eq!(program.keys(), all.entries().len());
    assert!(
        all.entries()
            .contains_key(&Key::whole([203, 0, 113, 2].into()))
    );
    assert_eq!(length(&program), (2, frame.len() + 74));
    program.apply(&all.changes(&none)).unwrap();
    assert_eq!(length(&program), (1, frame.len()));
    program.set_pools(&[]).unwrap();
    assert_eq!(length(&program), (2, frame.len()), "none of ours");
}
