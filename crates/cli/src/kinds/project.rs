//! Projects and their quotas.

use rackweave_api::control::spec;

use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

const FIELDS: &[Field] = &[
    Field::new("vpcs", Form::Number, "VPCs at most").at("quota.vpcs"),
    Field::new("subnets", Form::Number, "Subnets of one VPC at most").at("quota.subnets"),
    Field::new("routers", Form::Number, "Routers of one VPC at most").at("quota.routers"),
    Field::new("routes", Form::Number, "Routes of one router at most").at("quota.routes"),
    Field::new(
        "firewall-rules",
        Form::Number,
        "Firewall rules of one VPC at most",
    )
    .at("quota.firewall_rules"),
    Field::new("peerings", Form::Number, "Peerings of one VPC at most").at("quota.peerings"),
    Field::new(
        "dns-records",
        Form::Number,
        "DNS records of one VPC at most",
    )
    .at("quota.dns_records"),
    Field::new("instances", Form::Number, "Instances at most").at("quota.instances"),
    Field::new(
        "nics",
        Form::Number,
        "NICs of all instances together at most",
    )
    .at("quota.nics"),
    Field::new("floating-ips", Form::Number, "Floating addresses at most").at("quota.floating_ips"),
    Field::new("max-flows", Form::Number, "Connections of one NIC at most").at("quota.port.flows"),
];

/// Users' objects that belong together.
pub(crate) static PROJECT: Kind = Kind {
    name: "project",
    plural: "projects",
    command: "project",
    whose: Whose::Users,
    parent: None,
    about: "Projects: users' objects that belong together, and who may see them",
    verbs: Verb::ALL,
    fields: FIELDS,
    columns: &[
        Column::new(">VPCS AT MOST", "spec.quota.vpcs"),
        Column::new(">INSTANCES AT MOST", "spec.quota.instances"),
    ],
    example: "rackweave project create shop --description 'the web shop'",
    check: check::<spec::ProjectSpec>,
};

/// How much a project may have.
pub(crate) static QUOTA: Kind = Kind {
    name: "project",
    plural: "projects",
    command: "quota",
    whose: Whose::Operators,
    parent: None,
    about: "Quotas: how much each project may have",
    verbs: &[Verb::List, Verb::Show, Verb::Update],
    fields: FIELDS,
    columns: &[
        Column::new(">VPCS", "spec.quota.vpcs"),
        Column::new(">SUBNETS", "spec.quota.subnets"),
        Column::new(">ROUTERS", "spec.quota.routers"),
        Column::new(">ROUTES", "spec.quota.routes"),
        Column::new(">RULES", "spec.quota.firewall_rules"),
        Column::new(">PEERINGS", "spec.quota.peerings"),
        Column::new(">RECORDS", "spec.quota.dns_records"),
        Column::new(">INSTANCES", "spec.quota.instances"),
        Column::new(">NICS", "spec.quota.nics"),
        Column::new(">FLOATING", "spec.quota.floating_ips"),
    ],
    example: "rackweave fleet quota update shop --instances 200",
    check: check::<spec::ProjectSpec>,
};
