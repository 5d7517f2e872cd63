//! A command in a node.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use clap::Args;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rackweave_daemon::output::Failure;

use super::{Named, failure};
use crate::place::Place;
use crate::spaces;
use crate::state::State;

/// Where the daemons of a machine have their run directories.
const RUN: &str = "/run/rackweave";

/// Arguments of `lab exec`.
#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    #[command(flatten)]
    lab: Named,
    /// The node
    node: String,
    /// The command and its arguments
    #[arg(last = true, required = true, num_args = 1.., value_name = "COMMAND")]
    words: Vec<String>,
}

pub(super) fn exec(args: &ExecArgs) -> ExitCode {
    match run(args) {
        // By a signal: as a shell says it.
        Ok(status) => {
            let code = status.code().or_else(|| Some(128 + status.signal()?));
            let code = code.and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(failure) => failure.tell(),
    }
}

fn run(args: &ExecArgs) -> Result<ExitStatus, Failure> {
    let place = args.lab.place();
    let state = State::read(&place).map_err(failure)?;
    let what = || Failure::new(format!("cannot run {} in {}", args.words[0], args.node));
    if !state.has_node(&args.node) {
        return Err(what().cause("the lab has no such node").next(format!(
            "`rackweave lab status --name {}` lists them",
            place.lab()
        )));
    }
    let space = spaces::node(&place, &args.node).map_err(failure)?;
    let done = space
        .run_in(|| {
            own_run(&place, &args.node)?;
            Command::new(&args.words[0]).args(&args.words[1..]).status()
        })
        .map_err(|error| what().cause(error.to_string()))?;
    done.map_err(|error| what().cause(error.to_string()))
}

/// Gives the thread, and what it starts, the node's directory as `/run/rackweave`.
fn own_run(place: &Place, node: &str) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(
        Some(&place.runs(node)),
        Path::new(RUN),
        none,
        MsFlags::MS_BIND,
        none,
    )?;
    Ok(())
}
