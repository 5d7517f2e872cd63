//! DHCPv4: the one lease of the one client (RFC 2131).
//!
//! The server keeps no state: the program says which address the client has, and every answer
//! follows from that and the request alone.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rackweave_types::MacAddr;
use rackweave_wire::dhcpv4::{
    CLIENT_PORT, ClasslessRoute, Dhcpv4BuildError, Dhcpv4Builder, Dhcpv4View, MessageType, Op,
    OptionCode, SERVER_PORT,
};

use super::packet::{Datagram, Link, check_upper, emit_udp, udp_payload};
use super::{Dhcp4, NoAnswer, name};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::Parsed;

/// The MTU that a guest assumes where it is not told.
const ETHERNET_MTU: u16 = 1500;
/// The longest client identifier that is taken: what one option holds.
const MAX_CLIENT_ID: usize = 255;

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
    let dst = [Ipv4Addr::BROADCAST, server.server].map(Addr::from);
    if !parsed.is_v4() || parsed.src_mac != server.client || !dst.contains(&parsed.dst) {
        return Err(NoAnswer::NotForUs);
    }
    let payload = udp_payload(frame, parsed, SERVER_PORT)?;
    check_upper(frame, parsed)?;
    let request = Dhcpv4View::parse(payload)?;
    // A guest is neither a server nor a relay.
    if request.op() != Op::Request
        || request.relay() != Ipv4Addr::UNSPECIFIED
        || request.client_mac() != Some(server.client)
    {
        return Err(NoAnswer::NotForUs);
    }
    let reply = decide(server, &request)?;
    let (dst, dst_mac) = destination(server, &request, reply);
    let message = message(server, &request, reply)?;
    let link = Link::new(frame, parsed, server.mac, dst_mac)?;
    let datagram = Datagram {
        src: server.server.into(),
        dst: dst.into(),
        src_port: SERVER_PORT,
        dst_port: CLIENT_PORT,
    };
    emit_udp(frame, &link, &datagram, &message)
}

/// What the request deserves (RFC 2131, section 4.3).
fn decide(server: &Dhcp4, request: &Dhcpv4View<'_>) -> Result<Reply, NoAnswer> {
    match request.message_type()? {
        MessageType::Discover => Ok(Reply::Offer),
        MessageType::Request => {
            if request.server_id()?.is_some_and(|id| id != server.server) {
                return Err(NoAnswer::NotForUs);
            }
            // Table 4: SELECTING and INIT-REBOOT name the address in the option, RENEWING and
            // REBINDING in `ciaddr`.
            let claimed = request
                .requested_address()?
                .unwrap_or(request.client_address());
            if claimed == Ipv4Addr::UNSPECIFIED {
                return Err(NoAnswer::Malformed("requested address"));
            }
            Ok(if claimed == server.address {
                Reply::Ack
            } else {
                Reply::Nak
            })
        }
        MessageType::Inform if request.client_address() == server.address => Ok(Reply::Settings),
        MessageType::Inform => Err(NoAnswer::NotForUs),
        MessageType::Decline | MessageType::Release => Err(NoAnswer::NothingToSay),
        MessageType::Offer | MessageType::Ack | MessageType::Nak => Err(NoAnswer::NotForUs),
    }
}

/// Where the reply goes (RFC 2131, section 4.1).
fn destination(server: &Dhcp4, request: &Dhcpv4View<'_>, reply: Reply) -> (Ipv4Addr, MacAddr) {
    let all = (Ipv4Addr::BROADCAST, MacAddr::BROADCAST);
    match (reply, request.client_address()) {
        // "In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK messages to
        // 0xffffffff."
        (Reply::Nak, _) => all,
        (_, Ipv4Addr::UNSPECIFIED) if request.broadcast() => all,
        (_, Ipv4Addr::UNSPECIFIED) => (server.address, server.client),
        (_, address) => (address, server.client),
    }
}

/// The DHCP message, what a client cannot do without first.
fn message(server: &Dhcp4, request: &Dhcpv4View<'_>, reply: Reply) -> Result<Vec<u8>, NoAnswer> {
    let mut out = Dhcpv4Builder::reply(
        request,
        match reply {
            Reply::Offer => MessageType::Offer,
            Reply::Ack | Reply::Settings => MessageType::Ack,
            Reply::Nak => MessageType::Nak,
        },
    )?;
    put_identity(&mut out, server, request)?;
    if matches!(reply, Reply::Offer | Reply::Ack) {
        out.your_address(server.address);
        out.lease(server.lease).map_err(no_room)?;
    }
    if reply != Reply::Nak {
        put_network(&mut out, server, request).map_err(no_room)?;
        put_names(&mut out, server, request);
    }
    Ok(out.finish())
}

