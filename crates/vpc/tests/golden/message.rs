//! Messages that guests and agents exchange over UDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::MacAddr;
use rackweave_wire::dhcpv4::{self, Dhcpv4Builder, OptionCode as Option4};
use rackweave_wire::dhcpv6::{self, Dhcpv6Builder, Duid, OptionCode as Option6};

/// The transaction of DHCPv4 clients.
const XID_4: u32 = 0x1234_5678;
/// The association that DHCPv6 clients ask for.
const IAID: u32 = 1;

/// A DNS query for the address of a host (RFC 1035 section 4.1).
pub(crate) fn dns_query(id: u16, name: &str, of: IpAddr) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    // Recursion desired; one question.
    message.extend([0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend(question(name, of));
    message
}

/// The answer to [`dns_query`].
pub(crate) fn dns_answer(id: u16, name: &str, addr: IpAddr) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    // A response, recursion desired and available; one question, one answer.
    message.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    message.extend(question(name, addr));
    // The name of the question, by its place; its type; class IN; 60 seconds.
    message.extend([0xc0, 12, 0, record_type(addr), 0, 1, 0, 0, 0, 60]);
    match addr {
        IpAddr::V4(addr) => message.extend([&[0, 4][..], &addr.octets()].concat()),
        IpAddr::V6(addr) => message.extend([&[0, 16][..], &addr.octets()].concat()),
    }
    message
}

fn question(name: &str, addr: IpAddr) -> Vec<u8> {
    let mut question = Vec::new();
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, record_type(addr), 0, 1]);
    question
}

/// A or AAAA.
const fn record_type(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 28,
    }
}

/// A DHCPv4 client's message; a request names what it was offered, and by whom.
pub(crate) fn dhcpv4(
    mac: MacAddr,
    kind: dhcpv4::MessageType,
    offered: Option<(Ipv4Addr, Ipv4Addr)>,
) -> Vec<u8> {
    let mut message = Dhcpv4Builder::request(XID_4, mac, kind);
    let client_id = [&[1][..], &mac.octets()].concat();
    message.client_id(&client_id).unwrap();
    if let Some((address, server)) = offered {
        message.requested_address(address).unwrap();
        message.server_id(server).unwrap();
    }
    let wanted = [
        Option4::SUBNET_MASK,
        Option4::CLASSLESS_ROUTES,
        Option4::ROUTER,
        Option4::DNS_SERVER,
        Option4::HOST_NAME,
        Option4::DOMAIN_NAME,
        Option4::INTERFACE_MTU,
        Option4::DOMAIN_SEARCH,
    ];
    message.parameter_list(&wanted).unwrap();
    message.finish()
}

/// A DHCPv6 client's message; one that asks for addresses has an association.
pub(crate) fn dhcpv6(
    mac: MacAddr,
    kind: dhcpv6::MessageType,
    xid: u8,
    server: Option<MacAddr>,
    address: Option<Ipv6Addr>,
) -> Vec<u8> {
    use dhcpv6::MessageType::{Request, Solicit};
    let client = Duid::link_layer(mac);
    let mut message = Dhcpv6Builder::new(kind, [0, 0, xid]);
    message.client_id(Duid::new(&client).unwrap()).unwrap();
    if let Some(server) = server.map(Duid::link_layer) {
        message.server_id(Duid::new(&server).unwrap()).unwrap();
    }
    message.elapsed_time(std::time::Duration::ZERO).unwrap();
    if matches!(kind, Solicit | Request) {
        let fill = |ia: &mut Dhcpv6Builder| {
            address.map(|address| ia.ia_address(address, 0, 0).map(|_| ()));
        };
        message
            .ia_na(IAID, 0, 0, |ia| {
                fill(ia);
                Ok(ia)
            })
            .unwrap();
    }
    let wanted = [Option6::DNS_SERVERS, Option6::DOMAIN_LIST];
    message.option_request(&wanted).unwrap();
    message.finish()
}
