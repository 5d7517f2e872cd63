//! Refusals: what the sender of a packet that goes no further is told.
//!
//! RFC 1122, section 3.2.2 and RFC 4443, section 2.4 (e): nothing is said about an ICMP error, a
//! fragment other than the first, what was sent to many, or a source that is no single host.

use core::net::{Ipv4Addr, Ipv6Addr};

use rackweave_wire::icmpv4;
use rackweave_wire::icmpv6::{self, Icmpv6Type};

use super::NoAnswer;
use super::packet::{Head, Link, check_upper, emit, icmp_protocol, is_host, upper};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::{Parsed, protocol};
use crate::program::Reject;

/// TCP flags (RFC 9293, section 3.1).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
/// A TCP header without options.
const TCP_LEN: usize = 20;

/// An ICMP error's header, in front of what it quotes.
const ICMP_LEN: usize = 8;
/// DSCP CS6, internetwork control (RFC 1812, section 4.3.2.5).
const NETWORK_CONTROL: u8 = 0xc0;

/// Refuses a packet as a rule asks: TCP by a reset, everything else by "administratively
/// prohibited".
///
/// # Errors
/// Why nothing is said; the frame is as it was.
pub fn reject(frame: &mut Frame, parsed: &Parsed, reject: &Reject) -> Result<(), NoAnswer> {
    if parsed.is_ip() && parsed.protocol == protocol::TCP {
        tcp_reset(frame, parsed)
    } else {
        unreachable(frame, parsed, reject.router_v4, reject.router_v6)
    }
}

/// Turns a TCP segment into the reset that a closed port answers with (RFC 9293, section 3.10.7.1).
///
/// # Errors
/// Where the packet is no whole TCP segment between two hosts, is a reset itself, or its checksum
/// is wrong.
pub fn tcp_reset(frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    if !parsed.is_ip() || parsed.protocol != protocol::TCP {
        return Err(NoAnswer::NotForUs);
    }
    // "An incoming segment containing a RST is discarded." A fragment does not tell the segment's
    // length.
    if parsed.tcp_flags & RST != 0
        || parsed.fragment.is_some()
        || !is_host(parsed.src)
        || !is_host(parsed.dst)
    {
        return Err(NoAnswer::NothingToSay);
    }
    check_upper(frame, parsed)?;
    let link = Link::turned(frame, parsed)?;
    let segment = upper(frame, parsed)?;
    let header: &[u8; TCP_LEN] = segment
        .first_chunk()
        .ok_or(NoAnswer::Malformed("tcp header"))?;
    let [
        ..,
        s0,
        s1,
        s2,
        s3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
        _,
        _,
        _,
        _,
        _,
        _,
    ] = *header;
    let payload = segment.len().saturating_sub(usize::from(offset >> 4) * 4);
    let (seq, ack, reset) = if flags & ACK != 0 {
        // "<SEQ=SEG.ACK><CTL=RST>"
        (u32::from_be_bytes([a0, a1, a2, a3]), 0, RST)
    } else {
        // "<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"; SYN and FIN count.
        let len = u32::try_from(payload).map_err(|_| NoAnswer::Malformed("length"))?;
        let control = (flags & FIN != 0, flags & SYN != 0);
        let len = len + u32::from(control.0) + u32::from(control.1);
        (
            0,
            u32::from_be_bytes([s0, s1, s2, s3]).wrapping_add(len),
            RST | ACK,
        )
    };
    let head = Head::new(parsed.dst, parsed.src, protocol::TCP);
    emit(frame, &link, &head, TCP_LEN, 16, |tcp| {
        tcp[0..2].copy_from_slice(&parsed.dst_port.to_be_bytes());
        tcp[2..4].copy_from_slice(&parsed.src_port.to_be_bytes());
        tcp[4..8].copy_from_slice(&seq.to_be_bytes());
        tcp[8..12].copy_from_slice(&ack.to_be_bytes());
        tcp[12..20].copy_from_slice(&[0x50, reset, 0, 0, 0, 0, 0, 0]);
    })
}

