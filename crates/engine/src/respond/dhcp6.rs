//! DHCPv6: the addresses of the one client (RFC 8415).
//!
//! The server keeps no state: the program says which addresses the client has, and every answer
//! follows from that and the request alone. The first identity association that a message names
//! holds the addresses, further ones hold none; so a client gets the same addresses whatever DUID
//! and IAID it makes up after a reinstallation.

mod request;

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use rackweave_wire::dhcpv6::{
    ALL_RELAY_AGENTS_AND_SERVERS, AssociationKind, CLIENT_PORT, Dhcpv6BuildError, Dhcpv6Builder,
    Duid, MessageType, OptionCode, SERVER_PORT, StatusCode,
};

use self::request::{Held, Request};
use super::packet::{Datagram, Link, check_upper, emit_udp, is_host, udp_payload};
use super::{Dhcp6, NoAnswer, name};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::Parsed;

/// Answers a client's request.
pub(super) fn answer(server: &Dhcp6, frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    let multicast = parsed.dst == Addr::from(ALL_RELAY_AGENTS_AND_SERVERS);
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
    let named = request.server_id.map(Duid::octets);
    let ours = Duid::link_layer(server.mac);
    match request.message_type {
        MessageType::Solicit | MessageType::Confirm | MessageType::Rebind => {
            if named.is_some() {
                return Err(NoAnswer::Malformed("server identifier"));
            }
        }
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            if named.ok_or(NoAnswer::Malformed("server identifier"))? != ours {
                return Err(NoAnswer::NotForUs);
            }
        }
        MessageType::InformationRequest => {
            // Section 16.12: an identity association, or another server's identifier.
            if !request.associations.is_empty() {
                return Err(NoAnswer::Malformed("identity association"));
            }
            if named.is_some_and(|id| id != ours) {
                return Err(NoAnswer::NotForUs);
            }
            return Ok(());
        }
        MessageType::Advertise
        | MessageType::Reply
        | MessageType::Reconfigure
        | MessageType::RelayForward
        | MessageType::RelayReply => return Err(NoAnswer::NotForUs),
    }
    request
        .client_id
        .map(|_| ())
        .ok_or(NoAnswer::Malformed("client identifier"))
}

/// The reply to a valid message (RFC 8415, section 18.3).
fn respond(server: &Dhcp6, request: &Request<'_>) -> Result<Vec<u8>, NoAnswer> {
    let message_type = match request.message_type {
        MessageType::Solicit if !request.rapid_commit => MessageType::Advertise,
        _ => MessageType::Reply,
    };
    // Section 18.3.3: no reply where "there were no addresses in any of the IAs sent by the
    // client".
    let nothing = request
        .associations
        .iter()
        .all(|held| held.addresses.is_empty());
    if request.message_type == MessageType::Confirm && nothing {
        return Err(NoAnswer::NothingToSay);
    }
    reply(message_type, server, request, |out| {
        match request.message_type {
            MessageType::Confirm => confirm(out, server, request),
            MessageType::Release | MessageType::Decline => give_back(out, server, request),
            MessageType::InformationRequest => put_settings(out, server, request),
            _ => {
                put_speed(out, request)?;
                put_associations(out, server, request)?;
                put_settings(out, server, request)
            }
        }
    })
}

/// The reply to a message that came to the server's own address, which it never offered (RFC 8415,
/// section 18.4).
fn unicast(server: &Dhcp6, request: &Request<'_>) -> Result<Vec<u8>, NoAnswer> {
    match request.message_type {
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            reply(MessageType::Reply, server, request, |out| {
                out.status(StatusCode::USE_MULTICAST, "").map(|_| ())
            })
        }
        _ => Err(NoAnswer::NotForUs),
    }
}

/// A message with the identifiers of both ends and what `fill` adds.
fn reply(
    message_type: MessageType,
    server: &Dhcp6,
    request: &Request<'_>,
    fill: impl FnOnce(&mut Dhcpv6Builder) -> Result<(), Dhcpv6BuildError>,
) -> Result<Vec<u8>, NoAnswer> {
    let mut out = Dhcpv6Builder::new(message_type, request.xid);
    identify(&mut out, server, request)
        .and_then(|()| fill(&mut out))
        .map_err(|_| NoAnswer::NoRoom)?;
    Ok(out.finish())
}

/// Who answers whom.
fn identify(
    out: &mut Dhcpv6Builder,
    server: &Dhcp6,
    request: &Request<'_>,
) -> Result<(), Dhcpv6BuildError> {
    out.option(OptionCode::SERVER_ID, &Duid::link_layer(server.mac))?;
    if let Some(id) = request.client_id {
        out.client_id(id)?;
    }
    Ok(())
}

/// What saves a client that solicits the wait for other servers: the addresses at once, where it
/// asks for them, or the greatest preference (RFC 8415, section 18.2.1).
fn put_speed(out: &mut Dhcpv6Builder, request: &Request<'_>) -> Result<(), Dhcpv6BuildError> {
    match (request.message_type, request.rapid_commit) {
        (MessageType::Solicit, true) => out.rapid_commit().map(|_| ()),
        (MessageType::Solicit, false) => out.preference(u8::MAX).map(|_| ()),
        _ => Ok(()),
    }
}

