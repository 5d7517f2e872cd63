//! DHCPv4: the one lease of the one client (RFC 2131).
//!
//! The server keeps no state: the program says which address the client has, and every answer
//! follows from that and the request alone.

mod options;
mod request;

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use rackweave_types::MacAddr;

use self::options::Options;
use self::request::{CLIENT_PORT, Request, SERVER_PORT, code, kind};
use super::packet::{Head, Link, check_upper, emit, upper};
use super::{Dhcp4, NoAnswer, name};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::{Parsed, protocol};

/// "BOOTREPLY".
const REPLY: u8 = 2;
/// A UDP header.
const UDP_LEN: usize = 8;
/// Octets before the options: the fixed fields and the magic cookie.
const FIXED_LEN: usize = 240;
/// The least length of a BOOTP message (RFC 1542, section 2.1).
const MIN_LEN: usize = 300;
/// The longest datagram that every client takes (RFC 2131, section 2).
const MIN_MAX_DATAGRAM: u16 = 576;
/// The MTU that a guest assumes where it is not told.
const ETHERNET_MTU: u16 = 1500;

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Offer,
    Ack,
    /// The acknowledgement of an INFORM: settings without a lease.
    Settings,
    Nak,
}

/// Answers a client's request.
pub(super) fn answer(server: &Dhcp4, frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    let to_server =
        parsed.dst == Addr::from(Ipv4Addr::BROADCAST) || parsed.dst == Addr::from(server.server);
    if !parsed.is_v4()
        || parsed.protocol != protocol::UDP
        || parsed.dst_port != SERVER_PORT
        || parsed.fragment.is_some()
        || parsed.src_mac != server.client
        || !to_server
    {
        return Err(NoAnswer::NotForUs);
    }
    check_upper(frame, parsed)?;
    let request = Request::parse(upper(frame, parsed)?)?;
    if request.client != server.client {
        return Err(NoAnswer::NotForUs);
    }
    let reply = decide(server, &request)?;
    let (dst, dst_mac) = destination(server, &request, reply);
    let message = message(server, &request, reply);

    let link = Link::new(frame, parsed, server.mac, dst_mac)?;
    let head = Head::new(server.server.into(), dst.into(), protocol::UDP);
    let udp_len = UDP_LEN + message.len();
    let len = u16::try_from(udp_len).map_err(|_| NoAnswer::NothingToSay)?;
    emit(frame, &link, &head, udp_len, 6, |udp| {
        udp[0..2].copy_from_slice(&SERVER_PORT.to_be_bytes());
        udp[2..4].copy_from_slice(&CLIENT_PORT.to_be_bytes());
        udp[4..6].copy_from_slice(&len.to_be_bytes());
        udp[8..].copy_from_slice(&message);
    })
}

/// What the request deserves (RFC 2131, section 4.3).
fn decide(server: &Dhcp4, request: &Request) -> Result<Reply, NoAnswer> {
    let other_server = request.server.is_some_and(|id| id != server.server);
    match request.kind {
        kind::DISCOVER => Ok(Reply::Offer),
        kind::REQUEST if other_server => Err(NoAnswer::NotForUs),
        kind::REQUEST => {
            // Table 4: SELECTING and INIT-REBOOT name the address in the option, RENEWING and
            // REBINDING in `ciaddr`.
            let claimed = match (request.requested, request.client_addr) {
                (Some(address), _) => address,
                (None, Ipv4Addr::UNSPECIFIED) => {
                    return Err(NoAnswer::Malformed("requested address"));
                }
                (None, address) => address,
            };
            Ok(if claimed == server.address {
                Reply::Ack
            } else {
                Reply::Nak
            })
        }
        kind::INFORM if request.client_addr == server.address => Ok(Reply::Settings),
        kind::INFORM => Err(NoAnswer::NotForUs),
        // DECLINE and RELEASE have no answer; what only servers send gets none.
        _ => Err(NoAnswer::NothingToSay),
    }
}

/// Where the reply goes (RFC 2131, section 4.1).
fn destination(server: &Dhcp4, request: &Request, reply: Reply) -> (Ipv4Addr, MacAddr) {
    // "In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK messages to
    // 0xffffffff."
    if reply == Reply::Nak {
        return (Ipv4Addr::BROADCAST, MacAddr::BROADCAST);
    }
    if request.client_addr != Ipv4Addr::UNSPECIFIED {
        return (request.client_addr, server.client);
    }
    if request.broadcast {
        return (Ipv4Addr::BROADCAST, MacAddr::BROADCAST);
    }
    (server.address, server.client)
}

