//! Many objects at once: what that would mean, and doing it.

use std::collections::BTreeMap;

use rackweave_api::control::{self as api, Applied, AuditEntry, Preview, Revision, Role};
use rackweave_api::http::Problem;
use rackweave_control::declare::Step;
use rackweave_control::{Batch, Commit, Draw, EncodedChange, Key, Kind, Stopped, decide_all};
use rackweave_linux::{clock, random};
use rackweave_store as store;
use rackweave_types::NodePrefix;

use super::World;
use super::change::{OBJECTS_MAX, Outcome};
use crate::audit::sequence;
use crate::auth::Caller;
use crate::declaration::{Declaration, digest, shown, stale, within};
use crate::paths::path_of;
use crate::problems::refused;

/// How often steps are decided anew when another controller was faster.
const ATTEMPTS: usize = 16;
/// Octets of an entry of the audit log, generously.
const ENTRY: usize = 1024;

/// A declaration that somebody wants to come true.
#[derive(Debug)]
pub(crate) struct Applying {
    /// What.
    pub(crate) declaration: Declaration,
    /// Who wants it.
    pub(crate) caller: Caller,
    /// The request, for the audit log.
    pub(crate) request_id: String,
}

/// What a declaration would mean.
#[derive(Debug)]
pub(crate) struct Foreseen {
    /// For people.
    pub(crate) preview: Preview,
    /// What each host would be told.
    pub(crate) nodes: BTreeMap<NodePrefix, Vec<EncodedChange>>,
}

impl World {
    /// What a declaration would mean. Nothing changes.
    ///
    /// # Errors
    /// What is refused.
    pub(crate) fn foresee(
        &mut self,
        declaration: &Declaration,
        caller: &Caller,
    ) -> Result<Foreseen, Problem> {
        let steps = declaration.steps(&self.intent, caller, Role::Viewer)?;
        let batches = self.decided(&steps)?;
        let commits: Vec<_> = batches.into_iter().map(|batch| batch.commit).collect();
        let mut nodes: BTreeMap<NodePrefix, Vec<EncodedChange>> = BTreeMap::new();
        for delta in self.plan.preview(&mut self.intent, &commits) {
            for (node, delta) in delta.nodes {
                nodes.entry(node).or_default().extend(delta.changes);
            }
        }
        let named = nodes.keys().filter(|_| caller.is_operator());
        let preview = Preview {
            revision: Revision(self.intent.head().get()),
            digest: digest(&self.intent, &steps),
            steps: shown(&self.intent, &steps),
            hosts: nodes.len(),
            nodes: named.map(ToString::to_string).collect(),
            flows: None,
        };
        Ok(Foreseen { preview, nodes })
    }

    /// Makes a declaration come true. If a step is refused, none is taken; steps that are too many for one commit of the
    /// store are taken by several.
    ///
    /// # Errors
    /// What is refused, or why it could not be stored.
    pub(super) async fn apply(&mut self, applying: &Applying) -> Result<Applied, Problem> {
        let Applying {
            declaration,
            caller,
            request_id,
        } = applying;
        let mut done: Option<Applied> = None;
        for _ in 0..ATTEMPTS {
            let steps = declaration.steps(&self.intent, caller, Role::Developer)?;
            let agreed = declaration.digest.as_ref();
            if done.is_none()
                && agreed.is_some_and(|agreed| *agreed != digest(&self.intent, &steps))
            {
                return Err(stale());
            }
            let batches = self.decided(&steps)?;
            small_enough(&batches)?;
            let seen = shown(&self.intent, &steps);
            let head = Revision(self.intent.head().get());
            let applied = done.get_or_insert(Applied {
                before: head,
                revision: head,
                steps: Vec::new(),
            });
            let mut beaten = false;
            for batch in batches {
                if !batch.commit.changes.is_empty() {
                    let entries = self.entries(&batch, &seen, caller, request_id);
                    match self.store_commit(&batch.commit, &entries, None).await? {
                        Outcome::Made => applied.revision = Revision(self.intent.head().get()),
                        Outcome::Beaten => {
                            beaten = true;
                            break;
                        }
                    }
                }
                applied.steps.extend_from_slice(&seen[batch.steps]);
            }
            if !beaten {
                return Ok(done.unwrap_or_else(|| Applied {
                    before: head,
                    revision: head,
                    steps: Vec::new(),
                }));
            }
        }
        Err(Problem::unavailable("too much is changed at once").next("try again"))
    }

    /// What the audit log says of steps.
    fn entries(
        &self,
        batch: &Batch,
        seen: &[api::Step],
        caller: &Caller,
        request_id: &str,
    ) -> Vec<AuditEntry> {
        let (at_ms, head) = (clock::unix_millis(), batch.commit.head());
        let taken = batch.steps.clone().zip(&batch.subjects);
        let entry = |own, at: usize, subject: Key| {
            let seen = seen.get(at)?;
            Some(AuditEntry {
                sequence: sequence(at_ms, head, own),
                at_ms,
                actor: caller.actor(),
                request_id: request_id.to_owned(),
                action: seen.action,
                path: path_of(subject.kind, seen.path.split('/')),
                id: Some(subject.id.to_string()),
                project: self.project_of(subject, &batch.commit),
                revision: Some(Revision(head.get())),
            })
        };
        let entries = taken.enumerate();
        entries
            .filter_map(|(own, (at, subject))| entry(own, at, *subject))
            .collect()
    }

    /// The id of the project that an object belongs to, after a commit.
    fn project_of(&self, key: Key, commit: &Commit) -> Option<String> {
        let mut key = key;
        while key.kind != Kind::Project {
            let mut changes = commit.changes.iter();
            let changed = changes.find(|change| change.key == key);
            let changed = changed.and_then(|change| change.object.as_ref());
            let object = changed.or_else(|| self.intent.get(key))?;
            key = Key::new(key.kind.parent()?, object.meta().parent?);
        }
        Some(key.id.to_string())
    }

    /// What follows from steps.
    fn decided(&mut self, steps: &[Step]) -> Result<Vec<Batch>, Problem> {
        let drawn = random::bytes().map_err(|_| Problem::internal("nothing can be drawn"))?;
        let decided = decide_all(&mut self.intent, steps, Draw::new(drawn), OBJECTS_MAX);
        decided.map_err(|Stopped { step, refusal }| {
            let problem = refused(&refusal);
            match steps.get(step).and_then(Step::at) {
                Some(at) => within(problem, "objects", at),
                None => problem,
            }
        })
    }
}

/// Refuses what the store could not hold before any of it is stored.
fn small_enough(batches: &[Batch]) -> Result<(), Problem> {
    for batch in batches {
        let objects = batch.commit.changes.iter();
        let objects = objects.filter_map(|change| change.object.as_ref());
        let octets: usize = objects.map(|object| object.encode().len()).sum();
        if octets + batch.steps.len() * ENTRY > store::Commit::MAX_OCTETS {
            let problem = Problem::conflict("it is too long to be stored at once");
            return Err(problem.next("declare less at once"));
        }
    }
    Ok(())
}
