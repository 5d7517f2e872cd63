//! VPCs and their parts, but for firewall rules.

use rackweave_api::control::spec;

use super::PROJECT;
use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

/// A virtual private cloud.
pub(crate) static VPC: Kind = Kind {
    name: "vpc",
    plural: "vpcs",
    command: "vpc",
    whose: Whose::Users,
    parent: Some(&PROJECT),
    about: "VPCs: networks that share nothing with each other",
    verbs: Verb::ALL,
    fields: &[
        Field::new("ipv4", Form::Net4, "A block of IPv4 addresses").many(),
        Field::new(
            "ipv6",
            Form::Net6,
            "Its /48 of unique local addresses; drawn where none is named",
        ),
        Field::new(
            "existing-connections",
            Form::Word(&["keep", "cut"]),
            "What becomes of connections that a change of its rules forbids [default: keep]",
        )
        .at("existing_connections"),
    ],
    columns: &[
        Column::new("IPV4", "spec.ipv4"),
        Column::new("IPV6", "given.ipv6"),
        Column::new(">VNI", "given.vni"),
    ],
    example: "rackweave vpc create prod --project shop --ipv4 10.0.0.0/16",
    check: check::<spec::VpcSpec>,
};

/// A subnet.
pub(crate) static SUBNET: Kind = Kind {
    name: "subnet",
    plural: "subnets",
    command: "subnet",
    whose: Whose::Users,
    parent: Some(&VPC),
    about: "Subnets of a VPC: a prefix of each family",
    verbs: Verb::ALL,
    fields: &[
        Field::new("ipv4", Form::Net4, "Its IPv4 prefix; it never changes"),
        Field::new(
            "ipv6",
            Form::Net6,
            "Its IPv6 prefix, a /64; the first free one where none is named",
        ),
        Field::new(
            "router",
            Form::Text,
            "The router that is its own; the system's where none is named",
        ),
    ],
    columns: &[
        Column::new("IPV4", "spec.ipv4"),
        Column::new("IPV6", "given.ipv6"),
        Column::new("ROUTER", "spec.router"),
    ],
    example: "rackweave subnet create web --project shop --vpc prod --ipv4 10.0.1.0/24",
    check: check::<spec::SubnetSpec>,
};

/// A routing table.
pub(crate) static ROUTER: Kind = Kind {
    name: "router",
    plural: "routers",
    command: "vpc-router",
    whose: Whose::Users,
    parent: Some(&VPC),
    about: "Routers of a VPC: routing tables that subnets name as theirs",
    verbs: Verb::ALL,
    fields: &[],
    columns: &[Column::new("SYSTEM", "given.system")],
    example: "rackweave vpc-router create own --project shop --vpc prod",
    check: check::<spec::RouterSpec>,
};

/// A route.
pub(crate) static ROUTE: Kind = Kind {
    name: "route",
    plural: "routes",
    command: "vpc-route",
    whose: Whose::Users,
    parent: Some(&ROUTER),
    about: "Routes of a VPC's router: where packets for a destination go",
    verbs: Verb::ALL,
    fields: &[
        Field::new("destination", Form::Net, "Which packets").required(),
        Field::new(
            "target",
            Form::Tagged(&["instance", "ip", "subnet", "peering", "internet-gateway", "drop"]),
            "Where they go: instance:, ip:, subnet:, peering:, internet-gateway: with a name, or drop",
        )
        .required(),
    ],
    columns: &[
        Column::new("DESTINATION", "spec.destination"),
        Column::new("TARGET", "spec.target"),
    ],
    example: "rackweave vpc-route create out --project shop --vpc prod --router own \
              --destination 0.0.0.0/0 --target internet-gateway:default",
    check: check::<spec::RouteSpec>,
};

/// A way to the world outside.
pub(crate) static INTERNET_GATEWAY: Kind = Kind {
    name: "internet-gateway",
    plural: "internet-gateways",
    command: "gateway",
    whose: Whose::Users,
    parent: Some(&VPC),
    about: "Internet gateways of a VPC: ways to the world outside, which routes name",
    verbs: Verb::ALL,
    fields: &[],
    columns: &[],
    example: "rackweave gateway create out --project shop --vpc prod",
    check: check::<spec::InternetGatewaySpec>,
};

/// A wish to be joined with another VPC.
pub(crate) static PEERING: Kind = Kind {
    name: "peering",
    plural: "peerings",
    command: "peering",
    whose: Whose::Users,
    parent: Some(&VPC),
    about: "Peerings: two VPCs are joined while both wish it",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "peer-project",
            Form::Text,
            "The other VPC's project; its own where none is named",
        )
        .at("project"),
        Field::new("peer-vpc", Form::Text, "The other VPC")
            .at("vpc")
            .required(),
    ],
    columns: &[
        Column::new("PEER PROJECT", "spec.project"),
        Column::new("PEER VPC", "spec.vpc"),
        Column::new("PEER", "given.peer"),
    ],
    example: "rackweave peering create to-bank --project shop --vpc prod --peer-project bank --peer-vpc core",
    check: check::<spec::PeeringSpec>,
};

/// A DNS record of a user.
pub(crate) static DNS_RECORD: Kind = Kind {
    name: "dns-record",
    plural: "dns-records",
    command: "dns",
    whose: Whose::Users,
    parent: Some(&VPC),
    about: "DNS records in a VPC's zone, beside those of its instances",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "record",
            Form::Text,
            "The name in the VPC's zone; the zone's own where none is named",
        ),
        Field::new("address", Form::Ip, "Addresses of the name")
            .at("data.addresses")
            .many(),
        Field::new("alias", Form::Text, "Another name that it stands for").at("data.alias"),
        Field::new("text", Form::Text, "A text").at("data.text"),
        Field::new("service", Form::Service, "Where a service is").at("data.service"),
    ],
    columns: &[
        Column::new("RECORD", "spec.record"),
        Column::new("DATA", "spec.data"),
    ],
    example: "rackweave dns create db --project shop --vpc prod --record db --address 10.0.1.7",
    check: check::<spec::DnsRecordSpec>,
};
