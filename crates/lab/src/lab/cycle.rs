//! Power that goes and comes back.

use std::time::Duration;

use rackweave_linux::clock::now;
use rackweave_types::Role;
use serde::{Deserialize, Serialize};

use super::root;
use super::up::{no_sockets, reach_all, unreached};
use crate::interrupt::Interrupt;
use crate::place::Place;
use crate::reach::Reach;
use crate::router;
use crate::spaces;
use crate::state::{self, State};
use crate::step::StepError;

/// How a lab came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// Pairs of sleds.
    pub pairs: usize,
    /// From the start of the first router until each sled had reached each other, in milliseconds.
    pub reached_ms: u64,
}

/// Takes the power from all nodes of a lab at once, gives it back, and waits until all sleds reach each other by their
/// own addresses. Nodes keep what they keep on disk: keys and assignments.
///
/// # Errors
/// Where a sled has no address yet, or does not come back.
pub fn cycle(place: &Place, interrupt: &Interrupt) -> Result<Cycle, StepError> {
    root()?;
    let _held = state::hold(place)?;
    let state = State::read(place)?;
    let topology = &state.topology;
    let mut sleds = Vec::new();
    for node in topology.of_role(Role::Sled) {
        let space = spaces::node(place, &node.name)?;
        let address = router::address(&space, topology.az).ok_or_else(|| {
            StepError::new(format!("{} has no address of its own", node.name))
                .cause("rack setup has not given it one")
                .log(&place.log(&node.name))
        })?;
        sleds.push((node.name.clone(), space, address));
    }
    for node in &topology.nodes {
        router::power_off(place, node)?;
    }
    let mut reach = Reach::new(sleds, |_, _| true).map_err(|error| no_sockets(&error))?;
    let start = now();
    let mut started = Vec::new();
    for node in &topology.nodes {
        started.push(router::start(place, node)?);
    }
    reach_all(&mut reach, &mut started, interrupt, |_| {})?;
    if reach.reached() < reach.all() {
        return Err(unreached(place, "sleds", &reach));
    }
    let passed: Duration = now().since(start);
    Ok(Cycle {
        pairs: reach.all(),
        reached_ms: u64::try_from(passed.as_millis()).unwrap_or(u64::MAX),
    })
}
