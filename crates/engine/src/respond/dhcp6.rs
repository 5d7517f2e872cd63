//! DHCPv6: the addresses of the one client (RFC 8415).
//!
//! The server keeps no state: the program says which addresses the client has, and every answer
//! follows from that and the request alone. The first identity association that a message names
//! holds the addresses, further ones hold none; so a client gets the same addresses whatever DUID
//! and IAID it makes up after a reinstallation.

mod reply;
mod request;

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use self::reply::Message;
use self::request::{Association, CLIENT_PORT, Request, SERVER_PORT, code, kind};
use super::packet::{Datagram, Link, check_upper, emit_udp, is_host, udp_payload};
use super::{Dhcp6, NoAnswer, name};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::Parsed;

/// `ff02::1:2`, `All_DHCP_Relay_Agents_and_Servers`.
const ALL_SERVERS: Addr = Addr::from_bits(0xff02_0000_0000_0000_0000_0000_0001_0002);

/// Status codes (RFC 8415, section 21.13).
mod status {
    pub(super) const SUCCESS: u16 = 0;
    pub(super) const NO_ADDRS_AVAIL: u16 = 2;
    pub(super) const NO_BINDING: u16 = 3;
    pub(super) const NOT_ON_LINK: u16 = 4;
    pub(super) const USE_MULTICAST: u16 = 5;
    pub(super) const NO_PREFIX_AVAIL: u16 = 6;
}

/// Answers a client's request.
pub(super) fn answer(server: &Dhcp6, frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    let multicast = parsed.dst == ALL_SERVERS;
    let to_server = multicast || parsed.dst == Addr::from(server.server);
    if parsed.is_v4() || parsed.src_mac != server.client || !to_server {
        return Err(NoAnswer::NotForUs);
    }
    let payload = udp_payload(frame, parsed, SERVER_PORT)?;
    if !is_host(parsed.src) {
        return Err(NoAnswer::Malformed("source address"));
    }
    check_upper(frame, parsed)?;
    let request = Request::parse(payload)?;
    validate(server, &request)?;
    let message = if multicast {
        respond(server, &request)
    } else {
        unicast(server, &request)
    }?;
    let link = Link::new(frame, parsed, server.mac, server.client)?;
    let datagram = Datagram {
        src: server.server.into(),
        dst: parsed.src,
        src_port: SERVER_PORT,
        dst_port: CLIENT_PORT,
    };
    emit_udp(frame, &link, &datagram, &message)
}

/// Which identifiers a message must and must not have (RFC 8415, section 16).
fn validate(server: &Dhcp6, request: &Request<'_>) -> Result<(), NoAnswer> {
    match request.kind {
        kind::SOLICIT | kind::CONFIRM | kind::REBIND => {
            if request.server_id.is_some() {
                return Err(NoAnswer::Malformed("server identifier"));
            }
        }
        kind::INFORMATION => {
            // Section 16.12: an identity association, or another server's identifier.
            if !request.associations.is_empty() {
                return Err(NoAnswer::Malformed("identity association"));
            }
            if request.server_id.is_some_and(|id| id != duid(server)) {
                return Err(NoAnswer::NotForUs);
            }
            return Ok(());
        }
        _ => {
            let id = request
                .server_id
                .ok_or(NoAnswer::Malformed("server identifier"))?;
            if id != duid(server) {
                return Err(NoAnswer::NotForUs);
            }
        }
    }
    request
        .client_id
        .map(|_| ())
        .ok_or(NoAnswer::Malformed("client identifier"))
}

/// The server's DUID, made from its link-layer address (RFC 8415, section 11.4).
fn duid(server: &Dhcp6) -> [u8; 10] {
    let mut duid = [0, 3, 0, 1, 0, 0, 0, 0, 0, 0];
    duid[4..].copy_from_slice(&server.mac.octets());
    duid
}

/// The reply to a message that came to the server's own address, which it never offered (RFC 8415,
/// section 18.4).
fn unicast(server: &Dhcp6, request: &Request<'_>) -> Result<Vec<u8>, NoAnswer> {
    match request.kind {
        kind::REQUEST | kind::RENEW | kind::RELEASE | kind::DECLINE => {
            let mut out = begin(kind::REPLY, server, request);
            out.status(status::USE_MULTICAST);
            Ok(out.finish())
        }
        _ => Err(NoAnswer::NotForUs),
    }
}

/// The reply to a valid message (RFC 8415, section 18.3).
fn respond(server: &Dhcp6, request: &Request<'_>) -> Result<Vec<u8>, NoAnswer> {
    let out = match request.kind {
        kind::SOLICIT => solicit(server, request),
        kind::CONFIRM => confirm(server, request)?,
        kind::RELEASE | kind::DECLINE => give_back(server, request),
        kind::INFORMATION => {
            let mut out = begin(kind::REPLY, server, request);
            put_settings(&mut out, server, request);
            out
        }
        _ => {
            let mut out = begin(kind::REPLY, server, request);
            put_associations(&mut out, server, request);
            put_settings(&mut out, server, request);
            out
        }
    };
    Ok(out.finish())
}

