use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use ipnet::Ipv4Net;
use proptest::prelude::*;

use super::*;
use crate::respond::testing::*;

const ZERO: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const BROADCAST: Ipv4Addr = Ipv4Addr::BROADCAST;
const CLIENT_ID: [u8; 7] = [1, 2, 0x72, 0x77, 0, 0, 1];

pub(in crate::respond) fn server() -> Dhcp4 {
    Dhcp4 {
        mac: GATEWAY,
        server: GATEWAY_V4,
        client: GUEST,
        address: GUEST_V4,
        prefix_len: 32,
        gateway: GATEWAY_V4,
        routes: vec![],
        dns: vec![Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3)],
        domain: Some("vpc.example".into()),
        search: vec!["a.example".into(), "b.example".into()],
        hostname: Some("web-1".into()),
        mtu: 1500,
        lease: 86_400,
    }
}

/// A message of the client that asks for everything, with these options besides.
fn message(kind: MessageType, client_addr: Ipv4Addr, more: &[DhcpOption]) -> Message {
    let mut message =
        Message::new_with_id(0xdead_beef, client_addr, ZERO, ZERO, ZERO, &GUEST.octets());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ClientIdentifier(CLIENT_ID.to_vec()));
    for option in more {
        options.insert(option.clone());
    }
    message
}

/// The frame that carries a message.
fn frame(message: &Message, src: Ipv4Addr, dst: Ipv4Addr) -> Vec<u8> {
    let to = if dst == BROADCAST {
        MacAddr::BROADCAST
    } else {
        GATEWAY
    };
    let step = from_guest(to)
        .ipv4(src.octets(), dst.octets(), 64)
        .udp(68, 67);
    request!(step, &message.to_vec().unwrap())
}

/// What the server answers to a message that was broadcast, and where it sends it.
fn ask(server: &Dhcp4, message: &Message) -> Result<(Message, Answer), NoAnswer> {
    exchange(server, &frame(message, ZERO, BROADCAST))
}

fn exchange(server: &Dhcp4, bytes: &[u8]) -> Result<(Message, Answer), NoAnswer> {
    let (mut frame, parsed) = parse(bytes);
    if let Err(why) = answer(server, &mut frame, &parsed) {
        assert_eq!(
            frame.bytes(),
            bytes,
            "a frame without answer is left as it was"
        );
        return Err(why);
    }
    let answer = read(&frame);
    assert_eq!(answer.upper[..4], [0, 67, 0, 68]);
    assert_eq!(
        (answer.src_mac, answer.src),
        (GATEWAY, server.server.into())
    );
    assert!(
        answer.upper.len() >= 8 + 300,
        "a BOOTP message has 300 octets at least"
    );
    let message = Message::decode(&mut Decoder::new(&answer.upper[8..])).unwrap();
    assert_eq!(
        (message.opcode(), message.xid()),
        (Opcode::BootReply, 0xdead_beef)
    );
    assert_eq!(message.chaddr(), GUEST.octets());
    assert_eq!(
        get(&message, OptionCode::ClientIdentifier),
        Some(client_id())
    );
    assert_eq!(
        get(&message, OptionCode::ServerIdentifier),
        Some(DhcpOption::ServerIdentifier(GATEWAY_V4))
    );
    Ok((message, answer))
}

fn get(message: &Message, code: OptionCode) -> Option<DhcpOption> {
    message.opts().get(code).cloned()
}

fn client_id() -> DhcpOption {
    DhcpOption::ClientIdentifier(CLIENT_ID.to_vec())
}

fn wanted(codes: &[OptionCode]) -> DhcpOption {
    DhcpOption::ParameterRequestList(codes.to_vec())
}