/// Turns a packet into "communication administratively prohibited", sent by the router (RFC 1812,
/// section 5.2.7.1; RFC 4443, section 3.1).
///
/// # Errors
/// Why nothing is said; the frame is as it was.
pub fn unreachable(
    frame: &mut Frame,
    parsed: &Parsed,
    router_v4: Ipv4Addr,
    router_v6: Ipv6Addr,
) -> Result<(), NoAnswer> {
    let (kind, code) = if parsed.is_v4() { (3, 13) } else { (1, 1) };
    let message = Message::new(kind, code, 0);
    error(frame, parsed, message, router_v4, router_v6)
}

/// Turns a packet into "too big": `mtu` is the longest that would pass (RFC 1191, section 4; RFC
/// 4443, section 3.2).
///
/// # Errors
/// Why nothing is said; the frame is as it was.
pub fn too_big(
    frame: &mut Frame,
    parsed: &Parsed,
    mtu: u16,
    router_v4: Ipv4Addr,
    router_v6: Ipv6Addr,
) -> Result<(), NoAnswer> {
    let (kind, code) = if parsed.is_v4() { (3, 4) } else { (2, 0) };
    let message = Message::new(kind, code, mtu.into());
    error(frame, parsed, message, router_v4, router_v6)
}

/// Turns a packet whose TTL or hop limit is used up into "time exceeded" (RFC 792; RFC 4443,
/// section 3.3).
///
/// # Errors
/// Why nothing is said; the frame is as it was.
pub fn time_exceeded(
    frame: &mut Frame,
    parsed: &Parsed,
    router_v4: Ipv4Addr,
    router_v6: Ipv6Addr,
) -> Result<(), NoAnswer> {
    let kind = if parsed.is_v4() { 11 } else { 3 };
    let message = Message::new(kind, 0, 0);
    error(frame, parsed, message, router_v4, router_v6)
}

/// An ICMP error without what it quotes.
#[derive(Clone, Copy)]
struct Message {
    kind: u8,
    code: u8,
    /// The second word: unused, or the MTU.
    word: u32,
}

impl Message {
    const fn new(kind: u8, code: u8, word: u32) -> Self {
        Self { kind, code, word }
    }
}

/// Turns the packet into an ICMP error that quotes as much of it as fits.
fn error(
    frame: &mut Frame,
    parsed: &Parsed,
    message: Message,
    router_v4: Ipv4Addr,
    router_v6: Ipv6Addr,
) -> Result<(), NoAnswer> {
    if !parsed.is_ip() {
        return Err(NoAnswer::NotForUs);
    }
    let redirect =
        parsed.protocol == protocol::ICMPV6 && Icmpv6Type(parsed.icmp_type) == Icmpv6Type::REDIRECT;
    if parsed.icmp_error
        || redirect
        || parsed.is_later_fragment()
        || !is_host(parsed.src)
        || !is_host(parsed.dst)
    {
        return Err(NoAnswer::NothingToSay);
    }
    let link = Link::turned(frame, parsed)?;
    let end = usize::try_from(parsed.end).unwrap_or(usize::MAX);
    let packet = frame
        .bytes()
        .get(usize::from(parsed.l3)..end)
        .ok_or(NoAnswer::Malformed("length"))?;
    let (router, quoted) = if parsed.is_v4() {
        (Addr::from(router_v4), icmpv4::quote(packet))
    } else {
        (Addr::from(router_v6), icmpv6::quote(packet))
    };
    let mut quote = [0; icmpv6::MAX_QUOTED_LEN];
    let quote = &mut quote[..quoted.len()];
    quote.copy_from_slice(quoted);
    let mut head = Head::new(router, parsed.src, icmp_protocol(parsed));
    head.tos = NETWORK_CONTROL;
    emit(frame, &link, &head, ICMP_LEN + quote.len(), 2, |icmp| {
        icmp[..4].copy_from_slice(&[message.kind, message.code, 0, 0]);
        icmp[4..8].copy_from_slice(&message.word.to_be_bytes());
        icmp[8..].copy_from_slice(quote);
    })
}

#[cfg(test)]
mod tests;
