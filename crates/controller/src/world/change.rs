//! One change: decided, stored with its audit entry and its answer, adopted.

use std::time::Duration;

use rackweave_api::control::{Action, Actor, AuditEntry, Revision};
use rackweave_api::http::Problem;
use rackweave_control::model::Object;
use rackweave_control::{Commit, Decision, Draw, Key, Request, decide};
use rackweave_linux::{clock, random};
use rackweave_store::{self as store, CommitError};
use rackweave_types::Generation;
use tokio::time::timeout;

use super::hear::Head;
use super::record::{audit_key, json};
use super::{Answered, Repeat, World};
use crate::audit::sequence;
use crate::objects::shown;
use crate::problems::{refused, unreadable, unwritten};

/// How often a change is decided anew when another controller was faster.
const ATTEMPTS: usize = 16;
/// How long to wait for the commit that was faster.
const NEWS: Duration = Duration::from_secs(5);
/// The most objects and audit entries of one commit: the count of commits and the answer need room too.
pub(super) const OBJECTS_MAX: usize = store::Commit::MAX_WRITES - 2;

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored, and the snapshot has gone along.
    Made,
    /// Another one was faster, and the snapshot has gone along with that.
    Beaten,
}

/// A change that somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What.
    pub(crate) request: Request,
    /// Who, and how they named it.
    pub(crate) by: By,
    /// What makes its repetition known.
    pub(crate) repeat: Option<Repeat>,
}

/// Who asks for a change, for the audit log.
#[derive(Clone, Debug)]
pub(crate) struct By {
    /// Who.
    pub(crate) actor: Actor,
    /// The request.
    pub(crate) request_id: String,
    /// The object's path.
    pub(crate) path: String,
    /// The project that it belongs to.
    pub(crate) project: Option<String>,
}

impl World {
    /// Makes a change.
    ///
    /// # Errors
    /// What is refused, or why it could not be stored.
    pub(super) async fn change(&mut self, asked: Asked) -> Result<Answered, Problem> {
        for _ in 0..ATTEMPTS {
            if let Some(repeat) = &asked.repeat
                && let Some(answer) = repeat.answered(&self.store).await?
            {
                return Ok(answer);
            }
            let drawn = random::bytes().map_err(|_| Problem::internal("nothing can be drawn"))?;
            let decision = decide(&self.intent, &asked.request, Draw::new(drawn));
            let decision = decision.map_err(|refusal| refused(&refusal))?;
            let answer = self.answer(&asked.request, &decision);
            if decision.commit.changes.is_empty() {
                return Ok(answer);
            }
            let entry = entry(&asked, &decision);
            let kept = asked.repeat.as_ref().map(|repeat| (repeat, &answer));
            match self.store_commit(&decision.commit, &[entry], kept).await? {
                Outcome::Made => return Ok(answer),
                Outcome::Beaten => {}
            }
        }
        Err(Problem::unavailable("too much is changed at once").next("try again"))
    }

    /// Stores a commit with what the audit log says of it, and goes along; or hears what came before it.
    ///
    /// # Errors
    /// Why it could not be stored.
    pub(super) async fn store_commit(
        &mut self,
        commit: &Commit,
        entries: &[AuditEntry],
        kept: Option<(&Repeat, &Answered)>,
    ) -> Result<Outcome, Problem> {
        let written = self.written(commit, entries, kept)?;
        match self.store.commit(written).await {
            Ok(revision) => {
                self.adopt(commit, revision);
                Ok(Outcome::Made)
            }
            Err(CommitError::Conflict(_)) => {
                self.news().await?;
                Ok(Outcome::Beaten)
            }
            Err(error @ CommitError::Unknown(_)) => {
                // Its audit entry is there if it was made.
                let entry = entries.first().map(audit_key).transpose()?;
                let entry = entry.ok_or_else(|| unwritten(&error))?;
                let made = self.store.get(&entry, None).await;
                match made.map_err(|error| unreadable(&error))? {
                    Some(made) => {
                        self.adopt(commit, made.modified);
                        Ok(Outcome::Made)
                    }
                    None => Err(unwritten(&error)),
                }
            }
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// Waits for the commit that was faster.
    async fn news(&mut self) -> Result<(), Problem> {
        let before = self.intent.head();
        let heard = async {
            while self.intent.head() == before {
                let event = self.feed.next().await?;
                self.hear(event)?;
            }
            Ok(())
        };
        match timeout(NEWS, heard).await {
            Ok(heard) => heard.map_err(|error| unreadable(&error)),
            // The condition that failed may have been that of the answer: looked at next.
            Err(_) => Ok(()),
        }
    }

    /// What whoever asked is told once it is done.
    fn answer(&self, request: &Request, decision: &Decision) -> Answered {
        let commit = &decision.commit;
        let mut changes = commit.changes.iter();
        let object = match changes.find(|change| change.key == decision.subject) {
            Some(change) => change.object.as_ref(),
            None => self.intent.get(decision.subject),
        };
        let revision = if commit.changes.is_empty() {
            self.intent.head()
        } else {
            commit.head()
        };
        let status = match request {
            Request::Create { .. } => 201,
            Request::Update { .. } => 200,
            Request::Delete { .. } => 204,
        };
        Answered {
            status,
            revision: revision.get(),
            generation: object.map(|object| object.meta().generation.get()),
            body: object.map(shown),
        }
    }

    /// The commit as the store gets it.
    fn written(
        &self,
        commit: &Commit,
        entries: &[AuditEntry],
        kept: Option<(&Repeat, &Answered)>,
    ) -> Result<store::Commit, Problem> {
        if commit.changes.len() + entries.len() > OBJECTS_MAX {
            let count = commit.changes.len();
            let problem = Problem::conflict(format!("{count} objects would change at once"));
            return Err(problem.next("delete or change what belongs to it first"));
        }
        let head = key(Key::HEAD)?;
        let mut written = match self.head {
            Some(at) => store::Commit::new().expect_at(head.clone(), at),
            None => store::Commit::new().expect_absent(head.clone()),
        };
        let counted = Head {
            version: Head::VERSION,
            revision: commit.head(),
        };
        written = written.put(head, json(&counted)?);
        for change in &commit.changes {
            let key = key(&change.key.to_string())?;
            written = match &change.object {
                Some(object) => written.put(key, Object::encode(object)),
                None => written.delete(key),
            };
        }
        for entry in entries {
            written = written.put(audit_key(entry)?, json(entry)?);
        }
        if let Some((repeat, answer)) = kept {
            let kept = repeat.kept(answer, clock::unix_millis())?;
            let key = repeat.key().clone();
            written = written.expect_absent(key.clone()).put(key, kept);
        }
        Ok(written)
    }
}

fn key(text: &str) -> Result<store::Key, Problem> {
    store::Key::new(text).map_err(|error| Problem::internal(error.to_string()))
}

/// What the audit log says of it.
fn entry(asked: &Asked, decision: &Decision) -> AuditEntry {
    let at_ms = clock::unix_millis();
    let head: Generation = decision.commit.head();
    AuditEntry {
        sequence: sequence(at_ms, head, 0),
        at_ms,
        actor: asked.by.actor.clone(),
        request_id: asked.by.request_id.clone(),
        action: match asked.request {
            Request::Create { .. } => Action::Create,
            Request::Update { .. } => Action::Update,
            Request::Delete { .. } => Action::Delete,
        },
        path: asked.by.path.clone(),
        id: Some(decision.subject.id.to_string()),
        project: asked.by.project.clone(),
        revision: Some(Revision(head.get())),
    }
}
