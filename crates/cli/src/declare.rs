//! What stands in a file that declares objects.
//!
//! ```yaml
//! version: 1
//! projects:
//!   shop:
//!     vpcs:
//!       prod:
//!         ipv4: [10.0.0.0/16]
//!         subnets:
//!           web: {ipv4: 10.0.1.0/24}
//! ```
//!
//! Objects stand by name under what many of their kind are called, and so do those that belong to them, beside what is
//! asked of the object itself. A list `objects` of `{kind, path, spec}` is taken as well.

use std::path::{Path, PathBuf};

use rackweave_api::control::Declared;
use rackweave_daemon::output::Failure;
use serde_json::{Map, Value};

use crate::kind::{Kind, Misfit};
use crate::kinds::{children, heading, named};
use crate::yaml::{Content, Mark, Node, Wrong, read};

/// The version of files.
const VERSION: u64 = 1;
/// The most that is told of what is wrong in a file.
const TOLD: usize = 10;
/// The most letters of a name.
const NAME_MAX: usize = 63;

/// What files declare.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    /// The objects, in the order of files.
    pub(crate) objects: Vec<Declared>,
    /// Where each of them stands.
    places: Vec<Standing>,
}

/// Where an object stands.
#[derive(Debug)]
struct Standing {
    file: PathBuf,
    /// The object's name.
    mark: Mark,
    /// What is said of it.
    node: Node,
    /// Whether its spec stands under `spec`.
    apart: bool,
}

impl Declarations {
    /// Reads a file too.
    ///
    /// # Errors
    /// What is wrong in it, with places.
    pub(crate) fn read(&mut self, file: &Path, text: &str) -> Result<(), Failure> {
        let mut reading = Reading {
            file,
            found: self,
            wrong: Vec::new(),
        };
        match read(text) {
            Ok(document) => reading.document(&document),
            Err(wrong) => reading.wrong.push(wrong),
        }
        let wrong = reading.wrong;
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(told(file, wrong))
        }
    }

    /// The place of a field of the API (`objects[3].spec.ipv4[0]`), if it is of an object here: the place in the file,
    /// and the field as it is called there.
    pub(crate) fn place(&self, field: &str) -> Option<(String, String)> {
        let (index, rest) = field.strip_prefix("objects[")?.split_once(']')?;
        let standing = self.places.get(index.parse::<usize>().ok()?)?;
        let object = self.objects.get(index.parse::<usize>().ok()?)?;
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        let within = rest
            .strip_prefix("spec")
            .filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let place = match within {
            Some(spec) if standing.apart => format!("spec{spec}"),
            Some(spec) => spec.trim_start_matches('.').to_owned(),
            None => rest.to_owned(),
        };
        let (found, mark) = standing.node.at(&place);
        let mark = if std::ptr::eq(found, &raw const standing.node) {
            standing.mark
        } else {
            mark
        };
        let object = format!("{} {}", object.kind, object.path);
        let name = within.map_or(rest, |spec| spec.trim_start_matches('.'));
        let name = if name.is_empty() {
            object
        } else {
            format!("{name} of {object}")
        };
        Some((format!("{}:{mark}", standing.file.display()), name))
    }
}

/// A file that is being read.
struct Reading<'r> {
    file: &'r Path,
    found: &'r mut Declarations,
    wrong: Vec<Wrong>,
}

