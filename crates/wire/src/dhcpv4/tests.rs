mod oracle;

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use proptest::prelude::*;
use rackweave_types::MacAddr;

use super::*;
use crate::domain::DomainError;
use crate::error::Truncated;

const MAC: MacAddr = MacAddr::new([2, 0x72, 0x77, 0, 0, 1]);

fn discover() -> Vec<u8> {
    Dhcpv4Builder::request(0x0102_0304, MAC, MessageType::Discover).finish()
}

/// A request with these bytes instead of options.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut message = discover();
    message.truncate(HEADER_LEN);
    message.extend_from_slice(options);
    message
}

fn error(message: &[u8]) -> Dhcpv4Error {
    Dhcpv4View::parse(message).unwrap_err()
}

#[test]
fn a_request_reads_back() {
    let mut builder = Dhcpv4Builder::request(7, MAC, MessageType::Request);
    builder.broadcast().client_address([10, 0, 0, 5].into());
    builder.requested_address([10, 0, 0, 6].into()).unwrap();
    builder
        .client_id(&[1, 2, 3])
        .unwrap()
        .max_message_size(100)
        .unwrap();
    builder
        .parameter_list(&[OptionCode::ROUTER, OptionCode::DNS_SERVER])
        .unwrap();
    let message = builder.finish();
    let view = Dhcpv4View::parse(&message).unwrap();
    assert_eq!(
        (view.op(), view.xid(), view.broadcast()),
        (Op::Request, 7, true)
    );
    assert_eq!(view.client_mac(), Some(MAC));
    assert_eq!(view.client_address(), Ipv4Addr::new(10, 0, 0, 5));
    assert_eq!(view.message_type(), Ok(MessageType::Request));
    assert_eq!(view.requested_address(), Ok(Some([10, 0, 0, 6].into())));
    assert_eq!(view.client_id().unwrap().unwrap(), &[1, 2, 3][..]);
    assert_eq!(view.max_message_size(), Ok(Some(576)));
    assert_eq!(view.parameter_list().unwrap(), &[3, 6][..]);
    assert_eq!(view.server_id(), Ok(None));
}

#[test]
fn a_reply_goes_back_the_way_the_request_came() {
    let mut message = discover();
    message[10] = 0x80;
    message[24..28].copy_from_slice(&[192, 0, 2, 1]);
    let request = Dhcpv4View::parse(&message).unwrap();
    let reply = Dhcpv4Builder::reply(&request, MessageType::Offer)
        .unwrap()
        .finish();
    assert_eq!(reply.len(), 300);
    let view = Dhcpv4View::parse(&reply).unwrap();
    assert_eq!(
        (view.op(), view.xid(), view.broadcast()),
        (Op::Reply, 0x0102_0304, true)
    );
    assert_eq!(
        (view.client_mac(), view.relay()),
        (Some(MAC), Ipv4Addr::new(192, 0, 2, 1))
    );
    assert_eq!(view.message_type(), Ok(MessageType::Offer));
}

#[test]
fn lease_times_are_a_half_and_seven_eighths() {
    let times = |seconds| {
        let mut builder = Dhcpv4Builder::request(0, MAC, MessageType::Ack);
        builder.lease(seconds).unwrap();
        let message = builder.finish();
        let view = Dhcpv4View::parse(&message).unwrap();
        [
            OptionCode::LEASE_TIME,
            OptionCode::RENEWAL_TIME,
            OptionCode::REBINDING_TIME,
        ]
        .map(|code| view.seconds(code).unwrap().unwrap())
    };
    assert_eq!(times(3601), [3601, 1800, 3150]);
    assert_eq!(
        times(u32::MAX - 1),
        [u32::MAX - 1, 0x7fff_ffff, 0xdfff_fffe]
    );
    assert_eq!(times(u32::MAX), [u32::MAX; 3]);
}

#[test]
fn a_header_that_makes_no_sense_is_refused() {
    let whole = discover();
    let truncated = Truncated {
        header: "dhcpv4 header",
        needed: 240,
        got: 239,
    };
    assert_eq!(error(&whole[..239]), truncated.into());
    for (at, value, expected) in [
        (0, 3, Dhcpv4Error::Op { got: 3 }),
        (2, 17, Dhcpv4Error::HardwareLen { got: 17 }),
        (
            239,
            0,
            Dhcpv4Error::Cookie {
                got: [99, 130, 83, 0],
            },
        ),
    ] {
        let mut message = whole.clone();
        message[at] = value;
        assert_eq!(error(&message), expected);
    }
}

#[test]
fn other_hardware_has_no_ethernet_address() {
    let mut message = discover();
    message[1] = 32;
    assert_eq!(Dhcpv4View::parse(&message).unwrap().client_mac(), None);
}

