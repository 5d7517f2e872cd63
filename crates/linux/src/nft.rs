//! The packet filter (nftables), by its own tool: what it accepts is checked, named in errors, and all or nothing.

use std::io::{self, Write};
use std::process::{Child, Command, Output, Stdio};

/// The tool.
const TOOL: &str = "nft";

/// Why the filter was not changed or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NftError {
    /// The tool cannot be run.
    #[error("cannot run `nft`: install nftables")]
    Tool(#[source] io::Error),
    /// The tool, or the kernel, said no.
    #[error("nftables refused to {what}: {said}")]
    Refused {
        /// What was asked: `change the filter` or a listing.
        what: String,
        /// What it said.
        said: String,
    },
}

/// Runs commands of nft(8), one a line, as one transaction: all are done, or none. It is that of the calling thread's
/// namespace, which waits some tens of milliseconds until packets see it.
///
/// # Errors
/// [`NftError`].
pub fn apply(commands: &str) -> Result<(), NftError> {
    let mut child = tool(&["-f", "-"]).map_err(NftError::Tool)?;
    // Where it ends early, what it said is worth more than that it took no more.
    let _ended = child
        .stdin
        .take()
        .map(|mut input| input.write_all(commands.as_bytes()));
    said(child, "change the filter").map(|_| ())
}

/// What a command that lists, such as `list counters table inet mine`, says as JSON (libnftables-json(5)).
///
/// # Errors
/// [`NftError`]; also where there is no such table.
pub fn list(command: &str) -> Result<String, NftError> {
    let words: Vec<_> = ["-j"].into_iter().chain(command.split(' ')).collect();
    let child = tool(&words).map_err(NftError::Tool)?;
    let output = said(child, command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn tool(words: &[&str]) -> io::Result<Child> {
    Command::new(TOOL)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn said(child: Child, what: &str) -> Result<Output, NftError> {
    let output = child.wait_with_output().map_err(NftError::Tool)?;
    if output.status.success() {
        return Ok(output);
    }
    // The rest repeats what was asked, and points at it.
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().next().unwrap_or("no reason given");
    Err(NftError::Refused {
        what: what.into(),
        said: first.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Netns;
    use crate::testing::root;

    #[test]
    fn a_transaction_is_all_or_nothing() {
        if !root("a_transaction_is_all_or_nothing") {
            return;
        }
        let netns = Netns::temporary("rwt-nft").unwrap();
        let apply = |text: &str| netns.run_in(|| apply(text)).unwrap();
        let counters = || netns.run_in(|| list("list counters table inet t")).unwrap();
        apply("add table inet t\nadd counter inet t one").unwrap();
        let error = apply("add counter inet t two\nadd element inet t none { 1 }").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("nftables refused to change the filter: "),
            "{error}"
        );
        let text = counters().unwrap();
        assert!(
            text.contains("\"one\"") && !text.contains("\"two\""),
            "{text}"
        );
        apply("delete table inet t").unwrap();
        let error = counters().unwrap_err().to_string();
        assert!(error.contains("list counters table inet t"), "{error}");
    }
}
