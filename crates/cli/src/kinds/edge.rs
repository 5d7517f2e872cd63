//! Switches and what joins them to the customer's network.

use rackweave_api::control::spec;

use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

/// A rack switch.
pub(crate) static SWITCH: Kind = Kind {
    name: "switch",
    plural: "switches",
    command: "switch",
    whose: Whose::Operators,
    parent: None,
    about: "Rack switches",
    verbs: Verb::ALL,
    fields: &[
        Field::new("prefix", Form::Net6, "Its /64; it never changes").required(),
        Field::new(
            "group",
            Form::Number,
            "The boundary group that it is one of, by its index",
        ),
        Field::new(
            "asn",
            Form::Number,
            "Its autonomous system; none where it speaks no BGP",
        ),
    ],
    columns: &[
        Column::new("PREFIX", "spec.prefix"),
        Column::new(">GROUP", "spec.group"),
        Column::new(">ASN", "spec.asn"),
    ],
    example: "rackweave fleet switch create switch-a --prefix fd00:1122:3344:1fd::/64 --group 0 --asn 65000",
    check: check::<spec::SwitchSpec>,
};

/// A link of a switch to the customer's network.
pub(crate) static UPLINK: Kind = Kind {
    name: "uplink",
    plural: "uplinks",
    command: "uplink",
    whose: Whose::Operators,
    parent: Some(&SWITCH),
    about: "Links of a switch to the customer's network",
    verbs: Verb::ALL,
    fields: &[
        Field::new("interface", Form::Text, "The interface").required(),
        Field::new(
            "address",
            Form::Net,
            "An address of the switch there, with the length of its prefix",
        )
        .at("addresses")
        .many(),
        Field::new("vlan", Form::Number, "The 802.1Q tag of its frames"),
        Field::new(
            "mtu",
            Form::Number,
            "The longest packet that it carries [default: 1500]",
        ),
    ],
    columns: &[
        Column::new("INTERFACE", "spec.interface"),
        Column::new("ADDRESSES", "spec.addresses"),
        Column::new(">VLAN", "spec.vlan"),
        Column::new(">MTU", "spec.mtu"),
    ],
    example: "rackweave fleet uplink create up0 --switch switch-a --interface qsfp0 --address 192.0.2.2/30",
    check: check::<spec::UplinkSpec>,
};

/// A BGP session of a switch.
pub(crate) static BGP_PEER: Kind = Kind {
    name: "bgp-peer",
    plural: "bgp-peers",
    command: "bgp-peer",
    whose: Whose::Operators,
    parent: Some(&SWITCH),
    about: "BGP sessions of a switch",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "uplink",
            Form::Text,
            "The uplink over which the peer is reached",
        )
        .required(),
        Field::new(
            "address",
            Form::Ip,
            "The peer's address; the one neighbour of the link where there is none",
        ),
        Field::new(
            "asn",
            Form::Number,
            "The peer's autonomous system; any but our own where there is none",
        ),
        Field::new(
            "hold-time",
            Form::Number,
            "Seconds until a silent peer counts as dead [default: 90]",
        )
        .at("hold_time"),
        Field::new(
            "import",
            Form::Net,
            "A prefix that the peer may tell; everything where there is none",
        )
        .many(),
        Field::new(
            "max-prefixes",
            Form::Number,
            "The most prefixes that the peer may tell [default: 1000000]",
        )
        .at("max_prefixes"),
    ],
    columns: &[
        Column::new("UPLINK", "spec.uplink"),
        Column::new("ADDRESS", "spec.address"),
        Column::new(">ASN", "spec.asn"),
    ],
    example: "rackweave fleet bgp-peer create customer-a --switch switch-a --uplink up0 --address 192.0.2.1 --asn 64512",
    check: check::<spec::BgpPeerSpec>,
};

/// A static route of a switch.
pub(crate) static STATIC_ROUTE: Kind = Kind {
    name: "static-route",
    plural: "static-routes",
    command: "static-route",
    whose: Whose::Operators,
    parent: Some(&SWITCH),
    about: "Static routes of a switch",
    verbs: Verb::ALL,
    fields: &[
        Field::new("destination", Form::Net, "Where to").required(),
        Field::new("next-hop", Form::Ip, "By whom")
            .at("next_hop")
            .required(),
    ],
    columns: &[
        Column::new("DESTINATION", "spec.destination"),
        Column::new("NEXT HOP", "spec.next_hop"),
    ],
    example: "rackweave fleet static-route create out --switch switch-a --destination 0.0.0.0/0 --next-hop 192.0.2.1",
    check: check::<spec::StaticRouteSpec>,
};