#[test]
fn discover_offer_request_acknowledge_renew() {
    let server = server();
    let (offer, to) = ask(&server, &message(MessageType::Discover, ZERO, &[])).unwrap();
    assert_eq!(offer.opts().msg_type(), Some(MessageType::Offer));
    assert_eq!((offer.yiaddr(), offer.ciaddr()), (GUEST_V4, ZERO));
    assert_eq!((to.dst, to.dst_mac), (GUEST_V4.into(), GUEST));

    let Some(DhcpOption::ServerIdentifier(id)) = get(&offer, OptionCode::ServerIdentifier) else {
        panic!("{offer:?}")
    };
    let chosen = [
        DhcpOption::ServerIdentifier(id),
        DhcpOption::RequestedIpAddress(offer.yiaddr()),
    ];
    let (ack, _) = ask(&server, &message(MessageType::Request, ZERO, &chosen)).unwrap();
    assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
    assert_eq!(ack.yiaddr(), GUEST_V4);
    for (code, option) in [
        (
            OptionCode::AddressLeaseTime,
            DhcpOption::AddressLeaseTime(86_400),
        ),
        (OptionCode::Renewal, DhcpOption::Renewal(43_200)),
        (OptionCode::Rebinding, DhcpOption::Rebinding(75_600)),
        (OptionCode::SubnetMask, DhcpOption::SubnetMask(BROADCAST)),
        (OptionCode::Router, DhcpOption::Router(vec![GATEWAY_V4])),
        (
            OptionCode::DomainNameServer,
            DhcpOption::DomainNameServer(server.dns.clone()),
        ),
        (
            OptionCode::DomainName,
            DhcpOption::DomainName("vpc.example".into()),
        ),
        (OptionCode::Hostname, DhcpOption::Hostname("web-1".into())),
        (OptionCode::InterfaceMtu, DhcpOption::InterfaceMtu(1500)),
    ] {
        assert_eq!(get(&ack, code), Some(option));
    }
    let Some(DhcpOption::DomainSearch(names)) = get(&ack, OptionCode::DomainSearch) else {
        panic!("{ack:?}")
    };
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a.example.", "b.example."]);

    let renew = frame(
        &message(MessageType::Request, GUEST_V4, &[]),
        GUEST_V4,
        GATEWAY_V4,
    );
    let (ack, to) = exchange(&server, &renew).unwrap();
    assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
    assert_eq!((ack.ciaddr(), ack.yiaddr()), (GUEST_V4, GUEST_V4));
    assert_eq!((to.dst, to.dst_mac), (GUEST_V4.into(), GUEST));
    let rebind = frame(
        &message(MessageType::Request, GUEST_V4, &[]),
        GUEST_V4,
        BROADCAST,
    );
    assert_eq!(
        exchange(&server, &rebind).unwrap().0.opts().msg_type(),
        Some(MessageType::Ack)
    );
}

#[test]
fn a_client_with_another_address_is_told_so_aloud() {
    let other = Ipv4Addr::new(192, 168, 1, 5);
    let selecting = [
        DhcpOption::ServerIdentifier(GATEWAY_V4),
        DhcpOption::RequestedIpAddress(other),
    ];
    for request in [
        message(MessageType::Request, ZERO, &selecting),
        message(
            MessageType::Request,
            ZERO,
            &[DhcpOption::RequestedIpAddress(other)],
        ),
        message(MessageType::Request, other, &[]),
    ] {
        let (nak, to) = ask(&server(), &request).unwrap();
        assert_eq!(nak.opts().msg_type(), Some(MessageType::Nak));
        assert_eq!((nak.yiaddr(), nak.ciaddr()), (ZERO, ZERO));
        assert_eq!((to.dst, to.dst_mac), (BROADCAST.into(), MacAddr::BROADCAST));
        assert_eq!(nak.opts().len(), 3, "{nak:?}");
    }
    let reboot = message(
        MessageType::Request,
        ZERO,
        &[DhcpOption::RequestedIpAddress(GUEST_V4)],
    );
    let (ack, _) = ask(&server(), &reboot).unwrap();
    assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
}

#[test]
fn the_broadcast_flag_is_honoured() {
    let mut discover = message(MessageType::Discover, ZERO, &[]);
    discover.set_flags(Flags::default().set_broadcast());
    let (offer, to) = ask(&server(), &discover).unwrap();
    assert!(offer.flags().broadcast());
    assert_eq!((to.dst, to.dst_mac), (BROADCAST.into(), MacAddr::BROADCAST));
}

#[test]
fn inform_gets_settings_without_a_lease() {
    let inform = frame(
        &message(MessageType::Inform, GUEST_V4, &[]),
        GUEST_V4,
        GATEWAY_V4,
    );
    let (ack, to) = exchange(&server(), &inform).unwrap();
    assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
    assert_eq!((ack.yiaddr(), ack.ciaddr()), (ZERO, GUEST_V4));
    assert_eq!(to.dst, core::net::IpAddr::V4(GUEST_V4));
    for code in [
        OptionCode::AddressLeaseTime,
        OptionCode::Renewal,
        OptionCode::Rebinding,
    ] {
        assert_eq!(get(&ack, code), None);
    }
    assert!(get(&ack, OptionCode::DomainNameServer).is_some());
}

