//! `rackweave export`: what is there, as a file that declares it.

use std::collections::BTreeMap;

use clap::Args;
use rackweave_api::control::{BASE, Declared};
use rackweave_daemon::output::{Failure, Output, write_all, written};
use serde_json::{Value, json};

use crate::ask::{AskArgs, asking};
use crate::kinds::{self, heading};
use crate::yaml::{Tree, write};

/// What stands under the help of `rackweave export`.
const EXAMPLES: &str = "\
Examples:
  rackweave export --project shop > shop.yaml
  rackweave export | ssh other rackweave apply -f -

Declared again where it was exported, a file changes nothing.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// Writes what was asked for, as a file for `rackweave apply`
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// The project; everything, for operators, where none is named
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

impl ExportArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let asker = self.ask.asker()?;
        let all = asker.get::<Vec<Declared>>(|client| {
            let call = client.get(&format!("{BASE}/export"));
            match &self.project {
                Some(project) => call.query("project", project),
                None => call,
            }
        });
        let all = all.map_err(asking)?.body;
        if asker.json {
            let declared = json!({ "version": 1, "objects": all });
            return Output::new(true).show(&declared, |_, _| String::new());
        }
        written(write_all(write(&document(&all)).as_bytes()))
    }
}

/// What is declared, as one document.
fn document(all: &[Declared]) -> Tree {
    // By path and then by kind: NICs and subnets of one name stand under different parents.
    let mut under: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    for object in all {
        let parent = object
            .path
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        under.entry(parent).or_default().push(object);
    }
    let mut fields = vec![("version".to_owned(), Tree::Value(json!(1)))];
    fields.extend(headings(None, "", &under));
    Tree::Map(fields)
}

/// The objects under a parent, by their kinds.
fn headings(
    parent: Option<&crate::kind::Kind>,
    path: &str,
    under: &BTreeMap<&str, Vec<&Declared>>,
) -> Vec<(String, Tree)> {
    let here = under.get(path).map_or(&[][..], Vec::as_slice);
    let mut fields = Vec::new();
    for kind in kinds::children(parent) {
        let mut objects: Vec<(String, Tree)> = Vec::new();
        for object in here.iter().filter(|object| object.kind == kind.name) {
            let name = object.path.rsplit('/').next().unwrap_or_default();
            let mut said: Vec<(String, Tree)> = Vec::new();
            if !object.description.is_empty() {
                said.push((
                    "description".to_owned(),
                    Tree::Value(Value::from(object.description.as_str())),
                ));
            }
            let spec = object.spec.as_object().into_iter().flatten();
            said.extend(spec.map(|(name, value)| (name.clone(), Tree::Value(value.clone()))));
            said.extend(headings(Some(kind), &object.path, under));
            objects.push((name.to_owned(), Tree::Map(said)));
        }
        if !objects.is_empty() {
            fields.push((heading(kind), Tree::Map(objects)));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::declare::Declarations;

    fn declared(kind: &str, path: &str, spec: Value) -> Declared {
        Declared {
            kind: kind.to_owned(),
            path: path.to_owned(),
            description: String::new(),
            spec,
        }
    }

    #[test]
    fn what_is_exported_declares_the_same() {
        let mut shop = declared("project", "shop", json!({"quota": {"vpcs": 16}}));
        shop.description = "the shop: its \"web\"".to_owned();
        let all = vec![
            declared("rack", "r1", json!({"number": "01"})),
            shop,
            declared("vpc", "shop/prod", json!({"ipv4": ["10.0.0.0/16"]})),
            declared("subnet", "shop/prod/web", json!({"ipv4": "10.0.1.0/24"})),
            declared(
                "instance",
                "shop/prod",
                json!({"tags": ["web"], "user_data": "#!/bin/sh\ntrue\n"}),
            ),
            declared(
                "nic",
                "shop/prod/web",
                json!({"vpc": "prod", "subnet": "web"}),
            ),
        ];
        let text = write(&document(&all));
        let mut found = Declarations::default();
        if let Err(failure) = found.read(Path::new("a.yaml"), &text) {
            panic!("{failure} in\n{text}");
        }
        let sorted = |mut all: Vec<Declared>| {
            all.sort_by(|a, b| (&a.path, &a.kind).cmp(&(&b.path, &b.kind)));
            all
        };
        assert_eq!(sorted(found.objects), sorted(all), "{text}");
    }
}
