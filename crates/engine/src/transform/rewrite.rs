//! The inner headers: addresses, ports, time to live, and the checksums that cover them.

use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{CompiledFlow, Side};
use crate::frame::{Checksum, Frame};
use crate::parse::{Outer, Parsed, checksum_offset, protocol};

/// Adds a difference to a complemented checksum field (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')).
#[inline(always)]
fn patch(field: u16, delta: u16) -> u16 {
    !fold(u32::from(!field) + u32::from(delta))
}

#[inline(always)]
const fn fold(sum: u32) -> u16 {
    // Two 16-bit words sum to at most 0x1fffe, so one fold is enough.
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) as u16
}

/// The ones' complement sum of two differences.
#[inline(always)]
pub(crate) fn combine(a: u16, b: u16) -> u16 {
    fold(u32::from(a) + u32::from(b))
}

#[inline(always)]
fn field(bytes: &mut [u8], at: usize) -> Result<&mut [u8; 2], DropReason> {
    bytes
        .get_mut(at..)
        .and_then(<[u8]>::first_chunk_mut)
        .ok_or(DropReason::Truncated)
}

#[inline(always)]
pub(super) fn patch_at(bytes: &mut [u8], at: usize, delta: u16) -> Result<(), DropReason> {
    let field = field(bytes, at)?;
    *field = patch(u16::from_be_bytes(*field), delta).to_be_bytes();
    Ok(())
}

/// Rewrites the inner headers to the other side's.
#[inline(always)]
pub(super) fn rewrite(
    flow: &CompiledFlow,
    direction: Direction,
    parsed: &Parsed,
    frame: &mut Frame,
) -> Result<(), DropReason> {
    let checksum = frame.offload.checksum;
    let bytes = frame.bytes_mut();
    let side = match direction {
        Direction::Out => &flow.wire,
        Direction::In => &flow.guest,
    };
    ethernet(side, direction, bytes)?;
    let hop_bit = match direction {
        Direction::Out => CompiledFlow::HOP_OUT,
        Direction::In => CompiledFlow::HOP_IN,
    };
    if flow.hop & hop_bit != 0 {
        decrement_ttl(parsed, bytes)?;
    }
    if flow.flags & CompiledFlow::FLAG_TRANSLATED != 0 {
        translate(flow, side, direction, parsed, checksum, bytes)?;
    }
    Ok(())
}

#[inline(always)]
fn ethernet(side: &Side, direction: Direction, bytes: &mut [u8]) -> Result<(), DropReason> {
    let (src, dst) = match direction {
        Direction::Out => (&side.local_mac, &side.remote_mac),
        Direction::In => (&side.remote_mac, &side.local_mac),
    };
    let head: &mut [u8; 12] = bytes.first_chunk_mut().ok_or(DropReason::Truncated)?;
    head[..6].copy_from_slice(dst);
    head[6..].copy_from_slice(src);
    Ok(())
}

/// Decrements TTL (with its share of the header checksum) or hop limit; the decision that it may be is made before.
#[inline(always)]
fn decrement_ttl(parsed: &Parsed, bytes: &mut [u8]) -> Result<(), DropReason> {
    let l3 = usize::from(parsed.l3);
    let ttl = parsed.ttl.saturating_sub(1);
    if parsed.is_v4() {
        let header: &mut [u8; 20] = bytes
            .get_mut(l3..)
            .and_then(<[u8]>::first_chunk_mut)
            .ok_or(DropReason::Truncated)?;
        header[8] = ttl;
        // TTL is the high octet of its word: minus 0x0100 is plus 0xfeff in ones' complement.
        let sum = patch(u16::from_be_bytes([header[10], header[11]]), 0xfeff);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        *bytes.get_mut(l3 + 7).ok_or(DropReason::Truncated)? = ttl;
    }
    Ok(())
}

/// Exchanges addresses and ports and patches what covers them.
#[inline(always)]
fn translate(
    flow: &CompiledFlow,
    side: &Side,
    direction: Direction,
    parsed: &Parsed,
    checksum: Checksum,
    bytes: &mut [u8],
) -> Result<(), DropReason> {
    let (address_delta, port_delta, src, dst, src_port, dst_port) = match direction {
        Direction::Out => {
            let ports = (side.local_port, side.remote_port);
            (
                flow.address_delta,
                flow.port_delta,
                &side.local,
                &side.remote,
                ports.0,
                ports.1,
            )
        }
        Direction::In => {
            let ports = (side.remote_port, side.local_port);
            (
                !flow.address_delta,
                !flow.port_delta,
                &side.remote,
                &side.local,
                ports.0,
                ports.1,
            )
        }
    };
    addresses(parsed, src, dst, address_delta, bytes)?;
    if parsed.is_later_fragment() {
        return Ok(());
    }
    let l4 = usize::from(parsed.l4);
    match parsed.protocol {
        protocol::TCP | protocol::UDP => {
            let ports: &mut [u8; 4] = bytes
                .get_mut(l4..)
                .and_then(<[u8]>::first_chunk_mut)
                .ok_or(DropReason::Truncated)?;
            ports[..2].copy_from_slice(&src_port.to_be_bytes());
            ports[2..].copy_from_slice(&dst_port.to_be_bytes());
        }
        _ if parsed.has_icmp_id() => {
            // Queries and replies carry one identifier; the other "port" is 0 on both sides.
            *field(bytes, l4 + 4)? = (src_port | dst_port).to_be_bytes();
        }
        _ => {}
    }
    transport_checksum(parsed, checksum, address_delta, port_delta, bytes)
}

