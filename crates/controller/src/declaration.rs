//! Declarations: read from the API's form, and shown as steps.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use rackweave_api::control::{self as api, Action, FieldChange, Named, Role};
use rackweave_api::http::{Problem, StatusCode};
use rackweave_control::declare::{self, Declared, Step, find, path, removals};
use rackweave_control::model::{Object, Spec};
use rackweave_control::{Intent, Key, Kind, Name};
use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::objects::{check_description, name, read_spec};
use crate::paths::chain;
use crate::problems::refused_at;

/// The most objects of a declaration.
const OBJECTS_MAX: usize = 10_000;

/// What somebody declares.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    objects: Vec<Declared>,
    delete: Vec<(Kind, Vec<Name>)>,
    prune: bool,
    /// What the steps must come to.
    pub(crate) digest: Option<String>,
}

impl Declaration {
    /// Reads it.
    ///
    /// # Errors
    /// The first field that is not of its form.
    pub(crate) fn read(said: api::Declaration) -> Result<Self, Problem> {
        for (field, count) in [
            ("objects", said.objects.len()),
            ("delete", said.delete.len()),
        ] {
            if count > OBJECTS_MAX {
                let problem = Problem::bad_request(format!("{OBJECTS_MAX} at once are enough"));
                return Err(problem.field(field));
            }
        }
        let objects = said.objects.into_iter().enumerate();
        let objects = objects.map(|(at, one)| object(one).map_err(|it| within(it, "objects", at)));
        let delete = said.delete.into_iter().enumerate();
        let delete = delete.map(|(at, one)| named(&one).map_err(|it| within(it, "delete", at)));
        Ok(Self {
            objects: objects.collect::<Result<_, _>>()?,
            delete: delete.collect::<Result<_, _>>()?,
            prune: said.prune,
            digest: said.digest,
        })
    }

    /// The steps to it, for somebody who has at least this role in each project.
    ///
    /// # Errors
    /// What is refused, with its field.
    pub(crate) fn steps(
        &self,
        intent: &Intent,
        caller: &Caller,
        role: Role,
    ) -> Result<Vec<Step>, Problem> {
        let objects = self.objects.iter().enumerate();
        for (at, one) in objects {
            let kind = one.spec.kind();
            enter(intent, caller, role, kind, &one.path)
                .map_err(|problem| within(problem, "objects", at))?;
        }
        let mut gone = BTreeSet::new();
        for (at, (kind, path)) in self.delete.iter().enumerate() {
            let checked = enter(intent, caller, role, *kind, path).and_then(|()| {
                let found = find(intent, *kind, path);
                found.map_err(|refusal| refused_at(&refusal, ""))
            });
            let object = checked.map_err(|problem| within(problem, "delete", at))?;
            gone.insert(object.key());
        }
        let mut steps = declare::steps(intent, &self.objects, self.prune)
            .map_err(|refusal| refused_at(&refusal, "objects"))?;
        let going: BTreeSet<Key> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Delete(key) => Some(*key),
                _ => None,
            })
            .collect();
        gone.retain(|key| !going.contains(key));
        steps.extend(removals(intent, &gone));
        for step in &steps {
            let kind = match step {
                Step::Create { declared, .. } | Step::Update { declared, .. } => {
                    declared.spec.kind()
                }
                Step::Delete(key) => key.kind,
            };
            if matches!(kind, Kind::Project | Kind::PoolLink) {
                caller.operator().map_err(|problem| match step.at() {
                    Some(at) => within(problem, "objects", at),
                    None => problem,
                })?;
            }
        }
        Ok(steps)
    }
}

/// A problem of one item of a list.
pub(crate) fn within(problem: Problem, list: &str, at: usize) -> Problem {
    let field = match &problem.field {
        Some(field) => format!("{list}[{at}].{field}"),
        None => format!("{list}[{at}]"),
    };
    problem.field(field)
}

fn object(said: api::Declared) -> Result<Declared, Problem> {
    let (kind, path) = named(&Named {
        kind: said.kind,
        path: said.path,
    })?;
    check_description(&said.description)?;
    Ok(Declared {
        path,
        description: said.description,
        spec: read_spec(kind, &said.spec)?,
    })
}

fn named(said: &Named) -> Result<(Kind, Vec<Name>), Problem> {
    let kind = Kind::from_str(&said.kind).map_err(|_| {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let problem = Problem::bad_request(format!("there is no kind {}", said.kind));
        problem
            .field("kind")
            .next(format!("one of {}", kinds.join(", ")))
    })?;
    let names = said.path.split('/').map(|text| name(text, "path"));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let chain = chain(kind);
    if names.len() != chain.len() {
        let chain: Vec<_> = chain.into_iter().map(Kind::name).collect();
        let problem = Problem::bad_request(format!("a {kind} is named {}", chain.join("/")));
        return Err(problem.field("path"));
    }
    Ok((kind, names))
}

