//! An image on its way into a service processor: announced, sent in a window of chunks, verified there, started on trial
//! and kept once it has answered. The service processor says where to go on, so that it goes on after anything: a
//! gateway that was killed, a service processor that was away, chunks that were lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rackweave_mgmt::sp::Outcome;
use rackweave_mgmt::sp::message::{Failure, Image, Request, Response, State};
use rackweave_types::Instant;

use super::Answer;

/// Octets of a chunk: with all that is around it, it fits a datagram.
const CHUNK: usize = 1_152;
/// Chunks that are on their way at most.
const WINDOW: usize = 16;
/// How long a service processor may take to answer.
const WITHIN: Duration = Duration::from_secs(2);
/// How long it may take to verify an image.
const VERIFY_WITHIN: Duration = Duration::from_secs(30);
/// How long it is left alone where it did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a service processor may take to start from an image.
const START: Duration = Duration::from_mins(1);

/// How far an update is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The image.
    pub image: Image,
    /// So many octets of it are there.
    pub sent: u32,
    /// What is done now.
    pub stage: Stage,
}

/// What is done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The image is announced.
    Begin,
    /// Chunks are on their way.
    Send,
    /// The service processor verifies what came.
    Finish,
    /// What runs now, and is a start needed?
    Look,
    /// It starts anew.
    Reset,
    /// It is waited for.
    Start,
    /// What runs now?
    Check,
    /// The image runs: it is kept.
    Keep,
    /// The image runs for good.
    Done,
    /// It does not, and why.
    Failed(String),
}

/// See the [module](self).
#[derive(Debug)]
pub struct Update {
    image: Image,
    octets: Arc<[u8]>,
    stage: Stage,
    /// The start before the reset.
    boot: Option<[u8; 16]>,
    /// The start that is heard of now.
    heard: Option<[u8; 16]>,
    next: u32,
    there: u32,
    /// Something was out of place: go back once nothing is on its way.
    back: bool,
    asked: BTreeSet<u32>,
    not_before: Instant,
    patience: Instant,
    changed: Option<Stage>,
}

impl Update {
    /// The update to an image whose octets are these.
    #[must_use]
    pub fn new(image: Image, octets: Arc<[u8]>, now: Instant) -> Self {
        Self {
            image,
            octets,
            stage: Stage::Look,
            boot: None,
            heard: None,
            next: 0,
            there: 0,
            back: false,
            asked: BTreeSet::new(),
            not_before: now,
            patience: now.after(START),
            changed: None,
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            image: self.image.clone(),
            sent: self.there,
            stage: self.stage.clone(),
        }
    }

