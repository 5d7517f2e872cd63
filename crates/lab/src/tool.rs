//! The programs of the system that a lab is built with: `ip` and `nft`.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use rackweave_linux::netns::Netns;

use crate::step::StepError;

/// Runs a program in a namespace, with something on its standard input; it must succeed. `what` is the step for which it runs.
///
/// # Errors
/// What the program says.
pub(crate) fn run(
    space: &Netns,
    words: &[&str],
    input: &str,
    what: &str,
) -> Result<String, StepError> {
    let done = space
        .run_in(|| call(words, input))
        .map_err(|error| StepError::new(what).because(&error))?;
    let program = words.first().copied().unwrap_or_default();
    let output = done.map_err(|error| {
        let package = if program == "nft" {
            "nftables"
        } else {
            "iproute2"
        };
        StepError::new(what)
            .cause(format!("cannot run {program}: {error}"))
            .next(format!("install it (Debian: the package {package})"))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StepError::new(what).cause(format!("{program}: {said}")))
}

fn call(words: &[&str], input: &str) -> io::Result<std::process::Output> {
    let (program, rest) = words.split_first().unwrap_or((&"", &[]));
    let mut child = Command::new(program)
        .args(rest)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read all says why itself.
        let _written = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}
