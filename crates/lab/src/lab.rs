//! What can be done with a lab: made, looked at, broken, healed, taken away.

mod cycle;
mod status;
mod up;

use std::fs;
use std::io;
use std::path::Path;

use nix::unistd::geteuid;

use crate::fault::Fault;
use crate::management::{self, Program};
use crate::place::Place;
use crate::router;
use crate::spaces;
use crate::state::{self, State};
use crate::step::StepError;
use crate::topology::Link;
use crate::wire;

pub use cycle::{Cycle, cycle};
pub use status::{LinkStatus, NodeStatus, Status, status};
pub use up::{Line, Plan, Stage, up};

/// Does something to the links that `target` names: a link, a node, or `all`. With `from`, to the frames that this node
/// sends alone.
///
/// # Errors
/// Where there is no such link or node, or a tool fails.
pub fn fault(
    place: &Place,
    target: &str,
    from: Option<&str>,
    fault: Fault,
) -> Result<(), StepError> {
    let _held = state::hold(place)?;
    let mut state = State::read(place)?;
    let links = state.target(target);
    let links = links.map_err(|error| StepError::new(error.to_string()))?;
    let links: Vec<_> = links.into_iter().cloned().collect();
    uncross(place, &mut state, &links, fault)?;
    let mut changes = Vec::new();
    for link in links {
        let end = match from {
            None => None,
            Some(node) => Some(link.end_of(node).ok_or_else(|| {
                let [one, other] = [0, 1].map(|end| link.ends[end].node.as_str());
                StepError::new(format!("{} does not end at {node}", link.name))
                    .next(format!("--from {one} or --from {other}"))
            })?),
        };
        let before = state.condition(&link);
        changes.push((link, before, before.after(fault, end)));
    }
    let borrowed: Vec<_> = changes
        .iter()
        .map(|(link, before, after)| (link, *before, *after))
        .collect();
    wire::change(place, &borrowed)?;
    for (link, _, after) in &changes {
        state.set(link, *after);
    }
    state.write(place)?;
    match &state.management {
        None => Ok(()),
        Some(management) => {
            let plugged: Vec<_> = changes
                .iter()
                .filter(|(_, before, after)| before.down != after.down)
                .map(|(link, _, after)| (link, !after.down))
                .collect();
            management::tell_ignition(place, management, &plugged)
        }
    }
}

/// Puts two cables of the management network into each other's connectors: both of one switch, or both of one unit.
///
/// # Errors
/// Where there are no such cables, or they are not whole.
pub fn swap(place: &Place, names: [&str; 2]) -> Result<(), StepError> {
    let _held = state::hold(place)?;
    let mut state = State::read(place)?;
    let step = || StepError::new(format!("cannot swap {} and {}", names[0], names[1]));
    let management = state.management.as_ref().ok_or_else(|| {
        step()
            .cause("the lab has no management network")
            .next("make one: `rackweave lab management`")
    })?;
    let cable = |name: &str| {
        let found = management.links.iter().find(|link| link.name == name);
        found.ok_or_else(|| {
            step()
                .cause(format!(
                    "there is no cable {name} of the management network"
                ))
                .next("a cable is called c05-1: the unit, and the connector")
        })
    };
    let pair = [cable(names[0])?, cable(names[1])?];
    if names[0] == names[1] || pair.iter().any(|link| !link.joins(management::UNITS)) {
        return Err(step().cause("it takes two cables of units"));
    }
    for link in pair {
        let crossed = management.crossed_with(&link.name).is_some();
        if crossed || !state.condition(link).is_whole() {
            let heal = format!("heal it: `rackweave lab heal {}`", link.name);
            let cause = format!("something is done to {} already", link.name);
            return Err(step().cause(cause).next(heal));
        }
    }
    wire::cross(place, pair, true)?;
    let pair = names.map(str::to_owned);
    if let Some(management) = &mut state.management {
        management.crossed.push(pair);
    }
    state.write(place)
}

/// Brings cables that are crossed back to where they belong, those of `links`; where something else is done to one,
/// it is refused.
fn uncross(
    place: &Place,
    state: &mut State,
    links: &[Link],
    fault: Fault,
) -> Result<(), StepError> {
    let Some(management) = &mut state.management else {
        return Ok(());
    };
    let touches = |pair: &[String; 2]| links.iter().any(|link| pair.contains(&link.name));
    let touched: Vec<_> = management
        .crossed
        .iter()
        .filter(|pair| touches(pair))
        .cloned()
        .collect();
    for [one, other] in touched {
        if fault != Fault::Heal {
            return Err(StepError::new(format!(
                "{one} and {other} are in each other's connectors"
            ))
            .next(format!("heal them first: `rackweave lab heal {one}`")));
        }
        let named = |name: &String| management.links.iter().find(|link| link.name == *name);
        if let [Some(first), Some(second)] = [named(&one), named(&other)] {
            wire::cross(place, [first, second], false)?;
        }
        management.crossed.retain(|pair| pair[0] != one);
    }
    Ok(())
}

/// Ends the router of a node, or a program of the management network, without asking; with `all`, whatever runs in the
/// node.
///
/// # Errors
/// Where there is no such node, or no router runs.
pub fn kill(place: &Place, node: &str, all: bool) -> Result<(), StepError> {
    let _held = state::hold(place)?;
    let state = State::read(place)?;
    if let Some(program) = program(&state, node) {
        return program.kill(place);
    }
    let node = known(&state, node)?;
    if all {
        router::kill_all(place, node)
    } else {
        router::kill(place, node)
    }
}

/// Starts the router of a node, or a program of the management network.
///
/// # Errors
/// Where there is no such node, or one runs.
pub fn start(place: &Place, node: &str) -> Result<(), StepError> {
    let _held = state::hold(place)?;
    let state = State::read(place)?;
    match program(&state, node) {
        Some(program) => program.start(place).map(drop),
        None => router::start(place, known(&state, node)?).map(drop),
    }
}

/// The program of the management network that is called so.
fn program(state: &State, name: &str) -> Option<Program> {
    let program = Program::named(name);
    program.filter(|_| state.management.is_some())
}

fn known<'a>(state: &'a State, node: &str) -> Result<&'a crate::topology::Node, StepError> {
    state.topology.node(node).ok_or_else(|| {
        StepError::new(format!("there is no node {node}")).next("`rackweave lab status` lists them")
    })
}

/// Ends a lab and removes every trace of it, also where it is half made or half gone.
///
/// # Errors
/// Where nothing of it is there, this is not root, or something cannot be removed.
pub fn down(place: &Place) -> Result<(), StepError> {
    root()?;
    let nothing = spaces::of(place).is_empty() && !place.root().exists();
    if nothing {
        // Who asks for the name learns which there are.
        return State::read(place).map(drop);
    }
    spaces::remove(place)?;
    remove(place.root())?;
    // What the last lab leaves to others goes with it; what holds something stays.
    for above in place.root().ancestors().skip(1).take(2) {
        if fs::remove_dir(above).is_err() {
            break;
        }
    }
    Ok(())
}

fn remove(root: &Path) -> Result<(), StepError> {
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StepError::new(format!("cannot remove {}", root.display())).because(&error))
        }
        _ => Ok(()),
    }
}

/// Who makes and removes namespaces is root.
pub(crate) fn root() -> Result<(), StepError> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(StepError::new("a lab is made of network namespaces")
        .cause("you are not root")
        .next("sudo"))
}
