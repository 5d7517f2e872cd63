//! What can be done with a lab: made, looked at, broken, healed, taken away.

mod cycle;
mod status;
mod up;

use std::fs;
use std::io;
use std::path::Path;

use nix::unistd::geteuid;

use crate::fault::Fault;
use crate::place::Place;
use crate::router;
use crate::spaces;
use crate::state::{self, State};
use crate::step::StepError;
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
    let links: Vec<_> = if target == "all" {
        state.topology.links.iter().collect()
    } else {
        let links = state.topology.target(target);
        links.map_err(|error| StepError::new(error.to_string()))?
    };
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
        let before = state.condition(link);
        changes.push((link.clone(), before, before.after(fault, end)));
    }
    let borrowed: Vec<_> = changes
        .iter()
        .map(|(link, before, after)| (link, *before, *after))
        .collect();
    wire::change(place, &borrowed)?;
    for (link, _, after) in &changes {
        state.set(link, *after);
    }
    state.write(place)
}

/// Ends the router of a node without asking, or, with `all`, whatever runs in it.
///
/// # Errors
/// Where there is no such node, or no router runs.
pub fn kill(place: &Place, node: &str, all: bool) -> Result<(), StepError> {
    let _held = state::hold(place)?;
    let state = State::read(place)?;
    let node = known(&state, node)?;
    if all {
        router::kill_all(place, node)
    } else {
        router::kill(place, node)
    }
}

/// Starts the router of a node.
///
/// # Errors
/// Where there is no such node, or one runs.
pub fn start(place: &Place, node: &str) -> Result<(), StepError> {
    let _held = state::hold(place)?;
    let state = State::read(place)?;
    router::start(place, known(&state, node)?).map(drop)
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
fn root() -> Result<(), StepError> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(StepError::new("a lab is made of network namespaces")
        .cause("you are not root")
        .next("sudo"))
}
