//! Objects as people read them.

use std::fmt::Write as _;

use rackweave_api::control::RevisionStatus;
use rackweave_daemon::table::Table;
use serde_json::Value;

use crate::form::plain;
use crate::kind::{Kind, at, given};

/// How wide the names of facts are.
const NAMES: usize = 20;

/// A line that says what something is.
pub(crate) fn fact(text: &mut String, name: &str, value: impl AsRef<str>) {
    if !value.as_ref().is_empty() {
        // Writing into a text cannot fail.
        let _written = writeln!(text, "{name:<NAMES$} {}", value.as_ref());
    }
}

/// Objects of a kind, in a table.
pub(crate) fn list(kind: &'static Kind, items: &[Value], bold: bool) -> String {
    let described = items
        .iter()
        .any(|item| !plain(&item["description"]).is_empty());
    let mut heads = vec!["NAME"];
    heads.extend(kind.columns.iter().map(|column| column.head));
    if described {
        heads.push("DESCRIPTION");
    }
    let mut table = Table::new(&heads);
    for item in items {
        let mut row = vec![plain(&item["name"])];
        row.extend(
            kind.columns
                .iter()
                .map(|column| kind.shown(item, column.at)),
        );
        if described {
            row.push(plain(&item["description"]));
        }
        table.row(row);
    }
    table.render(bold)
}

/// An object: what it was asked to be, by the names of options, and what it was given; of lists of objects, a line for
/// each.
pub(crate) fn one(kind: &'static Kind, object: &Value) -> String {
    let mut text = String::new();
    fact(&mut text, "name", plain(&object["name"]));
    fact(&mut text, "description", plain(&object["description"]));
    for field in kind.fields {
        fact(&mut text, field.flag, field.shown(&object["spec"]));
    }
    for (name, value) in object["given"].as_object().into_iter().flatten() {
        let fact_name = format!("given {}", name.replace('_', " "));
        match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for item in items {
                    fact(&mut text, &fact_name, plain(item));
                }
            }
            value => fact(
                &mut text,
                &fact_name,
                given(&format!("given.{name}"), value),
            ),
        }
    }
    fact(&mut text, "id", plain(&object["id"]));
    fact(&mut text, "generation", plain(&object["generation"]));
    text
}

/// Where a change is in force.
pub(crate) fn in_force(status: &RevisionStatus) -> String {
    let hosts = match status.concerned {
        0 => "no host is concerned".to_owned(),
        1 => "in force on 1 host".to_owned(),
        many => format!("in force on {many} hosts"),
    };
    format!("revision {}: {hosts}\n", status.revision)
}

/// The name of an object that stands in another one's `given` by its id; the id where it is not known.
pub(crate) fn name_of(items: &[Value], id: &str) -> String {
    let found = items
        .iter()
        .find(|item| at(item, "id").is_some_and(|value| value == id));
    found.map_or_else(|| id.to_owned(), |item| plain(&item["name"]))
}

#[cfg(test)]
mod tests {
    use rackweave_api::control::Revision;
    use serde_json::json;

    use super::*;
    use crate::kinds::{FIREWALL_RULE, NIC};

    #[test]
    fn a_list_shows_what_matters() {
        let rule = json!({
            "name": "web", "description": "",
            "spec": {
                "enabled": true, "priority": 100, "direction": "in", "action": "allow",
                "targets": [{"tag": "web"}, {"cidr": "10.0.0.0/8"}],
                "filters": {"protocols": ["tcp", {"icmp": {"type": 8}}], "ports": [[80, 80], [8000, 8080]]},
            },
        });
        assert_eq!(
            list(&FIREWALL_RULE, &[rule], false),
            "NAME  PRIORITY  DIRECTION  ACTION  TARGETS                   HOSTS  PROTOCOLS    PORTS          ENABLED\n\
             web        100  in         allow   tag:web, cidr:10.0.0.0/8  -      tcp, icmp:8  80, 8000-8080  true\n"
        );
    }

    #[test]
    fn one_object_is_told_whole() {
        let nic = json!({
            "id": "0000000000000007", "name": "eth0", "generation": 9,
            "spec": {"vpc": "prod", "subnet": "web", "device": {"tap": {}}, "nat": true},
            "given": {
                "slot": 0, "mac": "02:72:77:00:00:07",
                "nat": [{"pool": "a", "number": 3}, {"pool": "b", "number": 4}],
            },
        });
        let text = one(&NIC, &nic);
        for line in [
            "name                 eth0\n",
            "device               tap\n",
            "given mac            02:72:77:00:00:07\n",
            "given nat            number=4 pool=b\n",
            "generation           9\n",
        ] {
            assert!(text.contains(line), "{line} is missing:\n{text}");
        }
    }

    #[test]
    fn where_a_change_is_in_force_is_told() {
        let status = |concerned| RevisionStatus {
            revision: Revision(7),
            concerned,
            pending: Vec::new(),
            pending_count: 0,
            errors: Vec::new(),
        };
        assert_eq!(in_force(&status(0)), "revision 7: no host is concerned\n");
        assert_eq!(in_force(&status(2)), "revision 7: in force on 2 hosts\n");
    }
}
