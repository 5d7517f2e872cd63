//! A packet from its description.

use std::net::IpAddr;

use rackweave_api::local::{ApiError, Code};
use rackweave_api::sled::Description;
use rackweave_types::MacAddr;
use rackweave_wire::ethernet::EthernetRepr;
use rackweave_wire::ipv4::Ipv4Repr;
use rackweave_wire::ipv6::{FlowLabel, Ipv6Repr};
use rackweave_wire::options::Options;
use rackweave_wire::protocol::{EtherType, IpProtocol};
use rackweave_wire::tcp::{TcpFlags, TcpRepr};
use rackweave_wire::tos::{Dscp, Ecn};
use rackweave_wire::{checksum, tcp};

/// Protocol numbers that people have names for.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMPV6: u8 = 58;
}

/// Octets of an Ethernet header.
const ETHERNET_LEN: usize = 14;

fn bad(what: impl Into<String>, next: &str) -> ApiError {
    ApiError::new(Code::BadRequest, what).next(next)
}

/// The Ethernet frame of the packet described, from `src_mac` to `dst_mac`.
pub(crate) fn build(
    description: &Description,
    src_mac: MacAddr,
    dst_mac: MacAddr,
) -> Result<Vec<u8>, ApiError> {
    let (from, to) = (description.from.address, description.to.address);
    let protocol = match (description.protocol, from) {
        (protocol::ICMP, IpAddr::V6(_)) => protocol::ICMPV6,
        (protocol::ICMPV6, IpAddr::V4(_)) => protocol::ICMP,
        (protocol, _) => protocol,
    };
    let too_long = || bad("the packet is longer than IP allows", "give less payload");
    let upper = upper(description, protocol)?;
    let (ether_type, mut packet) = match (from, to) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let header = Ipv4Repr::new(src, dst, IpProtocol::from(protocol), upper.len())
                .map_err(|_| too_long())?;
            let mut packet = vec![0; header.buffer_len()];
            header.emit(&mut packet).map_err(|_| too_long())?;
            (EtherType::IPV4, packet)
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let header = Ipv6Repr {
                src,
                dst,
                next_header: IpProtocol::from(protocol),
                hop_limit: hop_limit(description, protocol),
                dscp: Dscp::default(),
                ecn: Ecn::NotEct,
                flow_label: FlowLabel::default(),
                payload_len: u16::try_from(upper.len()).map_err(|_| too_long())?,
            };
            let mut packet = vec![0; header.buffer_len()];
            header.emit(&mut packet).map_err(|_| too_long())?;
            (EtherType::IPV6, packet)
        }
        _ => {
            return Err(bad(
                "the two ends are of different address families",
                "give two IPv4 or two IPv6 addresses",
            ));
        }
    };
    let header = EthernetRepr {
        dst: dst_mac,
        src: src_mac,
        ether_type,
    };
    let mut frame = vec![0; ETHERNET_LEN];
    header.emit(&mut frame).map_err(|_| too_long())?;
    frame.append(&mut packet);
    frame.extend(upper);
    Ok(frame)
}

/// Neighbour discovery is only valid with hop limit 255 (RFC 4861, section 7.1).
fn hop_limit(description: &Description, protocol: u8) -> u8 {
    match description.icmp {
        Some([133..=137, _]) if protocol == protocol::ICMPV6 => 255,
        _ => 64,
    }
}

/// What follows the IP header.
fn upper(description: &Description, protocol: u8) -> Result<Vec<u8>, ApiError> {
    let (from, to) = (description.from, description.to);
    let payload = usize::from(description.payload);
    let wrong = || bad("the packet's header cannot be made", "give less payload");
    let (mut bytes, checksum_at) = match protocol {
        protocol::TCP => {
            let flags = description.tcp_flags.unwrap_or(2);
            let header = TcpRepr {
                src_port: from.port,
                dst_port: to.port,
                sequence: 1,
                acknowledgment: u32::from(flags & 0x10 != 0),
                flags: TcpFlags::of_low_bits(u16::from(flags)),
                window: u16::MAX,
                urgent: 0,
                options: Options::EMPTY,
            };
            let mut bytes = vec![0; header.buffer_len() + payload];
            header.emit(&mut bytes).map_err(|_| wrong())?;
            let pseudo = pseudo_header(description, protocol, bytes.len());
            tcp::fill_checksum(&mut bytes, pseudo).map_err(|_| wrong())?;
            return Ok(bytes);
        }
        protocol::UDP => {
            let len = u16::try_from(8 + payload).map_err(|_| wrong())?;
            let fields = [from.port, to.port, len, 0];
            (fields.map(u16::to_be_bytes).concat(), 6)
        }
        protocol::ICMP | protocol::ICMPV6 => {
            let echo = if protocol == protocol::ICMP { 8 } else { 128 };
            let [kind, code] = description.icmp.unwrap_or([echo, 0]);
            let [high, low] = from.port.max(to.port).to_be_bytes();
            (vec![kind, code, 0, 0, high, low, 0, 1], 2)
        }
        _ => return Ok(vec![0; payload]),
    };
    bytes.resize(8 + payload, 0);
    let pseudo = match protocol {
        protocol::ICMP => 0,
        protocol => pseudo_header(description, protocol, bytes.len()),
    };
    let sum = checksum::combine(pseudo, checksum::sum(&bytes));
    let field = match protocol {
        protocol::UDP => checksum::finish_udp(sum),
        _ => checksum::finish(sum),
    };
    bytes[checksum_at..checksum_at + 2].copy_from_slice(&field.to_be_bytes());
    Ok(bytes)
}

