//! External addresses.

use rackweave_api::control::spec;

use super::PROJECT;
use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

/// External addresses that an operator got from the customer's network.
pub(crate) static IP_POOL: Kind = Kind {
    name: "ip-pool",
    plural: "ip-pools",
    command: "pool",
    whose: Whose::Operators,
    parent: None,
    about: "Pools of external addresses; `rackweave pool` links them to projects",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "block",
            Form::Net,
            "A prefix of addresses; every one of them can be given out",
        )
        .at("blocks")
        .many()
        .required(),
        Field::new("nat", Form::Net, "Those of them that many NICs share").many(),
        Field::new(
            "nat-ports",
            Form::Number,
            "Transport ports that a NIC gets of a shared address [default: 1024]",
        )
        .at("nat_ports"),
        Field::new(
            "system",
            Form::Bool,
            "Whether it is for the sleds' own way out",
        ),
    ],
    columns: &[
        Column::new("BLOCKS", "spec.blocks"),
        Column::new("NAT", "spec.nat"),
        Column::new(">NAT PORTS", "spec.nat_ports"),
        Column::new("SYSTEM", "spec.system"),
    ],
    example: "rackweave fleet pool create public --block 203.0.113.0/24 --nat 203.0.113.0/30",
    check: check::<spec::IpPoolSpec>,
};

/// A pool that a project may take addresses from.
pub(crate) static POOL_LINK: Kind = Kind {
    name: "pool-link",
    plural: "pool-links",
    command: "pool",
    whose: Whose::Users,
    parent: Some(&PROJECT),
    about: "Pools that a project may take external addresses from, by their names; operators give them",
    verbs: Verb::ALL,
    fields: &[Field::new(
        "default",
        Form::Bool,
        "Whether addresses come from it where no pool is named",
    )],
    columns: &[Column::new("DEFAULT", "spec.default")],
    example: "rackweave pool create public --project shop --default",
    check: check::<spec::PoolLinkSpec>,
};

/// An external address that outlives instances.
pub(crate) static FLOATING_IP: Kind = Kind {
    name: "floating-ip",
    plural: "floating-ips",
    command: "floating-ip",
    whose: Whose::Users,
    parent: Some(&PROJECT),
    about: "External addresses that outlive instances",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "pool",
            Form::Text,
            "The pool; the project's default where neither it nor an address is named",
        ),
        Field::new(
            "address",
            Form::Ip,
            "The address; any free one where none is named",
        ),
        Field::new("instance", Form::Text, "The instance that it leads to").at("target.instance"),
        Field::new(
            "nic",
            Form::Text,
            "The NIC; the one in the lowest slot where none is named",
        )
        .at("target.nic"),
        Field::new(
            "inside",
            Form::Ip,
            "The NIC's address; the first of its family where none is named",
        )
        .at("target.inside"),
    ],
    columns: &[
        Column::new("ADDRESS", "given.address.1"),
        Column::new("POOL", "spec.pool"),
        Column::new("INSTANCE", "spec.target.instance"),
        Column::new("INSIDE", "given.target.inside"),
    ],
    example: "rackweave floating-ip create front --project shop --instance web-1",
    check: check::<spec::FloatingIpSpec>,
};
