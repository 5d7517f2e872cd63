//! The node's machine among its doors: every input goes in here, and every output comes out.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use rackweave_api::router as api;
use rackweave_linux::clock;
use rackweave_routing::ddm::session::Security;
use rackweave_routing::fabric::{Event, EventKind, Fabric, Input, LinkId, LinkState, Now, Output};
use rackweave_types::Instant;

use crate::counts::Counts;
use crate::doors::Doors;
use crate::history::History;
use crate::originate::Originations;
use crate::record::Recorder;
use crate::uses::Uses;
use crate::verify::Verifying;
use crate::view::{millis, word};
use crate::who::{Who, keep_assignment};

/// What the run loop owns.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) info: Arc<Info>,
    pub(crate) fabric: Fabric,
    pub(crate) doors: Doors,
    pub(crate) history: History,
    pub(crate) originations: Originations,
    pub(crate) uses: Uses,
    pub(crate) verifying: Verifying,
    pub(crate) counts: Counts,
    pub(crate) links: BTreeMap<LinkId, LinkState>,
    pub(crate) recorder: Option<Recorder>,
    /// Room for what the machine wants done, used again and again.
    pub(crate) outputs: Vec<Output>,
}

/// What does not change while the router runs.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    /// Name and version of the program.
    pub(crate) program: String,
    /// When it started.
    pub(crate) started: Instant,
    /// Who the node was at the start.
    pub(crate) who: Who,
    /// Where it keeps what outlives the machine's restart.
    pub(crate) state_dir: PathBuf,
}

/// The time of an input.
pub(crate) fn now() -> Now {
    Now {
        at: clock::now(),
        unix: clock::unix_seconds(),
    }
}

impl World {
    /// Tells the machine something, and does what it wants done.
    pub(crate) fn handle(&mut self, input: Input) {
        let mut waiting = VecDeque::from([input]);
        while let Some(input) = waiting.pop_front() {
            self.step(input, &mut waiting);
        }
    }

    /// Tells the machine things in their order.
    pub(crate) fn handle_all(&mut self, inputs: Vec<Input>) {
        for input in inputs {
            self.handle(input);
        }
    }

    /// Everything that is over by now, and the machine's own timers.
    pub(crate) fn tick(&mut self) {
        let now = clock::now();
        if self.uses.expire(now) || self.verifying.deadline().is_some_and(|due| due <= now) {
            self.aim();
        }
        let over = self.originations.expire(now);
        self.handle_all(over);
        self.handle(Input::Tick);
    }

    /// When [`tick`](Self::tick) is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let all = [
            self.fabric.deadline(),
            self.originations.deadline(),
            self.uses.deadline(),
            self.verifying.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// Has the destinations in use verified.
    pub(crate) fn aim(&mut self) {
        self.verifying.aim(clock::now(), &self.fabric, &self.uses);
    }

    /// Tells people that something happened.
    pub(crate) fn tell(&mut self, event: &Event) {
        match event.kind {
            EventKind::Refused | EventKind::Conflict => tracing::warn!("{}", event.what),
            _ => tracing::info!("{}", event.what),
        }
        let passed = clock::now().since(event.at);
        self.history.push(api::Event {
            unix_ms: clock::unix_millis().saturating_sub(millis(passed)),
            kind: word(&event.kind),
            what: event.what.clone(),
        });
    }

    /// Goes over to other keys; sessions go on under them.
    pub(crate) fn rotate(&mut self, security: Security) {
        let (now, mut outputs) = (now(), Vec::new());
        if let Some(recorder) = &mut self.recorder {
            recorder.rotated(now);
        }
        self.fabric.rotate(now, security, &mut outputs);
        let mut waiting = VecDeque::new();
        self.perform(&mut outputs, &mut waiting);
        while let Some(input) = waiting.pop_front() {
            self.step(input, &mut waiting);
        }
    }

    /// One input. What a door has to say to it at once waits behind it.
    fn step(&mut self, input: Input, waiting: &mut VecDeque<Input>) {
        let now = now();
        self.note(&input);
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        self.fabric.handle(now, input, &mut outputs);
        self.perform(&mut outputs, waiting);
        self.outputs = outputs;
    }

    /// Does what the machine wants done.
    fn perform(&mut self, outputs: &mut Vec<Output>, waiting: &mut VecDeque<Input>) {
        for output in outputs.drain(..) {
            self.counts.output(&output);
            match output {
                Output::Event(event) => self.tell(&event),
                output => waiting.extend(self.doors.perform(output)),
            }
        }
    }

    /// What the machine is told, the world knows too.
    fn note(&mut self, input: &Input) {
        self.counts.input(input);
        self.doors.before(input);
        match input {
            Input::Link(link) => {
                self.links.insert(link.link, link.clone());
            }
            Input::LinkGone(link) => {
                self.links.remove(link);
            }
            Input::Assigned(assignment) => {
                let who = &self.info.who;
                self.doors.describe(who.describe(Some(assignment.prefix)));
                if let Err(error) = keep_assignment(&self.info.state_dir, assignment) {
                    tracing::error!("{error:#}: the assignment is lost when the router ends");
                }
            }
            _ => {}
        }
    }
}
