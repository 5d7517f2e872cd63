//! What users declare as a whole, and the steps that bring the intent there.
//!
//! A declaration is a list of objects by their paths, users' and operators'. What was declared and is there
//! already takes no step, so that declaring twice is declaring once; [`export`] gives what, declared, takes
//! no step at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::intent::Intent;
use crate::key::{Id, Key, Kind};
use crate::model::{Object, Spec};
use crate::name::Name;
use crate::refusal::{Problem, Refusal};
use crate::request::Request;

/// The kinds in an order in which they can come: what others name comes first.
const ORDER: [Kind; 21] = [
    Kind::Az,
    Kind::IpPool,
    Kind::Rack,
    Kind::Sled,
    Kind::Switch,
    Kind::Uplink,
    Kind::BgpPeer,
    Kind::StaticRoute,
    Kind::Project,
    Kind::PoolLink,
    Kind::Vpc,
    Kind::InternetGateway,
    Kind::Router,
    Kind::Subnet,
    Kind::Peering,
    Kind::Instance,
    Kind::Nic,
    Kind::FloatingIp,
    Kind::Route,
    Kind::FirewallRule,
    Kind::DnsRecord,
];

/// An object as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name, behind those of its parents from the project on: `shop`, `front`, `web`.
    pub path: Vec<Name>,
    /// What is said of it.
    pub description: String,
    /// What it shall be.
    pub spec: Spec,
}

/// A step towards what was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It comes.
    Create {
        /// Its place in the declaration.
        at: usize,
        /// What it shall be.
        declared: Declared,
    },
    /// It changes.
    Update {
        /// Its place in the declaration.
        at: usize,
        /// The object.
        key: Key,
        /// What it shall be.
        declared: Declared,
    },
    /// It goes.
    Delete(Key),
}

impl Step {
    /// Its place in the declaration, where it has one.
    #[must_use]
    pub const fn at(&self) -> Option<usize> {
        match self {
            Self::Create { at, .. } | Self::Update { at, .. } => Some(*at),
            Self::Delete(_) => None,
        }
    }

    /// What the step asks for, once those before it were taken. What shall come and came by itself meanwhile, as
    /// some things do with a VPC, is changed.
    ///
    /// # Errors
    /// Where the parent is not there.
    pub fn request(&self, intent: &Intent) -> Result<Request, Refusal> {
        let update = |key, declared: &Declared| Request::Update {
            key,
            if_match: None,
            description: Some(declared.description.clone()),
            spec: declared.spec.clone(),
        };
        match self {
            Self::Create { declared, .. } => {
                let kind = declared.spec.kind();
                let (name, parents) = split(declared)?;
                let parent = parent(intent, kind, parents)?;
                if let Some(there) = intent.find(kind, parent, name) {
                    return Ok(update(there.key(), declared));
                }
                Ok(Request::Create {
                    parent,
                    name: name.clone(),
                    description: declared.description.clone(),
                    spec: declared.spec.clone(),
                })
            }
            Self::Update { key, declared, .. } => Ok(update(*key, declared)),
            Self::Delete(key) => Ok(Request::Delete {
                key: *key,
                if_match: None,
            }),
        }
    }
}

/// The objects of a project, or of all, as they would be declared.
#[must_use]
pub fn export(intent: &Intent, project: Option<Id>) -> Vec<Declared> {
    let all = ORDER.into_iter().flat_map(|kind| {
        let of_kind = intent.objects().filter(move |object| object.kind() == kind);
        of_kind.filter_map(|object| Some((path(intent, object)?, object)))
    });
    let root = project.and_then(|id| intent.project(id));
    let within = |path: &[Name]| root.is_none_or(|root| path.first() == Some(&root.meta.name));
    all.filter(|(path, _)| within(path))
        .map(|(path, object)| Declared {
            path,
            description: object.meta().description.clone(),
            spec: object.spec(),
        })
        .collect()
}

/// The steps to what is declared, in an order in which they can be taken. Where `prune` says so, what stands
/// in a declared project and is not declared goes, last; but for what came with a VPC by itself.
///
/// # Errors
/// Where an object is declared twice, or its path is not one of its kind. The field is its place in the declaration.
pub fn steps(intent: &Intent, declared: &[Declared], prune: bool) -> Result<Vec<Step>, Refusal> {
    let mut wanted: BTreeMap<(usize, &[Name]), (usize, &Declared)> = BTreeMap::new();
    for (at, one) in declared.iter().enumerate() {
        let field = format!("[{at}]");
        let kind = one.spec.kind();
        let place = place(kind);
        let depth = std::iter::successors(Some(kind), |kind| kind.parent()).count();
        if one.path.len() != depth {
            let problem = Problem::Parent(kind.parent());
            return Err(Refusal::of(format!("{field}.path"), problem));
        }
        if wanted.insert((place, &one.path), (at, one)).is_some() {
            return Err(Refusal::of(field, Problem::Twice));
        }
    }
    let mut steps = Vec::new();
    let mut kept = BTreeSet::new();
    for (at, one) in wanted.into_values() {
        let (name, parents) = split(one)?;
        let kind = one.spec.kind();
        let there = parent(intent, kind, parents).ok();
        let there = there.and_then(|parent| intent.find(kind, parent, name));
        match there {
            Some(object) => {
                kept.insert(object.key());
                let meta = object.meta();
                if meta.description != one.description || object.spec() != one.spec {
                    steps.push(Step::Update {
                        at,
                        key: object.key(),
                        declared: one.clone(),
                    });
                }
            }
            None => steps.push(Step::Create {
                at,
                declared: one.clone(),
            }),
        }
    }
    if prune {
        steps.extend(pruned(intent, &kept));
    }
    Ok(steps)
}

