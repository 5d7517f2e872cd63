//! The AZ, its racks and sleds.

use rackweave_api::control::spec;

use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

/// The AZ itself.
pub(crate) static AZ: Kind = Kind {
    name: "az",
    plural: "azs",
    command: "az",
    whose: Whose::Operators,
    parent: None,
    about: "What holds in the whole AZ: its prefix, its boundary groups; the first object of all",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "prefix",
            Form::Net6,
            "Its /48 on the underlay; it never changes",
        )
        .required(),
        Field::new(
            "zone",
            Form::Text,
            "The availability zone as instances are told it",
        ),
        Field::new(
            "underlay-mtu",
            Form::Number,
            "The longest packet of the underlay [default: 9000]",
        )
        .at("underlay_mtu"),
        Field::new(
            "boundary-mtu",
            Form::Number,
            "The longest packet of the customer's network [default: 1500]",
        )
        .at("boundary_mtu"),
        Field::new(
            "group",
            Form::Group,
            "A boundary group, and the pools that it serves",
        )
        .at("groups")
        .many(),
        Field::new(
            "resolver",
            Form::Ip,
            "A DNS server to which names outside all zones are forwarded",
        )
        .at("resolvers")
        .many(),
        Field::new(
            "domain",
            Form::Text,
            "The domain above all projects [default: internal]",
        ),
        Field::new(
            "socket-dir",
            Form::Text,
            "The directory of vhost-user sockets on every sled",
        )
        .at("socket_dir"),
        Field::new(
            "api-port",
            Form::Number,
            "The TCP port at which controllers serve users from outside [default: 443]",
        )
        .at("api_port"),
    ],
    columns: &[
        Column::new("PREFIX", "spec.prefix"),
        Column::new("ZONE", "spec.zone"),
        Column::new(">MTU", "spec.underlay_mtu"),
        Column::new("DOMAIN", "spec.domain"),
    ],
    example: "rackweave fleet az create az --prefix fd00:1122:3344::/48",
    check: check::<spec::AzSpec>,
};

/// A rack.
pub(crate) static RACK: Kind = Kind {
    name: "rack",
    plural: "racks",
    command: "rack",
    whose: Whose::Operators,
    parent: None,
    about: "Racks",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "number",
            Form::Text,
            "Its number in addresses, two hexadecimal digits, 01 to fe; it never changes",
        )
        .required(),
        Field::new("location", Form::Text, "Where it stands"),
    ],
    columns: &[
        Column::new(">NUMBER", "spec.number"),
        Column::new("LOCATION", "spec.location"),
    ],
    example: "rackweave fleet rack create rack-1 --number 01 --location 'row 4'",
    check: check::<spec::RackSpec>,
};

/// A sled.
pub(crate) static SLED: Kind = Kind {
    name: "sled",
    plural: "sleds",
    command: "sled",
    whose: Whose::Operators,
    parent: None,
    about: "Sleds: where instances run",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "prefix",
            Form::Net6,
            "Its /64, as rack setup gave it; it never changes",
        )
        .required(),
        Field::new(
            "use",
            Form::Word(&["in-service", "draining", "out-of-service"]),
            "Whether instances are placed on it; those of a draining sled stay until they are moved",
        ),
        Field::new(
            "capacity",
            Form::Number,
            "How many NICs of guests it carries [default: 1024]",
        ),
        Field::new(
            "src-mac",
            Form::Mac,
            "Outer Ethernet source of what it sends",
        )
        .at("src_mac")
        .required(),
        Field::new("dst-mac", Form::Mac, "Outer Ethernet destination")
            .at("dst_mac")
            .required(),
        Field::new(
            "api",
            Form::Bool,
            "Whether a controller on it serves users from outside, at addresses of the system's pools",
        ),
    ],
    columns: &[
        Column::new("PREFIX", "spec.prefix"),
        Column::new("USE", "spec.use"),
        Column::new(">CAPACITY", "spec.capacity"),
    ],
    example: "rackweave fleet sled create sled-1 --prefix fd00:1122:3344:101::/64 \
              --src-mac 02:00:00:00:00:01 --dst-mac 02:00:00:00:01:01",
    check: check::<spec::SledSpec>,
};
