//! A second look at frames: every length and checksum computed from scratch.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_wire::checksum::{combine, sum};

use crate::packet::pseudo_header;

/// Checks every length and checksum of an Ethernet frame, of what is inside Geneve, and of IPv4
/// headers inside ICMP errors.
///
/// # Errors
/// What is wrong, and in which header.
pub fn verify(frame: &[u8]) -> Result<(), String> {
    match be16(frame, 12)? {
        0x0800 => ipv4(part(frame, 14)?),
        0x86dd => ipv6(part(frame, 14)?),
        _ => Ok(()),
    }
}

fn part(bytes: &[u8], at: usize) -> Result<&[u8], String> {
    bytes
        .get(at..)
        .ok_or_else(|| format!("no octet {at} of {}", bytes.len()))
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, String> {
    match part(bytes, at)? {
        [a, b, ..] => Ok(u16::from_be_bytes([*a, *b])),
        _ => Err(format!("no word at {at}")),
    }
}

fn ipv4(packet: &[u8]) -> Result<(), String> {
    let header: &[u8; 20] = packet.first_chunk().ok_or("ipv4 header cut off")?;
    if header[0] != 0x45 {
        return Err(format!("ipv4 version and length {:#x}", header[0]));
    }
    let total = usize::from(be16(header, 2)?);
    if total != packet.len() {
        return Err(format!("ipv4 total length {total} of {}", packet.len()));
    }
    if sum(header) != 0xffff {
        return Err("ipv4 header checksum".into());
    }
    let src = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let dst = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
    if be16(header, 6)? & 0x3fff != 0 {
        return Ok(());
    }
    upper(src.into(), dst.into(), header[9], part(packet, 20)?)
}

fn ipv6(packet: &[u8]) -> Result<(), String> {
    let header: &[u8; 40] = packet.first_chunk().ok_or("ipv6 header cut off")?;
    let payload = usize::from(be16(header, 4)?);
    if header[0] >> 4 != 6 || payload + 40 != packet.len() {
        return Err(format!(
            "ipv6 version, or payload length {payload} of {}",
            packet.len()
        ));
    }
    let addr = |at: usize| -> Result<Ipv6Addr, String> {
        let octets: [u8; 16] = header[at..at + 16].try_into().map_err(|_| "address")?;
        Ok(octets.into())
    };
    upper(
        addr(8)?.into(),
        addr(24)?.into(),
        header[6],
        part(packet, 40)?,
    )
}

fn upper(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Result<(), String> {
    let pseudo = pseudo_header(src, dst, protocol, payload.len());
    let total = combine(pseudo, sum(payload));
    match protocol {
        6 if total != 0xffff => Err(format!("tcp checksum: {total:#x}")),
        17 => {
            if usize::from(be16(payload, 4)?) != payload.len() {
                return Err("udp length".into());
            }
            if be16(payload, 6)? != 0 && total != 0xffff {
                return Err(format!("udp checksum: {total:#x}"));
            }
            if be16(payload, 2)? == 6081 && src.is_ipv6() {
                let options = usize::from(part(payload, 8)?[0] & 0x3f) * 4;
                return verify(part(payload, 16 + options)?)
                    .map_err(|error| format!("inside geneve: {error}"));
            }
            Ok(())
        }
        1 if sum(payload) != 0xffff => Err("icmp checksum".into()),
        58 if total != 0xffff => Err(format!("icmpv6 checksum: {total:#x}")),
        1 if matches!(payload.first(), Some(3 | 11 | 12)) => {
            let embedded = part(payload, 8)?;
            let header: &[u8; 20] = embedded.first_chunk().ok_or("embedded header cut off")?;
            if sum(header) == 0xffff {
                Ok(())
            } else {
                Err("embedded ipv4 header checksum".into())
            }
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rackweave_types::{MacAddr, Vni};

    use super::*;
    use crate::packet::{self, Ends};

    fn ends(src: &str, dst: &str) -> Ends {
        Ends {
            src_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            dst_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
        }
    }

    #[test]
    fn what_is_built_is_valid_and_any_flipped_bit_is_found() {
        for ends in [ends("10.0.0.1", "10.0.0.2"), ends("fd00::1", "fd00::2")] {
            for frame in [
                packet::tcp(&ends, (1, 2), packet::flag::SYN, b"hello"),
                packet::udp(&ends, (1, 2), b"hello"),
                packet::echo(&ends, true, 7, 1, b"hello"),
            ] {
                assert_eq!(verify(&frame), Ok(()));
                let outer = packet::geneve(
                    Ipv6Addr::LOCALHOST,
                    Ipv6Addr::LOCALHOST,
                    Vni::BOUNDARY,
                    &packet::EXTERNAL,
                    &frame,
                );
                assert_eq!(verify(&outer), Ok(()));
                let mut broken = frame.clone();
                let last = broken.len() - 1;
                broken[last] ^= 1;
                assert!(verify(&broken).is_err(), "{broken:02x?}");
            }
        }
    }
}