#[test]
fn some_messages_have_no_answer() {
    let other_server = [
        DhcpOption::ServerIdentifier(Ipv4Addr::new(10, 0, 0, 99)),
        DhcpOption::RequestedIpAddress(GUEST_V4),
    ];
    let mut relayed = message(MessageType::Discover, ZERO, &[]);
    relayed.set_giaddr(Ipv4Addr::new(10, 0, 0, 5));
    let mut stranger = message(MessageType::Discover, ZERO, &[]);
    stranger.set_chaddr(&[2, 0, 0, 0, 0, 9]);
    let mut reply = message(MessageType::Offer, ZERO, &[]);
    reply.set_opcode(Opcode::BootReply);
    for (message, why) in [
        (
            message(MessageType::Release, GUEST_V4, &[]),
            NoAnswer::NothingToSay,
        ),
        (
            message(MessageType::Decline, ZERO, &[]),
            NoAnswer::NothingToSay,
        ),
        (message(MessageType::Ack, ZERO, &[]), NoAnswer::NotForUs),
        (
            message(MessageType::Request, ZERO, &other_server),
            NoAnswer::NotForUs,
        ),
        (
            message(MessageType::Request, ZERO, &[]),
            NoAnswer::Malformed("requested address"),
        ),
        (message(MessageType::Inform, ZERO, &[]), NoAnswer::NotForUs),
        (relayed, NoAnswer::NotForUs),
        (stranger, NoAnswer::NotForUs),
        (reply, NoAnswer::NotForUs),
    ] {
        assert_eq!(ask(&server(), &message).map(|(reply, _)| reply), Err(why));
    }
}

#[test]
fn what_is_not_asked_for_is_left_out_but_the_needed() {
    let discover = |codes: &[OptionCode]| message(MessageType::Discover, ZERO, &[wanted(codes)]);
    let (offer, _) = ask(&server(), &discover(&[OptionCode::SubnetMask])).unwrap();
    let mut codes: Vec<u8> = offer
        .opts()
        .iter()
        .map(|(code, _)| u8::from(*code))
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [1, 3, 51, 53, 54, 58, 59, 61, 121]);

    let small = Dhcp4 {
        mtu: 1400,
        ..server()
    };
    let (offer, _) = ask(&small, &discover(&[OptionCode::SubnetMask])).unwrap();
    assert_eq!(
        get(&offer, OptionCode::InterfaceMtu),
        Some(DhcpOption::InterfaceMtu(1400))
    );
}

#[test]
fn routes_lead_to_a_gateway_outside_the_subnet_first() {
    let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
    let routes_of = |server: &Dhcp4| {
        let (offer, _) = ask(server, &message(MessageType::Discover, ZERO, &[])).unwrap();
        match get(&offer, OptionCode::ClasslessStaticRoute) {
            Some(DhcpOption::ClasslessStaticRoute(routes)) => Some(routes),
            other => other.map(|other| panic!("{other:?}")),
        }
    };
    let default = (net("0.0.0.0/0"), GATEWAY_V4);
    assert_eq!(
        routes_of(&server()),
        Some(vec![(net("10.0.0.1/32"), ZERO), default])
    );

    let peered = vec![
        (net("172.16.0.0/12"), GATEWAY_V4),
        (net("192.0.2.128/25"), ZERO),
    ];
    let more = Dhcp4 {
        routes: peered.clone(),
        ..server()
    };
    let needed = vec![(net("10.0.0.1/32"), ZERO), default];
    let expected = [needed.clone(), peered.clone()].concat();
    assert_eq!(routes_of(&more), Some(expected.clone()));
    let twice = Dhcp4 {
        routes: expected.clone(),
        ..server()
    };
    assert_eq!(routes_of(&twice), Some(expected));

    let long = Dhcp4 {
        routes: vec![(net("203.0.113.7/32"), GATEWAY_V4); 60],
        ..server()
    };
    assert_eq!(
        routes_of(&long),
        Some(needed),
        "what is needed, in 576 octets"
    );

    let on_subnet = Dhcp4 {
        prefix_len: 24,
        ..server()
    };
    assert_eq!(routes_of(&on_subnet), None, "the router option says it all");
    let both = Dhcp4 {
        prefix_len: 24,
        routes: peered.clone(),
        ..server()
    };
    assert_eq!(routes_of(&both), Some([vec![default], peered].concat()));
}

