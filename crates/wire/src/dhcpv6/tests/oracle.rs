//! `dhcproto` reads what is written here and writes what is read here.

use alloc::string::String;

use dhcproto::v6::{
    DhcpOption, DhcpOptions, IAAddr, IANA, IATA, Message, MessageType as TheirType, ORO,
    OptionCode as TheirCode, StatusCode as TheirStatus,
};
use dhcproto::{Decodable, Decoder, Encodable};

use super::*;

/// Every value that a server and a client exchange.
#[derive(Clone, Debug)]
struct Values {
    message_type: MessageType,
    xid: [u8; 3],
    client: Vec<u8>,
    server: Vec<u8>,
    iaid: u32,
    times: (u32, u32),
    /// Address, preferred and valid lifetime.
    addresses: Vec<(Ipv6Addr, u32, u32)>,
    status: (u16, String),
    preference: u8,
    hundredths: u16,
    wanted: Vec<u16>,
    dns: Vec<Ipv6Addr>,
    search: Vec<String>,
}

fn values() -> impl Strategy<Value = Values> {
    let duid = || prop::collection::vec(any::<u8>(), 3..=130);
    let address = (any::<Ipv6Addr>(), any::<u32>(), any::<u32>())
        .prop_map(|(address, a, b)| (address, a.min(b), a.max(b)));
    // No two names end alike: dhcproto compresses here too, which RFC 8415 section 10 forbids.
    let name = "[a-z][a-z0-9-]{0,12}(\\.[a-z]{1,8}){1,3}";
    let names = prop::collection::vec(name, 1..4).prop_map(|mut names| {
        for (place, name) in (0..).zip(&mut names) {
            name.push(char::from(b'0' + place));
        }
        names
    });
    (
        (1_u8..=11, any::<[u8; 3]>(), duid(), duid()),
        (
            any::<u32>(),
            any::<(u32, u32)>(),
            prop::collection::vec(address, 0..4),
        ),
        ((0_u16..=6, "[a-zé ]{0,20}"), any::<u8>(), any::<u16>()),
        prop::collection::vec(1_u16..=150, 1..9),
        (prop::collection::vec(any::<Ipv6Addr>(), 1..4), names),
    )
        .prop_map(|(ids, ia, single, wanted, (dns, search))| Values {
            message_type: ids.0.try_into().unwrap(),
            xid: ids.1,
            client: ids.2,
            server: ids.3,
            iaid: ia.0,
            times: ia.1,
            addresses: ia.2,
            status: single.0,
            preference: single.1,
            hundredths: single.2,
            wanted,
            dns,
            search,
        })
}

fn ours(v: &Values) -> Result<Vec<u8>, Dhcpv6BuildError> {
    let mut message = Dhcpv6Builder::new(v.message_type, v.xid);
    message.client_id(Duid::new(&v.client).unwrap())?;
    message.server_id(Duid::new(&v.server).unwrap())?;
    message.ia_na(v.iaid, v.times.0, v.times.1, |ia| {
        v.addresses
            .iter()
            .try_fold(ia, |ia, &(address, preferred, valid)| {
                ia.ia_address(address, preferred, valid)
            })
    })?;
    message.ia_ta(v.iaid, |ia| ia.status(StatusCode(v.status.0), &v.status.1))?;
    let wanted: Vec<_> = v.wanted.iter().copied().map(OptionCode).collect();
    message.option_request(&wanted)?;
    message.preference(v.preference)?;
    message.elapsed_time(Duration::from_millis(u64::from(v.hundredths) * 10))?;
    message
        .status(StatusCode(v.status.0), &v.status.1)?
        .rapid_commit()?;
    message.dns_servers(&v.dns)?.domain_list(&v.search)?;
    Ok(message.finish())
}

