use rackweave_types::{MacAddr, reserved};

use super::*;
use crate::verify::verify;

const MAC: MacAddr = MacAddr::new([2, 0x72, 0x77, 0, 0, 1]);
const V4: [&str; 4] = ["10.0.0.5:40000", "10.0.0.6:80", "10.0.0.5", "10.0.0.6"];
const V6: [&str; 4] = ["[fd12::5]:40000", "[fd12::6]:80", "fd12::5", "fd12::6"];

/// Frames whose every octet behind the IP header is under a checksum.
fn guarded() -> Vec<Vec<u8>> {
    let family = |[src, dst, src_ip, dst_ip]: [&str; 4]| {
        let tcp = FrameBuilder::tcp(src, dst);
        let echo = FrameBuilder::echo(src_ip, dst_ip, 7)
            .echo_sequence(3)
            .payload(b"hello");
        let cause = tcp.clone().payload_len(1400).build();
        let from = src_ip.parse().unwrap();
        [
            tcp.clone().syn().tcp_options(&[2, 4, 5, 0xb4, 1]).build(),
            tcp.numbers(7, 9).payload(b"hello").tos(0xb9).ttl(1).build(),
            FrameBuilder::udp(src, dst).payload_len(1001).build(),
            echo.clone().reply().build(),
            echo.build(),
            icmp_error(from, IcmpError::TooBig { mtu: 1400 }, &cause),
            icmp_error(from, IcmpError::PortUnreachable, &cause[..80]),
            icmp_error(from, IcmpError::TimeExceeded, &cause),
        ]
    };
    [family(V4), family(V6)].concat()
}

/// Frames in which something is not under a checksum.
fn unguarded() -> Vec<Vec<u8>> {
    let (four, six) = ([10, 0, 0, 5].into(), "fe80::5".parse().unwrap());
    vec![
        FrameBuilder::udp(V4[0], V4[1])
            .no_udp_checksum()
            .payload(b"hello")
            .build(),
        FrameBuilder::udp(V4[0], V4[1])
            .vlan(7)
            .ip_options(&[148, 4, 0, 0, 1])
            .build(),
        FrameBuilder::udp(V6[0], V6[1])
            .destination_options([1, 4, 0, 0, 0, 0])
            .build(),
        FrameBuilder::other(V4[2], V4[3], 132)
            .payload_len(20)
            .build(),
        FrameBuilder::other(V6[2], V6[3], 50)
            .payload_len(20)
            .build(),
        arp_request(MAC, four, [10, 0, 0, 1].into()),
        arp_reply(reserved::GATEWAY_MAC, [10, 0, 0, 1].into(), MAC, four),
        neighbor_solicitation(MAC, six, reserved::GATEWAY_V6),
        neighbor_solicitation(MAC, "::".parse().unwrap(), six),
        neighbor_advertisement(reserved::GATEWAY_MAC, reserved::GATEWAY_V6, MAC, six),
        router_solicitation(MAC, six),
        dhcpv4_request(MAC, &[1; 300]),
        dhcpv6_request(MAC, six, &[1; 40]),
    ]
}

fn tunnel() -> Tunnel {
    Tunnel::new("fd00:1:2:101::1", "fd00:1:2:102::1", 5000)
        .option(reserved::GENEVE_OPTION_MSS, &1400_u16.to_be_bytes())
        .external()
}

#[test]
fn what_is_built_is_valid_also_inside_of_a_tunnel() {
    for frame in [guarded(), unguarded()].concat() {
        assert_eq!(verify(&frame), Ok(()), "{frame:02x?}");
        for tunnel in [tunnel(), tunnel().with_checksum().src_port(50_000).tos(3)] {
            let wrapped = tunnel.wrap(&frame);
            assert_eq!(verify(&wrapped), Ok(()), "{wrapped:02x?}");
        }
    }
}

#[test]
fn any_octet_under_a_checksum_counts() {
    for frame in guarded() {
        let ip_len = if frame[12..14] == [8, 0] { 20 } else { 40 };
        for at in 14 + ip_len..frame.len() {
            let mut broken = frame.clone();
            broken[at] ^= 0x10;
            assert!(verify(&broken).is_err(), "octet {at} of {frame:02x?}");
        }
    }
}

#[test]
fn lengths_count() {
    for frame in [guarded(), unguarded()].concat() {
        for len in 0..frame.len() {
            assert!(
                verify(&frame[..len]).is_err(),
                "{len} octets of {frame:02x?}"
            );
        }
        let longer = [&frame[..], &[1]].concat();
        assert!(verify(&longer).is_err(), "{frame:02x?}");
    }
    let padded = arp_request(MAC, [10, 0, 0, 5].into(), [10, 0, 0, 1].into());
    assert_eq!(verify(&[&padded[..], &[0; 18]].concat()), Ok(()));
}

#[test]
fn errors_lead_to_the_header() {
    let mut wrapped = tunnel().wrap(&guarded()[0]);
    let last = wrapped.len() - 1;
    wrapped[last] ^= 1;
    let expected = "ethernet: ipv6: udp: geneve: inner ethernet: ipv4: tcp: checksum";
    assert_eq!(verify(&wrapped), Err(expected.to_owned()));

    // The message's checksum is right, that of the packet inside is not.
    let mut cause = FrameBuilder::udp(V4[0], V4[1]).payload(b"hello").build();
    cause[45] ^= 1;
    let error = icmp_error([10, 0, 0, 6].into(), IcmpError::PortUnreachable, &cause);
    let expected = "ethernet: ipv4: icmp: quoted ipv4: udp: checksum";
    assert_eq!(verify(&error), Err(expected.to_owned()));
    cause[24] ^= 1;
    let error = icmp_error([10, 0, 0, 6].into(), IcmpError::PortUnreachable, &cause);
    let expected = "ethernet: ipv4: icmp: quoted ipv4: header checksum";
    assert_eq!(verify(&error), Err(expected.to_owned()));
}

#[test]
fn a_missing_checksum_over_ipv6_is_found() {
    let frame = FrameBuilder::udp(V6[0], V6[1]).no_udp_checksum().build();
    let expected = "ethernet: ipv6: udp: checksum is missing";
    assert_eq!(verify(&frame), Err(expected.to_owned()));
}

#[test]
fn fragments_are_valid_and_make_the_packet() {
    for ([src, dst, ..], headers, whole_headers) in [(V4, 34, 34), (V6, 62, 54)] {
        let packet = FrameBuilder::udp(src, dst)
            .identification(9)
            .payload_len(3001);
        let fragments = packet.fragments(1400);
        assert_eq!(fragments.len(), 3);
        for fragment in &fragments {
            assert_eq!(verify(fragment), Ok(()));
            assert!(fragment.len() <= 1414);
        }
        let joined: Vec<u8> = fragments
            .iter()
            .flat_map(|f| f[headers..].to_vec())
            .collect();
        assert_eq!(joined, packet.build()[whole_headers..]);
    }
}
