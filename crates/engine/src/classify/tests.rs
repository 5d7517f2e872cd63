use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::collection::vec as vec_of;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rackweave_types::{MacAddr, Vni};

use super::cube::{Cube, DIMS, Family, Span};
use super::cut::{Candidate, Step, View};
use super::entry::Tag as EntryTag;
use super::forest::Cut;
use super::{Classifier, linear};
use crate::addr::Addr;
use crate::direction::Direction;
use crate::fields::Fields;
use crate::program::{Action, Match, PortRange, Rule, RuleId, Tag, TagSet};

fn rule(priority: u16, matches: Match) -> Rule {
    Rule {
        id: RuleId(0),
        priority,
        matches,
        actions: vec![Action::Allow],
    }
}

fn rules(matches: impl IntoIterator<Item = Match>) -> Vec<Rule> {
    matches
        .into_iter()
        .map(|matches| rule(0, matches))
        .collect()
}

fn packet(ether_type: u16, protocol: u8) -> Fields {
    Fields {
        direction: Direction::Out,
        src_mac: MacAddr::ZERO,
        dst_mac: MacAddr::ZERO,
        ether_type,
        tagged: false,
        src: Addr::NONE,
        dst: Addr::NONE,
        protocol,
        src_port: 0,
        dst_port: 0,
        icmp_type: 0,
        icmp_code: 0,
        tcp_flags: 0,
        ttl: 64,
        ip_len: 40,
        segment_len: 40,
        link_layer: None,
        nd_target: Addr::NONE,
        vni: None,
        outer_src: Addr::NONE,
        external: false,
        tags: TagSet::EMPTY,
        next_hop: Addr::NONE,
    }
}

fn tcp(src: u32, dst: u32, src_port: u16, dst_port: u16) -> Fields {
    Fields {
        src: Addr::v4(src),
        dst: Addr::v4(dst),
        src_port,
        dst_port,
        ..packet(0x0800, 6)
    }
}

fn v4(bits: u32, len: u8) -> Option<IpNet> {
    Ipv4Net::new(Ipv4Addr::from_bits(bits), len)
        .ok()
        .map(IpNet::V4)
}

fn net6(text: &str) -> Option<Ipv6Net> {
    text.parse().ok()
}

fn ports(first: u16, last: u16) -> Option<PortRange> {
    PortRange::new(first, last).ok()
}

/// Numbers near each other and near the ends of their range, so that rules meet and packets hit.
fn near(max: u128) -> impl Strategy<Value = u128> {
    let places = vec![0, 1, 2, 3, max / 2, max / 2 + 1, max / 3, max - 1, max];
    prop_oneof![4 => select(places), 1 => 0..=max]
}

fn near_u8(max: u8) -> impl Strategy<Value = u8> {
    near(u128::from(max)).prop_map(|number| u8::try_from(number).unwrap())
}

fn near_u16() -> impl Strategy<Value = u16> {
    near(0xffff).prop_map(|number| u16::try_from(number).unwrap())
}

fn address4() -> impl Strategy<Value = Addr> {
    near(0xffff_ffff).prop_map(|bits| Addr::v4(u32::try_from(bits).unwrap()))
}

fn address6() -> impl Strategy<Value = Addr> {
    near(u128::MAX).prop_map(Addr::from_bits)
}

fn prefix6() -> impl Strategy<Value = Ipv6Net> {
    (address6(), near_u8(128))
        .prop_map(|(addr, len)| Ipv6Net::new(Ipv6Addr::from_bits(addr.bits()), len).unwrap())
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let four = (near(0xffff_ffff), near_u8(32))
        .prop_map(|(bits, len)| v4(u32::try_from(bits).unwrap(), len).unwrap());
    prop_oneof![2 => four, 1 => prefix6().prop_map(IpNet::V6)]
}

fn range() -> impl Strategy<Value = PortRange> {
    (near_u16(), near_u16()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap())
}

fn ether_type() -> impl Strategy<Value = u16> {
    select(vec![0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x88cc])
}

fn protocol() -> impl Strategy<Value = u8> {
    select(vec![0, 1, 2, 6, 6, 16, 17, 17, 58, 132])
}

fn mac() -> impl Strategy<Value = MacAddr> {
    (0..2_u8).prop_map(|last| MacAddr::new([2, 0, 0, 0, 0, last]))
}

fn vni() -> impl Strategy<Value = Vni> {
    (98..=100_u32).prop_map(|number| Vni::new(number).unwrap())
}

