//! Programs that a rig runs.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock::wait_until;

/// How long a program that is run to its end may take.
const LIMIT: &str = "120";

/// What a program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Whether it said that all is well.
    pub success: bool,
    /// Its exit code; 124 where it took too long, `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output of a program that succeeded.
    ///
    /// # Errors
    /// Where it did not: the code and all that it said.
    pub fn ok(self) -> Result<String> {
        if self.success {
            return Ok(self.stdout);
        }
        let (out, err) = (self.stdout.trim_end(), self.stderr.trim_end());
        bail!("ended with {:?}\n{out}\n{err}", self.code)
    }
}

/// Runs a program to its end, with something on its standard input. It is killed after two minutes.
pub(crate) fn run(words: &[&str], input: &str) -> Result<Output> {
    let what = words.join(" ");
    let mut child = Command::new("timeout")
        .args(["-k", "1", LIMIT])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {what}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing has closed its end: what it does says whether that is wrong.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| what.clone())?;
    Ok(Output {
        success: output.status.success(),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a program that must succeed.
pub(crate) fn must(words: &[&str], input: &str) -> Result<String> {
    run(words, input)?
        .ok()
        .with_context(|| format!("{} {input}", words.join(" ")))
}

/// A program in the background. It dies with its owner, and with the thread that started it.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Daemon {
    /// Starts a program; all that it says goes to the end of the file `log`.
    pub(crate) fn start(
        name: &str,
        words: &[String],
        env: &[(&str, &Path)],
        log: &Path,
        stdin: Stdio,
    ) -> Result<Self> {
        let file = || File::options().create(true).append(true).open(log);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(words);
        command.envs(env.iter().copied());
        command.stdin(stdin).stdout(file()?).stderr(file()?);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
            ended: None,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it said so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map_or_else(
            |error| format!("(no log: {error})"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Its standard input, once.
    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// Where the kernel knows no such process.
    pub fn is_running(&mut self) -> Result<bool> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended.is_none())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("a process id is a positive number")?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("{} got no {signal}", self.name))
    }

    /// Ends it without asking.
    ///
    /// # Errors
    /// Where the kernel does not.
    pub fn kill(&mut self) -> Result<()> {
        if self.is_running()? {
            self.child.kill()?;
            self.ended = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// Asks it to end and says with which exit code it did (128 and more: by a signal).
    ///
    /// # Errors
    /// Where it does not end within `within`.
    pub fn stop(&mut self, within: Duration) -> Result<i32> {
        if self.is_running()? {
            self.signal(Signal::SIGTERM)?;
        }
        let name = self.name.clone();
        wait_until(within, &format!("{name} ends"), || Ok(!self.is_running()?))?;
        let status = self.ended.context("it has ended")?;
        let by_signal = || status.signal().map(|signal| 128 + signal);
        status.code().or_else(by_signal).context("no exit code")
    }
}

impl Drop for Daemon {
    #[expect(
        clippy::print_stderr,
        reason = "a failing test shows what its programs said"
    )]
    fn drop(&mut self) {
        // What cannot be killed is dead.
        let _ = self.kill();
        if thread::panicking() {
            eprintln!("---- {} said:\n{}", self.name, tail(&self.log()));
        }
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
