use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use proptest::collection::vec as bytes_of;
use proptest::option;
use proptest::prelude::*;
use rackweave_types::MacAddr;

use crate::lldp::{
    Capabilities, Capability, CapabilitySet, ChassisId, Flaw, IdKind, MAX_LEN, MacPhy,
    ManagementAddress, Message, Organisation, ParseError, Plain, PortId, Unknown,
};

const MAC: MacAddr = MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0x00, 0x01]);

fn ours() -> Message {
    let address: Ipv6Addr = "fdb0:a840:2510:1::1".parse().unwrap();
    Message {
        port_description: Some("to a switch".into()),
        system_name: Some("sled-01".into()),
        system_description: Some("Rackweave sled".into()),
        capabilities: Some(Capabilities::only(Capability::Station)),
        management: vec![ManagementAddress::ipv6(address)],
        mac_phy: Some(MacPhy {
            autonegotiation: 3,
            offered: 0x0001,
            mau: 54,
        }),
        max_frame: NonZeroU16::new(9_018),
        ..Message::new(ChassisId::mac(MAC), PortId::interface("t0").unwrap(), 121)
    }
}

/// What we say, octet by octet. Frozen: neighbours read it, so do not change the test.
const OURS: &[&[u8]] = &[
    b"\x02\x07\x04\xa8\x40\x25\x10\x00\x01",
    b"\x04\x03\x05t0",
    b"\x06\x02\x00\x79",
    b"\x08\x0bto a switch",
    b"\x0a\x07sled-01",
    b"\x0c\x0eRackweave sled",
    b"\x0e\x04\x00\x80\x00\x80",
    b"\x10\x18\x11\x02\xfd\xb0\xa8\x40\x25\x10\x00\x01\0\0\0\0\0\0\0\x01\x01\0\0\0\0\0",
    b"\xfe\x09\x00\x12\x0f\x01\x03\x00\x01\x00\x36",
    b"\xfe\x06\x00\x12\x0f\x04\x23\x3a",
    b"\x00\x00",
];

/// A frame as bridges send it: ids of other kinds, two management addresses, elements of others, and padding.
const THEIRS: &[&[u8]] = &[
    b"\x02\x06\x05\x01\xc0\x00\x02\x07",
    b"\x04\x09\x01uplink 1",
    b"\x06\x02\x00\x14",
    b"\x0e\x04\x00\x14\x00\x04",
    b"\x10\x0c\x05\x01\xc0\x00\x02\x07\x02\x00\x00\x00\x03\x00",
    b"\x10\x12\x07\x06\xa8\x40\x25\x10\x00\x01\x03\x00\x00\x00\x09\x04\x06\x02\x2b\x01",
    b"\xfe\x06\x00\x80\xc2\x01\x00\x0a",
    b"\x12\x01\x07",
    b"\x00\x00",
    b"\0\0\0\0\0\0",
];

#[test]
fn what_we_say_is_frozen() {
    assert_eq!(ours().emit(), OURS.concat());
    let parsed = Message::parse(&OURS.concat()).unwrap();
    assert_eq!((parsed.message, parsed.flaws), (ours(), vec![]));
}

#[test]
fn what_bridges_say_is_read() {
    let parsed = Message::parse(&THEIRS.concat()).unwrap();
    assert_eq!(parsed.flaws, []);
    let message = parsed.message;
    assert_eq!(message.chassis.kind(), IdKind::Network);
    assert_eq!(message.chassis.to_string(), "192.0.2.7");
    assert_eq!(message.port.kind(), IdKind::InterfaceAlias);
    assert_eq!(message.port.to_string(), "uplink 1");
    assert_eq!(message.ttl, 20);
    let capabilities = message.capabilities.unwrap();
    let able = [Capability::Bridge, Capability::Router];
    assert!(capabilities.able.iter().eq(able));
    assert_eq!(
        capabilities.enabled,
        CapabilitySet::only(Capability::Bridge)
    );
    let addresses = message.management.iter().map(ToString::to_string);
    assert!(addresses.eq(["192.0.2.7", "0x06a84025100001"]));
    let unknown = [
        Unknown::Organisation {
            organisation: Organisation::BRIDGING,
            subtype: 1,
            octets: [0, 10].into(),
        },
        Unknown::Reserved {
            kind: 9,
            octets: [7].into(),
        },
    ];
    assert_eq!(message.unknown, unknown);
}

