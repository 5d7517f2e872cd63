//! How a management network comes up.

use std::fmt::Write as _;
use std::time::Duration;

use clap::ValueEnum;
use rackweave_linux::clock::now;
use rackweave_linux::netns::Netns;
use rackweave_linux::sysctl;
use rackweave_mgmt::port::Position;
use rackweave_mgmt::rack::Rack;
use rackweave_types::Instant;

use super::keys::Keys;
use super::look::{Look, look};
use super::{Management, Program, chip_side, config, sp_side};
use crate::clock;
use crate::interrupt::Interrupt;
use crate::lab::{Line, root};
use crate::place::Place;
use crate::program::Started;
use crate::spaces;
use crate::state::{self, State};
use crate::step::StepError;
use crate::tool;
use crate::topology::Topology;
use crate::wire;

/// How long gateways may take to find all units before somebody is told which are missing; the machine may be slow.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often gateways are asked meanwhile.
const AGAIN: Duration = Duration::from_millis(20);

/// How far a management network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Until {
    /// Everything is joined; no program runs.
    Cables,
    /// Programs run.
    Programs,
    /// Both gateways have found all units and know where they are.
    Found,
}

/// Brings a management network up: in the lab that is there, or in one that is made of `otherwise`. What was done is
/// told to `tell`. Ends early where it is interrupted.
///
/// # Errors
/// The step that failed; what was made until then stays, for its logs to be read.
pub fn up(
    place: &Place,
    management: &Management,
    otherwise: Topology,
    until: Until,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(Line<'_>),
) -> Result<(), StepError> {
    root()?;
    let rack = management
        .sound()
        .map_err(|error| StepError::new("there is no such rack").because(&error))?;
    let fresh = !place.state().exists();
    if fresh {
        place.create()?;
    }
    let _held = state::hold(place)?;
    let mut state = if fresh {
        State::new(otherwise, false)
    } else {
        State::read(place)?
    };
    if state.management.is_some() {
        let what = format!("the lab {} has a management network already", place.lab());
        let down = format!("`rackweave lab down --name {}`", place.lab());
        return Err(StepError::new(what).next(format!("{down} takes the lab away")));
    }
    state.management = Some(management.clone());
    state.write(place)?;
    let mut steps = Steps {
        place,
        interrupt,
        tell,
        start: now(),
        started: Vec::new(),
    };
    let done = steps.run(management, &rack, until);
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
    fn run(&mut self, management: &Management, rack: &Rack, until: Until) -> Result<(), StepError> {
        let place = self.place;
        let nodes = Management::nodes();
        let cables = spaces::cables(place).or_else(|_| spaces::make(place, &place.cables()))?;
        quiet(place, &place.cables(), &cables, &["default"])?;
        for node in &nodes {
            let name = place.space(node);
            quiet(
                place,
                &name,
                &spaces::make(place, &name)?,
                &["all", "default"],
            )?;
        }
        join_units(place, rack)?;
        wire::connect(place, &management.harness(&nodes), &cables)?;
        let units = rack.units();
        self.done(
            "cables",
            &format!("{} units, {} cables", units.len(), management.links.len()),
        );
        config::write(place, management, rack, &Keys::draw(&units)?)?;
        if until == Until::Cables || self.interrupt.came() {
            return Ok(());
        }
        // What is measured begins where the power comes.
        self.start = now();
        for program in Program::ALL {
            self.started.push(program.start(place)?);
        }
        self.done("programs", &format!("{} started", Program::ALL.len()));
        if until == Until::Programs || self.interrupt.came() {
            return Ok(());
        }
        let (started, interrupt) = (&mut self.started, self.interrupt);
        let all = units.len();
        found(place, all, &Position::ALL, started, interrupt, |looks| {
            let counts: Vec<_> = looks.iter().map(|look| look.found.to_string()).collect();
            let far = format!("{:<11}{} of {all} units", "found", counts.join(" and "));
            (self.tell)(Line::Going(&far));
        })?;
        if !self.interrupt.came() {
            self.done("found", &format!("{all} units by each gateway"));
        }
        Ok(())
    }

    fn done(&mut self, step: &str, what: &str) {
        let passed = now().since(self.start).as_secs_f64();
        (self.tell)(Line::Done(&format!("{step:<11}{what} ({passed:.2} s)")));
    }
}

/// Waits until the gateways at these positions have found all units and know where they are, for a while; `show` is
/// given each look at them.
///
/// # Errors
/// Where they do not, or a program that was started ends meanwhile.
pub(super) fn found(
    place: &Place,
    units: usize,
    positions: &[Position],
    started: &mut [Started],
    interrupt: &Interrupt,
    mut show: impl FnMut(&[Look]),
) -> Result<(), StepError> {
    let mut looked: Option<Instant> = None;
    let mut looks = Vec::new();
    let came = clock::wait(PATIENCE, || {
        if interrupt.came() {
            return Some(Ok(()));
        }
        if looked.is_some_and(|looked| now().since(looked) < AGAIN) {
            return None;
        }
        looked = Some(now());
        if let Some(ended) = started.iter_mut().find_map(Started::ended) {
            return Some(Err(ended));
        }
        let look = |position: &Position| look(place, *position).unwrap_or_default();
        looks = positions.iter().map(look).collect();
        show(&looks);
        let all = |look: &Look| look.position.is_some() && look.found == units;
        looks.iter().all(all).then_some(Ok(()))
    });
    came.unwrap_or_else(|| Err(missed(place, units, positions, &looks)))
}

/// Which gateway has not found how many.
fn missed(place: &Place, units: usize, positions: &[Position], looks: &[Look]) -> StepError {
    let some: Vec<_> = positions
        .iter()
        .zip(looks)
        .map(|(position, look)| format!("{}: {}", super::gateway(*position), look.describe()))
        .collect();
    let worst = positions
        .iter()
        .zip(looks)
        .min_by_key(|(_, look)| look.found);
    let gateway = Program::Gateway(worst.map_or(Position::A, |(position, _)| *position));
    StepError::new(format!("the gateways have not found all {units} units"))
        .cause(some.join("; "))
        .log(&gateway.log(place))
        .next(format!(
            "ask it: `rackweave lab exec --name {} {} -- rackweave sp list`",
            place.lab(),
            gateway.name()
        ))
}

/// Keeps the kernel from speaking in a namespace: frames there are those of our programs alone.
fn quiet(place: &Place, name: &str, space: &Netns, which: &[&str]) -> Result<(), StepError> {
    let step = || {
        StepError::new(format!("cannot set up the namespace {name}")).next(format!(
            "take the lab away: `rackweave lab down --name {}`",
            place.lab()
        ))
    };
    for which in which {
        let setting = format!("net/ipv6/conf/{which}/disable_ipv6");
        space
            .run_in(|| sysctl::ensure(&setting, "1"))
            .map_err(|error| step().because(&error))?
            .map_err(|error| step().because(&error))?;
    }
    Ok(())
}

/// Joins the chip of each unit with its service processor.
fn join_units(place: &Place, rack: &Rack) -> Result<(), StepError> {
    let space = spaces::node(place, super::UNITS)?;
    let mut lines = String::new();
    for unit in rack.units() {
        let (chip, sp) = (chip_side(unit), sp_side(unit));
        let _never = writeln!(lines, "link add name {chip} type veth peer name {sp}");
        for side in [chip, sp] {
            let _never = writeln!(lines, "link set dev {side} up");
        }
    }
    let what = "cannot join chips with service processors";
    tool::run(&space, &["ip", "-batch", "-"], &lines, what).map(drop)
}