    /// Whether nothing more comes of it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done | Stage::Failed(_))
    }

    /// The service processor is heard, of this start.
    pub(super) fn found(&mut self, boot: [u8; 16]) {
        self.heard = Some(boot);
        if self.stage == Stage::Start && self.boot.is_some_and(|before| before != boot) {
            self.stage = Stage::Check;
        }
    }

    /// The service processor is gone: what was asked is not answered.
    pub(super) fn gone(&mut self) {
        self.asked.clear();
        self.back = false;
        if matches!(self.stage, Stage::Send | Stage::Finish) {
            self.stage = Stage::Begin;
        }
    }

    /// When there is something to ask though nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            _ if self.is_over() => None,
            Stage::Start => Some(self.patience),
            _ if self.asked.is_empty() => Some(self.not_before),
            _ => None,
        }
    }

    /// What changed since it was asked last: the stage, or every so often how much is there.
    pub(super) fn take_progress(&mut self) -> Option<Progress> {
        if self.changed.as_ref() == Some(&self.stage) {
            return None;
        }
        self.changed = Some(self.stage.clone());
        Some(self.progress())
    }

    /// The next request; [`Update::sent`] says its id.
    pub(super) fn next_request(&mut self, now: Instant) -> Option<(Request, Duration)> {
        if self.is_over() || now < self.not_before {
            return None;
        }
        if self.stage == Stage::Send {
            return self.next_chunk();
        }
        if !self.asked.is_empty() {
            return None;
        }
        let request = match self.stage {
            Stage::Begin => Request::UpdateBegin(self.image.clone()),
            Stage::Finish => return Some((Request::UpdateFinish, VERIFY_WITHIN)),
            Stage::Look | Stage::Check => Request::State,
            Stage::Reset => {
                self.boot = self.heard;
                self.patience = now.after(START);
                Request::Reset
            }
            Stage::Start => {
                if now >= self.patience {
                    self.fail(
                        "the service processor did not start again: look at it on its console",
                    );
                }
                return None;
            }
            Stage::Keep => Request::UpdateKeep,
            Stage::Send | Stage::Done | Stage::Failed(_) => return None,
        };
        Some((request, WITHIN))
    }

    fn next_chunk(&mut self) -> Option<(Request, Duration)> {
        if self.asked.is_empty() && self.back {
            self.next = self.there;
            self.back = false;
        }
        if self.there >= self.image.len {
            if self.asked.is_empty() {
                self.stage = Stage::Finish;
                return Some((Request::UpdateFinish, VERIFY_WITHIN));
            }
            return None;
        }
        if self.back || self.next >= self.image.len || self.asked.len() >= WINDOW {
            return None;
        }
        let at = usize::try_from(self.next).unwrap_or(usize::MAX);
        let rest = self.octets.get(at..).unwrap_or_default();
        let chunk = &rest[..rest.len().min(CHUNK)];
        let request = Request::UpdateChunk(self.next, chunk.to_vec());
        self.next += u32::try_from(chunk.len()).unwrap_or_default();
        Some((request, WITHIN))
    }

    /// The request that was next has this id.
    pub(super) fn sent(&mut self, id: u32) {
        self.asked.insert(id);
    }

    /// A request came to its end.
    pub(super) fn outcome(&mut self, now: Instant, id: u32, outcome: Outcome) {
        if !self.asked.remove(&id) {
            return;
        }
        self.ended(now, outcome.into());
        if self.is_over() {
            // Nobody needs them any more, and they are many.
            self.octets = Arc::default();
        }
    }

    fn ended(&mut self, now: Instant, answer: Answer) {
        match (answer, &self.stage) {
            (Answer::TimedOut, Stage::Send | Stage::Finish) => {
                self.asked.clear();
                self.stage = Stage::Begin;
                self.not_before = now.after(PAUSE);
            }
            (Answer::TimedOut, _) => self.not_before = now.after(PAUSE),
            (Answer::Response(response), _) => self.response(now, response),
            (Answer::Failed(failure), _) => self.failure(&failure),
            (answer, _) => self.fail(&format!("the request cannot be sent: {answer:?}")),
        }
    }

    fn response(&mut self, now: Instant, response: Response) {
        match (&self.stage, response) {
            (Stage::Begin, Response::Update(progress)) => {
                self.there = progress.next;
                self.next = progress.next;
                self.back = false;
                self.stage = Stage::Send;
            }
            (Stage::Send, Response::Update(progress)) => {
                self.there = self.there.max(progress.next);
            }
            (Stage::Finish, Response::Done) => self.stage = Stage::Reset,
            (Stage::Reset, Response::Done) => {
                self.stage = Stage::Start;
                self.patience = now.after(START);
            }
            (Stage::Look, Response::State(state)) => {
                self.stage = match self.runs(&state) {
                    Some(next) => next,
                    None => Stage::Begin,
                };
            }
            (Stage::Check, Response::State(state)) => {
                if let Some(next) = self.runs(&state) {
                    self.stage = next;
                } else {
                    let (image, runs) = (&self.image.name, &state.firmware);
                    self.fail(&format!(
                        "{image} did not come up, and the service processor went back to {runs}: \
                         build the image anew"
                    ));
                }
            }
            (Stage::Keep, Response::Done) => {
                self.there = self.image.len;
                self.stage = Stage::Done;
            }
            _ => {}
        }
    }

    /// What to do where the image runs already.
    fn runs(&self, state: &State) -> Option<Stage> {
        (state.firmware == self.image.name).then_some(if state.on_trial {
            Stage::Keep
        } else {
            Stage::Done
        })
    }

    fn failure(&mut self, failure: &Failure) {
        match (&self.stage, failure) {
            (Stage::Send, Failure::OutOfPlace(next)) => {
                self.there = self.there.max(*next);
                self.back = true;
            }
            (Stage::Finish, Failure::OutOfPlace(next)) => {
                self.there = *next;
                self.next = *next;
                self.stage = Stage::Send;
            }
            (Stage::Send | Stage::Finish, Failure::NoUpdate) => {
                self.asked.clear();
                self.stage = Stage::Begin;
            }
            (_, failure) => self.fail(&failure.to_string()),
        }
    }

    fn fail(&mut self, why: &str) {
        self.asked.clear();
        self.stage = Stage::Failed(why.into());
    }
}