/// The reply to a CONFIRM: whether all the client's addresses are right here.
fn confirm(
    out: &mut Dhcpv6Builder,
    server: &Dhcp6,
    request: &Request<'_>,
) -> Result<(), Dhcpv6BuildError> {
    let mut addresses = request.associations.iter().flat_map(|held| &held.addresses);
    let right = addresses.all(|address| server.addresses.contains(address));
    let status = if right {
        StatusCode::SUCCESS
    } else {
        StatusCode::NOT_ON_LINK
    };
    out.status(status, "").map(|_| ())
}

/// The reply to a RELEASE or DECLINE: noted, but for associations that the client does not have.
fn give_back(
    out: &mut Dhcpv6Builder,
    server: &Dhcp6,
    request: &Request<'_>,
) -> Result<(), Dhcpv6BuildError> {
    out.status(StatusCode::SUCCESS, "")?;
    let bound = bound(request);
    for (place, held) in request.associations.iter().enumerate() {
        let known = held
            .addresses
            .iter()
            .any(|address| server.addresses.contains(address));
        if Some(place) != bound || !known {
            refuse(out, held, StatusCode::NO_BINDING)?;
        }
    }
    Ok(())
}

/// Which association has the addresses: the first for non-temporary ones.
fn bound(request: &Request<'_>) -> Option<usize> {
    request
        .associations
        .iter()
        .position(|held| held.kind == AssociationKind::Addresses)
}

/// Answers the associations of a SOLICIT, REQUEST, RENEW or REBIND.
fn put_associations(
    out: &mut Dhcpv6Builder,
    server: &Dhcp6,
    request: &Request<'_>,
) -> Result<(), Dhcpv6BuildError> {
    let bound = bound(request);
    let renewal = matches!(
        request.message_type,
        MessageType::Renew | MessageType::Rebind
    );
    for (place, held) in request.associations.iter().enumerate() {
        if Some(place) == bound && !server.addresses.is_empty() {
            put_addresses(out, server, request.message_type, held)?;
            continue;
        }
        let why = match held.kind {
            _ if renewal => StatusCode::NO_BINDING,
            AssociationKind::Prefixes => StatusCode::NO_PREFIXES,
            AssociationKind::Addresses | AssociationKind::TemporaryAddresses => {
                StatusCode::NO_ADDRESSES
            }
        };
        refuse(out, held, why)?;
    }
    Ok(())
}

/// Answers an association that holds nothing, and says why.
fn refuse(out: &mut Dhcpv6Builder, held: &Held, why: StatusCode) -> Result<(), Dhcpv6BuildError> {
    match held.kind {
        AssociationKind::Addresses => out.ia_na(held.iaid, 0, 0, |out| out.status(why, ""))?,
        AssociationKind::TemporaryAddresses => out.ia_ta(held.iaid, |out| out.status(why, ""))?,
        AssociationKind::Prefixes => out.ia_pd(held.iaid, 0, 0, |out| out.status(why, ""))?,
    };
    Ok(())
}

/// Answers the association that has the addresses.
fn put_addresses(
    out: &mut Dhcpv6Builder,
    server: &Dhcp6,
    message_type: MessageType,
    held: &Held,
) -> Result<(), Dhcpv6BuildError> {
    // The addresses of a SOLICIT are wishes only.
    let wishes = message_type == MessageType::Solicit;
    let named = held.addresses.iter().copied().filter(|_| !wishes);
    let foreign: Vec<Ipv6Addr> = named
        .filter(|address| !server.addresses.contains(address))
        .collect();
    // Section 18.3.2: addresses in a REQUEST that are not right for the link are refused.
    if message_type == MessageType::Request && !foreign.is_empty() {
        return refuse(out, held, StatusCode::NOT_ON_LINK);
    }
    // Section 21.4: 0.5 and 0.8 times the preferred lifetime; "infinity" stays.
    let (renew, rebind) = match server.lease {
        u32::MAX => (u32::MAX, u32::MAX),
        lease => (lease / 2, lease - lease / 5),
    };
    out.ia_na(held.iaid, renew, rebind, |mut out| {
        for address in &server.addresses {
            out = out.ia_address(*address, server.lease, server.lease)?;
        }
        // Section 18.3.4: what the client must not use any more comes back with lifetimes of 0.
        for address in foreign {
            out = out.ia_address(address, 0, 0)?;
        }
        Ok(out)
    })?;
    Ok(())
}

/// Name servers and search list, where they are asked for.
fn put_settings(
    out: &mut Dhcpv6Builder,
    server: &Dhcp6,
    request: &Request<'_>,
) -> Result<(), Dhcpv6BuildError> {
    if request.asks_for(OptionCode::DNS_SERVERS) {
        out.dns_servers(&server.dns)?;
    }
    let names = name::list(&server.search);
    if !names.is_empty() && request.asks_for(OptionCode::DOMAIN_LIST) {
        out.option(OptionCode::DOMAIN_LIST, &names)?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