fn tags() -> impl Strategy<Value = TagSet> {
    vec_of(0..3_u8, 0..3).prop_map(|numbers| {
        numbers.into_iter().fold(TagSet::EMPTY, |set, number| {
            set.with(Tag::new(number).unwrap())
        })
    })
}

fn seldom<T: Strategy>(strategy: T) -> impl Strategy<Value = Option<T::Value>> {
    option::weighted(0.06, strategy)
}

prop_compose! {
    fn five_tuple()(
        src in option::weighted(0.5, prefix()),
        dst in option::weighted(0.3, prefix()),
        ether_type in option::weighted(0.2, ether_type()),
        protocol in option::weighted(0.4, protocol()),
        src_port in option::weighted(0.1, range()),
        dst_port in option::weighted(0.4, range()),
        icmp_type in seldom(select(vec![0_u8, 8, 128, 135, 136])),
        icmp_code in seldom(0..2_u8),
    ) -> Match {
        Match {
            ether_type, src, dst, protocol, src_port, dst_port, icmp_type, icmp_code,
            ..Match::default()
        }
    }
}

prop_compose! {
    fn any_match()(
        five_tuple in five_tuple(),
        src_mac in seldom(mac()),
        dst_mac in seldom(mac()),
        link_layer in seldom(mac()),
        nd_target in seldom(prefix6()),
        tagged in seldom(any::<bool>()),
        vni in seldom(vni()),
        outer_src in seldom(prefix6()),
        external in seldom(any::<bool>()),
        tags in option::weighted(0.1, tags()),
    ) -> Match {
        let tags = tags.unwrap_or_default();
        Match {
            src_mac, dst_mac, link_layer, nd_target, tagged, vni, outer_src, external, tags,
            ..five_tuple
        }
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (0..4_u16, any_match()).prop_map(|(priority, matches)| rule(priority, matches))
}

prop_compose! {
    fn any_packet()(
        ether_type in ether_type(),
        protocol in protocol(),
        four in [address4(), address4()],
        six in [address6(), address6(), address6(), address6()],
        ports in [near_u16(), near_u16()],
        icmp in (select(vec![0_u8, 8, 128, 135, 136]), 0..2_u8),
        macs in (mac(), mac(), option::of(mac())),
        vni in option::of(vni()),
        flags in any::<[bool; 3]>(),
        tags in tags(),
    ) -> Fields {
        let [src, dst] = if ether_type == 0x86dd { [six[0], six[1]] } else { four };
        let [tagged, external, outer] = flags;
        Fields {
            src_mac: macs.0, dst_mac: macs.1, link_layer: macs.2, tagged, external, tags, vni, src, dst,
            src_port: ports[0], dst_port: ports[1], icmp_type: icmp.0, icmp_code: icmp.1,
            nd_target: six[2], outer_src: if outer { six[3] } else { Addr::NONE },
            ..packet(ether_type, protocol)
        }
    }
}

/// Moves a packet onto an edge of a rule: the first or last address and port that it takes, or the next one.
fn aimed(mut packet: Fields, rule: &Rule, edges: u8) -> Fields {
    let high = |bit: u8| edges >> bit & 1 == 1;
    let beyond = high(7);
    let wanted = &rule.matches;
    let address = |net: IpNet, last: bool| {
        let (first, end) = match net {
            IpNet::V4(net) => (Addr::from(net.network()), Addr::from(net.broadcast())),
            IpNet::V6(net) => (Addr::from(net.network()), Addr::from(net.broadcast())),
        };
        let bits = if last { end.bits() } else { first.bits() };
        match (beyond, last) {
            (false, _) => Addr::from_bits(bits),
            (true, true) => Addr::from_bits(bits.wrapping_add(1)),
            (true, false) => Addr::from_bits(bits.wrapping_sub(1)),
        }
    };
    let port = |range: PortRange, last: bool| if last { range.last() } else { range.first() };
    for net in [wanted.src, wanted.dst].into_iter().flatten() {
        packet.ether_type = if matches!(net, IpNet::V4(_)) {
            0x0800
        } else {
            0x86dd
        };
    }
    packet.ether_type = wanted.ether_type.unwrap_or(packet.ether_type);
    packet.src = wanted.src.map_or(packet.src, |net| address(net, high(0)));
    packet.dst = wanted.dst.map_or(packet.dst, |net| address(net, high(1)));
    if wanted.src_port.is_some() || wanted.dst_port.is_some() {
        packet.protocol = if high(2) { 6 } else { 17 };
    }
    packet.src_port = wanted
        .src_port
        .map_or(packet.src_port, |range| port(range, high(3)));
    packet.dst_port = wanted
        .dst_port
        .map_or(packet.dst_port, |range| port(range, high(4)));
    packet.protocol = wanted.protocol.unwrap_or(packet.protocol);
    packet.icmp_type = wanted.icmp_type.unwrap_or(packet.icmp_type);
    packet.src_mac = wanted.src_mac.unwrap_or(packet.src_mac);
    packet.vni = wanted.vni.or(packet.vni);
    packet
}

/// Compares with the definition, and says how many packets a rule counted for.
fn check(rules: &[Rule], packets: &[Fields]) -> usize {
    let classifier = Classifier::build(rules);
    let hit = |packet: &&Fields| {
        let found = classifier.lookup(packet);
        assert_eq!(found, linear(rules, packet), "{packet:?}");
        found.is_some()
    };
    packets.iter().filter(hit).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_rules_are_found(
        rules in vec_of(any_rule(), 0..120),
        packets in vec_of((any_packet(), any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        let mut all: Vec<Fields> = packets.iter().map(|(packet, ..)| *packet).collect();
        if !rules.is_empty() {
            all.extend(packets.iter().map(|(packet, at, edges)| aimed(*packet, at.get(&rules), *edges)));
        }
        check(&rules, &all);
    }

    #[test]
    fn five_tuples_are_found(
        matches in vec_of((0..4_u16, five_tuple()), 1..400),
        packets in vec_of((any_packet(), any::<prop::sample::Index>(), any::<u8>()), 1..100),
    ) {
        let rules: Vec<Rule> = matches.into_iter().map(|(p, m)| rule(p, m)).collect();
        let aim = |(packet, at, edges): &(Fields, prop::sample::Index, u8)| {
            aimed(*packet, at.get(&rules), *edges)
        };
        let all: Vec<Fields> = packets.iter().map(aim).collect();
        check(&rules, &all);
    }
}

proptest! {
    #[test]
    fn a_cut_reaches_the_children_of_its_numbers(
        range in (any::<u16>(), 0..2_000_u16),
        shift in 0..10_u32,
        width in 1..7_u32,
    ) {
        let (first, last) = (range.0, range.0.saturating_add(range.1));
        let matches = Match { dst_port: ports(first, last), ..Match::default() };
        let cube = Cube::new(&matches, Family::V4).unwrap();
        // The destination port; some of its windows leave out bits in which the range differs.
        let cut = Cut { dim: 9, shift, width };
        let rules = [Candidate { cube, tag: EntryTag::new(0, 0, false) }];
        let region = [Span::new(0, u32::MAX); DIMS];
        let mut reached = vec![false; cut.children()];
        let mut next_open = Vec::new();
        View::new(&rules, &[0], &region).distribute(cut, u32::MAX, &mut next_open, |_, step| {
            if let Step::Child(child) = step {
                assert!(!reached[child], "twice in {child}");
                reached[child] = true;
            }
            true
        });
        let mut expected = vec![false; cut.children()];
        for number in first..=last {
            expected[usize::from(number >> shift) & (cut.children() - 1)] = true;
        }
        prop_assert_eq!(reached, expected);
    }
}

#[test]
fn a_prefix_implies_its_family() {
    let rules = rules([
        Match {
            src: v4(0, 0),
            ..Match::default()
        },
        Match {
            dst: Some("::/0".parse().unwrap()),
            ..Match::default()
        },
    ]);
    let classifier = Classifier::build(&rules);
    assert_eq!(classifier.lookup(&tcp(1, 2, 3, 4)), Some(0));
    assert_eq!(classifier.lookup(&packet(0x0806, 1)), Some(0));
    assert_eq!(classifier.lookup(&packet(0x86dd, 6)), Some(1));
    assert_eq!(classifier.lookup(&packet(0x88cc, 0)), None);
}

#[test]
fn ports_imply_tcp_or_udp() {
    let rules = rules([Match {
        dst_port: Some(PortRange::ALL),
        ..Match::default()
    }]);
    let classifier = Classifier::build(&rules);
    let found = |ether_type, protocol| classifier.lookup(&packet(ether_type, protocol));
    for ether_type in [0x0800, 0x86dd] {
        assert_eq!(found(ether_type, 6), Some(0));
        assert_eq!(found(ether_type, 17), Some(0));
        assert_eq!(found(ether_type, 16), None);
        assert_eq!(found(ether_type, 132), None);
    }
    // An ARP operation is not a protocol.
    assert_eq!(found(0x0806, 6), None);
}

#[test]
fn a_protocol_is_an_operation_only_for_arp() {
    let rules = rules([
        Match {
            protocol: Some(1),
            ..Match::default()
        },
        Match {
            ether_type: Some(0x0806),
            protocol: Some(1),
            ..Match::default()
        },
    ]);
    let classifier = Classifier::build(&rules);
    assert_eq!(classifier.lookup(&packet(0x0800, 1)), Some(0));
    assert_eq!(classifier.lookup(&packet(0x86dd, 1)), Some(0));
    assert_eq!(classifier.lookup(&packet(0x0806, 1)), Some(1));
    assert_eq!(classifier.lookup(&packet(0x0806, 2)), None);
    assert_eq!(classifier.lookup(&packet(0x88cc, 1)), None);
}

#[test]
fn icmp_types_imply_the_icmp_of_the_family() {
    let rules = rules([
        Match {
            icmp_type: Some(8),
            icmp_code: Some(0),
            ..Match::default()
        },
        Match {
            icmp_code: Some(1),
            ..Match::default()
        },
    ]);
    let classifier = Classifier::build(&rules);
    let found = |ether_type, protocol, icmp_type, icmp_code| {
        let packet = Fields {
            icmp_type,
            icmp_code,
            ..packet(ether_type, protocol)
        };
        assert_eq!(classifier.lookup(&packet), linear(&rules, &packet));
        classifier.lookup(&packet)
    };
    assert_eq!(found(0x0800, 1, 8, 0), Some(0));
    assert_eq!(found(0x86dd, 58, 8, 0), Some(0));
    assert_eq!(found(0x86dd, 58, 3, 1), Some(1));
    assert_eq!(found(0x0800, 58, 8, 0), None);
    assert_eq!(found(0x86dd, 1, 8, 0), None);
    assert_eq!(found(0x0800, 6, 8, 1), None);
}

#[test]
fn what_is_not_in_the_box_is_asked_too() {
    let tag = |number| Tag::new(number).unwrap();
    let asked = rules([
        Match {
            tags: TagSet::EMPTY.with(tag(1)).with(tag(2)),
            ..Match::default()
        },
        Match {
            nd_target: net6("fe80::/64"),
            ..Match::default()
        },
        Match {
            outer_src: net6("::/0"),
            ..Match::default()
        },
        Match {
            link_layer: Some(MacAddr::BROADCAST),
            ..Match::default()
        },
        Match {
            tagged: Some(true),
            ..Match::default()
        },
    ]);
    let classifier = Classifier::build(&asked);
    let found = |packet: Fields| classifier.lookup(&packet);
    let plain = packet(0x86dd, 58);
    assert_eq!(found(plain), None);
    assert_eq!(
        found(Fields {
            tags: TagSet::EMPTY.with(tag(1)),
            ..plain
        }),
        None
    );
    let tags = TagSet::EMPTY.with(tag(0)).with(tag(1)).with(tag(2));
    assert_eq!(found(Fields { tags, ..plain }), Some(0));
    let nd_target = Addr::from_bits(0xfe80 << 112 | 1);
    assert_eq!(
        found(Fields {
            nd_target,
            icmp_type: 135,
            ..plain
        }),
        Some(1)
    );
    assert_eq!(
        found(Fields {
            nd_target,
            icmp_type: 134,
            ..plain
        }),
        None
    );
    assert_eq!(
        found(Fields {
            outer_src: nd_target,
            ..plain
        }),
        Some(2)
    );
    assert_eq!(
        found(Fields {
            link_layer: Some(MacAddr::BROADCAST),
            ..plain
        }),
        Some(3)
    );
    assert_eq!(
        found(Fields {
            tagged: true,
            ..packet(0x88cc, 0)
        }),
        Some(4)
    );
}

#[test]
fn priority_goes_before_place() {
    let port = |first, last| Match {
        dst_port: ports(first, last),
        ..Match::default()
    };
    let rules = [
        rule(5, port(0, 99)),
        rule(3, port(10, 50)),
        rule(3, port(20, 99)),
        rule(5, port(0, 99)),
    ];
    let classifier = Classifier::build(&rules);
    let found = |dst_port| classifier.lookup(&tcp(1, 2, 3, dst_port));
    assert_eq!(
        [found(5), found(30), found(60), found(100)],
        [Some(0), Some(1), Some(2), None]
    );
}

#[test]
fn no_rules_find_nothing() {
    let classifier = Classifier::build(&[]);
    assert_eq!(classifier.lookup(&tcp(1, 2, 3, 4)), None);
    assert_eq!(classifier.lookup(&packet(0x86dd, 6)), None);
    assert_eq!(classifier.lookup(&packet(0x88cc, 0)), None);
    assert_eq!(classifier.memory(), 0);
}

/// Packets in lockstep with `n` places of a rule set.
fn spread(n: u32) -> Vec<Fields> {
    let numbers = (0..n).map(|i| i.wrapping_mul(0x9e37_79b9));
    let port = |number: u32| u16::try_from(number >> 16).unwrap();
    let packets = numbers.map(|i| {
        tcp(
            i,
            i.rotate_left(7),
            port(i.rotate_left(13)),
            port(i.rotate_left(3)),
        )
    });
    packets.collect()
}

#[test]
fn rules_that_ask_for_nothing_are_one() {
    let rules = rules((0..5_000).map(|_| Match::default()));
    assert_eq!(check(&rules, &spread(50)), 50);
    assert!(Classifier::build(&rules).memory() < 5_000 * 300);
}

#[test]
fn nested_prefixes_are_found() {
    for longest_first in [true, false] {
        let prefixes = (0..=32_u8).flat_map(|len| {
            let ends = [0x0a0b_0c0d, 0xffff_ffff, 0x5555_5555];
            ends.map(|bits| Match {
                src: v4(bits, len),
                ..Match::default()
            })
        });
        let mut rules = rules(prefixes);
        if longest_first {
            rules.reverse();
        }
        let mut packets = spread(200);
        packets.extend((0..32).flat_map(|bit| {
            let ends = [0x0a0b_0c0d, 0xffff_ffff, 0x5555_5555];
            ends.map(|bits: u32| tcp(bits ^ 1 << bit, 1, 2, 3))
        }));
        assert_eq!(check(&rules, &packets), packets.len());
    }
}

#[test]
fn one_prefix_with_many_port_ranges() {
    let wide = (0..5_000_u32).map(|i| {
        let first = u16::try_from(i.wrapping_mul(0x9e37_79b9) >> 16).unwrap();
        let last = first.saturating_add(u16::try_from(i % 7_000).unwrap());
        Match {
            dst: v4(0x0a00_0000, 8),
            dst_port: ports(first, last),
            ..Match::default()
        }
    });
    let rules = rules(wide);
    let packets: Vec<Fields> = spread(400)
        .into_iter()
        .map(|packet| Fields {
            dst: Addr::v4(0x0a01_0203),
            ..packet
        })
        .collect();
    assert!(check(&rules, &packets) > 350);
    assert!(Classifier::build(&rules).memory() < 5_000 * 400);
}

/// Boxes that are wide in one of four words and meet most others: no cut tells them apart well.
fn overlapping(n: u32) -> Vec<Rule> {
    let shapes = (0..n).map(|i| {
        let noise = i.wrapping_mul(0x9e37_79b9);
        let first = u16::try_from(noise >> 17).unwrap();
        let range = ports(first, first.saturating_add(20_000));
        let len = u8::try_from(noise % 3).unwrap();
        match i % 4 {
            0 => Match {
                src: v4(noise, 1 + len),
                dst_port: range,
                ..Match::default()
            },
            1 => Match {
                dst: v4(noise, 1 + len),
                src_port: range,
                ..Match::default()
            },
            2 => Match {
                src_port: range,
                dst_port: ports(first / 2, 40_000),
                ..Match::default()
            },
            _ => Match {
                src: v4(noise, len),
                dst: v4(!noise, len),
                ..Match::default()
            },
        }
    });
    // Later rules are asked first, so that few are hidden, and each asks for a tag, so that none hides another.
    let tagged = shapes.enumerate().map(|(place, matches)| {
        let tags = if place % 2 == 0 {
            TagSet::EMPTY.with(Tag::new(0).unwrap())
        } else {
            TagSet::EMPTY
        };
        rule(
            u16::try_from(n).unwrap() - u16::try_from(place).unwrap(),
            Match { tags, ..matches },
        )
    });
    tagged.collect()
}

#[test]
fn memory_is_bounded_where_all_rules_overlap() {
    let rules = overlapping(10_000);
    check(&rules, &spread(300));
    // Two families: up to eight copies of at most 64 octets in each of a few trees, and what is asked beyond boxes.
    assert!(Classifier::build(&rules).memory() < 10_000 * 1_200);
}

#[test]
fn building_twice_gives_the_same() {
    let rules = overlapping(500);
    let [a, b] = [Classifier::build(&rules), Classifier::build(&rules)];
    assert_eq!(alloc::format!("{a:?}"), alloc::format!("{b:?}"));
}
