//! Many steps, decided as one: each sees what those before it do, and if one is refused none is taken.

use std::collections::BTreeMap;
use std::ops::Range;

use rackweave_types::Generation;

use crate::change::{Change, Commit};
use crate::decide::decide;
use crate::declare::Step;
use crate::draw::Draw;
use crate::intent::Intent;
use crate::key::Key;
use crate::model::Object;
use crate::refusal::{Problem, Refusal};

/// Steps that are taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which ones.
    pub steps: Range<usize>,
    /// The object that each is about.
    pub subjects: Vec<Key>,
    /// What they change; nothing, where everything is already as asked for.
    pub commit: Commit,
}

/// A step that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which one.
    pub step: usize,
    /// Why.
    pub refusal: Refusal,
}

/// Decides what follows from steps that are taken one after the other, as few commits on top of each other: as many
/// steps are taken together as change no more than `room` objects, counting the steps themselves too. The intent is
/// afterwards as it was.
///
/// # Errors
/// The first step that is refused, or that is too large for any commit.
pub fn decide_all(
    intent: &mut Intent,
    steps: &[Step],
    draw: Draw,
    room: usize,
) -> Result<Vec<Batch>, Stopped> {
    let head = intent.head();
    let mut back = Vec::new();
    let decided = forward(intent, steps, draw, room, &mut back);
    for commit in back.iter().rev() {
        intent.apply(commit);
    }
    intent.rewind(head);
    decided
}

/// Decides step by step, and goes along; `back` is what leads back.
fn forward(
    intent: &mut Intent,
    steps: &[Step],
    draw: Draw,
    room: usize,
    back: &mut Vec<Commit>,
) -> Result<Vec<Batch>, Stopped> {
    let mut batches = Vec::new();
    let mut open = Open::new(intent.head(), 0);
    for (at, step) in steps.iter().enumerate() {
        let stopped = |refusal| Stopped { step: at, refusal };
        let decide = |intent: &Intent| {
            let request = step.request(intent)?;
            decide(intent, &request, draw.of(at))
        };
        let mut decision = decide(intent).map_err(stopped)?;
        if !open.has_room(&decision.commit, room) && !open.subjects.is_empty() {
            batches.push(open.close(at));
            open = Open::new(open.base.next(), at);
            intent.rewind(open.base);
            decision = decide(intent).map_err(stopped)?;
        }
        if !open.has_room(&decision.commit, room) {
            let refusal = Problem::TooMuch {
                count: decision.commit.changes.len(),
                max: room - 1,
            };
            return Err(stopped(Refusal::whole(refusal)));
        }
        open.take(intent, decision.subject, &decision.commit);
        back.push(intent.undo(&decision.commit));
        intent.apply(&decision.commit);
        // All of a commit happens at once.
        intent.rewind(open.base);
    }
    if !open.subjects.is_empty() {
        batches.push(open.close(steps.len()));
    }
    Ok(batches)
}

/// Steps that are still put together.
struct Open {
    base: Generation,
    first: usize,
    subjects: Vec<Key>,
    /// What changes, and whether it was there before.
    changes: BTreeMap<Key, (Option<Object>, bool)>,
}

impl Open {
    const fn new(base: Generation, first: usize) -> Self {
        Self {
            base,
            first,
            subjects: Vec::new(),
            changes: BTreeMap::new(),
        }
    }

    fn has_room(&self, commit: &Commit, room: usize) -> bool {
        let changes = commit.changes.iter();
        let new = changes.filter(|change| !self.changes.contains_key(&change.key));
        self.changes.len() + self.subjects.len() + new.count() < room
    }

    fn take(&mut self, intent: &Intent, subject: Key, commit: &Commit) {
        self.subjects.push(subject);
        for change in &commit.changes {
            let there = intent.get(change.key).is_some();
            let entry = self.changes.entry(change.key);
            entry.or_insert((None, there)).0.clone_from(&change.object);
        }
    }

    /// What the steps before this one change.
    fn close(&mut self, behind: usize) -> Batch {
        let changes = std::mem::take(&mut self.changes).into_iter();
        // What came and went again never was.
        let changes = changes.filter(|(_, (object, there))| object.is_some() || *there);
        let changes = changes.map(|(key, (object, _))| Change { key, object });
        Batch {
            steps: self.first..behind,
            subjects: std::mem::take(&mut self.subjects),
            commit: Commit {
                base: self.base,
                changes: changes.collect(),
            },
        }
    }
}
