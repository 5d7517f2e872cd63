use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::slice;

use dhcproto::v6::{
    DhcpOption, DhcpOptions, IAAddr, IANA, IAPD, IATA, Message, MessageType, ORO, OptionCode,
    Status,
};
use dhcproto::{Decodable, Decoder, Encodable};
use proptest::collection::vec as vec_of;
use proptest::prelude::*;
use rackweave_types::MacAddr;

use super::*;
use crate::respond::testing::*;

const DUID: [u8; 6] = [0, 4, 1, 2, 3, 4];
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const SERVERS_MAC: MacAddr = MacAddr::new([0x33, 0x33, 0, 1, 0, 2]);
const FIRST: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 7);
const SECOND: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 8);
const FOREIGN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const SERVER_ID: [u8; 10] = [0, 3, 0, 1, 0x02, 0x72, 0x77, 0xff, 0xff, 0x01];

pub(in crate::respond) fn server() -> Dhcp6 {
    Dhcp6 {
        mac: GATEWAY,
        server: GATEWAY_V6,
        client: GUEST,
        addresses: vec![FIRST, SECOND],
        dns: vec![Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2)],
        search: vec!["vpc.example".into()],
        lease: 3600,
    }
}

/// An association for non-temporary addresses that names these.
fn ia_na(id: u32, addresses: &[Ipv6Addr]) -> DhcpOption {
    DhcpOption::IANA(IANA {
        id,
        t1: 0,
        t2: 0,
        opts: named(addresses),
    })
}

fn named(addresses: &[Ipv6Addr]) -> DhcpOptions {
    addresses
        .iter()
        .map(|addr| {
            let opts = DhcpOptions::new();
            DhcpOption::IAAddr(IAAddr {
                addr: *addr,
                preferred_life: 0,
                valid_life: 0,
                opts,
            })
        })
        .collect()
}

fn client_id() -> DhcpOption {
    DhcpOption::ClientId(DUID.to_vec())
}

fn server_id() -> DhcpOption {
    DhcpOption::ServerId(SERVER_ID.to_vec())
}

/// A message with these options.
fn message(kind: MessageType, options: &[DhcpOption]) -> Message {
    let mut message = Message::new_with_id(kind, [7, 8, 9]);
    message.set_opts(options.iter().cloned().collect());
    message
}

/// A message of a client that names itself and the server.
fn chosen(kind: MessageType, options: &[DhcpOption]) -> Message {
    message(kind, &[&[client_id(), server_id()], options].concat())
}

/// A message of a client that names itself.
fn open(kind: MessageType, options: &[DhcpOption]) -> Message {
    message(kind, &[&[client_id()], options].concat())
}

fn frame(payload: &[u8], dst: Ipv6Addr) -> Vec<u8> {
    let to = if dst == SERVERS { SERVERS_MAC } else { GATEWAY };
    request!(
        from_guest(to)
            .ipv6(GUEST_V6.octets(), dst.octets(), 1)
            .udp(546, 547),
        payload
    )
}

fn exchange(server: &Dhcp6, bytes: &[u8]) -> Result<Message, NoAnswer> {
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
    assert_eq!((answer.src_mac, answer.dst_mac), (GATEWAY, GUEST));
    assert_eq!(
        (answer.src, answer.dst),
        (GATEWAY_V6.into(), GUEST_V6.into())
    );
    assert_eq!(answer.upper[..4], [0x02, 0x23, 0x02, 0x22]);
    let reply = Message::decode(&mut Decoder::new(&answer.upper[8..])).unwrap();
    assert_eq!(reply.xid(), [7, 8, 9]);
    assert_eq!(reply.opts().get(OptionCode::ServerId), Some(&server_id()));
    Ok(reply)
}

fn ask(message: &Message) -> Result<Message, NoAnswer> {
    exchange(&server(), &frame(&message.to_vec().unwrap(), SERVERS))
}

/// The associations of a reply: id, time to renew, addresses with their lifetimes, status.
type Association = (u32, u32, Vec<(Ipv6Addr, u32)>, Option<Status>);

