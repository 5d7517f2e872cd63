//! `dhcproto` reads what is written here and writes what is read here.

use dhcproto::v4::{DhcpOption, Message, MessageType as TheirType, OptionCode as TheirCode};
use dhcproto::{Decodable, Decoder, Encodable};
use ipnet::Ipv4Net;

use super::*;

fn types() -> impl Strategy<Value = MessageType> {
    (1_u8..=8).prop_map(|number| number.try_into().unwrap())
}

fn addresses(max: usize) -> impl Strategy<Value = Vec<Ipv4Addr>> {
    prop::collection::vec(any::<Ipv4Addr>(), 1..max)
}

fn name() -> impl Strategy<Value = alloc::string::String> {
    "[a-z][a-z0-9-]{0,12}(\\.[a-z]{1,8}){1,3}"
}

fn routes() -> impl Strategy<Value = Vec<ClasslessRoute>> {
    let route = (any::<Ipv4Addr>(), 0_u8..=32, any::<Ipv4Addr>());
    let route = route.prop_map(|(addr, len, router)| ClasslessRoute {
        destination: Ipv4Net::new(addr, len).unwrap().trunc(),
        router,
    });
    prop::collection::vec(route, 1..8)
}

fn their_routes(list: &[ClasslessRoute]) -> DhcpOption {
    DhcpOption::ClasslessStaticRoute(list.iter().map(|r| (r.destination, r.router)).collect())
}

fn their_names(list: &[alloc::string::String]) -> DhcpOption {
    let name = |text: &alloc::string::String| alloc::format!("{text}.").parse().unwrap();
    DhcpOption::DomainSearch(list.iter().map(name).collect())
}

proptest! {
    #[test]
    fn it_reads_what_we_write(
        (xid, octets, kind) in (any::<u32>(), any::<[u8; 6]>(), types()),
        (address, server, mask) in (any::<Ipv4Addr>(), any::<Ipv4Addr>(), any::<Ipv4Addr>()),
        (routers, dns) in (addresses(4), addresses(4)),
        (lease, mtu) in (any::<u32>(), any::<u16>()),
        (host, search) in ("[a-z]{1,9}", prop::collection::vec(name(), 1..3)),
        routes in routes(),
    ) {
        let mut request = Dhcpv4Builder::request(xid, MacAddr::new(octets), MessageType::Discover);
        request.max_message_size(1400).unwrap();
        let request = request.finish();
        let mut reply = Dhcpv4Builder::reply(&Dhcpv4View::parse(&request).unwrap(), kind).unwrap();
        reply.your_address(address).server_id(server).unwrap().lease(lease).unwrap();
        reply.subnet_mask(mask).unwrap().routers(&routers).unwrap().dns_servers(&dns).unwrap();
        reply.host_name(&host).unwrap().domain_search(&search).unwrap();
        reply.interface_mtu(mtu).unwrap().classless_routes(&routes).unwrap();
        let reply = reply.finish();

        let theirs = Message::decode(&mut Decoder::new(&reply)).unwrap();
        prop_assert_eq!((theirs.xid(), theirs.yiaddr()), (xid, address));
        prop_assert_eq!(theirs.chaddr(), &octets);
        let get = |code| theirs.opts().get(code).cloned().unwrap();
        prop_assert_eq!(
            get(TheirCode::MessageType), DhcpOption::MessageType(TheirType::from(kind.get()))
        );
        prop_assert_eq!(get(TheirCode::ServerIdentifier), DhcpOption::ServerIdentifier(server));
        prop_assert_eq!(get(TheirCode::AddressLeaseTime), DhcpOption::AddressLeaseTime(lease));
        prop_assert_eq!(get(TheirCode::SubnetMask), DhcpOption::SubnetMask(mask));
        prop_assert_eq!(get(TheirCode::Router), DhcpOption::Router(routers));
        prop_assert_eq!(get(TheirCode::DomainNameServer), DhcpOption::DomainNameServer(dns));
        prop_assert_eq!(get(TheirCode::Hostname), DhcpOption::Hostname(host));
        prop_assert_eq!(get(TheirCode::DomainSearch), their_names(&search));
        prop_assert_eq!(get(TheirCode::InterfaceMtu), DhcpOption::InterfaceMtu(mtu));
        prop_assert_eq!(get(TheirCode::ClasslessStaticRoute), their_routes(&routes));
    }

    #[test]
    fn we_read_what_it_writes(
        (xid, octets, kind) in (any::<u32>(), any::<[u8; 6]>(), types()),
        (address, server) in (any::<Ipv4Addr>(), any::<Ipv4Addr>()),
        (routers, search) in (addresses(70), prop::collection::vec(name(), 1..20)),
        (lease, size) in (any::<u32>(), any::<u16>()),
        id in prop::collection::vec(any::<u8>(), 2..300),
        routes in routes(),
    ) {
        let none = Ipv4Addr::UNSPECIFIED;
        let mut theirs = Message::new_with_id(xid, address, none, none, server, &octets);
        for option in [
            DhcpOption::MessageType(TheirType::from(kind.get())),
            DhcpOption::RequestedIpAddress(address),
            DhcpOption::ServerIdentifier(server),
            DhcpOption::AddressLeaseTime(lease),
            DhcpOption::MaxMessageSize(size),
            DhcpOption::ClientIdentifier(id.clone()),
            DhcpOption::Router(routers.clone()),
            their_names(&search),
            their_routes(&routes),
        ] {
            theirs.opts_mut().insert(option);
        }
        let message = theirs.to_vec().unwrap();

        let view = Dhcpv4View::parse(&message).unwrap();
        prop_assert_eq!((view.xid(), view.client_address(), view.relay()), (xid, address, server));
        prop_assert_eq!(view.client_mac(), Some(MacAddr::new(octets)));
        prop_assert_eq!(view.message_type(), Ok(kind));
        prop_assert_eq!(view.requested_address(), Ok(Some(address)));
        prop_assert_eq!(view.server_id(), Ok(Some(server)));
        prop_assert_eq!(view.seconds(OptionCode::LEASE_TIME), Ok(Some(lease)));
        prop_assert_eq!(view.max_message_size(), Ok(Some(size)));
        prop_assert_eq!(view.client_id().unwrap().unwrap(), id);
        prop_assert_eq!(view.routers(), Ok(routers));
        prop_assert_eq!(view.domain_search(), Ok(search));
        prop_assert_eq!(view.classless_routes(), Ok(routes));
    }
}
