//! The table of kinds: one row each, in the files of this folder, and all that the commands do is done by these rows.

mod az;
mod edge;
mod firewall;
mod instance;
mod pool;
mod project;
mod vpc;

use crate::kind::{Kind, Whose};

pub(crate) use az::{AZ, RACK, SLED};
pub(crate) use edge::{BGP_PEER, STATIC_ROUTE, SWITCH, UPLINK};
pub(crate) use firewall::FIREWALL_RULE;
pub(crate) use instance::{INSTANCE, NIC};
pub(crate) use pool::{FLOATING_IP, IP_POOL, POOL_LINK};
pub(crate) use project::{PROJECT, QUOTA};
pub(crate) use vpc::{DNS_RECORD, INTERNET_GATEWAY, PEERING, ROUTE, ROUTER, SUBNET, VPC};

/// Every kind that has a command, in the order of help; also an order in which they can come.
pub(crate) static ALL: [&Kind; 22] = [
    &AZ,
    &RACK,
    &SLED,
    &SWITCH,
    &UPLINK,
    &BGP_PEER,
    &STATIC_ROUTE,
    &IP_POOL,
    &QUOTA,
    &PROJECT,
    &POOL_LINK,
    &VPC,
    &INTERNET_GATEWAY,
    &ROUTER,
    &SUBNET,
    &PEERING,
    &INSTANCE,
    &NIC,
    &FLOATING_IP,
    &ROUTE,
    &FIREWALL_RULE,
    &DNS_RECORD,
];

/// The kinds whose commands are for these.
pub(crate) fn of(whose: Whose) -> impl Iterator<Item = &'static Kind> {
    ALL.into_iter().filter(move |kind| kind.whose == whose)
}

/// The kinds of objects, each once: what can stand in a file.
pub(crate) fn objects() -> impl Iterator<Item = &'static Kind> {
    // A quota is a part of its project.
    ALL.into_iter().filter(|kind| kind.command != QUOTA.command)
}

/// The kinds that stand under one, or under none.
pub(crate) fn children(parent: Option<&Kind>) -> impl Iterator<Item = &'static Kind> {
    let name = parent.map(|parent| parent.name);
    objects().filter(move |kind| kind.parent.map(|parent| parent.name) == name)
}

/// The kind that the API calls so.
pub(crate) fn named(name: &str) -> Option<&'static Kind> {
    objects().find(|kind| kind.name == name)
}

/// What the objects of a kind stand under in a file.
pub(crate) fn heading(kind: &Kind) -> String {
    kind.plural.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::form::Form;

    #[test]
    fn no_two_kinds_share_a_command() {
        let commands: BTreeSet<String> = ALL.iter().map(|kind| kind.typed()).collect();
        assert_eq!(commands.len(), ALL.len());
    }

    #[test]
    fn parents_come_before_their_children() {
        for (at, kind) in ALL.iter().enumerate() {
            let before = |parent: &Kind| ALL[..at].iter().any(|kind| kind.name == parent.name);
            assert!(kind.parent.is_none_or(before), "{}", kind.name);
        }
    }

    #[test]
    fn headings_are_no_fields() {
        for kind in objects() {
            for child in children(Some(kind)) {
                let field = kind
                    .fields
                    .iter()
                    .find(|field| field.at.split('.').next() == Some(heading(child).as_str()));
                assert!(field.is_none(), "{} under {}", child.name, kind.name);
            }
            assert_eq!(named(kind.name).map(|kind| kind.plural), Some(kind.plural));
        }
    }

    #[test]
    fn the_documentation_has_a_row_for_each_kind() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        let text = std::fs::read_to_string(file).unwrap();
        for kind in objects() {
            let of = kind.parent.map_or("–", |parent| parent.name);
            let row = format!("| `{}` | `{}` | {of} | ", kind.typed(), heading(kind));
            assert!(text.contains(&row), "docs/cli.md lacks the row {row}");
        }
        let rows = text
            .lines()
            .filter(|line| line.starts_with("| `rackweave "));
        assert_eq!(rows.count(), objects().count());
    }

    /// A word that an option of this form takes.
    fn word(form: Form) -> &'static str {
        match form {
            Form::Text => "a",
            Form::File => "/dev/null",
            Form::Number => "7",
            Form::ByteRate => "125MB/s",
            Form::PacketRate => "10kpps",
            Form::Bool => "true",
            Form::Ip => "10.0.0.7",
            Form::Net | Form::Net4 => "10.0.0.0/16",
            Form::Net6 => "fd00:1:2::/48",
            Form::Mac => "02:00:00:00:00:01",
            Form::Word(words) => words[0],
            Form::Tagged(tags) => match tags[0] {
                "instance" => "instance:a",
                other => panic!("no word for {other}"),
            },
            Form::Ports => "80-90",
            Form::Protocol => "icmp:8",
            Form::Pool => "a",
            Form::Device => "tap",
            Form::Group => "0",
            Form::Service => "1,2,3,a",
        }
    }

    /// Each option stands where the API's type has a field, and in a form that this takes.
    #[test]
    fn options_fit_the_types_of_the_api() {
        for kind in ALL {
            for field in kind.fields {
                let mut spec = json!({});
                for needed in kind.fields.iter().filter(|field| field.required) {
                    put(&mut spec, needed);
                }
                // Data of a record are of one sort at once.
                if kind.name == DNS_RECORD.name && field.at != "record" {
                    spec = json!({});
                } else if kind.name == DNS_RECORD.name {
                    spec = json!({"data": {"text": "a"}});
                }
                put(&mut spec, field);
                if field.at.starts_with("target.") && kind.name == FLOATING_IP.name {
                    crate::kind::set(&mut spec, "target.instance", json!("a"));
                }
                let fits = (kind.check)(&spec);
                assert!(
                    fits.is_ok(),
                    "{} --{}: {fits:?} in {spec}",
                    kind.name,
                    field.flag
                );
            }
        }
    }

    fn put(spec: &mut serde_json::Value, field: &crate::kind::Field) {
        let words = match field.at {
            "number" => "07",
            "prefix" if field.about.contains("/64") => "fd00:1:2:101::/64",
            _ => word(field.form),
        };
        let value = field.form.read(words).unwrap();
        let value = if field.many { json!([value]) } else { value };
        crate::kind::set(spec, field.at, value);
    }
}