#[inline(always)]
fn addresses(
    parsed: &Parsed,
    src: &[u8; 16],
    dst: &[u8; 16],
    address_delta: u16,
    bytes: &mut [u8],
) -> Result<(), DropReason> {
    let header = bytes
        .get_mut(usize::from(parsed.l3)..)
        .ok_or(DropReason::Truncated)?;
    if parsed.is_v4() {
        let header: &mut [u8; 20] = header.first_chunk_mut().ok_or(DropReason::Truncated)?;
        header[12..16].copy_from_slice(&src[12..]);
        header[16..20].copy_from_slice(&dst[12..]);
        patch_at(header, 10, address_delta)
    } else {
        let header: &mut [u8; 40] = header.first_chunk_mut().ok_or(DropReason::Truncated)?;
        header[8..24].copy_from_slice(src);
        header[24..40].copy_from_slice(dst);
        Ok(())
    }
}

/// Patches the transport checksum: complete ones by the whole difference, partial ones (pseudo header only) by that
/// of the addresses.
#[inline(always)]
fn transport_checksum(
    parsed: &Parsed,
    checksum: Checksum,
    address_delta: u16,
    port_delta: u16,
    bytes: &mut [u8],
) -> Result<(), DropReason> {
    let l4 = usize::from(parsed.l4);
    if parsed.protocol == protocol::ICMP {
        // No pseudo header in ICMP for IPv4.
        return patch_at(bytes, l4 + 2, port_delta);
    }
    let Some(offset) = checksum_offset(parsed.protocol) else {
        return Ok(());
    };
    // A packet of these protocols that is too short for a checksum has none to keep true.
    let Ok(field) = field(bytes, l4 + usize::from(offset)) else {
        return Ok(());
    };
    let old = u16::from_be_bytes(*field);
    if let Checksum::Partial { .. } = checksum {
        *field = combine(old, address_delta).to_be_bytes();
        return Ok(());
    }
    // RFC 768: "An all zero transmitted checksum value means that the transmitter generated no checksum."
    let udp = parsed.protocol == protocol::UDP;
    if udp && old == 0 && parsed.is_v4() {
        return Ok(());
    }
    let new = patch(old, combine(address_delta, port_delta));
    *field = if udp && new == 0 {
        [0xff; 2]
    } else {
        new.to_be_bytes()
    };
    Ok(())
}

/// Takes over what the tunnel's DSCP and ECN say (RFC 6040, section 4.2; RFC 2983, uniform model).
#[inline(always)]
pub(super) fn take_over_tos(
    outer: &Outer,
    parsed: &Parsed,
    frame: &mut Frame,
) -> Result<(), DropReason> {
    if outer.tos == parsed.tos || !parsed.is_ip() {
        return Ok(());
    }
    let tos = decapsulated_tos(outer.tos, parsed.tos).ok_or(DropReason::EcnNotCapable)?;
    let l3 = usize::from(parsed.l3);
    let header = frame
        .bytes_mut()
        .get_mut(l3..)
        .ok_or(DropReason::Truncated)?;
    if parsed.is_v4() {
        let header: &mut [u8; 20] = header.first_chunk_mut().ok_or(DropReason::Truncated)?;
        let delta = combine(u16::from(tos), !u16::from(header[1]));
        header[1] = tos;
        patch_at(header, 10, delta)
    } else {
        let header: &mut [u8; 40] = header.first_chunk_mut().ok_or(DropReason::Truncated)?;
        header[0] = 0x60 | tos >> 4;
        header[1] = tos << 4 | header[1] & 0xf;
        Ok(())
    }
}

/// The octet of DSCP and ECN after unwrapping (RFC 6040, figure 4); `None` where the packet must be dropped.
#[inline(always)]
pub(crate) const fn decapsulated_tos(outer: u8, inner: u8) -> Option<u8> {
    const NOT_ECT: u8 = 0;
    const ECT_1: u8 = 1;
    const ECT_0: u8 = 2;
    const CE: u8 = 3;
    let ecn = match (inner & 3, outer & 3) {
        (NOT_ECT, CE) => return None,
        (NOT_ECT, _) => NOT_ECT,
        (_, CE) => CE,
        (ECT_0, ECT_1) => ECT_1,
        (inner, _) => inner,
    };
    Some(outer & !3 | ecn)
}