fn associations(reply: &Message) -> Vec<Association> {
    let read = |id, t1, opts: &DhcpOptions| {
        let addresses = opts
            .iter()
            .filter_map(|option| match option {
                DhcpOption::IAAddr(address) => {
                    assert_eq!(address.preferred_life, address.valid_life);
                    Some((address.addr, address.valid_life))
                }
                _ => None,
            })
            .collect();
        (id, t1, addresses, status(opts))
    };
    reply
        .opts()
        .iter()
        .filter_map(|option| match option {
            DhcpOption::IANA(ia) => Some(read(ia.id, ia.t1, &ia.opts)),
            DhcpOption::IAPD(ia) => Some(read(ia.id, ia.t1, &ia.opts)),
            DhcpOption::IATA(ia) => Some(read(ia.id, 0, &ia.opts)),
            _ => None,
        })
        .collect()
}

fn status(options: &DhcpOptions) -> Option<Status> {
    match options.get(OptionCode::StatusCode) {
        Some(DhcpOption::StatusCode(code)) => Some(code.status),
        _ => None,
    }
}

fn granted(id: u32) -> Association {
    (id, 1800, vec![(FIRST, 3600), (SECOND, 3600)], None)
}

#[test]
fn solicit_advertise_request_reply_renew_release() {
    let advertise = ask(&open(MessageType::Solicit, &[ia_na(1, &[])])).unwrap();
    assert_eq!(advertise.msg_type(), MessageType::Advertise);
    assert_eq!(
        advertise.opts().get(OptionCode::ClientId),
        Some(&client_id())
    );
    assert_eq!(
        advertise.opts().get(OptionCode::Preference),
        Some(&DhcpOption::Preference(255))
    );
    assert_eq!(associations(&advertise), [granted(1)]);

    // The client requests what was offered, of whom offered it.
    let mut request = advertise.clone();
    request.set_msg_type(MessageType::Request);
    let reply = ask(&request).unwrap();
    assert_eq!(reply.msg_type(), MessageType::Reply);
    assert_eq!(associations(&reply), [granted(1)]);
    let dns = DhcpOption::DomainNameServers(server().dns);
    assert_eq!(reply.opts().get(OptionCode::DomainNameServers), Some(&dns));
    let Some(DhcpOption::DomainSearchList(names)) = reply.opts().get(OptionCode::DomainSearchList)
    else {
        panic!("{reply:?}")
    };
    assert_eq!(names[0].to_string(), "vpc.example.");

    for kind in [MessageType::Renew, MessageType::Request] {
        let reply = ask(&chosen(kind, &[ia_na(1, &[FIRST, SECOND])])).unwrap();
        assert_eq!(
            (reply.msg_type(), associations(&reply)),
            (MessageType::Reply, vec![granted(1)])
        );
    }
    let rebind = ask(&open(MessageType::Rebind, &[ia_na(1, &[FIRST])])).unwrap();
    assert_eq!(associations(&rebind), [granted(1)]);
    for kind in [MessageType::Release, MessageType::Decline] {
        let reply = ask(&chosen(kind, &[ia_na(1, &[FIRST])])).unwrap();
        assert_eq!(status(reply.opts()), Some(Status::Success));
        assert_eq!(associations(&reply), []);
    }
}

#[test]
fn rapid_commit_saves_a_round() {
    let reply = ask(&open(
        MessageType::Solicit,
        &[ia_na(1, &[]), DhcpOption::RapidCommit],
    ))
    .unwrap();
    assert_eq!(reply.msg_type(), MessageType::Reply);
    assert_eq!(
        reply.opts().get(OptionCode::RapidCommit),
        Some(&DhcpOption::RapidCommit)
    );
    assert_eq!(associations(&reply), [granted(1)]);
}

#[test]
fn a_solicit_may_wish_for_other_addresses() {
    let advertise = ask(&open(MessageType::Solicit, &[ia_na(1, &[FOREIGN])])).unwrap();
    assert_eq!(associations(&advertise), [granted(1)]);
}