#[test]
fn an_endless_lease_is_never_renewed() {
    let server = Dhcp4 {
        lease: u32::MAX,
        ..server()
    };
    let (offer, _) = ask(&server, &message(MessageType::Discover, ZERO, &[])).unwrap();
    let lease = get(&offer, OptionCode::AddressLeaseTime);
    assert_eq!(lease, Some(DhcpOption::AddressLeaseTime(u32::MAX)));
    let renewal = get(&offer, OptionCode::Renewal);
    assert_eq!(renewal, Some(DhcpOption::Renewal(u32::MAX)));
}

#[test]
fn a_reply_is_no_longer_than_the_client_takes() {
    let search: Vec<_> = (0..30)
        .map(|i| alloc::format!("zone-{i}.example"))
        .collect();
    let server = Dhcp4 { search, ..server() };
    let length = |more: &[DhcpOption]| {
        let (offer, to) = ask(&server, &message(MessageType::Discover, ZERO, more)).unwrap();
        assert!(get(&offer, OptionCode::ClasslessStaticRoute).is_some());
        let long = get(&offer, OptionCode::DomainSearch).is_some();
        (to.upper.len() + 20, long)
    };
    let (silent, long) = length(&[]);
    assert!(silent <= 576 && !long);
    let (least, long) = length(&[DhcpOption::MaxMessageSize(100)]);
    assert!(least <= 576 && !long);
    let (large, long) = length(&[DhcpOption::MaxMessageSize(1500)]);
    assert!(large > 576 && large <= 1500 && long);
}

#[test]
fn options_are_read_where_overload_puts_them() {
    let mut bytes = frame(&message(MessageType::Discover, ZERO, &[]), ZERO, BROADCAST);
    let dhcp = 14 + 20 + 8;
    // Options: overload in both fields. Boot file: message type. Server name: the identifier's
    // first part.
    bytes.truncate(dhcp + 240);
    bytes.extend([52, 1, 3, 61, 3, 2, 0x72, 0x77, 255]);
    bytes[dhcp + 44..dhcp + 50].copy_from_slice(&[61, 3, 0, 0, 1, 255]);
    bytes[dhcp + 108..dhcp + 115].copy_from_slice(&[61, 1, 9, 53, 1, 1, 255]);
    relength(&mut bytes);
    let (mut frame, parsed) = parse(&bytes);
    answer(&server(), &mut frame, &parsed).unwrap();
    let reply = Message::decode(&mut Decoder::new(&read(&frame).upper[8..])).unwrap();
    let id = DhcpOption::ClientIdentifier(vec![2, 0x72, 0x77, 9, 0, 0, 1]);
    assert_eq!(get(&reply, OptionCode::ClientIdentifier), Some(id));
}

/// Makes the lengths right and the checksums right or absent.
fn relength(bytes: &mut [u8]) {
    let total = u16::try_from(bytes.len() - 14).unwrap();
    bytes[16..18].copy_from_slice(&total.to_be_bytes());
    bytes[24..26].copy_from_slice(&[0, 0]);
    let field = !rackweave_wire::checksum::sum(&bytes[14..34]);
    bytes[24..26].copy_from_slice(&field.to_be_bytes());
    bytes[38..40].copy_from_slice(&(total - 20).to_be_bytes());
    bytes[40..42].copy_from_slice(&[0, 0]);
}

#[test]
fn every_cut_of_a_request_is_malformed() {
    let whole = frame(&message(MessageType::Discover, ZERO, &[]), ZERO, BROADCAST);
    let options = 14 + 20 + 8 + 240;
    for len in 14 + 20 + 8..options + 3 {
        let mut bytes = whole[..len].to_vec();
        relength(&mut bytes);
        let refused = exchange(&server(), &bytes).map(|_| ());
        assert!(
            matches!(refused, Err(NoAnswer::Dhcpv4(_))),
            "{len}: {refused:?}"
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_options_do_no_harm(options in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = frame(&message(MessageType::Discover, ZERO, &[]), ZERO, BROADCAST);
        bytes.truncate(14 + 20 + 8 + 240);
        bytes.extend([53, 1, 1]);
        bytes.extend(&options);
        relength(&mut bytes);
        let (mut frame, parsed) = parse(&bytes);
        if answer(&server(), &mut frame, &parsed).is_ok() {
            let reply = read(&frame);
            prop_assert!(reply.upper.len() + 20 <= 1500);
            prop_assert!(Message::decode(&mut Decoder::new(&reply.upper[8..])).is_ok());
        } else {
            prop_assert_eq!(frame.bytes(), bytes);
        }
    }
}
