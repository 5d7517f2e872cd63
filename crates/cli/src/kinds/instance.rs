//! Instances and their NICs.

use rackweave_api::control::spec;

use super::PROJECT;
use crate::form::Form;
use crate::kind::{Column, Field, Kind, Verb, Whose, check};

/// A guest.
pub(crate) static INSTANCE: Kind = Kind {
    name: "instance",
    plural: "instances",
    command: "instance",
    whose: Whose::Users,
    parent: Some(&PROJECT),
    about: "Instances: guests, of which each has NICs",
    verbs: Verb::ALL,
    fields: &[
        Field::new(
            "hostname",
            Form::Text,
            "Its host name; its name where none is given",
        ),
        Field::new(
            "sled",
            Form::Text,
            "The sled it runs on; the one with the most room where none is named",
        ),
        Field::new("tag", Form::Text, "A tag, by which firewall rules find it")
            .at("tags")
            .many(),
        Field::new("image", Form::Text, "The image it was made from"),
        Field::new("size", Form::Text, "Its size"),
        Field::new(
            "ssh-key",
            Form::Text,
            "A public SSH key, as in authorized_keys",
        )
        .at("ssh_keys")
        .many(),
        Field::new("user-data", Form::File, "What cloud-init runs").at("user_data"),
    ],
    columns: &[
        Column::new("HOSTNAME", "spec.hostname"),
        Column::new("TAGS", "spec.tags"),
        Column::new("IMAGE", "spec.image"),
        Column::new("SIZE", "spec.size"),
    ],
    example: "rackweave instance create web-1 --project shop --tag web",
    check: check::<spec::InstanceSpec>,
};

/// A NIC of a guest.
pub(crate) static NIC: Kind = Kind {
    name: "nic",
    plural: "nics",
    command: "nic",
    whose: Whose::Users,
    parent: Some(&INSTANCE),
    about: "NICs of an instance; slot, Ethernet address and order never change in its life",
    verbs: Verb::ALL,
    fields: &[
        Field::new("vpc", Form::Text, "The VPC; it never changes").required(),
        Field::new("subnet", Form::Text, "The subnet; it never changes").required(),
        Field::new(
            "slot",
            Form::Number,
            "Its place among the NICs; the lowest free one where none is named",
        ),
        Field::new(
            "address",
            Form::Ip,
            "An address in the subnet; one of each family where none is named",
        )
        .at("addresses")
        .many(),
        Field::new(
            "transit",
            Form::Net,
            "What it may send as and receives, besides its addresses",
        )
        .many(),
        Field::new(
            "cap-out",
            Form::ByteRate,
            "Octets a second that it may send, such as 125MB/s",
        )
        .at("caps.out.bytes"),
        Field::new(
            "cap-out-packets",
            Form::PacketRate,
            "Packets a second that it may send, such as 10kpps",
        )
        .at("caps.out.packets"),
        Field::new(
            "cap-in",
            Form::ByteRate,
            "Octets a second that it receives at most",
        )
        .at("caps.in.bytes"),
        Field::new(
            "cap-in-packets",
            Form::PacketRate,
            "Packets a second that it receives at most",
        )
        .at("caps.in.packets"),
        Field::new(
            "max-flows",
            Form::Number,
            "Connections that it may have at once",
        )
        .at("limits.flows"),
        Field::new("mtu", Form::Number, "The longest packet [default: 1500]"),
        Field::new(
            "ephemeral",
            Form::Pool,
            "An external address for its life, from this pool or the default one",
        )
        .many(),
        Field::new(
            "nat",
            Form::Bool,
            "Whether it shares an external address with others [default: true]",
        ),
        Field::new(
            "device",
            Form::Device,
            "vhost-user, tap or tap:NETNS [default: vhost-user]",
        ),
        Field::new(
            "queues",
            Form::Number,
            "Queue pairs of the device [default: 1]",
        ),
    ],
    columns: &[
        Column::new(">SLOT", "given.slot"),
        Column::new("VPC", "spec.vpc"),
        Column::new("SUBNET", "spec.subnet"),
        Column::new("MAC", "given.mac"),
        Column::new("ADDRESSES", "given.addresses"),
        Column::new("DEVICE", "given.device"),
    ],
    example: "rackweave nic create eth0 --project shop --instance web-1 --vpc prod --subnet web --ephemeral",
    check: check::<spec::NicSpec>,
};