#[test]
fn an_option_that_is_cut_is_named() {
    let code = OptionCode::HOST_NAME;
    let expected = Dhcpv4Error::OptionCut {
        code,
        at: 244,
        needed: 6,
        got: 5,
    };
    assert_eq!(
        error(&with_options(&[53, 1, 1, 0, 12, 4, 1, 2, 3])),
        expected
    );
    assert_eq!(
        expected.to_string(),
        "dhcpv4 host name at offset 244 needs 6 bytes, 5 are there"
    );
    let expected = Dhcpv4Error::OptionCut {
        code,
        at: 240,
        needed: 2,
        got: 1,
    };
    assert_eq!(error(&with_options(&[12])), expected);
}

#[test]
fn a_missing_end_option_is_no_error() {
    let message = with_options(&[53, 1, 1]);
    assert_eq!(
        Dhcpv4View::parse(&message).unwrap().message_type(),
        Ok(MessageType::Discover)
    );
    let message = with_options(&[]);
    let view = Dhcpv4View::parse(&message).unwrap();
    assert_eq!(view.message_type(), Err(Dhcpv4Error::NoMessageType));
}

#[test]
fn nothing_counts_behind_the_end_option() {
    let message = with_options(&[53, 1, 1, 255, 53, 9]);
    assert_eq!(Dhcpv4View::parse(&message).unwrap().options().count(), 1);
}

/// RFC 3396 section 5: the options field, then `file`, then `sname`.
#[test]
fn overloaded_fields_continue_the_options() {
    let mut message = with_options(&[12, 1, b'a', 52, 1, 3, 255]);
    message[108..112].copy_from_slice(&[12, 1, b'b', 255]);
    message[44..47].copy_from_slice(&[12, 1, b'c']);
    let view = Dhcpv4View::parse(&message).unwrap();
    assert_eq!(view.option(OptionCode::HOST_NAME).unwrap(), &b"abc"[..]);
    message[245] = 1;
    let view = Dhcpv4View::parse(&message).unwrap();
    assert_eq!(view.option(OptionCode::HOST_NAME).unwrap(), &b"ab"[..]);
    message[245] = 2;
    let view = Dhcpv4View::parse(&message).unwrap();
    assert_eq!(view.option(OptionCode::HOST_NAME).unwrap(), &b"ac"[..]);
    message[245] = 4;
    assert_eq!(error(&message), Dhcpv4Error::Overload { got: 4 });
}

#[test]
fn an_option_cut_in_an_overloaded_field_is_placed() {
    let mut message = with_options(&[52, 1, 2, 255]);
    message[44..108].fill(0);
    message[106..108].copy_from_slice(&[12, 9]);
    let expected = Dhcpv4Error::OptionCut {
        code: OptionCode::HOST_NAME,
        at: 106,
        needed: 11,
        got: 2,
    };
    assert_eq!(error(&message), expected);
}

#[test]
fn values_of_a_wrong_length_are_refused() {
    let message = with_options(&[
        53, 2, 1, 1, 50, 3, 1, 2, 3, 3, 0, 6, 5, 1, 2, 3, 4, 5, 61, 1, 0,
    ]);
    let view = Dhcpv4View::parse(&message).unwrap();
    let expected = |code, got, expected| Dhcpv4Error::OptionLen {
        code,
        got,
        expected,
    };
    assert_eq!(
        view.message_type(),
        Err(expected(OptionCode::MESSAGE_TYPE, 2, "1"))
    );
    assert_eq!(
        view.requested_address(),
        Err(expected(OptionCode::REQUESTED_ADDRESS, 3, "4"))
    );
    assert_eq!(
        view.routers(),
        Err(expected(OptionCode::ROUTER, 0, "a multiple of 4"))
    );
    assert_eq!(
        view.dns_servers(),
        Err(expected(OptionCode::DNS_SERVER, 5, "a multiple of 4"))
    );
    assert_eq!(
        view.client_id(),
        Err(expected(OptionCode::CLIENT_ID, 1, "at least 2"))
    );
}

/// RFC 3396: a value longer than 255 octets.
#[test]
fn long_values_are_split_and_joined() {
    let mut request = Dhcpv4Builder::request(0, MAC, MessageType::Discover);
    request.max_message_size(1500).unwrap();
    let request = request.finish();
    let request = Dhcpv4View::parse(&request).unwrap();
    let mut builder = Dhcpv4Builder::reply(&request, MessageType::Ack).unwrap();
    let value: Vec<u8> = (0..=255).cycle().take(700).collect();
    builder.option(OptionCode::VENDOR_CLASS, &value).unwrap();
    let reply = builder.finish();
    let view = Dhcpv4View::parse(&reply).unwrap();
    let lens: Vec<_> = view.options().map(|option| option.value.len()).collect();
    assert_eq!(lens, [1, 255, 255, 190]);
    assert_eq!(view.option(OptionCode::VENDOR_CLASS).unwrap(), value);
}