/// The pseudo header's sum; 0 where the families differ, which is refused later.
fn pseudo_header(description: &Description, protocol: u8, len: usize) -> u16 {
    match (description.from.address, description.to.address) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let len = u16::try_from(len).unwrap_or(u16::MAX);
            checksum::pseudo_header_v4(src.octets(), dst.octets(), protocol, len)
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            checksum::pseudo_header_v6(src.octets(), dst.octets(), protocol, len)
        }
        _ => 0,
    }
}

/// The octets of a text of hexadecimal digits; blanks and colons between them do not matter.
pub(crate) fn from_hex(text: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = |what: String| {
        bad(
            what,
            "give the frame from its Ethernet header on, two digits for each octet",
        )
    };
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    for character in text.chars() {
        if character.is_ascii_whitespace() || character == ':' {
            continue;
        }
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok());
        let digit = digit.ok_or_else(|| wrong(format!("`{character}` is no hexadecimal digit")))?;
        half = match half {
            None => Some(digit),
            Some(high) => {
                octets.push(high << 4 | digit);
                None
            }
        };
    }
    if half.is_some() {
        return Err(wrong("the hexadecimal digits are odd in number".to_owned()));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rackweave_api::sled::End;
    use rackweave_testkit::verify::verify;

    use super::*;

    fn description(protocol: u8, from: &str, to: &str) -> Description {
        let end = |address: &str, port| End {
            address: address.parse().unwrap(),
            port,
        };
        Description {
            protocol,
            from: end(from, 40_000),
            to: end(to, 80),
            tcp_flags: None,
            icmp: None,
            payload: 0,
            src_mac: None,
            outer_source: None,
            vni: None,
        }
    }

    const MACS: [MacAddr; 2] = [
        MacAddr::new([2, 0, 0, 0, 0, 1]),
        MacAddr::new([2, 0, 0, 0, 0, 2]),
    ];

    proptest! {
        #[test]
        fn every_packet_that_can_be_described_is_valid(
            protocol in prop_oneof![Just(1_u8), Just(6), Just(17), Just(58), Just(132)],
            v6: bool,
            payload in 0_u16..2000,
            flags: u8,
        ) {
            let (from, to) = if v6 { ("fd12::5", "fd12::6") } else { ("10.0.1.5", "10.0.1.6") };
            let description = Description {
                payload,
                tcp_flags: Some(flags),
                ..description(protocol, from, to)
            };
            let frame = build(&description, MACS[0], MACS[1]).unwrap();
            prop_assert_eq!(verify(&frame), Ok(()));
        }

        #[test]
        fn hexadecimal_digits_give_their_octets(octets: Vec<u8>) {
            let text: String = crate::capture::hex(&octets);
            prop_assert_eq!(from_hex(&text), Ok(octets));
        }

        #[test]
        fn any_text_gives_octets_or_an_error(text: String) {
            let _octets = from_hex(&text);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mixed = description(6, "10.0.1.5", "fd12::6");
        let error = build(&mixed, MACS[0], MACS[1]).unwrap_err();
        assert!(error.what.contains("families"), "{error}");
        let long = Description {
            payload: u16::MAX,
            ..description(17, "10.0.1.5", "10.0.1.6")
        };
        assert!(build(&long, MACS[0], MACS[1]).is_err());
        assert!(from_hex("0g").unwrap_err().what.contains("`g`"));
        assert!(from_hex("001").is_err());
    }
}
