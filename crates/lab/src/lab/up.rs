//! How a lab comes up.

use std::time::Duration;

use clap::ValueEnum;
use rackweave_linux::clock::now;
use rackweave_types::{BootstrapPrefix, Instant, Role};

use super::root;
use crate::clock;
use crate::interrupt::Interrupt;
use crate::place::Place;
use crate::program::Started;
use crate::rack;
use crate::reach::{AGAIN, Reach};
use crate::router;
use crate::spaces;
use crate::state::{self, State};
use crate::step::StepError;
use crate::topology::{Node, Topology};
use crate::wire;

/// How long all may take to reach all before somebody is told who does not; the machine may be slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is to come up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes and links.
    pub topology: Topology,
    /// Whether nodes accept signed messages alone.
    pub signed: bool,
    /// How often neighbours tell each other that frames pass, in milliseconds.
    pub liveness_ms: u64,
    /// The last stage.
    pub until: Stage,
    /// Nodes whose router is not started.
    pub later: Vec<String>,
}

/// How far a lab is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// Nodes are joined; no program runs.
    Cables,
    /// Routers run, and all nodes of a rack reach each other by their bootstrap addresses.
    Bootstrap,
    /// Racks have given out their prefixes, and all sleds reach each other by them.
    Sleds,
}

/// What is told of a step.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// It is done.
    Done(&'a str),
    /// It goes on.
    Going(&'a str),
}

/// Brings a lab up; what was done is told to `tell`. Ends early where it is interrupted.
///
/// # Errors
/// The step that failed; what was made until then stays, for its logs to be read.
pub fn up(
    place: &Place,
    plan: Plan,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(Line<'_>),
) -> Result<(), StepError> {
    root()?;
    if place.state().exists() || !spaces::of(place).is_empty() {
        let lab = place.lab();
        return Err(
            StepError::new(format!("there is a lab called {lab} already")).next(format!(
                "another name: --name; or take it away: `rackweave lab down --name {lab}`"
            )),
        );
    }
    place.create()?;
    let _held = state::hold(place)?;
    let mut steps = Steps {
        place,
        interrupt,
        tell,
        start: now(),
        started: Vec::new(),
    };
    let mut state = State::new(plan.topology, plan.signed);
    state.liveness_ms = plan.liveness_ms;
    state.write(place)?;
    let done = steps.run(&state, plan.until, &plan.later);
    done.map_err(|error| error.or_down(place.lab()))
}

struct Steps<'a> {
    place: &'a Place,
    interrupt: &'a Interrupt,
    tell: &'a mut dyn FnMut(Line<'_>),
    start: Instant,
    started: Vec<Started>,
}

