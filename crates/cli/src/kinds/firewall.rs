//! Firewall rules of a VPC.

use rackweave_api::control::spec;

use super::VPC;
use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

/// A firewall rule.
pub(crate) static FIREWALL_RULE: Kind = Kind {
    name: "firewall-rule",
    plural: "firewall-rules",
    command: "firewall",
    whose: Whose::Users,
    parent: Some(&VPC),
    about: "Firewall rules of a VPC: the first that matches a connection's first packet decides",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "enabled",
            Form::Bool,
            "Whether it is in force [default: true]",
        ),
        Field::new(
            "priority",
            Form::Number,
            "Lower goes first; among equals deny and reject go before allow",
        )
        .required(),
        Field::new(
            "direction",
            Form::Word(&["in", "out"]),
            "Connections of which way",
        )
        .required(),
        Field::new(
            "action",
            Form::Word(&["allow", "deny", "reject"]),
            "What is done",
        )
        .required(),
        Field::new(
            "target",
            Form::Tagged(&["instance", "subnet", "tag", "ip", "cidr"]),
            "NICs that it is in force for; all of the VPC where none is named",
        )
        .at("targets")
        .many(),
        Field::new(
            "host",
            Form::Tagged(&["instance", "subnet", "tag", "vpc", "peering", "ip", "cidr"]),
            "The other end; anybody where none is named",
        )
        .at("filters.hosts")
        .many(),
        Field::new(
            "protocol",
            Form::Protocol,
            "tcp, udp, icmp, icmpv6, icmp:TYPE[/CODE] or a number",
        )
        .at("filters.protocols")
        .many(),
        Field::new("port", Form::Ports, "The destination port of TCP and UDP")
            .at("filters.ports")
            .many(),
    ],
    columns: &[
        Column::new(">PRIORITY", "spec.priority"),
        Column::new("DIRECTION", "spec.direction"),
        Column::new("ACTION", "spec.action"),
        Column::new("TARGETS", "spec.targets"),
        Column::new("HOSTS", "spec.filters.hosts"),
        Column::new("PROTOCOLS", "spec.filters.protocols"),
        Column::new("PORTS", "spec.filters.ports"),
        Column::new("ENABLED", "spec.enabled"),
    ],
    example: "rackweave firewall create https --project shop --vpc prod --priority 100 --direction in \
              --action allow --target tag:web --protocol tcp --port 443",
    check: check::<spec::FirewallRuleSpec>,
};
