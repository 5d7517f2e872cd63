//! The thread on which the host state is managed.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use super::manage::Host;
use super::{HostCommand, HostErrors};

/// How often devices that could not be opened are tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Serves commands until nobody can send any more; the host comes back, to be stopped.
///
/// # Errors
/// Where there is no thread.
pub fn spawn(
    mut host: Host,
    mut commands: mpsc::Receiver<HostCommand>,
) -> io::Result<JoinHandle<io::Result<Host>>> {
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        runtime.block_on(async {
            let mut retry = tokio::time::interval(RETRY);
            retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    command = commands.recv() => match command {
                        Some(command) => execute(&mut host, command),
                        None => break,
                    },
                    _ = retry.tick() => host.retry(),
                }
            }
        });
        Ok(host)
    };
    Builder::new().name("host".into()).spawn(serve)
}

fn execute(host: &mut Host, command: HostCommand) {
    match command {
        HostCommand::Apply { state, reply } => {
            let done = host.apply(*state);
            say("state", &done);
            let _gone = reply.send(done);
        }
        HostCommand::Reload { reply } => {
            let done = host.reload();
            say("file", &done);
            let _gone = reply.send(done);
        }
        HostCommand::Snapshot { reply } => {
            let _gone = reply.send(host.snapshot());
        }
    }
}

/// Says what became of a state.
fn say(what: &str, done: &Result<super::Applied, HostErrors>) {
    match done {
        Ok(applied) => tracing::info!(
            generation = applied.generation.get(),
            added = applied.added,
            changed = applied.changed,
            removed = applied.removed,
            "host {what} applied"
        ),
        Err(errors) => tracing::error!(%errors, "host {what} refused"),
    }
}
