//! `rackweave router replay`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rackweave_daemon::output::{Failure, write_all, written};
use rackweave_routing::ddm::session::Security;
use rackweave_routing::fabric::Output;

use crate::keys::NodeKeys;
use crate::record::{self, Done, ReplayError};

/// What is replayed.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave router run --record /tmp/node.rec …
  rackweave router replay /tmp/node.rec
  rackweave router replay /tmp/node.rec --keys /etc/rackweave/keys/BRM-7 --json

A recording is as secret as the sessions in it: keep it to yourself.")]
pub(super) struct ReplayArgs {
    /// The recording that `router run --record` wrote.
    file: PathBuf,
    /// The directory of the node's keys, where it signed; once more for each time that it went over to others, where
    /// these are at hand.
    #[arg(long, value_name = "DIR")]
    keys: Vec<PathBuf>,
    /// Writes a JSON object for each input: its time, the input, the outputs.
    #[arg(long)]
    json: bool,
}

pub(super) fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let failure = |error: &dyn std::error::Error| {
        let failure = Failure::new(format!("cannot replay {}: {error}", args.file.display()));
        match error.source() {
            Some(source) => failure.cause(source.to_string()),
            None => failure,
        }
    };
    let read = |dir: &PathBuf| {
        NodeKeys::read(dir).map(|keys| Security::Signed {
            credentials: Arc::new(keys.credentials),
            anchor: Arc::new(keys.anchor),
        })
    };
    let keys = args.keys.iter().map(read).collect::<Result<_, _>>();
    let keys = keys.map_err(|error| failure(&error))?;
    let replayed = record::replay(&args.file, keys, |done| {
        let line = if args.json {
            serde_json::to_string(&done)? + "\n"
        } else {
            text(&done)
        };
        write_all(line.as_bytes())
    });
    match replayed {
        // Whoever reads it may have enough.
        Err(ReplayError::Read(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            written(Err(error))
        }
        other => other.map_err(|error| failure(&error)),
    }
}

/// What was told, and what came of it, each on a line.
fn text(done: &Done) -> String {
    let seconds = std::time::Duration::from_nanos(done.now.at.nanos()).as_secs_f64();
    let mut text = match &done.input {
        Some(input) => format!("{seconds:.6} > {input:?}\n"),
        None => format!("{seconds:.6} > other keys\n"),
    };
    for output in &done.outputs {
        let line = match output {
            Output::Event(event) => format!("{seconds:.6} ! {}\n", event.what),
            Output::Watch { link, peer, .. } => format!("{seconds:.6} < Watch {link:?} {peer}\n"),
            other => format!("{seconds:.6} < {other:?}\n"),
        };
        text.push_str(&line);
    }
    text
}
