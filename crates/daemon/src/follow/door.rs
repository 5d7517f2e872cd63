//! The course, over HTTP.

use std::convert::Infallible;
use std::time::Duration;

use rackweave_api::control::{NodeReport, ObjectError};
use rackweave_api::http::{Client, ClientError, LINE_MAX, Octets};
use rackweave_api::local::{LineDecoder, LineTooLong};
use rackweave_types::{Generation, NodePrefix};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{Change, ControllerConfig, Course, Misfit, NodeState, Update};
use crate::output::causes;

/// How long a controller may take to begin its answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a stream may be silent: three of its pulses.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a node says what it has, where nothing changes.
const REGULARLY: Duration = Duration::from_secs(30);
/// How often it looks whether what could not be put into force is in force now.
const FAULTY: Duration = Duration::from_secs(1);
/// How long a report that was not taken waits.
const AGAIN: Duration = Duration::from_secs(1);
/// The most errors of a report.
const ERRORS: usize = 1000;

/// Who is told what to be.
pub trait Node {
    /// What it is told.
    type State: NodeState;

    /// Brings the node to a state. Returns when it is in force, with what could not be put into force.
    fn apply(
        &mut self,
        state: &Self::State,
        change: &Change,
    ) -> impl Future<Output = Vec<ObjectError>> + Send;

    /// What is not in force now; asked regularly.
    fn errors(&mut self) -> impl Future<Output = Vec<ObjectError>> + Send;
}

/// Whom a node follows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node.
    pub node: NodePrefix,
    /// The controllers, each with what the node shows of itself.
    pub controllers: Vec<Client>,
}

/// How a node follows, for people and counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowStatus {
    /// The controller whose stream it reads.
    pub controller: Option<String>,
    /// Why the last one was of no use; gone when one is.
    pub fault: Option<String>,
    /// The generation that it heard of last.
    pub generation: Generation,
    /// Changes heard.
    pub deltas: u64,
    /// Whole states heard.
    pub states: u64,
    /// Updates that did not fit.
    pub misfits: u64,
    /// Streams that ended, and controllers that did not answer.
    pub lost: u64,
}

/// A node that follows its controllers.
#[derive(Debug)]
pub struct Follow<S> {
    settings: Settings,
    path: String,
    course: Course<S>,
    random: fn() -> u32,
    renewal: Option<ControllerConfig>,
    status: watch::Sender<FollowStatus>,
}

