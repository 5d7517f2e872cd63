//! Address translation inside ICMP errors (RFC 5508, section 4): the embedded packet is turned back to what its
//! sender sent.

use super::rewrite::{combine, patch_at};
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{CompiledFlow, Side};
use crate::parse::{Embedded, Parsed, checksum_offset, protocol};

/// Turns the packet embedded in an error of this direction to the other side's addresses and ports, and keeps the
/// error's checksum true to what it was true to.
pub(crate) fn translate(
    flow: &CompiledFlow,
    direction: Direction,
    parsed: &Parsed,
    embedded: &Embedded,
    partial: bool,
    bytes: &mut [u8],
) -> Result<(), DropReason> {
    if flow.flags & CompiledFlow::FLAG_TRANSLATED == 0 {
        return Ok(());
    }
    let icmp = usize::from(parsed.l4);
    let end = usize::try_from(parsed.end).map_err(|_| DropReason::Truncated)?;
    let before = body_sum(bytes, icmp, end)?;
    let (side, sign) = match direction {
        Direction::In => (&flow.guest, !0),
        Direction::Out => (&flow.wire, 0),
    };
    let (address_delta, port_delta) = (flow.address_delta ^ sign, flow.port_delta ^ sign);
    addresses(side, direction, embedded, address_delta, bytes)?;
    ports(
        side,
        direction,
        embedded,
        (address_delta, port_delta),
        bytes,
    );
    if partial {
        return Ok(());
    }
    let after = body_sum(bytes, icmp, end)?;
    patch_at(bytes, icmp + 2, combine(after, !before))
}

/// The sum of an ICMP message behind its header.
fn body_sum(bytes: &[u8], icmp: usize, end: usize) -> Result<u16, DropReason> {
    bytes
        .get(icmp + 8..end)
        .map(rackweave_wire::checksum::sum)
        .ok_or(DropReason::IcmpHeader)
}

/// The embedded packet goes from the error's receiver to its sender's end.
fn addresses(
    side: &Side,
    direction: Direction,
    embedded: &Embedded,
    delta: u16,
    bytes: &mut [u8],
) -> Result<(), DropReason> {
    let (src, dst) = match direction {
        Direction::In => (&side.local, &side.remote),
        Direction::Out => (&side.remote, &side.local),
    };
    let header = bytes.get_mut(embedded.l3..).ok_or(DropReason::IcmpHeader)?;
    if embedded.v4 {
        let header: &mut [u8; 20] = header.first_chunk_mut().ok_or(DropReason::IcmpHeader)?;
        header[12..16].copy_from_slice(&src[12..]);
        header[16..20].copy_from_slice(&dst[12..]);
        patch_at(header, 10, delta)
    } else {
        let header: &mut [u8; 40] = header.first_chunk_mut().ok_or(DropReason::IcmpHeader)?;
        header[8..24].copy_from_slice(src);
        header[24..40].copy_from_slice(dst);
        Ok(())
    }
}

/// Ports or identifier, and the embedded checksum where the error brought so much of the packet.
fn ports(
    side: &Side,
    direction: Direction,
    embedded: &Embedded,
    deltas: (u16, u16),
    bytes: &mut [u8],
) {
    let (address_delta, port_delta) = deltas;
    let mut put = |at: usize, word: u16| {
        if let Some(field) = bytes.get_mut(at..at + 2) {
            field.copy_from_slice(&word.to_be_bytes());
        }
    };
    match embedded.protocol {
        protocol::TCP | protocol::UDP => {
            let (src_port, dst_port) = match direction {
                Direction::In => (side.local_port, side.remote_port),
                Direction::Out => (side.remote_port, side.local_port),
            };
            put(embedded.l4, src_port);
            put(embedded.l4 + 2, dst_port);
        }
        protocol::ICMP | protocol::ICMPV6 => {
            put(embedded.l4 + 4, side.local_port | side.remote_port);
        }
        _ => {}
    }
    let (offset, delta) = match embedded.protocol {
        protocol::ICMP => (2, port_delta),
        other => match checksum_offset(other) {
            Some(offset) => (usize::from(offset), combine(address_delta, port_delta)),
            None => return,
        },
    };
    let at = embedded.l4 + offset;
    let none = embedded.protocol == protocol::UDP && bytes.get(at..at + 2) == Some(&[0, 0]);
    if !none && bytes.len() >= at + 2 {
        // The room was just checked.
        let patched = patch_at(bytes, at, delta);
        debug_assert!(patched.is_ok(), "the field is within the packet");
    }
}