/// A message with the identifiers of both ends.
fn begin(kind: u8, server: &Dhcp6, request: &Request<'_>) -> Message {
    let mut out = Message::new(kind, request.transaction);
    out.option(code::SERVER_ID, &[&duid(server)]);
    if let Some(id) = request.client_id {
        out.option(code::CLIENT_ID, &[id]);
    }
    out
}

/// The reply to a SOLICIT: an offer, or at once the addresses, where the client asks for rapid
/// commit.
fn solicit(server: &Dhcp6, request: &Request<'_>) -> Message {
    let mut out = if request.rapid_commit {
        let mut out = begin(kind::REPLY, server, request);
        out.option(code::RAPID_COMMIT, &[]);
        out
    } else {
        let mut out = begin(kind::ADVERTISE, server, request);
        // Section 18.2.1: with the greatest preference the client does not wait for other servers.
        out.option(code::PREFERENCE, &[&[u8::MAX]]);
        out
    };
    put_associations(&mut out, server, request);
    put_settings(&mut out, server, request);
    out
}

/// The reply to a CONFIRM: whether all the client's addresses are right here.
fn confirm(server: &Dhcp6, request: &Request<'_>) -> Result<Message, NoAnswer> {
    let mut addresses = request
        .associations
        .iter()
        .flat_map(|ia| &ia.addresses)
        .peekable();
    // Section 18.3.3: "there were no addresses in any of the IAs sent by the client": no reply.
    if addresses.peek().is_none() {
        return Err(NoAnswer::NothingToSay);
    }
    let right = addresses.all(|address| server.addresses.contains(address));
    let mut out = begin(kind::REPLY, server, request);
    out.status(if right {
        status::SUCCESS
    } else {
        status::NOT_ON_LINK
    });
    Ok(out)
}

/// The reply to a RELEASE or DECLINE: noted, but for associations that the client does not have.
fn give_back(server: &Dhcp6, request: &Request<'_>) -> Message {
    let mut out = begin(kind::REPLY, server, request);
    out.status(status::SUCCESS);
    let bound = bound(request);
    for (place, ia) in request.associations.iter().enumerate() {
        let known = ia
            .addresses
            .iter()
            .any(|address| server.addresses.contains(address));
        if Some(place) != bound || !known {
            out.association(ia, None, |out| out.status(status::NO_BINDING));
        }
    }
    out
}

/// Which association has the addresses: the first for non-temporary ones.
fn bound(request: &Request<'_>) -> Option<usize> {
    request
        .associations
        .iter()
        .position(|ia| ia.code == code::IA_NA)
}

/// Answers the associations of a SOLICIT, REQUEST, RENEW or REBIND.
fn put_associations(out: &mut Message, server: &Dhcp6, request: &Request<'_>) {
    let bound = bound(request);
    let renewal = matches!(request.kind, kind::RENEW | kind::REBIND);
    for (place, ia) in request.associations.iter().enumerate() {
        if Some(place) == bound && !server.addresses.is_empty() {
            put_addresses(out, server, request.kind, ia);
            continue;
        }
        let why = match ia.code {
            _ if renewal => status::NO_BINDING,
            code::IA_PD => status::NO_PREFIX_AVAIL,
            _ => status::NO_ADDRS_AVAIL,
        };
        out.association(ia, None, |out| out.status(why));
    }
}

/// Answers the association that has the addresses.
fn put_addresses(out: &mut Message, server: &Dhcp6, kind: u8, ia: &Association) {
    let foreign = |address: &&Ipv6Addr| !server.addresses.contains(address);
    // Section 18.3.2: addresses in a REQUEST that are not right for the link are refused.
    if kind == kind::REQUEST && ia.addresses.iter().any(|address| foreign(&address)) {
        out.association(ia, None, |out| out.status(status::NOT_ON_LINK));
        return;
    }
    out.association(ia, Some(server.lease), |out| {
        for address in &server.addresses {
            out.address(*address, server.lease);
        }
        // Section 18.3.4: what the client must not use any more comes back with lifetimes of 0. A
        // SOLICIT's addresses are wishes only.
        if kind != kind::SOLICIT {
            for address in ia.addresses.iter().filter(foreign) {
                out.address(*address, 0);
            }
        }
    });
}

/// Name servers and search list, where they are asked for.
fn put_settings(out: &mut Message, server: &Dhcp6, request: &Request<'_>) {
    if !server.dns.is_empty() && request.asks_for(code::DNS) {
        let servers: Vec<u8> = server.dns.iter().flat_map(Ipv6Addr::octets).collect();
        out.option(code::DNS, &[&servers]);
    }
    let names = name::list(&server.search);
    if !names.is_empty() && request.asks_for(code::SEARCH) {
        out.option(code::SEARCH, &[&names]);
    }
}

#[cfg(test)]
pub(super) mod tests;