/// Refuses whoever may not do this where the object stands; of what they may not know of they are told that it is not
/// there.
fn enter(
    intent: &Intent,
    caller: &Caller,
    role: Role,
    kind: Kind,
    path: &[Name],
) -> Result<(), Problem> {
    if caller.is_operator() {
        return Ok(());
    }
    let in_project = chain(kind).first() == Some(&Kind::Project);
    let Some(name) = path.first().filter(|_| in_project) else {
        return caller.operator();
    };
    let found = intent.find(Kind::Project, None, name);
    let has = found.and_then(|project| caller.role(&project.meta().id.to_string()));
    match has {
        Some(has) if has >= role => Ok(()),
        Some(_) => Err(Problem::forbidden(
            "a viewer of the project changes nothing",
        )),
        None => Err(Problem::not_found(format!("there is no project {name}")).field("path")),
    }
}

/// Steps as people read them.
pub(crate) fn shown(intent: &Intent, steps: &[Step]) -> Vec<api::Step> {
    steps.iter().map(|step| show(intent, step)).collect()
}

fn show(intent: &Intent, step: &Step) -> api::Step {
    let there = |key: Key| intent.get(key);
    let generation = |key: Key| there(key).map(|object| object.meta().generation.get());
    let fields = |key: Key, declared: &Declared| {
        let object = there(key);
        object.map_or_else(Vec::new, |object| changes(object, declared))
    };
    let (action, kind, path) = match step {
        Step::Create { declared, .. } => {
            (Action::Create, declared.spec.kind(), joined(&declared.path))
        }
        Step::Update { declared, .. } => {
            (Action::Update, declared.spec.kind(), joined(&declared.path))
        }
        Step::Delete(key) => {
            let names = there(*key).and_then(|object| path(intent, object));
            (Action::Delete, key.kind, joined(&names.unwrap_or_default()))
        }
    };
    api::Step {
        action,
        kind: kind.name().to_owned(),
        path,
        index: step.at(),
        generation: match step {
            Step::Create { .. } => None,
            Step::Update { key, .. } | Step::Delete(key) => generation(*key),
        },
        fields: match step {
            Step::Update { key, declared, .. } => fields(*key, declared),
            _ => Vec::new(),
        },
    }
}

fn joined(path: &[Name]) -> String {
    let names: Vec<_> = path.iter().map(Name::as_str).collect();
    names.join("/")
}

/// What would be different of an object.
fn changes(object: &Object, declared: &Declared) -> Vec<FieldChange> {
    let described = &object.meta().description;
    let mut changes = Vec::new();
    if *described != declared.description {
        let text = |text: &str| Some(Value::from(text)).filter(|_| !text.is_empty());
        changes.push(FieldChange {
            field: "description".to_owned(),
            before: text(described),
            after: text(&declared.description),
        });
    }
    let (before, after) = (fields(&object.spec()), fields(&declared.spec));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (before, after) = (before.get(name), after.get(name));
        if before != after {
            changes.push(FieldChange {
                field: format!("spec.{name}"),
                before: before.cloned(),
                after: after.cloned(),
            });
        }
    }
    changes
}

fn fields(spec: &Spec) -> Map<String, Value> {
    match spec.to_json() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// What steps come to.
pub(crate) fn digest(intent: &Intent, steps: &[Step]) -> String {
    let mut hasher = blake3::Hasher::new();
    for (step, shown) in steps.iter().zip(shown(intent, steps)) {
        let spec = match step {
            Step::Create { declared, .. } | Step::Update { declared, .. } => {
                let said = (&declared.description, declared.spec.to_json());
                serde_json::to_vec(&said).unwrap_or_default()
            }
            Step::Delete(_) => Vec::new(),
        };
        let shown = serde_json::to_vec(&shown).unwrap_or_default();
        for part in [shown, spec] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(&part);
        }
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// The steps are not those that somebody agreed to.
pub(crate) fn stale() -> Problem {
    let problem = Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "stale",
        "it was changed meanwhile",
    );
    problem
        .detail("the steps would be others now than those that were shown; nothing was done")
        .field("digest")
        .next("look at the plan again")
}

/// All that stands in a project, or everything, as it would be declared.
pub(crate) fn export(
    intent: &Intent,
    project: Option<rackweave_control::Id>,
) -> Vec<api::Declared> {
    let all = declare::export(intent, project).into_iter();
    all.map(|one| api::Declared {
        kind: one.spec.kind().name().to_owned(),
        path: joined(&one.path),
        description: one.description,
        spec: one.spec.to_json(),
    })
    .collect()
}