#[test]
fn a_message_without_an_owner_is_refused() {
    let whole = OURS.concat();
    for (bytes, text) in [
        (vec![], "the message ends before its chassis id"),
        (vec![0x02], "the message's chassis id cannot be read"),
        (whole[..9].to_vec(), "the message ends before its port id"),
        (
            whole[9..].to_vec(),
            "port id element where the message must have its chassis id",
        ),
        (
            [OURS[0], OURS[1], OURS[3]].concat(),
            "port description element where the message must have its time to live",
        ),
        (
            [OURS[0], OURS[1], b"\x06\x01\x07"].concat(),
            "the message's time to live cannot be read",
        ),
        (
            b"\x02\x01\x04".to_vec(),
            "the message's chassis id cannot be read",
        ),
        (
            b"\x02\x00".to_vec(),
            "the message's chassis id cannot be read",
        ),
    ] {
        assert_eq!(Message::parse(&bytes).unwrap_err().to_string(), text);
    }
    let long = [&[0x03, 0x01, 7][..], &[b'x'; 256]].concat();
    let error = Message::parse(&long).unwrap_err();
    assert!(matches!(error, ParseError::Id { wanted: 1, source } if source.got == 256));
}

#[test]
fn a_wrong_element_costs_itself_alone() {
    let head = OURS[..3].concat();
    for (element, flaw) in [
        (
            &b"\x0e\x03\x00\x80\x00"[..],
            Flaw::Length { kind: 7, len: 3 },
        ),
        (b"\x10\x02\x01\x01", Flaw::Length { kind: 8, len: 2 }),
        (b"\xfe\x03\x00\x12\x0f", Flaw::Length { kind: 127, len: 3 }),
        (
            b"\xfe\x05\x00\x12\x0f\x01\x00",
            Flaw::Length { kind: 127, len: 5 },
        ),
        (
            b"\xfe\x06\x00\x12\x0f\x04\x00\x00",
            Flaw::Length { kind: 127, len: 6 },
        ),
        (OURS[1], Flaw::Second { kind: 2 }),
        (b"\x06\x02\x00\x00", Flaw::Second { kind: 3 }),
    ] {
        let bytes = [&head, element, OURS[4], OURS[4]].concat();
        let parsed = Message::parse(&bytes).unwrap();
        assert_eq!(
            parsed.flaws,
            [flaw, Flaw::Second { kind: 5 }],
            "{element:x?}"
        );
        assert_eq!(parsed.message.ttl, 121);
        assert_eq!(parsed.message.system_name.as_deref(), Some("sled-01"));
    }
    let cut = [&head, OURS[4], &OURS[5][..6]].concat();
    let parsed = Message::parse(&cut).unwrap();
    let flaw = Flaw::Cut {
        kind: 6,
        len: 14,
        got: 4,
    };
    assert_eq!(parsed.flaws, [flaw]);
    assert_eq!(
        flaw.to_string(),
        "system description element of 14 octets, of which 4 are there"
    );
    assert_eq!(parsed.message.system_name.as_deref(), Some("sled-01"));
}

#[test]
fn what_does_not_fit_is_left_out() {
    let address = ManagementAddress::ipv6(Ipv6Addr::LOCALHOST);
    let message = Message {
        system_description: Some("ä".repeat(200)),
        management: vec![address; 100],
        ..ours()
    };
    let bytes = message.emit();
    assert!(
        bytes.len() <= MAX_LEN && bytes.len() > MAX_LEN - 30,
        "{}",
        bytes.len()
    );
    let parsed = Message::parse(&bytes).unwrap();
    assert_eq!(parsed.flaws, []);
    assert_eq!(parsed.message.system_description, Some("ä".repeat(127)));
    assert!(!parsed.message.management.is_empty());
}

