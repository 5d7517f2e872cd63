//! Programs that end and start again.

use std::time::Duration;

use rackweave_linux::clock::now;
use rackweave_mgmt::port::Position;
use serde::{Deserialize, Serialize};

use super::up::found;
use super::{Program, ignition};
use crate::interrupt::Interrupt;
use crate::lab::root;
use crate::place::Place;
use crate::state::{self, State};
use crate::step::StepError;

/// How a management network came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// Units that each gateway is to find.
    pub units: usize,
    /// From the start of the first program until every gateway that was started had found and located all of them, in
    /// milliseconds.
    pub found_ms: u64,
}

/// Ends programs of a lab's management network without asking, all of them or this one, starts them again, and waits
/// until the gateways among them have found all units; those of the other programs, until both have.
///
/// # Errors
/// Where a gateway does not.
pub fn cycle(
    place: &Place,
    program: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Cycle, StepError> {
    root()?;
    let _held = state::hold(place)?;
    let state = State::read(place)?;
    let management = state.management.as_ref().ok_or_else(|| {
        StepError::new("the lab has no management network")
            .next("make one: `rackweave lab management`")
    })?;
    let units = management.sound().map_or(0, |rack| rack.units().len());
    let programs = match program {
        None => Program::ALL.to_vec(),
        Some(name) => vec![Program::named(name).ok_or_else(|| {
            let all = Program::ALL.map(Program::name).join(", ");
            StepError::new(format!("there is no program {name}")).next(format!("one of {all}"))
        })?],
    };
    let mut gateways: Vec<_> = programs.iter().filter_map(|it| it.position()).collect();
    if gateways.is_empty() {
        gateways = Position::ALL.into();
    }
    for program in &programs {
        if program.pid(place).is_some() {
            program.kill(place)?;
        }
    }
    let start = now();
    let mut started = Vec::new();
    for program in &programs {
        started.push(program.start(place)?);
    }
    found(place, units, &gateways, &mut started, interrupt, |_| {})?;
    let passed: Duration = now().since(start);
    let cut = management
        .links
        .iter()
        .filter(|link| state.condition(link).down);
    let cut: Vec<_> = cut.map(|link| (link, false)).collect();
    ignition::tell(place, management, &cut)?;
    Ok(Cycle {
        units,
        found_ms: u64::try_from(passed.as_millis()).unwrap_or(u64::MAX),
    })
}