impl Reading<'_> {
    fn wrong(&mut self, mark: Mark, field: &str, what: impl Into<String>) {
        self.wrong.push(Wrong::new(mark, field, what));
    }

    fn document(&mut self, document: &Node) {
        let Content::Map(fields) = &document.content else {
            return self.wrong(
                document.mark,
                "",
                "names are wanted: `version: 1`, and `projects:` with what is in them",
            );
        };
        match document.get("version").map(Node::value) {
            Some(version) if version == VERSION => {}
            Some(_) => {
                let mark = document.at("version").1;
                self.wrong(
                    mark,
                    "version",
                    format!("this release reads version {VERSION}"),
                );
            }
            None => self.wrong(
                document.mark,
                "version",
                format!("it is missing: `version: {VERSION}`"),
            ),
        }
        for (name, mark, node) in fields {
            let kind = children(None).find(|kind| heading(kind) == *name);
            match (name.as_str(), kind) {
                ("version", _) => {}
                ("objects", _) => self.list(node),
                (_, Some(kind)) => self.objects(kind, "", node),
                (name, None) => {
                    let known: Vec<String> = children(None).map(heading).collect();
                    let what = format!(
                        "nothing is called so here; known are {} and objects",
                        known.join(", ")
                    );
                    self.wrong(*mark, name, what);
                }
            }
        }
    }

    /// The objects of a kind, by name.
    fn objects(&mut self, kind: &'static Kind, above: &str, node: &Node) {
        match &node.content {
            Content::Map(fields) => {
                for (name, mark, node) in fields {
                    self.object(kind, above, (name, *mark), node);
                }
            }
            _ if node.is_null() => {}
            _ => {
                let what = format!("{} stand here by name: `NAME: {{…}}`", kind.plural);
                self.wrong(node.mark, &heading(kind), what);
            }
        }
    }

    /// An object, and those that belong to it.
    fn object(
        &mut self,
        kind: &'static Kind,
        above: &str,
        (name, mark): (&str, Mark),
        node: &Node,
    ) {
        if let Err(what) = check_name(name) {
            self.wrong(mark, name, what);
        }
        let path = if above.is_empty() {
            name.to_owned()
        } else {
            format!("{above}/{name}")
        };
        let no_fields = Vec::new();
        let fields = match &node.content {
            Content::Map(fields) => fields,
            _ if node.is_null() => &no_fields,
            _ => {
                return self.wrong(
                    node.mark,
                    &path,
                    "what is asked of it stands here by name: `{…}`",
                );
            }
        };
        let mut description = String::new();
        let mut spec = Map::new();
        let mut under = Vec::new();
        for (field, mark, node) in fields {
            if field == "description" {
                description = self.text(field, *mark, node);
            } else if let Some(child) = children(Some(kind)).find(|child| heading(child) == *field)
            {
                under.push((child, node));
            } else {
                spec.insert(field.clone(), node.value());
            }
        }
        let standing = Standing {
            file: self.file.to_owned(),
            mark,
            node: node.clone(),
            apart: false,
        };
        self.declare(kind, &path, description, Value::Object(spec), standing);
        for (child, node) in under {
            self.objects(child, &path, node);
        }
    }

    /// Objects one after another, each with its kind and path.
    fn list(&mut self, node: &Node) {
        let Content::List(items) = &node.content else {
            return self.wrong(
                node.mark,
                "objects",
                "a list of objects stands here: `- {kind: …, path: …, spec: {…}}`",
            );
        };
        for item in items {
            self.item(item);
        }
    }

    fn item(&mut self, item: &Node) {
        let Content::Map(fields) = &item.content else {
            return self.wrong(
                item.mark,
                "objects",
                "an object stands here: `{kind: …, path: …, spec: {…}}`",
            );
        };
        let (mut kind, mut path, mut description) = (None, None, String::new());
        let mut spec = Value::Object(Map::new());
        for (name, mark, node) in fields {
            match name.as_str() {
                "kind" => kind = Some((self.text(name, *mark, node), *mark)),
                "path" => path = Some((self.text(name, *mark, node), *mark)),
                "description" => description = self.text(name, *mark, node),
                "spec" => spec = node.value(),
                other => self.wrong(
                    *mark,
                    other,
                    "an object has kind, path, description and spec",
                ),
            }
        }
        let (Some((kind, at)), Some((path, path_at))) = (kind, path) else {
            return self.wrong(
                item.mark,
                "objects",
                "an object needs its kind and its path",
            );
        };
        let Some(kind) = named(&kind) else {
            return self.wrong(
                at,
                "kind",
                format!("there is no kind {kind}; such as vpc, subnet, firewall-rule"),
            );
        };
        let due: Vec<String> = kind
            .chain()
            .iter()
            .map(|kind| kind.name.to_uppercase())
            .collect();
        if path.split('/').count() != due.len() {
            return self.wrong(
                path_at,
                "path",
                format!("the path of a {} is {}", kind.name, due.join("/")),
            );
        }
        for name in path.split('/') {
            if let Err(what) = check_name(name) {
                self.wrong(path_at, "path", format!("{name}: {what}"));
            }
        }
        let standing = Standing {
            file: self.file.to_owned(),
            mark: item.mark,
            node: item.clone(),
            apart: true,
        };
        self.declare(kind, &path, description, spec, standing);
    }

    fn text(&mut self, name: &str, mark: Mark, node: &Node) -> String {
        match &node.content {
            Content::Scalar(Value::String(text), _) => return text.clone(),
            Content::Scalar(_, Some(raw)) if !node.is_null() => return raw.clone(),
            _ => {}
        }
        self.wrong(mark, name, "a text is wanted");
        String::new()
    }

    fn declare(
        &mut self,
        kind: &'static Kind,
        path: &str,
        description: String,
        mut spec: Value,
        standing: Standing,
    ) {
        if let Err(misfit) = fit(kind, &mut spec, &standing) {
            let place = if standing.apart {
                format!("spec.{}", misfit.field)
            } else {
                misfit.field.clone()
            };
            let (found, mark) = standing.node.at(&place);
            let mark = if std::ptr::eq(found, &raw const standing.node) {
                standing.mark
            } else {
                mark
            };
            let object = format!("{} {path}", kind.name);
            let field = if misfit.field.is_empty() {
                object
            } else {
                format!("{} of {object}", misfit.field)
            };
            self.wrong(mark, &field, misfit.problem);
        }
        let (kind, path) = (kind.name.to_owned(), path.to_owned());
        self.found.objects.push(Declared {
            kind,
            path,
            description,
            spec,
        });
        self.found.places.push(standing);
    }
}