#[test]
fn texts_cannot_speak_to_a_terminal() {
    let text = "\u{1b}[2Jswitch\n  two\u{202e}\0";
    assert_eq!(Plain(text).to_string(), "[2Jswitch two");
    let chassis = ChassisId::new(7, text.as_bytes()).unwrap();
    assert_eq!(chassis.to_string(), "[2Jswitch two");
    let odd = ChassisId::new(4, &[1, 2, 3]).unwrap();
    assert_eq!(
        (odd.kind(), odd.to_string()),
        (IdKind::Mac, "0x010203".into())
    );
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("[a-zäö ]{0,100}[a-z]")
}

fn management() -> impl Strategy<Value = ManagementAddress> {
    any::<[u8; 16]>().prop_map(|octets| ManagementAddress::ipv6(octets.into()))
}

fn unknown() -> impl Strategy<Value = Unknown> {
    let octets = || bytes_of(any::<u8>(), 0..40).prop_map(Vec::into_boxed_slice);
    let reserved = (9..127_u8, octets());
    let own = (any::<u8>(), octets());
    prop_oneof![
        reserved.prop_map(|(kind, octets)| Unknown::Reserved { kind, octets }),
        own.prop_map(|(subtype, octets)| Unknown::Organisation {
            organisation: Organisation::BRIDGING,
            subtype,
            octets
        }),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let ids = (
        any::<u8>(),
        bytes_of(any::<u8>(), 1..60),
        any::<u8>(),
        bytes_of(any::<u8>(), 1..60),
    );
    let sets = option::of(any::<(u16, u16)>());
    let phy = option::of(any::<(u8, u16, u16)>());
    let lists = (bytes_of(management(), 0..3), bytes_of(unknown(), 0..4));
    let numbers = (any::<u16>(), sets, phy, option::of(any::<NonZeroU16>()));
    (ids, [text(), text(), text()], numbers, lists).prop_map(
        |(
            (a, chassis, b, port),
            [port_description, system_name, system_description],
            (ttl, sets, phy, max_frame),
            (management, unknown),
        )| Message {
            port_description,
            system_name,
            system_description,
            capabilities: sets.map(|(able, enabled)| Capabilities {
                able: CapabilitySet(able),
                enabled: CapabilitySet(enabled),
            }),
            management,
            mac_phy: phy.map(|(autonegotiation, offered, mau)| MacPhy {
                autonegotiation,
                offered,
                mau,
            }),
            max_frame,
            unknown,
            ..Message::new(
                ChassisId::new(a, &chassis).unwrap(),
                PortId::new(b, &port).unwrap(),
                ttl,
            )
        },
    )
}

/// Any octets, and such as were a message before some of them changed.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let flips = bytes_of((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let mangled = (message(), flips, any::<prop::sample::Index>());
    let mangled = mangled.prop_map(|(message, flips, end)| {
        let mut bytes = message.emit();
        for (at, octet) in flips {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        bytes
    });
    prop_oneof![1 => bytes_of(any::<u8>(), 0..200), 4 => mangled]
}

proptest! {
    #[test]
    fn a_message_reads_as_it_was_written(message in message()) {
        let bytes = message.emit();
        prop_assert!(bytes.len() <= MAX_LEN);
        let parsed = Message::parse(&bytes).unwrap();
        prop_assert_eq!(parsed.flaws, []);
        prop_assert_eq!(parsed.message, message);
    }

    #[test]
    fn no_input_panics_and_what_is_read_is_read_again(bytes in hostile()) {
        if let Ok(parsed) = Message::parse(&bytes) {
            let again = Message::parse(&parsed.message.emit()).unwrap();
            prop_assert_eq!(again.flaws, []);
            // Texts that were none are longer once they are marked, and then cut.
            prop_assert_eq!(again.message.chassis, parsed.message.chassis);
            prop_assert_eq!(again.message.port, parsed.message.port);
            prop_assert_eq!(again.message.ttl, parsed.message.ttl);
            let name = parsed.message.system_name.unwrap_or_default();
            prop_assert!(!Plain(&name).to_string().contains(char::is_control));
        }
    }
}
