//! A request while it is decided: what changes so far.

use std::collections::BTreeMap;

use rackweave_types::Generation;

use super::Checked;
use crate::change::{Change, Commit};
use crate::draw::Draw;
use crate::intent::Intent;
use crate::key::{Id, Key, Kind};
use crate::model::{AzGiven, AzSpec, Entry, Meta, Object, ProjectSpec, VpcGiven, VpcSpec};
use crate::name::Name;
use crate::refusal::{Problem, Refusal};

/// A request while it is decided.
pub(super) struct Case<'a> {
    pub(super) intent: &'a Intent,
    pub(super) draw: Draw,
    changes: BTreeMap<Key, Option<Object>>,
    /// VPCs whose numbers were given on.
    numbers: BTreeMap<Id, u32>,
    drawn: u64,
}

impl<'a> Case<'a> {
    pub(super) fn new(intent: &'a Intent, draw: Draw) -> Self {
        Self {
            intent,
            draw,
            changes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// The generation of what changes now.
    pub(super) fn generation(&self) -> Generation {
        self.intent.head().next()
    }

    /// What a new object has, with an id that no object of its kind has.
    pub(super) fn meta(&mut self, kind: Kind, parent: Option<Id>, name: Name) -> Meta {
        self.drawn += 1;
        let free = |id: &Id| {
            let key = Key::new(kind, *id);
            id.get() != 0 && self.intent.get(key).is_none() && !self.changes.contains_key(&key)
        };
        let purpose = format!("id {}", self.drawn);
        let mut drawn = self.draw.numbers(&purpose).map(Id::new);
        let id = drawn.find(free).unwrap_or(Id::new(self.drawn));
        Meta {
            id,
            parent,
            name,
            description: String::new(),
            generation: self.generation(),
        }
    }

    /// A new object of the system under a name that nobody has yet.
    pub(super) fn made(&mut self, kind: Kind, parent: Id, name: &'static str) -> Checked<Meta> {
        let name = name
            .parse()
            .map_err(|_| Refusal::whole(Problem::Wrong(name)))?;
        Ok(self.meta(kind, Some(parent), name))
    }

    /// The object comes or changes. One that stays as it is keeps its generation.
    pub(super) fn put(&mut self, object: impl Into<Object>) {
        let mut object = object.into();
        if let Some(old) = self.intent.get(object.key()) {
            object.meta_mut().generation = old.meta().generation;
            if *old == object {
                return;
            }
        }
        object.meta_mut().generation = self.generation();
        self.changes.insert(object.key(), Some(object));
    }

    /// The object goes, with all that stands under it.
    pub(super) fn delete_tree(&mut self, key: Key) {
        for kind in Kind::ALL
            .iter()
            .filter(|kind| kind.parent() == Some(key.kind))
        {
            let intent = self.intent;
            for child in intent.children(*kind, Some(key.id), None) {
                self.delete_tree(child.key());
            }
        }
        if self.intent.get(key).is_some() {
            self.changes.insert(key, None);
        }
    }

    /// The next number of a VPC.
    pub(super) fn number(&mut self, vpc: Id) -> Checked<u32> {
        let last = self.intent.vpc(vpc).map_or(0, |vpc| vpc.given.last_number);
        let last = self.numbers.entry(vpc).or_insert(last);
        *last = last.checked_add(1).ok_or_else(|| {
            Refusal::whole(Problem::Exhausted("the numbers of the vpc".to_owned()))
        })?;
        Ok(*last)
    }

    /// The AZ, which is there.
    pub(super) fn az(&self) -> Checked<&'a Entry<AzSpec, AzGiven>> {
        self.intent.az().ok_or(Refusal::whole(Problem::NoAz))
    }

    /// The project that an object stands under.
    pub(super) fn project(&self, id: Option<Id>) -> Checked<&'a Entry<ProjectSpec>> {
        let project = id.and_then(|id| self.intent.project(id));
        project.ok_or(Refusal::of("parent", Problem::Parent(Some(Kind::Project))))
    }

    /// The VPC that an object stands under.
    pub(super) fn vpc(&self, id: Option<Id>) -> Checked<&'a Entry<VpcSpec, VpcGiven>> {
        let vpc = id.and_then(|id| self.intent.vpc(id));
        vpc.ok_or(Refusal::of("parent", Problem::Parent(Some(Kind::Vpc))))
    }

    /// Whether one more of a kind may stand under a parent. What is there already may stay.
    pub(super) fn quota(&self, meta: &Meta, kind: Kind, limit: u32) -> Checked {
        let there = self.intent.get(Key::new(kind, meta.id)).is_some();
        let count = self.intent.count(kind, meta.parent);
        if there || u32::try_from(count).is_ok_and(|count| count < limit) {
            Ok(())
        } else {
            Err(Refusal::whole(Problem::Quota { kind, limit }))
        }
    }

    /// What changes, all told. What was counted on in a VPC is no change that its users see.
    pub(super) fn commit(mut self) -> Commit {
        for (id, last) in std::mem::take(&mut self.numbers) {
            let key = Key::new(Kind::Vpc, id);
            let changed = self.changes.remove(&key).flatten();
            let vpc = changed.or_else(|| self.intent.get(key).cloned());
            if let Some(Object::Vpc(mut vpc)) = vpc {
                vpc.given.last_number = last;
                self.changes.insert(key, Some(Object::Vpc(vpc)));
            }
        }
        let changes = self.changes.into_iter();
        Commit {
            base: self.intent.head(),
            changes: changes
                .map(|(key, object)| Change { key, object })
                .collect(),
        }
    }
}

/// A field that is named where something of this kind must be.
pub(super) fn named<'a>(
    intent: &'a Intent,
    kind: Kind,
    parent: Option<Id>,
    name: &Name,
    field: &str,
) -> Checked<&'a Object> {
    let missing = || Refusal::of(field, Problem::NoSuch(kind, name.to_string()));
    intent.find(kind, parent, name).ok_or_else(missing)
}

/// Says that something is wrong with a field, if it is.
pub(super) fn ensure(right: bool, field: &str, problem: Problem) -> Checked {
    if right {
        Ok(())
    } else {
        Err(Refusal::of(field, problem))
    }
}

/// What uses an object, if anything does.
pub(super) fn unused(by: &[String]) -> Checked {
    match by.first() {
        None => Ok(()),
        Some(first) => Err(Refusal::whole(Problem::InUse {
            by: first.clone(),
            count: by.len(),
        })),
    }
}