/// The steps by which objects go, in an order in which they can; what goes with its parent takes none of its own.
#[must_use]
pub fn removals(intent: &Intent, keys: &BTreeSet<Key>) -> Vec<Step> {
    let parent = |key: &Key| {
        let parent = intent.get(*key)?.meta().parent?;
        Some(Key::new(key.kind.parent()?, parent))
    };
    let on_its_own = |key: &&Key| {
        let mut above = std::iter::successors(parent(key), parent);
        // A NIC goes before its VPC does, also where its instance goes.
        !above.any(|above| keys.contains(&above))
    };
    let mut keys: Vec<_> = keys.iter().filter(on_its_own).copied().collect();
    keys.sort_by_key(|key| std::cmp::Reverse(place(key.kind)));
    keys.into_iter().map(Step::Delete).collect()
}

/// Where a kind stands in the order.
fn place(kind: Kind) -> usize {
    let place = ORDER.iter().position(|known| *known == kind);
    place.unwrap_or(ORDER.len())
}

/// What stands in a declared project and is not declared.
fn pruned(intent: &Intent, kept: &BTreeSet<Key>) -> Vec<Step> {
    let projects = kept.iter().filter(|key| key.kind == Kind::Project);
    let projects: BTreeSet<Id> = projects.map(|key| key.id).collect();
    let mut gone: BTreeSet<Key> = BTreeSet::new();
    for kind in Kind::ALL {
        for object in intent.objects().filter(|object| object.kind() == *kind) {
            let parent = kind.parent().zip(object.meta().parent);
            let parent = parent.map(|(kind, id)| Key::new(kind, id));
            let with_parent = parent.is_some_and(|parent| gone.contains(&parent));
            let theirs = project_of(intent, object).is_some_and(|id| projects.contains(&id));
            let lasting = kept.contains(&object.key()) || came_with_vpc(object);
            if with_parent || (theirs && !lasting) {
                gone.insert(object.key());
            }
        }
    }
    removals(intent, &gone)
}

/// Whether an object came with its VPC. It goes by its own name only.
fn came_with_vpc(object: &Object) -> bool {
    let name = object.meta().name.as_str();
    match object {
        Object::Router(router) => router.given.system,
        Object::InternetGateway(_) => name == "default",
        Object::Route(_) => matches!(name, "default-v4" | "default-v6"),
        Object::FirewallRule(_) => matches!(
            name,
            "allow-outbound" | "allow-internal" | "allow-icmp" | "allow-ssh"
        ),
        _ => false,
    }
}

fn parent_of<'a>(intent: &'a Intent, object: &Object) -> Option<&'a Object> {
    let (kind, id) = object.kind().parent().zip(object.meta().parent)?;
    intent.get(Key::new(kind, id))
}

fn project_of(intent: &Intent, object: &Object) -> Option<Id> {
    match object.kind() {
        Kind::Project => Some(object.meta().id),
        _ => project_of(intent, parent_of(intent, object)?),
    }
}

/// The path of an object; none where a parent is missing.
#[must_use]
pub fn path(intent: &Intent, object: &Object) -> Option<Vec<Name>> {
    let mut path = match object.kind().parent() {
        Some(_) => path(intent, parent_of(intent, object)?)?,
        None => Vec::new(),
    };
    path.push(object.meta().name.clone());
    Some(path)
}

/// The object of a kind with this path.
///
/// # Errors
/// Where it is not there.
pub fn find<'i>(intent: &'i Intent, kind: Kind, path: &[Name]) -> Result<&'i Object, Refusal> {
    let problem = || Refusal::of("path", Problem::Parent(kind.parent()));
    let depth = std::iter::successors(Some(kind), |kind| kind.parent()).count();
    let (name, parents) = path
        .split_last()
        .filter(|_| path.len() == depth)
        .ok_or_else(problem)?;
    let parent = parent(intent, kind, parents)?;
    let missing = || Refusal::of("path", Problem::NoSuch(kind, name.to_string()));
    intent.find(kind, parent, name).ok_or_else(missing)
}

fn split(declared: &Declared) -> Result<(&Name, &[Name]), Refusal> {
    let problem = Problem::Parent(declared.spec.kind().parent());
    let parts = declared.path.split_last();
    parts.ok_or_else(|| Refusal::of("path", problem))
}

/// The parent at the end of a path.
fn parent(intent: &Intent, kind: Kind, path: &[Name]) -> Result<Option<Id>, Refusal> {
    let Some((kind, (name, before))) = kind.parent().zip(path.split_last()) else {
        return Ok(None);
    };
    let above = parent(intent, kind, before)?;
    let found = intent.find(kind, above, name);
    let missing = || Refusal::of("path", Problem::NoSuch(kind, name.to_string()));
    found
        .map(|object| Some(object.meta().id))
        .ok_or_else(missing)
}