#[test]
fn only_the_first_association_holds_addresses() {
    let prefixes = DhcpOption::IAPD(IAPD {
        id: 5,
        t1: 0,
        t2: 0,
        opts: DhcpOptions::new(),
    });
    let temporary = DhcpOption::IATA(IATA {
        id: 6,
        opts: DhcpOptions::new(),
    });
    let all = [ia_na(1, &[]), ia_na(2, &[]), prefixes, temporary];
    let advertise = ask(&open(MessageType::Solicit, &all)).unwrap();
    let mut got = associations(&advertise);
    got.sort_by_key(|ia| ia.0);
    let none = |id, status| (id, 0, vec![], Some(status));
    let expected = [
        granted(1),
        none(2, Status::NoAddrsAvail),
        none(5, Status::NoPrefixAvail),
        none(6, Status::NoAddrsAvail),
    ];
    assert_eq!(got, expected);
    let renew = ask(&chosen(MessageType::Renew, &all[..2])).unwrap();
    assert_eq!(
        associations(&renew),
        [granted(1), none(2, Status::NoBinding)]
    );
    let release = [
        ia_na(1, &[FIRST]),
        ia_na(2, &[SECOND]),
        ia_na(3, &[FOREIGN]),
    ];
    let reply = ask(&chosen(MessageType::Release, &release)).unwrap();
    let expected = [none(2, Status::NoBinding), none(3, Status::NoBinding)];
    assert_eq!(associations(&reply), expected);
}

#[test]
fn addresses_of_another_network_are_refused_or_taken_away() {
    let ia = [ia_na(1, &[FIRST, FOREIGN])];
    let reply = ask(&chosen(MessageType::Request, &ia)).unwrap();
    assert_eq!(
        associations(&reply),
        [(1, 0, vec![], Some(Status::NotOnLink))]
    );
    let expected = [(
        1,
        1800,
        vec![(FIRST, 3600), (SECOND, 3600), (FOREIGN, 0)],
        None,
    )];
    let renew = ask(&chosen(MessageType::Renew, &ia)).unwrap();
    assert_eq!(associations(&renew), expected);
    let rebind = ask(&open(MessageType::Rebind, &ia)).unwrap();
    assert_eq!(associations(&rebind), expected);
}

#[test]
fn confirm_tells_whether_all_addresses_are_right() {
    for (addresses, expected) in [
        (vec![FIRST], Status::Success),
        (vec![FIRST, SECOND], Status::Success),
        (vec![FIRST, FOREIGN], Status::NotOnLink),
    ] {
        let reply = ask(&open(MessageType::Confirm, &[ia_na(1, &addresses)])).unwrap();
        assert_eq!(status(reply.opts()), Some(expected));
    }
    let nothing = ask(&open(MessageType::Confirm, &[ia_na(1, &[])]));
    assert_eq!(nothing, Err(NoAnswer::NothingToSay));
}

#[test]
fn information_needs_no_identifier() {
    let reply = ask(&message(MessageType::InformationRequest, &[])).unwrap();
    assert_eq!(reply.msg_type(), MessageType::Reply);
    assert!(reply.opts().get(OptionCode::DomainNameServers).is_some());
    let dns_only = DhcpOption::ORO(ORO {
        opts: vec![OptionCode::DomainNameServers],
    });
    let reply = ask(&open(MessageType::InformationRequest, &[dns_only])).unwrap();
    assert!(reply.opts().get(OptionCode::DomainNameServers).is_some());
    assert!(reply.opts().get(OptionCode::DomainSearchList).is_none());
    assert_eq!(reply.opts().get(OptionCode::ClientId), Some(&client_id()));
}

#[test]
fn a_port_without_addresses_says_so() {
    let bare = Dhcp6 {
        addresses: vec![],
        ..server()
    };
    let solicit = open(MessageType::Solicit, &[ia_na(1, &[])])
        .to_vec()
        .unwrap();
    let advertise = exchange(&bare, &frame(&solicit, SERVERS)).unwrap();
    assert_eq!(
        associations(&advertise),
        [(1, 0, vec![], Some(Status::NoAddrsAvail))]
    );
}

#[test]
fn an_endless_lease_is_never_renewed() {
    let endless = Dhcp6 {
        lease: u32::MAX,
        ..server()
    };
    let solicit = open(MessageType::Solicit, &[ia_na(1, &[])])
        .to_vec()
        .unwrap();
    let advertise = exchange(&endless, &frame(&solicit, SERVERS)).unwrap();
    assert_eq!(associations(&advertise)[0].1, u32::MAX);
}