impl Steps<'_> {
    fn run(&mut self, state: &State, until: Stage, later: &[String]) -> Result<(), StepError> {
        let (place, topology) = (self.place, &state.topology);
        let cables = spaces::create(place, topology)?;
        self.done("namespaces", &format!("{} nodes", topology.nodes.len()));
        wire::connect(place, &topology.harness(), &cables)?;
        self.done("cables", &format!("{} links", topology.links.len()));
        if until == Stage::Cables || self.interrupt.came() {
            return Ok(());
        }
        if state.signed {
            rack::keys(place, topology)?;
            self.done("keys", &format!("a tree of {} nodes", topology.nodes.len()));
        }
        let running: Vec<&Node> = topology
            .nodes
            .iter()
            .filter(|node| !later.contains(&node.name))
            .collect();
        for node in &topology.nodes {
            router::configure(place, state, node)?;
        }
        for node in &running {
            self.started.push(router::start(place, node)?);
        }
        self.done("routers", &format!("{} started", running.len()));
        self.bootstrap(state, &running)?;
        if until == Stage::Bootstrap || self.interrupt.came() {
            return Ok(());
        }
        for number in topology.racks() {
            rack::init(place, state, number, &running)?;
            self.done("rack init", &format!("rack {number} has its prefixes"));
            if self.interrupt.came() {
                return Ok(());
            }
        }
        self.sleds(state, &running)
    }

    /// Waits until all nodes of each rack reach each other by their bootstrap addresses.
    fn bootstrap(&mut self, state: &State, running: &[&Node]) -> Result<(), StepError> {
        let topology = &state.topology;
        let mut nodes = Vec::new();
        for node in running.iter().filter(|node| node.role != Role::Spine) {
            let address = BootstrapPrefix::new(node.hardware).address();
            nodes.push((
                node.name.clone(),
                spaces::node(self.place, &node.name)?,
                address,
            ));
        }
        // Bootstrap prefixes do not pass between switches.
        let wanted = |one: &str, other: &str| {
            let nodes = [one, other].map(|name| topology.node(name));
            let [Some(one), Some(other)] = nodes else {
                return false;
            };
            one.rack == other.rack && (one.role, other.role) != (Role::Switch, Role::Switch)
        };
        let reach = Reach::new(nodes, wanted).map_err(|error| no_sockets(&error))?;
        self.wait("bootstrap", reach)
    }

    /// Waits until all nodes of racks reach each other by their own addresses.
    fn sleds(&mut self, state: &State, running: &[&Node]) -> Result<(), StepError> {
        let mut nodes = Vec::new();
        for node in running.iter().filter(|node| node.role == Role::Sled) {
            let space = spaces::node(self.place, &node.name)?;
            let address = clock::wait(PATIENCE, || router::address(&space, state.topology.az));
            let address = address.ok_or_else(|| {
                StepError::new(format!("{} has no address of its own", node.name))
                    .cause("rack setup gave it none, or its router did not take it")
                    .log(&self.place.log(&node.name))
            })?;
            nodes.push((node.name.clone(), space, address));
        }
        let reach = Reach::new(nodes, |_, _| true).map_err(|error| no_sockets(&error))?;
        self.wait("sleds", reach)
    }

    fn wait(&mut self, step: &str, mut reach: Reach) -> Result<(), StepError> {
        let (started, interrupt) = (&mut self.started, self.interrupt);
        reach_all(&mut reach, started, interrupt, |reach| {
            let far = format!("{step:<11}{} of {} pairs", reach.reached(), reach.all());
            (self.tell)(Line::Going(&far));
        })?;
        if reach.reached() == reach.all() {
            self.done(step, &format!("{} pairs reach each other", reach.all()));
        } else if !self.interrupt.came() {
            return Err(unreached(self.place, step, &reach));
        }
        Ok(())
    }

    fn done(&mut self, step: &str, what: &str) {
        let passed = now().since(self.start).as_secs_f64();
        (self.tell)(Line::Done(&format!("{step:<11}{what} ({passed:.2} s)")));
    }
}

/// Waits until all pairs were reached, for a while; `look` is shown each round.
///
/// # Errors
/// Where a router ends meanwhile.
pub(super) fn reach_all(
    reach: &mut Reach,
    started: &mut [Started],
    interrupt: &Interrupt,
    mut look: impl FnMut(&Reach),
) -> Result<(), StepError> {
    let mut asked = None;
    let found = clock::wait(PATIENCE, || {
        if asked.is_none_or(|asked| now().since(asked) >= AGAIN) {
            asked = Some(now());
            reach.ask();
            look(reach);
            if let Some(ended) = started.iter_mut().find_map(Started::ended) {
                return Some(Err(ended));
            }
        }
        reach.listen();
        (reach.reached() == reach.all() || interrupt.came()).then_some(Ok(()))
    });
    found.unwrap_or(Ok(()))
}

/// Who does not reach whom.
pub(super) fn unreached(place: &Place, step: &str, reach: &Reach) -> StepError {
    let missing = reach.missing();
    let some: Vec<_> = missing
        .iter()
        .take(5)
        .map(|(asks, asked)| format!("{asks} to {asked}"))
        .collect();
    let first = missing.first().map_or("", |(asks, _)| *asks);
    StepError::new(format!(
        "{step}: {} of {} pairs do not reach each other",
        missing.len(),
        reach.all()
    ))
    .cause(some.join(", "))
    .log(&place.log(first))
    .next(format!(
        "ask it: `rackweave lab exec --name {} {first} -- rackweave router neighbors`",
        place.lab()
    ))
}

pub(super) fn no_sockets(error: &std::io::Error) -> StepError {
    StepError::new("cannot ask nodes whom they reach").because(error)
}
