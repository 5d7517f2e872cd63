//! What makes racks of nodes: keys, and the prefixes that rack setup gives out.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rackweave_linux::netns::Netns;
use rackweave_types::{RackNumber, Role};

use crate::clock;
use crate::place::Place;
use crate::spaces;
use crate::state::State;
use crate::step::StepError;
use crate::topology::{Node, Topology};

/// How long nodes of a rack may take until all of them answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the tree of keys: the AZ's, a rack's for each, a node's for each.
///
/// # Errors
/// What `rackweave keys` says.
pub(crate) fn keys(place: &Place, topology: &Topology) -> Result<(), StepError> {
    let here =
        Netns::current().map_err(|error| StepError::new("cannot make keys").because(&error))?;
    let dir = place.keys().display().to_string();
    let own = |words: &[&str]| ours(place, &here, words, "cannot make keys", &place.step_log());
    let az = topology.az.to_string();
    own(&["keys", "az", "--keys", &dir, "--az", &az])?;
    for rack in topology.racks() {
        own(&["keys", "rack", "--keys", &dir, "--rack", &rack.to_string()])?;
    }
    for node in &topology.nodes {
        let (role, hardware) = (node.role.to_string(), node.hardware.to_string());
        let rack = node.rack.map(|rack| rack.to_string());
        let mut words = vec![
            "keys", "node", "--keys", &dir, "--id", &node.name, "--role", &role, "--mac", &hardware,
        ];
        if let Some(rack) = &rack {
            words.extend(["--rack", rack]);
        }
        own(&words)?;
    }
    Ok(())
}

/// The directory of a node's own keys.
pub(crate) fn node_keys(place: &Place, node: &Node) -> PathBuf {
    let nodes = match node.rack {
        Some(rack) => place
            .keys()
            .join("racks")
            .join(rack.to_string())
            .join("nodes"),
        None => place.keys().join("spines"),
    };
    nodes.join(&node.name)
}

/// Has a rack give out its prefixes, asked at one of its sleds that run.
///
/// # Errors
/// What `rackweave rack init` says.
pub(crate) fn init(
    place: &Place,
    state: &State,
    rack: RackNumber,
    running: &[&Node],
) -> Result<(), StepError> {
    let what = format!("rack {rack}: rack setup failed");
    let sled = running
        .iter()
        .find(|node| node.rack == Some(rack) && node.role == Role::Sled);
    let sled = sled.ok_or_else(|| StepError::new(&what).cause("no sled of it runs"))?;
    let space = spaces::node(place, &sled.name)?;
    let (az, number) = (state.topology.az.to_string(), rack.to_string());
    let run_dir = place.run_dir(&sled.name).display().to_string();
    let keys = place
        .keys()
        .join("racks")
        .join(&number)
        .display()
        .to_string();
    let mut words = vec![
        "rack",
        "init",
        "--run-dir",
        &run_dir,
        "--az",
        &az,
        "--rack",
        &number,
    ];
    if state.signed {
        words.extend(["--keys", &keys]);
    }
    // A node that has just come up, or is busy, may not answer yet; then it goes on where it ended.
    let mut last = None;
    let done = clock::wait(PATIENCE, || {
        let done = ours(place, &space, &words, &what, &place.log(&sled.name));
        done.map_err(|error| last = Some(error)).ok()
    });
    done.map_or_else(|| last.map_or(Ok(()), Err), Ok)
}

/// Runs a command of ours to its end; what it says is in the log of steps.
fn ours(
    place: &Place,
    space: &Netns,
    words: &[&str],
    what: &str,
    log: &Path,
) -> Result<(), StepError> {
    let step = || StepError::new(what).log(log);
    let call = || -> io::Result<_> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(place.step_log())?;
        Command::new(std::env::current_exe()?)
            .args(words)
            .stdin(Stdio::null())
            .stdout(out)
            .output()
    };
    let done = space.run_in(call).map_err(|error| step().because(&error))?;
    let done = done.map_err(|error| step().because(&error))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(step().cause(format!("`rackweave {}`: {said}", words.join(" "))))
}