/// Checks a spec. What stands without quotation marks is a text where a text is wanted, as in `number: 01`.
fn fit(kind: &'static Kind, spec: &mut Value, standing: &Standing) -> Result<(), Misfit> {
    loop {
        let Err(misfit) = (kind.check)(spec) else {
            return Ok(());
        };
        let place = if standing.apart {
            format!("spec.{}", misfit.field)
        } else {
            misfit.field.clone()
        };
        let content = &standing.node.at(&place).0.content;
        let Content::Scalar(Value::Number(_) | Value::Bool(_), Some(raw)) = content else {
            return Err(misfit);
        };
        let pointer: String = misfit
            .field
            .split(['.', '[', ']'])
            .filter(|step| !step.is_empty())
            .fold(String::new(), |pointer, step| pointer + "/" + step);
        match spec.pointer_mut(&pointer) {
            Some(value) if !value.is_string() && misfit.problem.contains("expected a") => {
                *value = Value::from(raw.as_str());
            }
            _ => return Err(misfit),
        }
    }
}

/// Whether a text is a name.
fn check_name(name: &str) -> Result<(), &'static str> {
    let letters =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let whole = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.len() <= NAME_MAX
        && name.chars().all(letters);
    if whole {
        Ok(())
    } else {
        Err(
            "a name is 1 to 63 lower-case letters, digits and hyphens, a letter first, no hyphen last",
        )
    }
}

/// What is wrong in a file, in the order of its lines.
fn told(file: &Path, mut wrong: Vec<Wrong>) -> Failure {
    wrong.sort_by_key(|wrong| wrong.mark);
    let file = file.display();
    let mut lines: Vec<String> = wrong
        .iter()
        .take(TOLD)
        .map(|wrong| match wrong.field.as_str() {
            "" => format!("{file}:{}: {}", wrong.mark, wrong.what),
            field => format!("{file}:{}: {field}: {}", wrong.mark, wrong.what),
        })
        .collect();
    if wrong.len() > TOLD {
        lines.push(format!("and {} more", wrong.len() - TOLD));
    }
    Failure::new(format!("{file} is not used")).cause(lines.join("\n")).next(
        "docs/cli.md shows how files are written; `rackweave export` writes what is there as one",
    )
}

#[cfg(test)]
mod tests;