#[test]
fn a_reply_stays_within_what_the_client_takes() {
    let request = discover();
    let request = Dhcpv4View::parse(&request).unwrap();
    let mut builder = Dhcpv4Builder::reply(&request, MessageType::Ack).unwrap();
    // 576 less the headers: 308 for options, 3 taken by the type and 1 by the end.
    let code = OptionCode::MESSAGE;
    let refused = builder.option(code, &[0x20; 301]).unwrap_err();
    assert_eq!(
        refused,
        Dhcpv4BuildError::NoRoom {
            code,
            needed: 305,
            room: 304
        }
    );
    builder.option(code, &[0x20; 300]).unwrap();
    let reply = builder.finish();
    assert_eq!(reply.len(), 548);
    assert_eq!(
        Dhcpv4View::parse(&reply)
            .unwrap()
            .option(code)
            .unwrap()
            .len(),
        300
    );
}

#[test]
fn empty_lists_add_no_option() {
    let mut builder = Dhcpv4Builder::request(0, MAC, MessageType::Ack);
    builder
        .routers(&[])
        .unwrap()
        .domain_search::<&str>(&[])
        .unwrap();
    builder
        .classless_routes(&[])
        .unwrap()
        .host_name("")
        .unwrap();
    assert_eq!(
        Dhcpv4View::parse(&builder.finish())
            .unwrap()
            .options()
            .count(),
        1
    );
    let refused = builder.domain_search(&["a..b"]).unwrap_err();
    assert_eq!(refused, Dhcpv4BuildError::Domain(DomainError::EmptyLabel));
}

/// The examples of RFC 3442, "Classless Route Option Format".
#[test]
fn routes_carry_significant_octets_only() {
    let table: [(&str, &[u8]); 8] = [
        ("0.0.0.0/0", &[0]),
        ("10.0.0.0/8", &[8, 10]),
        ("10.0.0.0/24", &[24, 10, 0, 0]),
        ("10.17.0.0/16", &[16, 10, 17]),
        ("10.27.129.0/24", &[24, 10, 27, 129]),
        ("10.229.0.128/25", &[25, 10, 229, 0, 128]),
        ("10.198.122.47/32", &[32, 10, 198, 122, 47]),
        ("169.254.169.254/32", &[32, 169, 254, 169, 254]),
    ];
    for (destination, octets) in table {
        let route = ClasslessRoute {
            destination: destination.parse().unwrap(),
            router: Ipv4Addr::new(10, 0, 0, 1),
        };
        let mut value = Vec::new();
        route.put(&mut value);
        assert_eq!(value, [octets, &[10, 0, 0, 1]].concat(), "{destination}");
        let found: Result<Vec<_>, _> = ClasslessRoutes::new(&value).collect();
        assert_eq!(found, Ok(vec![route]));
    }
}

#[test]
fn routes_that_are_none_are_placed() {
    let read = |bytes: &[u8]| ClasslessRoutes::new(bytes).last().unwrap().unwrap_err();
    let first = [8, 10, 10, 0, 0, 1];
    assert_eq!(
        read(&[&first[..], &[33, 1, 2, 3, 4, 5, 6, 7, 8, 9]].concat()),
        Dhcpv4Error::RouteWidth { at: 6, got: 33 }
    );
    assert_eq!(
        read(&[&first[..], &[24, 1, 2, 3, 4]].concat()),
        Dhcpv4Error::RouteCut {
            at: 6,
            needed: 8,
            got: 5
        }
    );
    assert_eq!(
        read(&[24]),
        Dhcpv4Error::RouteCut {
            at: 0,
            needed: 8,
            got: 1
        }
    );
}

/// Calls every accessor: none may panic.
fn touch(view: &Dhcpv4View<'_>) -> usize {
    let codes = (0..=255)
        .filter(|&code| view.option(OptionCode(code)).is_some())
        .count();
    let read = [
        view.message_type().is_ok(),
        view.requested_address().is_ok(),
        view.client_id().is_ok(),
        view.routers().is_ok(),
        view.domain_search().is_ok(),
        view.classless_routes().is_ok(),
        view.interface_mtu().is_ok(),
        view.seconds(OptionCode::LEASE_TIME).is_ok(),
        Dhcpv4Builder::reply(view, MessageType::Ack).is_ok(),
    ];
    codes + read.into_iter().filter(|&ok| ok).count()
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..700),
        header: bool,
    ) {
        let mut message = bytes;
        if header && message.len() >= HEADER_LEN {
            message[0] = 1;
            message[2] = 6;
            message[236..240].copy_from_slice(&MAGIC_COOKIE);
        }
        if let Ok(view) = Dhcpv4View::parse(&message) {
            prop_assert!(touch(&view) <= 256 + 9);
        }
    }

    #[test]
    fn any_options_are_read_or_refused(
        mut options in prop::collection::vec(
            (0_u8..=130, prop::collection::vec(any::<u8>(), 0..9)), 0..20,
        ),
        overload in 0_u8..5,
    ) {
        options.push((52, vec![overload]));
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend([code, u8::try_from(value.len()).unwrap()]);
            bytes.extend(value);
        }
        if let Ok(view) = Dhcpv4View::parse(&with_options(&bytes)) {
            prop_assert!(touch(&view) > 0);
        }
    }
}
