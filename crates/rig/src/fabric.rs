//! A lab of racks, built by the program under test.

mod flows;
mod node;
mod probe;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{Output, must, run, tail};

pub use flows::Flows;
pub use node::Node;
pub use probe::{Losses, Probe};

/// How the names of a test's labs begin; the owner's process id follows.
const PREFIX: &str = "t";
/// Where labs are.
const LABS: &str = "/run/rackweave/lab";

static REAP: Once = Once::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A lab of this test, taken away when it is dropped.
#[derive(Debug)]
pub struct Fabric {
    program: PathBuf,
    name: String,
}

impl Fabric {
    /// Has `program` build so many racks of so many sleds; `more` is told it besides.
    ///
    /// # Errors
    /// What the program says.
    pub fn start(program: &str, racks: u8, sleds: u8, more: &[&str]) -> Result<Self> {
        let fabric = Self::unmade(program);
        let (racks, sleds) = (racks.to_string(), sleds.to_string());
        let words = ["fabric", "--json", "--racks", &racks, "--sleds", &sleds];
        fabric.lab(&[&words, more].concat())?;
        Ok(fabric)
    }

    /// A lab of which there is only the name.
    pub(crate) fn unmade(program: &str) -> Self {
        REAP.call_once(|| reap(program));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            program: program.into(),
            name: format!("{PREFIX}{}-{number}", std::process::id()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `rackweave lab …`, which must succeed, and gives what it writes.
    ///
    /// # Errors
    /// What the program says.
    pub fn lab(&self, words: &[&str]) -> Result<String> {
        self.try_lab(words)?
            .ok()
            .with_context(|| format!("rackweave lab {}", words.join(" ")))
    }

    /// Runs `rackweave lab …`.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn try_lab(&self, words: &[&str]) -> Result<Output> {
        let program = self.program.display().to_string();
        let (command, rest) = words.split_first().context("a command")?;
        let called = [&program, "lab", *command, "--name", &self.name];
        run(&[&called, rest].concat(), "")
    }

    /// Runs `rackweave …` in a node, which must succeed, and gives what it writes.
    ///
    /// # Errors
    /// What the program says.
    pub fn exec(&self, node: &str, words: &[&str]) -> Result<String> {
        let program = self.program.display().to_string();
        self.lab(&[&["exec", node, "--", &program], words].concat())
    }

    /// Runs `rackweave …` in the namespace of a node, where `/run/rackweave` is that of the machine.
    ///
    /// # Errors
    /// What the program says.
    pub fn exec_outside(&self, node: &str, words: &[&str]) -> Result<String> {
        let program = self.program.display().to_string();
        self.node(node)?
            .must(&[&[program.as_str()], words].concat())
    }

    /// Asks the router of a node, and gives its reply.
    ///
    /// # Errors
    /// What the program says, and where its reply is no JSON.
    pub fn ask(&self, node: &str, words: &[&str]) -> Result<Value> {
        let text = self.exec(node, &[&["router"], words, &["--json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("{node} said no JSON: {text}"))
    }

    /// How the lab is, as `lab status --json` says.
    ///
    /// # Errors
    /// What the program says.
    pub fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.lab(&["status", "--json"])?)?)
    }

    /// A node by its name, as it is now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn node(&self, name: &str) -> Result<Node> {
        let nodes = self.nodes()?;
        let mut found = nodes.into_iter().filter(|node| node.name == name);
        found.next().with_context(|| format!("no node {name}"))
    }

    /// All nodes, as they are now.
    ///
    /// # Errors
    /// What the program says.
    pub fn nodes(&self) -> Result<Vec<Node>> {
        let status = self.status()?;
        let nodes = status["nodes"].as_array().context("a lab has nodes")?;
        nodes.iter().map(Node::read).collect()
    }

    /// The program that it was built by.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A test's result; where it is an error, with what the routers said last.
    ///
    /// # Errors
    /// That of the test.
    pub fn with_logs(&self, done: Result<()>) -> Result<()> {
        done.with_context(|| {
            let nodes = self.nodes().unwrap_or_default();
            let logs = nodes.iter().map(|node| {
                let log = std::fs::read_to_string(&node.log).unwrap_or_default();
                format!("---- {} said:\n{}", node.name, tail(&log))
            });
            logs.collect::<Vec<_>>().join("\n")
        })
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        // Where it is gone already, nothing is left to do.
        let _ = self.try_lab(&["down"]);
    }
}

/// Takes away the labs whose test is no more.
fn reap(program: &str) {
    let entries = std::fs::read_dir(LABS).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if owner(&name).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another test may have been quicker.
            let _ = run(&[program, "lab", "down", "--name", &name], "");
        }
    }
}

/// The process id in the name of a lab of ours.
fn owner(name: &str) -> Option<&str> {
    let (pid, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(pid) && digits(number)).then_some(pid)
}

/// A namespace of a lab, by its name; the lab removes it.
///
/// # Errors
/// What `ip` says.
pub(crate) fn in_space(space: &str, words: &[&str]) -> Result<String> {
    let inside = ["ip", "netns", "exec", space];
    ensure!(!words.is_empty(), "a command");
    must(&[&inside, words].concat(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labs_of_tests_have_an_owner() {
        assert_eq!(owner("t17-0"), Some("17"));
        for name in ["lab", "t-0", "test-0", "t17"] {
            assert_eq!(owner(name), None, "{name}");
        }
    }
}