#[test]
fn invalid_messages_are_discarded() {
    let other = DhcpOption::ServerId(vec![0, 3, 0, 1, 9, 9, 9, 9, 9, 9]);
    let ia = ia_na(1, &[FIRST]);
    let malformed = NoAnswer::Malformed;
    for (message, why) in [
        (
            chosen(MessageType::Solicit, &[]),
            malformed("server identifier"),
        ),
        (
            chosen(MessageType::Confirm, &[]),
            malformed("server identifier"),
        ),
        (
            chosen(MessageType::Rebind, &[]),
            malformed("server identifier"),
        ),
        (
            message(MessageType::Solicit, slice::from_ref(&ia)),
            malformed("client identifier"),
        ),
        (
            open(MessageType::Request, slice::from_ref(&ia)),
            malformed("server identifier"),
        ),
        (
            message(MessageType::Renew, &[server_id()]),
            malformed("client identifier"),
        ),
        (
            open(MessageType::Renew, slice::from_ref(&other)),
            NoAnswer::NotForUs,
        ),
        (
            open(MessageType::Release, slice::from_ref(&other)),
            NoAnswer::NotForUs,
        ),
        (
            open(MessageType::InformationRequest, &[other]),
            NoAnswer::NotForUs,
        ),
        (
            open(MessageType::InformationRequest, &[ia]),
            malformed("identity association"),
        ),
        (open(MessageType::Advertise, &[]), NoAnswer::NotForUs),
        (open(MessageType::Reply, &[]), NoAnswer::NotForUs),
        (
            open(MessageType::Solicit, &vec![ia_na(1, &[]); 9]),
            malformed("identity association"),
        ),
    ] {
        assert_eq!(ask(&message), Err(why), "{message:?}");
    }
    let relayed = [&[12, 0][..], &[0; 32], &[0, 9, 0, 4, 1, 7, 8, 9]].concat();
    let twice = open(MessageType::Solicit, &[client_id()]);
    let long = message(MessageType::Solicit, &[DhcpOption::ClientId(vec![0; 131])]);
    for payload in [relayed, twice.to_vec().unwrap(), long.to_vec().unwrap()] {
        let refused = exchange(&server(), &frame(&payload, SERVERS));
        assert!(matches!(refused, Err(NoAnswer::Dhcpv6(_))), "{refused:?}");
    }
}

#[test]
fn what_comes_by_unicast_is_sent_back_to_multicast() {
    let renew = chosen(MessageType::Renew, &[ia_na(1, &[FIRST])])
        .to_vec()
        .unwrap();
    let reply = exchange(&server(), &frame(&renew, GATEWAY_V6)).unwrap();
    assert_eq!(status(reply.opts()), Some(Status::UseMulticast));
    assert_eq!(associations(&reply), []);
    let solicit = open(MessageType::Solicit, &[]).to_vec().unwrap();
    let discarded = exchange(&server(), &frame(&solicit, GATEWAY_V6));
    assert_eq!(discarded, Err(NoAnswer::NotForUs));
}

#[test]
fn another_station_is_not_served() {
    let solicit = open(MessageType::Solicit, &[ia_na(1, &[])])
        .to_vec()
        .unwrap();
    let stranger = Dhcp6 {
        client: MacAddr::new([2, 0, 0, 0, 0, 9]),
        ..server()
    };
    assert_eq!(
        exchange(&stranger, &frame(&solicit, SERVERS)),
        Err(NoAnswer::NotForUs)
    );
}

proptest! {
    #[test]
    fn arbitrary_messages_do_no_harm(
        kind in 0_u8..14,
        options in vec_of((0_u16..30, vec_of(any::<u8>(), 0..60)), 0..12),
        rest in vec_of(any::<u8>(), 0..5),
        named: bool,
    ) {
        let mut payload = vec![kind, 7, 8, 9];
        if named {
            payload.extend([0, 1, 0, 6]);
            payload.extend(DUID);
        }
        for (code, value) in options {
            payload.extend(code.to_be_bytes());
            payload.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            payload.extend(value);
        }
        payload.extend(rest);
        let _ = exchange(&server(), &frame(&payload, SERVERS));
    }
}