/// Why a client that takes so little cannot be served.
fn no_room(_: Dhcpv4BuildError) -> NoAnswer {
    NoAnswer::NoRoom
}

/// Who answers whom (RFC 6842, section 3: the client's identifier in every reply, as it came).
fn put_identity(
    out: &mut Dhcpv4Builder,
    server: &Dhcp4,
    request: &Dhcpv4View<'_>,
) -> Result<(), NoAnswer> {
    out.server_id(server.server).map_err(no_room)?;
    let Some(id) = request.option(OptionCode::CLIENT_ID) else {
        return Ok(());
    };
    if id.len() > MAX_CLIENT_ID {
        return Err(NoAnswer::Malformed("client identifier"));
    }
    out.client_id(&id).map_err(no_room)?;
    Ok(())
}

/// Mask, routes and MTU: what the guest needs to reach anything, asked for or not.
fn put_network(
    out: &mut Dhcpv4Builder,
    server: &Dhcp4,
    request: &Dhcpv4View<'_>,
) -> Result<(), Dhcpv4BuildError> {
    // RFC 2132, section 3.3: the mask goes before the router.
    out.subnet_mask(subnet(server).netmask())?
        .routers(&[server.gateway])?;
    let (needed, more) = routes(server);
    let all = [needed.as_slice(), &more].concat();
    if out.classless_routes(&all).is_err() {
        out.classless_routes(&needed)?;
    }
    if server.mtu < ETHERNET_MTU || asks_for(request, OptionCode::INTERFACE_MTU) {
        out.interface_mtu(server.mtu)?;
    }
    Ok(())
}

/// Name servers and names, where they are asked for and there is room.
fn put_names(out: &mut Dhcpv4Builder, server: &Dhcp4, request: &Dhcpv4View<'_>) {
    let servers: Vec<u8> = server.dns.iter().flat_map(Ipv4Addr::octets).collect();
    let hostname = server.hostname.as_deref().unwrap_or_default();
    let domain = server.domain.as_deref().unwrap_or_default();
    let search = name::list(&server.search);
    for (code, value) in [
        (OptionCode::DNS_SERVER, servers.as_slice()),
        (OptionCode::HOST_NAME, hostname.as_bytes()),
        (OptionCode::DOMAIN_NAME, domain.as_bytes()),
        (OptionCode::DOMAIN_SEARCH, &search),
    ] {
        if asks_for(request, code) {
            // What finds no room is left out; a shorter one behind it may still fit.
            let _ = out.option(code, value);
        }
    }
}

/// Whether an option is wanted that a client may do without: it names it, or names none.
fn asks_for(request: &Dhcpv4View<'_>, code: OptionCode) -> bool {
    request
        .parameter_list()
        .is_none_or(|list| list.contains(&code.get()))
}

/// The subnet that the client is told.
fn subnet(server: &Dhcp4) -> Ipv4Net {
    Ipv4Net::new(server.address, server.prefix_len).unwrap_or(server.address.into())
}

/// The classless routes (RFC 3442): the needed ones, and more; none where the router option says it
/// all, the gateway being inside the subnet.
///
/// "If the DHCP server returns both a Classless Static Routes option and a Router option, the DHCP
/// client MUST ignore the Router option": the default route is among them.
fn routes(server: &Dhcp4) -> (Vec<ClasslessRoute>, Vec<ClasslessRoute>) {
    let route = |(destination, router)| ClasslessRoute {
        destination,
        router,
    };
    let off_subnet = !subnet(server).contains(&server.gateway);
    if !off_subnet && server.routes.is_empty() {
        return (vec![], vec![]);
    }
    let to_gateway = (Ipv4Net::from(server.gateway), Ipv4Addr::UNSPECIFIED);
    let default = (Ipv4Net::default(), server.gateway);
    let mut needed = vec![route(default)];
    if off_subnet {
        // Before the route that needs it: clients install them in order.
        needed.insert(0, route(to_gateway));
    }
    let more = server
        .routes
        .iter()
        .copied()
        .filter(|told| *told != to_gateway && *told != default);
    (needed, more.map(route).collect())
}

#[cfg(test)]
pub(super) mod tests;