fn theirs(v: &Values) -> Message {
    let status = || {
        let (code, words) = v.status.clone();
        DhcpOption::StatusCode(TheirStatus {
            status: code.into(),
            msg: words,
        })
    };
    let addresses = v
        .addresses
        .iter()
        .map(|&(addr, preferred_life, valid_life)| {
            let opts = DhcpOptions::new();
            DhcpOption::IAAddr(IAAddr {
                addr,
                preferred_life,
                valid_life,
                opts,
            })
        });
    let (id, (t1, t2)) = (v.iaid, v.times);
    let wanted = v.wanted.iter().copied().map(TheirCode::from).collect();
    let name = |text: &String| alloc::format!("{text}.").parse().unwrap();
    let mut message = Message::new_with_id(TheirType::from(v.message_type.get()), v.xid);
    for option in [
        DhcpOption::ClientId(v.client.clone()),
        DhcpOption::ServerId(v.server.clone()),
        DhcpOption::IANA(IANA {
            id,
            t1,
            t2,
            opts: addresses.collect(),
        }),
        DhcpOption::IATA(IATA {
            id,
            opts: core::iter::once(status()).collect(),
        }),
        DhcpOption::ORO(ORO { opts: wanted }),
        DhcpOption::Preference(v.preference),
        DhcpOption::ElapsedTime(v.hundredths),
        status(),
        DhcpOption::RapidCommit,
        DhcpOption::DomainNameServers(v.dns.clone()),
        DhcpOption::DomainSearchList(v.search.iter().map(name).collect()),
    ] {
        message.opts_mut().insert(option);
    }
    message
}

proptest! {
    #[test]
    fn it_reads_what_we_write(values in values()) {
        let message = ours(&values).unwrap();
        let read = Message::decode(&mut Decoder::new(&message)).unwrap();
        let expected = theirs(&values);
        prop_assert_eq!((read.msg_type(), read.xid()), (expected.msg_type(), expected.xid()));
        let found: Vec<_> = read.opts().iter().collect();
        prop_assert_eq!(found, expected.opts().iter().collect::<Vec<_>>());
    }

    #[test]
    fn we_read_what_it_writes(values in values()) {
        let message = theirs(&values).to_vec().unwrap();
        let view = Dhcpv6View::parse(&message).unwrap();
        prop_assert_eq!((view.message_type(), view.xid()), (values.message_type, values.xid));
        prop_assert_eq!(view.client_id(), Ok(Duid::new(&values.client)));
        prop_assert_eq!(view.server_id(), Ok(Duid::new(&values.server)));
        prop_assert_eq!(view.preference(), Ok(values.preference));
        let elapsed = Duration::from_millis(u64::from(values.hundredths) * 10);
        prop_assert_eq!(view.elapsed_time(), Ok(Some(elapsed)));
        prop_assert_eq!(view.rapid_commit(), Ok(true));
        prop_assert_eq!(view.dns_servers(), Ok(values.dns));
        prop_assert_eq!(view.domain_list(), Ok(values.search));
        let wanted = view.option_request().unwrap();
        let wanted: Vec<_> = wanted.into_iter().map(OptionCode::get).collect();
        prop_assert_eq!(wanted, values.wanted);
        let status = Status { code: StatusCode(values.status.0), message: &values.status.1 };
        prop_assert_eq!(view.status(), Ok(Some(status)));

        let found: Vec<_> = view.associations().map(Result::unwrap).collect();
        let [na, ta] = &found[..] else { panic!("{found:?}") };
        prop_assert_eq!((na.kind, na.iaid), (AssociationKind::Addresses, values.iaid));
        prop_assert_eq!((na.renew, na.rebind), values.times);
        let addresses: Vec<_> = na
            .addresses()
            .map(|address| address.map(|a| (a.address, a.preferred, a.valid)).unwrap())
            .collect();
        prop_assert_eq!(addresses, values.addresses);
        prop_assert_eq!(ta.kind, AssociationKind::TemporaryAddresses);
        prop_assert_eq!(ta.status(), Ok(Some(status)));
    }
}