/// The DHCP message (RFC 2131, section 2).
fn message(server: &Dhcp4, request: &Request, reply: Reply) -> Vec<u8> {
    let none = Ipv4Addr::UNSPECIFIED;
    let (client_addr, your_addr) = match reply {
        Reply::Offer => (none, server.address),
        Reply::Ack => (request.client_addr, server.address),
        Reply::Settings => (request.client_addr, none),
        Reply::Nak => (none, none),
    };
    let mut out = Vec::with_capacity(MIN_LEN);
    out.extend([REPLY, 1, 6, 0]);
    out.extend(request.transaction);
    out.extend([0, 0, if request.broadcast { 0x80 } else { 0 }, 0]);
    out.extend(client_addr.octets());
    out.extend(your_addr.octets());
    // Next server and relay: none.
    out.extend([0; 8]);
    out.extend(request.client.octets());
    // The rest of the hardware address, server name, boot file.
    out.resize(FIXED_LEN - 4, 0);
    out.extend(request::MAGIC_COOKIE);

    let longest = request
        .max_datagram
        .max(MIN_MAX_DATAGRAM)
        .min(server.mtu.max(MIN_MAX_DATAGRAM));
    let mut options = Options::new(out, usize::from(longest) - 20 - UDP_LEN);
    put_options(&mut options, server, request, reply);
    let mut out = options.finish();
    out.resize(out.len().max(MIN_LEN), 0);
    out
}

/// Writes the options, those that a client cannot do without first.
fn put_options(options: &mut Options, server: &Dhcp4, request: &Request, reply: Reply) {
    options.put(
        code::MESSAGE_TYPE,
        &[match reply {
            Reply::Offer => kind::OFFER,
            Reply::Ack | Reply::Settings => kind::ACK,
            Reply::Nak => kind::NAK,
        }],
    );
    options.put(code::SERVER_ID, &server.server.octets());
    // RFC 6842, section 3: in every reply, as it came.
    if !request.client_id.is_empty() {
        options.put(code::CLIENT_ID, &request.client_id);
    }
    match reply {
        Reply::Nak => return,
        Reply::Settings => {}
        Reply::Offer | Reply::Ack => put_lease(options, server.lease),
    }
    put_network(options, server, request);
    put_names(options, server, request);
}

/// How long the address may be used; "infinity" needs no renewal (RFC 2131, section 3.3).
fn put_lease(options: &mut Options, lease: u32) {
    options.put(code::LEASE, &lease.to_be_bytes());
    if lease != u32::MAX {
        options.put(code::RENEWAL, &(lease / 2).to_be_bytes());
        options.put(code::REBINDING, &(lease - lease / 8).to_be_bytes());
    }
}

/// Mask, routes and MTU: what the guest needs to reach anything, asked for or not.
fn put_network(options: &mut Options, server: &Dhcp4, request: &Request) {
    // RFC 2132, section 3.3: the mask goes before the router.
    options.put(code::SUBNET_MASK, &mask(server.prefix_len).to_be_bytes());
    options.put(code::ROUTER, &server.gateway.octets());
    if let Some(routes) = routes(server) {
        // Windows before 10 knows the routes by a number of its own.
        let windows = request.asks_by_name(code::WINDOWS_ROUTES);
        let private = windows && !request.asks_by_name(code::CLASSLESS_ROUTES);
        let code = if private {
            code::WINDOWS_ROUTES
        } else {
            code::CLASSLESS_ROUTES
        };
        options.put(code, &routes);
    }
    if server.mtu < ETHERNET_MTU || request.asks_for(code::MTU) {
        options.put(code::MTU, &server.mtu.to_be_bytes());
    }
}

/// Name servers and names, where they are asked for.
fn put_names(options: &mut Options, server: &Dhcp4, request: &Request) {
    let servers: Vec<u8> = server.dns.iter().flat_map(Ipv4Addr::octets).collect();
    for (code, value) in [
        (code::DNS, servers.as_slice()),
        (
            code::HOST_NAME,
            server.hostname.as_deref().unwrap_or_default().as_bytes(),
        ),
        (
            code::DOMAIN,
            server.domain.as_deref().unwrap_or_default().as_bytes(),
        ),
        (code::SEARCH, &name::list(&server.search)),
    ] {
        if !value.is_empty() && request.asks_for(code) {
            options.put(code, value);
        }
    }
}

/// The subnet mask of a prefix length; one above 32 counts as 32.
fn mask(prefix_len: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(prefix_len.min(32)))
        .unwrap_or(0)
}

/// The classless routes (RFC 3442), where the router option does not say it all: the gateway is
/// outside the subnet, or there are more routes.
///
/// "If the DHCP server returns both a Classless Static Routes option and a Router option, the DHCP
/// client MUST ignore the Router option": the default route is among them.
fn routes(server: &Dhcp4) -> Option<Vec<u8>> {
    let mask = mask(server.prefix_len);
    let off_subnet = (server.gateway.to_bits() ^ server.address.to_bits()) & mask != 0;
    if !off_subnet && server.routes.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    if off_subnet {
        put_route(&mut out, 32, server.gateway, Ipv4Addr::UNSPECIFIED);
    }
    for (destination, gateway) in &server.routes {
        put_route(
            &mut out,
            destination.prefix_len(),
            destination.network(),
            *gateway,
        );
    }
    put_route(&mut out, 0, Ipv4Addr::UNSPECIFIED, server.gateway);
    Some(out)
}

/// Appends a route: the width, the octets of the destination that count, the gateway.
fn put_route(out: &mut Vec<u8>, prefix_len: u8, destination: Ipv4Addr, gateway: Ipv4Addr) {
    out.push(prefix_len);
    let significant = usize::from(prefix_len.div_ceil(8)).min(4);
    out.extend_from_slice(&destination.octets()[..significant]);
    out.extend(gateway.octets());
}

#[cfg(test)]
pub(super) mod tests;
