mod oracle;

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;

use proptest::prelude::*;
use rackweave_types::MacAddr;

use super::*;
use crate::domain::DomainError;
use crate::error::Truncated;

const XID: [u8; 3] = [1, 2, 3];
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd12, 0, 0, 0, 0, 0, 0, 5);

/// A solicit with these bytes instead of options.
fn with_options(options: &[u8]) -> Vec<u8> {
    [&[1, 1, 2, 3], options].concat()
}

fn error(message: &[u8]) -> Dhcpv6Error {
    Dhcpv6View::parse(message).unwrap_err()
}

#[test]
fn a_message_reads_back() {
    let octets = Duid::link_layer(MacAddr::new([2, 0x72, 0x77, 0, 0, 1]));
    let duid = Duid::new(&octets).unwrap();
    let mut builder = Dhcpv6Builder::new(MessageType::Solicit, XID);
    builder.client_id(duid).unwrap().rapid_commit().unwrap();
    builder.elapsed_time(Duration::from_millis(1239)).unwrap();
    builder
        .option_request(&[OptionCode::DNS_SERVERS, OptionCode::DOMAIN_LIST])
        .unwrap();
    builder
        .ia_na(7, 100, 160, |ia| ia.ia_address(ADDRESS, 300, 200))
        .unwrap();
    builder
        .ia_ta(8, |ia| ia.status(StatusCode::NO_ADDRESSES, "none"))
        .unwrap();
    builder.ia_pd(9, 0, 0, |ia| Ok(ia)).unwrap();
    let message = builder.finish();

    let view = Dhcpv6View::parse(&message).unwrap();
    assert_eq!(
        (view.message_type(), view.xid()),
        (MessageType::Solicit, XID)
    );
    assert_eq!(
        (view.client_id(), view.server_id()),
        (Ok(Some(duid)), Ok(None))
    );
    assert_eq!((view.rapid_commit(), view.preference()), (Ok(true), Ok(0)));
    assert_eq!(view.elapsed_time(), Ok(Some(Duration::from_millis(1230))));
    let codes = vec![OptionCode::DNS_SERVERS, OptionCode::DOMAIN_LIST];
    assert_eq!(view.option_request(), Ok(codes));
    let found: Vec<_> = view.associations().map(Result::unwrap).collect();
    let kinds: Vec<_> = found
        .iter()
        .map(|ia| (ia.kind, ia.iaid, ia.renew, ia.rebind))
        .collect();
    assert_eq!(
        kinds,
        [
            (AssociationKind::Addresses, 7, 100, 160),
            (AssociationKind::TemporaryAddresses, 8, 0, 0),
            (AssociationKind::Prefixes, 9, 0, 0),
        ]
    );
    let address = found[0].addresses().next().unwrap().unwrap();
    assert_eq!(
        (address.address, address.preferred, address.valid),
        (ADDRESS, 200, 200)
    );
    assert_eq!(address.status(), Ok(None));
    let status = Status {
        code: StatusCode::NO_ADDRESSES,
        message: "none",
    };
    assert_eq!(found[1].status(), Ok(Some(status)));
}

#[test]
fn duids_are_compared_as_a_whole() {
    let octets = Duid::link_layer(MacAddr::new([2, 0x72, 0x77, 0xff, 0xff, 1]));
    assert_eq!(octets, [0, 3, 0, 1, 2, 0x72, 0x77, 0xff, 0xff, 1]);
    let kind = |octets: &[u8]| Duid::new(octets).map(Duid::kind);
    assert_eq!(kind(&octets), Some(DuidKind::LinkLayer));
    assert_eq!(kind(&[0, 1, 9]), Some(DuidKind::LinkLayerTime));
    assert_eq!(kind(&[0, 2, 9]), Some(DuidKind::Enterprise));
    assert_eq!(kind(&[0, 4, 9]), Some(DuidKind::Uuid));
    assert_eq!(kind(&[1, 0, 9]), Some(DuidKind::Other(256)));
    assert_eq!((kind(&[0, 1]), kind(&[0; 131])), (None, None));
    assert!(kind(&[0; 130]).is_some());
}

#[test]
fn messages_of_relay_agents_are_refused() {
    assert_eq!(
        error(&[12; 60]),
        Dhcpv6Error::Relay {
            got: MessageType::RelayForward
        }
    );
    assert_eq!(
        error(&[13; 60]),
        Dhcpv6Error::Relay {
            got: MessageType::RelayReply
        }
    );
}

#[test]
fn a_header_that_makes_no_sense_is_refused() {
    let truncated = Truncated {
        header: "dhcpv6 header",
        needed: 4,
        got: 3,
    };
    assert_eq!(error(&[1, 2, 3]), truncated.into());
    assert_eq!(error(&[0, 1, 2, 3]), Dhcpv6Error::MessageType { got: 0 });
    assert_eq!(error(&[14, 1, 2, 3]), Dhcpv6Error::MessageType { got: 14 });
}

#[test]
fn message_types_are_their_numbers() {
    for number in 1..=13 {
        assert_eq!(
            MessageType::try_from(number).map(MessageType::get),
            Ok(number)
        );
    }
    assert_eq!(
        MessageType::InformationRequest.to_string(),
        "information-request"
    );
}

#[test]
fn an_option_that_is_cut_is_named() {
    let code = OptionCode::PREFERENCE;
    let expected = Dhcpv6Error::OptionCut {
        code,
        at: 8,
        needed: 5,
        got: 4,
    };
    assert_eq!(error(&with_options(&[0, 14, 0, 0, 0, 7, 0, 1])), expected);
    assert_eq!(
        expected.to_string(),
        "dhcpv6 preference at offset 8 needs 5 bytes, 4 are there"
    );
    let expected = Dhcpv6Error::OptionCut {
        code: OptionCode(0),
        at: 4,
        needed: 4,
        got: 3,
    };
    assert_eq!(error(&with_options(&[0, 14, 0])), expected);
}

