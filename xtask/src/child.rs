//! Child processes that end when we do.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a wish to stop may wait.
const POLL: Duration = Duration::from_millis(50);
/// Lines that a child may be ahead of us.
const LINES_AHEAD: usize = 64;
/// What a shell reports for a program ended by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Killed: its time was up.
    OutOfTime,
    /// Killed: somebody wants us to stop.
    Interrupted,
}

/// Set once a signal has asked us to stop.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C, termination and hang-up from now on.
    pub(crate) fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .context("cannot listen for signals")?;
        }
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `command` and hands over each line of its stdout as it comes; stderr stays ours.
///
/// The child has its own process group, which is killed when `interrupt` is set, when `limit` has
/// passed, or when this function fails: whatever the child started ends with it.
pub(crate) fn run(
    command: &mut Command,
    interrupt: &Interrupt,
    limit: Option<Duration>,
    mut on_line: impl FnMut(String) -> Result<()>,
) -> Result<Ending> {
    let started = now();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0);
    let child = command
        .spawn()
        .with_context(|| format!("{command:?} did not start"))?;
    let mut group = Group { child };
    let lines = lines_of(&mut group.child)?;
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => on_line(line)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if interrupt.is_set() {
            return Ok(Ending::Interrupted);
        }
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            return Ok(Ending::OutOfTime);
        }
    }
    let status = group.child.wait().context("cannot wait for the child")?;
    Ok(if interrupt.is_set() {
        Ending::Interrupted
    } else {
        Ending::Exited(status)
    })
}

/// A child with its process group, killed when dropped.
struct Group {
    child: Child,
}

impl Drop for Group {
    fn drop(&mut self) {
        // A child that has been waited for has no process group to lose.
        if let Ok(None) = self.child.try_wait() {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let killed = pid.is_some_and(|pid| kill_process_group(pid, Signal::KILL).is_ok());
            // Only a killed child is sure to end; there is nobody left to tell of a failure to wait.
            if killed {
                let _ = self.child.wait();
            }
        }
    }
}

fn lines_of(child: &mut Child) -> Result<Receiver<String>> {
    let stdout = child.stdout.take().context("the child has no stdout")?;
    let (sender, receiver) = sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a child's time is the wall clock's"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn never() -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(false)))
    }

    #[test]
    fn lines_come_in_order_and_the_status_with_them() {
        let mut lines = Vec::new();
        let ending = run(
            &mut shell("echo a; echo b; exit 3"),
            &never(),
            None,
            |line| {
                lines.push(line);
                Ok(())
            },
        );
        let Ending::Exited(status) = ending.unwrap() else {
            panic!("it ends by itself")
        };
        assert_eq!(
            (lines.join(" "), status.code()),
            ("a b".to_owned(), Some(3))
        );
    }

    #[test]
    fn a_child_that_outstays_its_time_is_killed_with_its_own_children() {
        // The grandchild holds stdout open: reading ends only because the whole group is killed.
        let limit = Some(Duration::ZERO);
        let ending = run(
            &mut shell("tail -f /dev/null & wait"),
            &never(),
            limit,
            |_| Ok(()),
        );
        assert_eq!(ending.unwrap(), Ending::OutOfTime);
    }

    #[test]
    fn a_signal_ends_the_child() {
        let interrupt = Interrupt(Arc::new(AtomicBool::new(true)));
        let ending = run(
            &mut shell("tail -f /dev/null"),
            &interrupt,
            None,
            |_| Ok(()),
        );
        assert_eq!(ending.unwrap(), Ending::Interrupted);
    }

    #[test]
    fn a_failing_reader_ends_the_child() {
        let outcome = run(
            &mut shell("echo a; tail -f /dev/null"),
            &never(),
            None,
            |line| anyhow::bail!("no use for {line}"),
        );
        assert_eq!(outcome.unwrap_err().to_string(), "no use for a");
    }
}
