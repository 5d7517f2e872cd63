//! Echo: what came goes back (RFC 792; RFC 4443, section 4.2).

use super::NoAnswer;
use super::packet::{Head, Link, check_upper, icmp_protocol, is_host, upper};
use crate::frame::{Frame, Offload};
use crate::parse::{Parsed, protocol};

/// Echo types: request and reply of ICMP, and of ICMPv6.
const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;

/// Answers an echo request in the name of its destination. The payload stays where it is; options
/// and extension headers of the request are not returned.
pub(super) fn answer(frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    let reply = match (parsed.is_v4(), parsed.protocol, parsed.icmp_type) {
        (true, protocol::ICMP, REQUEST_V4) => REPLY_V4,
        (false, protocol::ICMPV6, REQUEST_V6) => REPLY_V6,
        _ => return Err(NoAnswer::NotForUs),
    };
    if !parsed.is_ip() || parsed.fragment.is_some() {
        return Err(NoAnswer::NotForUs);
    }
    if parsed.icmp_code != 0 {
        return Err(NoAnswer::Malformed("icmp code"));
    }
    if !is_host(parsed.src) || !is_host(parsed.dst) {
        return Err(NoAnswer::NothingToSay);
    }
    check_upper(frame, parsed)?;
    let link = Link::turned(frame, parsed)?;
    let mut head = Head::new(parsed.dst, parsed.src, icmp_protocol(parsed));
    // RFC 1122, section 3.2.2.9: the reply has the request's service; congestion marks are per
    // packet.
    head.tos = parsed.tos & 0xfc;
    let upper_len = upper(frame, parsed)?.len();
    let len = u16::try_from(upper_len).map_err(|_| NoAnswer::Malformed("length"))?;

    let headers = link.octets().len() + head.len();
    frame.pull_front(usize::from(parsed.l4).saturating_sub(headers));
    frame.truncate(headers + upper_len);
    frame.offload = Offload::default();
    let (out, icmp) = frame.bytes_mut().split_at_mut(headers);
    let (out_link, out_head) = out.split_at_mut(link.octets().len());
    out_link.copy_from_slice(link.octets());
    head.write(out_head, len);
    icmp[0] = reply;
    head.finish(icmp, 2);
    Ok(())
}

#[cfg(test)]
mod tests;