#[test]
fn an_option_cut_inside_an_association_is_placed() {
    let mut ia = vec![0, 3, 0, 15];
    ia.extend_from_slice(&[0; 12]);
    ia.extend_from_slice(&[0, 5, 0]);
    let message = with_options(&ia);
    let view = Dhcpv6View::parse(&message).unwrap();
    let expected = Dhcpv6Error::OptionCut {
        code: OptionCode(0),
        at: 20,
        needed: 4,
        got: 3,
    };
    assert_eq!(view.associations().next().unwrap().unwrap_err(), expected);
}

#[test]
fn values_of_a_wrong_length_are_refused() {
    let is_refused = |view: &Dhcpv6View<'_>, code| match code {
        1 => view.client_id().is_err(),
        3 | 4 => view.associations().any(|ia| ia.is_err()),
        6 => view.option_request().is_err(),
        7 => view.preference().is_err(),
        8 => view.elapsed_time().is_err(),
        13 => view.status().is_err(),
        14 => view.rapid_commit().is_err(),
        23 => view.dns_servers().is_err(),
        _ => view.server_id().is_err(),
    };
    for (code, value) in [
        (1, &[0, 3][..]),
        (2, &[]),
        (3, &[0; 11]),
        (4, &[0; 3]),
        (6, &[0]),
        (7, &[]),
        (8, &[0]),
        (13, &[0]),
        (14, &[0]),
        (23, &[0; 15]),
    ] {
        let mut builder = Dhcpv6Builder::new(MessageType::Solicit, XID);
        builder.option(OptionCode(code), value).unwrap();
        let message = builder.finish();
        assert!(
            is_refused(&Dhcpv6View::parse(&message).unwrap(), code),
            "{code}"
        );
    }
}

#[test]
fn an_option_that_stands_twice_is_refused() {
    let message = with_options(&[0, 14, 0, 0, 0, 7, 0, 1, 5, 0, 14, 0, 0]);
    let view = Dhcpv6View::parse(&message).unwrap();
    let expected = Dhcpv6Error::Repeated {
        code: OptionCode::RAPID_COMMIT,
        at: 13,
    };
    assert_eq!(
        (view.rapid_commit(), view.preference()),
        (Err(expected), Ok(5))
    );
}

#[test]
fn texts_and_names_are_checked() {
    let message = with_options(&[0, 13, 0, 3, 0, 0, 0xff]);
    let expected = Dhcpv6Error::Text {
        code: OptionCode::STATUS_CODE,
        at: 4,
    };
    assert_eq!(Dhcpv6View::parse(&message).unwrap().status(), Err(expected));
    // RFC 8415 section 10: names "MUST NOT be stored in compressed form".
    let message = with_options(&[0, 24, 0, 5, 1, b'a', 0, 0xc0, 0]);
    let expected = Dhcpv6Error::Domain(DomainError::Pointer { at: 3 });
    assert_eq!(
        Dhcpv6View::parse(&message).unwrap().domain_list(),
        Err(expected)
    );
}

#[test]
fn what_does_not_fit_leaves_the_message_as_it_was() {
    let mut builder = Dhcpv6Builder::new(MessageType::Reply, XID);
    builder.preference(255).unwrap();
    let before = builder.clone().finish();
    let code = OptionCode(99);
    let refused = builder.option(code, &vec![0; 65_536]).unwrap_err();
    assert_eq!(refused, Dhcpv6BuildError::TooLong { code, len: 65_536 });
    let refused = builder.domain_list(&["a", ""]).unwrap_err();
    assert_eq!(refused, Dhcpv6BuildError::Domain(DomainError::EmptyLabel));
    // An association whose addresses fit one by one, but not together.
    let refused = builder.ia_na(1, 0, 0, |ia| {
        (0..2341).try_fold(ia, |ia, _| ia.ia_address(ADDRESS, 0, 0))
    });
    assert_eq!(
        refused.unwrap_err(),
        Dhcpv6BuildError::TooLong {
            code: OptionCode::IA_NA,
            len: 12 + 2341 * 28
        }
    );
    assert_eq!(builder.finish(), before);
}

/// Calls every accessor: none may panic.
fn touch(view: &Dhcpv6View<'_>) -> usize {
    let mut read = vec![
        view.client_id().is_ok(),
        view.server_id().is_ok(),
        view.option_request().is_ok(),
        view.preference().is_ok(),
        view.elapsed_time().is_ok(),
        view.status().is_ok(),
        view.rapid_commit().is_ok(),
        view.dns_servers().is_ok(),
        view.domain_list().is_ok(),
    ];
    for ia in view.associations().flatten() {
        read.push(ia.status().is_ok());
        read.extend(
            ia.addresses()
                .flatten()
                .map(|address| address.status().is_ok()),
        );
    }
    read.len()
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(message in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(view) = Dhcpv6View::parse(&message) {
            prop_assert!(touch(&view) >= 9);
        }
    }

    #[test]
    fn any_options_are_read_or_refused(
        options in prop::collection::vec(
            (0_u16..=26, prop::collection::vec(0_u8..=16, 0..60)), 0..9,
        ),
    ) {
        let mut builder = Dhcpv6Builder::new(MessageType::Request, XID);
        for (code, value) in &options {
            builder.option(OptionCode(*code), value).unwrap();
        }
        let message = builder.finish();
        let view = Dhcpv6View::parse(&message).unwrap();
        prop_assert_eq!(view.options().count(), options.len());
        prop_assert!(touch(&view) >= 9);
    }
}