/// Why a controller was of no use.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("it ended its stream")]
    Ended,
    #[error("nothing was heard for {} s", SILENCE.as_secs())]
    Silent,
    #[error("a line cannot be read")]
    Line(#[from] LineTooLong),
    #[error("what it says is not understood")]
    Garbled(#[from] serde_json::Error),
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl<S: NodeState> Follow<S> {
    /// A node that has this state, and follows nobody yet. `random` is drawn from for pauses.
    #[must_use]
    pub fn new(settings: Settings, state: Option<S>, random: fn() -> u32) -> Self {
        let address = settings.node.net().network();
        Self {
            path: format!("/v1/nodes/{address}"),
            course: Course::new(settings.controllers.len(), state, random()),
            settings,
            random,
            renewal: None,
            status: watch::Sender::default(),
        }
    }

    /// How it follows.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<FollowStatus> {
        self.status.subscribe()
    }

    /// What it has.
    #[must_use]
    pub const fn state(&self) -> Option<&S> {
        self.course.state()
    }

    /// The same node, which reads its keys and addresses again where no controller is of use.
    #[must_use]
    pub fn renewed_from(mut self, config: ControllerConfig) -> Self {
        self.renewal = Some(config);
        self
    }

    /// Asks controllers in turn what the node is to be, until one has answered: what it has is then the newest state. A
    /// node that was away does so before it begins. May be dropped, and [`run`](Self::run) goes on from there.
    pub async fn catch_up(&mut self) {
        while let Err(lost) = self.catch_up_with_one().await {
            self.give_up(&lost);
            self.pause().await;
        }
    }

    /// Follows for ever. Dropped, it ends.
    pub async fn run<N: Node<State = S> + Send>(mut self, mut node: N) -> ! {
        loop {
            let Err(lost) = self.follow_one(&mut node).await;
            self.give_up(&lost);
            self.pause().await;
        }
    }

    /// Goes on to the next controller, after a while.
    async fn pause(&mut self) {
        let pause = self.course.lost((self.random)());
        sleep(pause).await;
        if !self.course.asked_all() {
            return;
        }
        if let Some(config) = &self.renewal {
            match config.settings() {
                Ok(settings) if settings.node == self.settings.node => self.settings = settings,
                Ok(settings) => {
                    tracing::warn!(node = %settings.node, "the keys are another node's now");
                }
                Err(error) => {
                    tracing::warn!(error = causes(&error), "the keys cannot be read again");
                }
            }
        }
    }

    async fn catch_up_with_one(&mut self) -> Result<(), Lost> {
        let ask = self.course.ask();
        let Some(client) = self.settings.controllers.get(ask.controller) else {
            return Err(Lost::Ended);
        };
        let mut call = client
            .get(&format!("{}/state", self.path))
            .at_most(LINE_MAX);
        if let Some((generation, digest)) = ask.has {
            call = call.query("generation", generation).query("digest", digest);
        }
        let update: Update<S> = call.patience(ANSWER).answer().await?.body;
        self.hear(update)?;
        Ok(())
    }

    /// Reads one controller's stream until it is of no use any more.
    async fn follow_one<N: Node<State = S> + Send>(
        &mut self,
        node: &mut N,
    ) -> Result<Infallible, Lost> {
        let ask = self.course.ask();
        let Some(client) = self.settings.controllers.get(ask.controller).cloned() else {
            return Err(Lost::Ended);
        };
        let mut call = client.get(&format!("{}/stream", self.path));
        if let Some((generation, digest)) = ask.has {
            call = call.query("generation", generation).query("digest", digest);
        }
        let stream = call.patience(ANSWER).stream().await?;
        let (say, said) = watch::channel(None);
        let path = format!("{}/report", self.path);
        tokio::select! {
            lost = self.hear_all(&client, stream, node, &say) => lost,
            () = report(&client, &path, said) => Err(Lost::Ended),
        }
    }

    async fn hear_all<N: Node<State = S> + Send>(
        &mut self,
        client: &Client,
        mut stream: Octets,
        node: &mut N,
        say: &watch::Sender<Option<NodeReport>>,
    ) -> Result<Infallible, Lost> {
        let mut lines = LineDecoder::new(LINE_MAX);
        let mut silent = Instant::now() + SILENCE;
        let mut due = Instant::now() + REGULARLY;
        loop {
            let octets = tokio::select! {
                octets = timeout_at(silent, stream.next()) => octets,
                () = sleep_until(due) => {
                    due = self.say(say, node.errors().await);
                    continue;
                }
            };
            let octets = octets.map_err(|_| Lost::Silent)??.ok_or(Lost::Ended)?;
            silent = Instant::now() + SILENCE;
            lines.feed(&octets);
            let mut heard = None;
            while let Some(line) = lines.next_line()? {
                let change = self.hear(serde_json::from_slice(line)?)?;
                self.told(client);
                heard = Some(match (heard, change) {
                    (Some(Change::Whole), _) | (_, Change::Whole) => Change::Whole,
                    (Some(Change::Objects(one)), Change::Objects(more)) => {
                        Change::Objects(one + more)
                    }
                    (Some(Change::Objects(objects)), Change::Nothing) => Change::Objects(objects),
                    (_, change) => change,
                });
            }
            if let (Some(change), Some(state)) = (heard, self.course.state()) {
                due = self.say(say, node.apply(state, &change).await);
            }
        }
    }

    /// Takes in an update, and counts it.
    fn hear(&mut self, update: Update<S>) -> Result<Change, Misfit> {
        let heard = self.course.hear(update);
        let generation = self.course.state().map(NodeState::generation);
        self.status.send_modify(|status| {
            match &heard {
                Ok(Change::Whole) => status.states += 1,
                Ok(Change::Objects(_)) => status.deltas += 1,
                Ok(Change::Nothing) => {}
                Err(_) => status.misfits += 1,
            }
            if let Some(generation) = generation {
                status.generation = generation;
            }
        });
        heard
    }

    /// Says what is in force; gives when to look again.
    fn say(
        &self,
        say: &watch::Sender<Option<NodeReport>>,
        mut errors: Vec<ObjectError>,
    ) -> Instant {
        let pause = if errors.is_empty() { REGULARLY } else { FAULTY };
        if let Some(state) = self.course.state() {
            errors.truncate(ERRORS);
            say.send_replace(Some(NodeReport {
                generation: state.generation(),
                digest: state.digest().to_string(),
                errors,
                program: crate::program(),
            }));
        }
        Instant::now() + pause
    }

    /// A controller is of use.
    fn told(&self, client: &Client) {
        self.status.send_if_modified(|status| {
            if status.controller.is_some() {
                return false;
            }
            let controller = client.endpoint().to_string();
            tracing::info!(controller, generation = %status.generation, "a controller is heard");
            status.controller = Some(controller);
            status.fault = None;
            true
        });
    }

    /// A controller is of no use, or not any more. Each reason is told once.
    fn give_up(&self, lost: &Lost) {
        let controller = self.settings.controllers.get(self.course.ask().controller);
        let controller = controller.map_or_else(String::new, |one| one.endpoint().to_string());
        let fault = format!("{controller}: {}", causes(lost));
        self.status.send_modify(|status| {
            status.lost += 1;
            let news = status.controller.take().is_some() || status.fault.is_none();
            if news {
                tracing::warn!(
                    fault,
                    "no controller is heard; what it said last stays in force"
                );
            } else {
                tracing::debug!(fault, "a controller is of no use");
            }
            status.fault = Some(fault);
        });
    }
}

/// Tells the controller what is in force: the newest of what there is to say, until it is taken.
async fn report(client: &Client, path: &str, mut said: watch::Receiver<Option<NodeReport>>) {
    while said.changed().await.is_ok() {
        loop {
            let Some(report) = said.borrow_and_update().clone() else {
                break;
            };
            match client.post(path).json(&report).done().await {
                Ok(()) => break,
                Err(error) => {
                    tracing::debug!(error = causes(&error), "a report is not taken");
                    sleep(AGAIN).await;
                }
            }
        }
    }
}
