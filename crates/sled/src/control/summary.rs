//! A frame in words.

use std::net::{IpAddr, Ipv6Addr};

use rackweave_api::sled::{FrameSummary, OuterSummary};
use rackweave_engine::addr::Addr;
use rackweave_engine::parse::{Parsed, parse_outer};
use rackweave_types::MacAddr;
use rackweave_wire::protocol::IpProtocol;

use super::packet::protocol;

/// Describes a frame: the tunnel around it where it has one, and the inner frame.
pub(crate) fn summary(bytes: &[u8]) -> FrameSummary {
    let outer = parse_outer(bytes).ok();
    let inner = outer.map_or(bytes, |outer| {
        bytes.get(usize::from(outer.len)..).unwrap_or_default()
    });
    let parsed = Parsed::parse(inner);
    let mac = |at: usize| {
        let octets = inner
            .get(at..at + 6)
            .and_then(|octets| octets.first_chunk());
        octets.map_or(MacAddr::ZERO, |octets| MacAddr::new(*octets))
    };
    let ip = parsed.ok().filter(Parsed::is_ip);
    let src_port = |bytes: &[u8]| {
        let octets = bytes.get(54..56).and_then(|octets| octets.first_chunk());
        octets.copied().map_or(0, u16::from_be_bytes)
    };
    FrameSummary {
        outer: outer.map(|outer| OuterSummary {
            src: v6(outer.src),
            dst: v6(outer.dst),
            src_port: src_port(bytes),
            vni: outer.vni,
            external: outer.external,
        }),
        src_mac: mac(6),
        dst_mac: mac(0),
        src: ip.map(|ip| ip.src.into()),
        dst: ip.map(|ip| ip.dst.into()),
        text: match &parsed {
            Ok(parsed) => line(parsed),
            Err(reason) => format!("malformed: {reason}"),
        },
        len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    }
}

/// A frame in a line, with its tunnel.
pub(crate) fn frame_text(bytes: &[u8]) -> String {
    let frame = summary(bytes);
    match frame.outer {
        Some(outer) => format!(
            "{}, in {} > {} vni {}",
            frame.text, outer.src, outer.dst, outer.vni
        ),
        None => frame.text,
    }
}

fn v6(addr: Addr) -> Ipv6Addr {
    Ipv6Addr::from(addr.octets())
}

/// A packet in a line.
fn line(parsed: &Parsed) -> String {
    let (src, dst) = (IpAddr::from(parsed.src), IpAddr::from(parsed.dst));
    if !parsed.is_ip() {
        return match parsed.ether_type {
            0x0806 => format!("arp, {src} about {dst}"),
            other => format!("ethertype {other:#06x}"),
        };
    }
    let (from, to) = (end(src, parsed.src_port), end(dst, parsed.dst_port));
    let what = match parsed.protocol {
        _ if parsed.is_later_fragment() => "later fragment".to_owned(),
        protocol::TCP => format!("tcp [{}]", flags(parsed.tcp_flags)),
        protocol::ICMP | protocol::ICMPV6 => {
            let name = protocol_name(parsed.protocol);
            return format!(
                "{src} > {dst} {name} type {} code {}",
                parsed.icmp_type, parsed.icmp_code
            );
        }
        other => protocol_name(other),
    };
    format!("{from} > {to} {what}")
}

/// An address, with a port where there is one.
pub(crate) fn end(address: IpAddr, port: u16) -> String {
    match (address, port) {
        (address, 0) => address.to_string(),
        (IpAddr::V4(address), port) => format!("{address}:{port}"),
        (IpAddr::V6(address), port) => format!("[{address}]:{port}"),
    }
}

/// A protocol's name, or its number.
pub(crate) fn protocol_name(number: u8) -> String {
    IpProtocol::from(number).to_string()
}

/// TCP flags by their letters, as tcpdump writes them.
pub(crate) const FLAG_LETTERS: [(u8, char); 8] = [
    (0x01, 'F'),
    (0x02, 'S'),
    (0x04, 'R'),
    (0x08, 'P'),
    (0x10, '.'),
    (0x20, 'U'),
    (0x40, 'E'),
    (0x80, 'W'),
];

fn flags(octet: u8) -> String {
    let set = FLAG_LETTERS.iter().filter(|(bit, _)| octet & bit != 0);
    let letters: String = set.map(|(_, letter)| letter).collect();
    if letters.is_empty() {
        "none".to_owned()
    } else {
        letters
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rackweave_testkit::packet::{FrameBuilder, Tunnel, arp_request};

    use super::*;

    #[test]
    fn people_read_what_a_frame_is() {
        let text = |frame: &[u8]| summary(frame).text;
        let syn = FrameBuilder::tcp("10.0.0.5:40000", "10.0.0.6:80")
            .syn()
            .build();
        assert_eq!(text(&syn), "10.0.0.5:40000 > 10.0.0.6:80 tcp [S]");
        let datagram = FrameBuilder::udp("[fd00::1]:53", "[fd00::2]:5353").build();
        assert_eq!(text(&datagram), "[fd00::1]:53 > [fd00::2]:5353 udp");
        let echo = FrameBuilder::echo("10.0.0.5", "10.0.0.6", 7).build();
        assert_eq!(text(&echo), "10.0.0.5 > 10.0.0.6 icmp type 8 code 0");
        let gre = FrameBuilder::other("10.0.0.5", "10.0.0.6", 47).build();
        assert_eq!(text(&gre), "10.0.0.5 > 10.0.0.6 gre");
        let arp = arp_request(
            MacAddr::new([2, 0, 0, 0, 0, 1]),
            "10.0.0.5".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
        );
        assert_eq!(text(&arp), "arp, 10.0.0.5 about 10.0.0.1");
        assert_eq!(text(&syn[..20]), "malformed: truncated");
        let wrapped = Tunnel::new("fd00:1:2:101::1", "fd00:1:2:102::1", 5000).wrap(&syn);
        let outer = summary(&wrapped).outer.unwrap();
        assert_eq!(outer.vni.get(), 5000);
        assert_eq!(outer.dst, "fd00:1:2:102::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(summary(&wrapped).text, text(&syn));
    }

    proptest! {
        #[test]
        fn any_bytes_are_told(bytes: Vec<u8>) {
            let _told = summary(&bytes);
        }
    }
}
