mod oracle;

use alloc::string::ToString;
use alloc::vec::Vec;

use ipnet::Ipv6Net;
use proptest::collection::vec;
use proptest::prelude::*;
use rackweave_types::MacAddr;

use super::*;
use crate::domain;
use crate::options::{HeaderOption, Options};
use crate::testing::{emitted, hostile, mac, prefixes};

/// The data that options borrow.
#[derive(Clone, Debug)]
struct Owned {
    mac: MacAddr,
    net: Ipv6Net,
    flags: (bool, bool),
    seconds: (u32, u32),
    servers: Vec<[u8; 16]>,
    names: Vec<u8>,
    packet: Vec<[u8; 8]>,
    kind: u8,
    data: Vec<[u8; 8]>,
}

prop_compose! {
    fn owned()(
        mac in mac(), address: Ipv6Addr, len in 0..=128_u8, flags: (bool, bool),
        seconds: (u32, u32), servers in vec(any::<[u8; 16]>(), 1..4),
        names in vec("[a-z]{1,20}(\\.[a-z0-9]{1,20}){0,2}", 1..4),
        packet in vec(any::<[u8; 8]>(), 0..6),
        kind in 32_u8.., data in vec(any::<[u8; 8]>(), 1..3),
    ) -> Owned {
        let mut encoded = Vec::new();
        for name in names {
            domain::put(&name, &mut encoded).unwrap();
        }
        let net = Ipv6Net::new(address, len).unwrap().trunc();
        Owned { mac, net, flags, seconds, servers, names: encoded, packet, kind, data }
    }
}

impl Owned {
    fn prefix(&self) -> PrefixInformation {
        PrefixInformation {
            prefix: self.net,
            on_link: self.flags.0,
            autonomous: self.flags.1,
            valid: Lifetime::from_secs(self.seconds.0),
            preferred: Lifetime::from_secs(self.seconds.1),
        }
    }

    /// One of every kind.
    fn options(&self) -> [NdpOption<'_>; 9] {
        let lifetime = Lifetime::from_secs(self.seconds.0);
        let preference = match self.flags {
            (true, _) => RouterPreference::High,
            (_, true) => RouterPreference::Low,
            _ => RouterPreference::Medium,
        };
        [
            NdpOption::SourceLinkLayer(self.mac),
            NdpOption::TargetLinkLayer(self.mac),
            NdpOption::PrefixInformation(self.prefix()),
            NdpOption::RedirectedHeader(self.packet.as_flattened()),
            NdpOption::Mtu(self.seconds.1),
            NdpOption::RouteInformation(RouteInformation {
                prefix: self.net,
                preference,
                lifetime,
            }),
            NdpOption::RecursiveDns {
                lifetime,
                servers: &self.servers,
            },
            NdpOption::SearchList {
                lifetime,
                names: &self.names,
            },
            NdpOption::Unknown {
                kind: self.kind,
                data: &self.data.as_flattened()[2..],
            },
        ]
    }
}

/// One message of every type with these options.
fn messages<'a>(
    target: Ipv6Addr,
    flags: (bool, bool),
    options: Options<'a, NdpOption<'a>>,
) -> [NdpRepr<'a>; 5] {
    let router = RouterAdvertisement {
        hop_limit: 64,
        managed: flags.0,
        other: flags.1,
        preference: RouterPreference::High,
        lifetime: RouterLifetime::from_secs(1800),
        reachable: Milliseconds::new(30_000),
        retransmit: Milliseconds::new(1_000),
    };
    [
        NdpRepr::RouterSolicitation { options },
        NdpRepr::RouterAdvertisement { router, options },
        NdpRepr::NeighborSolicitation { target, options },
        NdpRepr::NeighborAdvertisement {
            target,
            is_router: flags.0,
            solicited: flags.1,
            overrides: !flags.0,
            options,
        },
        NdpRepr::Redirect {
            target,
            destination: target,
            options,
        },
    ]
}

fn unicast() -> impl Strategy<Value = Ipv6Addr> {
    any::<Ipv6Addr>().prop_filter("multicast", |address| !address.is_multicast())
}

fn exercise(bytes: &[u8]) {
    let Ok(view) = NdpView::parse(bytes) else {
        return;
    };
    assert!(view.options().count() <= bytes.len() / 8);
    let Ok(repr) = NdpRepr::parse(&view) else {
        return;
    };
    let again = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
    assert_eq!(NdpRepr::parse(&NdpView::parse(&again).unwrap()), Ok(repr));
}

fn option(bytes: &[u8]) -> Result<NdpOption<'_>, NdpError> {
    NdpOption::read(bytes, 0).map(|read| read.unwrap().0)
}

#[test]
fn malformed_options_say_what_and_where() {
    let length = |kind, got, left| {
        Err(NdpError::OptionLength {
            kind,
            offset: 0,
            got,
            left,
        })
    };
    assert_eq!(option(&[1]), length(1, 0, 1));
    assert_eq!(option(&[1, 0, 0, 0, 0, 0, 0, 0]), length(1, 0, 8));
    assert_eq!(option(&[1, 2, 0, 0, 0, 0, 0, 0]), length(1, 16, 8));
    assert_eq!(
        option(&[5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Err(NdpError::OptionData { kind: 5, got: 16 })
    );
    assert_eq!(
        option(&[25, 1, 0, 0, 0, 0, 0, 9]),
        Err(NdpError::OptionData { kind: 25, got: 8 })
    );
    let names = option(&[31, 2, 0, 0, 0, 0, 0, 9, 1, b'a', 7, b'b', 0, 0, 0, 0]);
    assert_eq!(
        names,
        Err(NdpError::Names {
            kind: 31,
            offset: 2
        })
    );
    let route = option(&[24, 1, 9, 0, 0, 0, 0, 9]);
    assert_eq!(route, Err(NdpError::PrefixLength { kind: 24, got: 9 }));
    assert_eq!(
        NdpError::OptionLength {
            kind: 1,
            offset: 8,
            got: 0,
            left: 8
        }
        .to_string(),
        "neighbor discovery option 1 at offset 8 has length 0, of 8 bytes left"
    );
}

#[test]
fn routes_of_reserved_preference_are_ignored() {
    let bytes = [24, 1, 0, 0b10 << 3, 0, 0, 0, 9];
    assert!(matches!(
        option(&bytes),
        Ok(NdpOption::Unknown { kind: 24, .. })
    ));
}

#[test]
fn options_that_would_be_read_otherwise_are_refused() {
    let refused = |option| Options::new(&[option]).map(|_| ()).unwrap_err();
    let data = |kind, got| NdpError::OptionData { kind, got };
    assert_eq!(refused(NdpOption::RedirectedHeader(&[0; 7])), data(4, 16));
    let lifetime = Lifetime::INFINITE;
    assert_eq!(
        refused(NdpOption::RecursiveDns {
            lifetime,
            servers: &[]
        }),
        data(25, 8)
    );
    assert_eq!(
        refused(NdpOption::SearchList {
            lifetime,
            names: &[]
        }),
        data(31, 8)
    );
    assert_eq!(
        refused(NdpOption::SearchList {
            lifetime,
            names: &[1, b'a', 0, 0]
        }),
        data(31, 16)
    );
    assert_eq!(
        refused(NdpOption::Unknown {
            kind: 200,
            data: &[0; 7]
        }),
        data(200, 16)
    );
    assert_eq!(
        refused(NdpOption::Unknown {
            kind: 1,
            data: &[0; 6]
        }),
        NdpError::OptionKind { kind: 1 }
    );
    assert_eq!(
        refused(NdpOption::RedirectedHeader(&[0; 2040])),
        data(4, 2048)
    );
}

#[test]
fn senseless_messages_are_refused() {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let host = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let parse = |repr: NdpRepr<'_>| {
        let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
        NdpRepr::parse(&NdpView::parse(&bytes).unwrap()).map(|_| ())
    };
    let options = Options::EMPTY;
    let kind = Icmpv6Type::NEIGHBOR_SOLICITATION;
    assert_eq!(
        parse(NdpRepr::NeighborSolicitation {
            target: all_nodes,
            options
        }),
        Err(NdpError::Target {
            kind,
            got: all_nodes
        })
    );
    let redirect = |target, destination| {
        parse(NdpRepr::Redirect {
            target,
            destination,
            options,
        })
    };
    assert_eq!(redirect(router, host), Ok(()));
    assert_eq!(
        redirect(router, all_nodes),
        Err(NdpError::Destination { got: all_nodes })
    );
    let elsewhere = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    assert_eq!(
        redirect(elsewhere, host),
        Err(NdpError::RedirectTarget { got: elsewhere })
    );

    let with_code = NdpView::parse(&[133, 1, 0, 0, 0, 0, 0, 0]).map(|view| NdpRepr::parse(&view));
    let kind = Icmpv6Type::ROUTER_SOLICITATION;
    assert_eq!(with_code, Ok(Err(NdpError::Code { kind, got: 1 })));
    let echo = NdpView::parse(&[128, 0, 0, 0, 0, 0, 0, 0]).map(|_| ());
    assert_eq!(
        echo,
        Err(NdpError::Type {
            got: Icmpv6Type::ECHO_REQUEST
        })
    );
}

proptest! {
    #[test]
    fn round_trip(owned in owned(), target in unicast()) {
        let list = owned.options();
        let options = Options::new(&list).unwrap();
        for repr in messages(target, owned.flags, options) {
            let bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
            let fixed = repr.buffer_len() - options.buffer_len();
            prefixes(&bytes, fixed, NdpView::parse);
            let view = NdpView::parse(&bytes).unwrap();
            let seen = view.options().collect::<Result<Vec<_>, _>>().unwrap();
            prop_assert_eq!(&seen[..], &list[..]);
            prop_assert_eq!(NdpRepr::parse(&view), Ok(repr));
        }
    }

    #[test]
    fn names_are_read_back(owned in owned()) {
        let names = domain::Names::new(&owned.names, domain::Compression::Forbidden);
        let mut again = Vec::new();
        for name in names {
            domain::put(&name.unwrap(), &mut again).unwrap();
        }
        prop_assert_eq!(again, owned.names);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(
        bytes in (owned(), unicast(), 0..5_usize, 0..9_usize).prop_flat_map(
            |(owned, target, form, first)| {
                let list = owned.options();
                let options = Options::new(&list[first..]).unwrap();
                let repr = messages(target, owned.flags, options)[form];
                hostile(emitted(repr.buffer_len(), |buffer| repr.emit(buffer)))
            },
        ),
    ) {
        exercise(&bytes);
    }
}
