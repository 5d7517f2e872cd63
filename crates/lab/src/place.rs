//! Where a lab keeps what.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::StepError;
use crate::topology::LabName;

/// Where all labs are.
const ROOT: &str = "/run/rackweave/lab";
/// How the names of all namespaces of labs begin.
const SPACE: &str = "rwlab";
/// The namespace of cables, beside those of nodes; no node is called so.
const CABLES: &str = "cables";

/// The directory of a lab, and the names that it takes on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    lab: LabName,
    root: PathBuf,
}

impl Place {
    /// Where the lab with this name is or would be.
    #[must_use]
    pub fn of(lab: &LabName) -> Self {
        Self {
            lab: lab.clone(),
            root: Path::new(ROOT).join(lab.as_str()),
        }
    }

    /// The names of all labs that left something in the place of labs.
    #[must_use]
    pub fn all() -> Vec<LabName> {
        let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
        let mut names: Vec<LabName> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        names.sort();
        names
    }

    /// The lab.
    #[must_use]
    pub fn lab(&self) -> &LabName {
        &self.lab
    }

    /// Its directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The topology and what is wrong with its links.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state.json")
    }

    /// Held by whoever changes the lab.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The tree of keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Logs of steps that belong to no node.
    #[must_use]
    pub fn step_log(&self) -> PathBuf {
        self.root.join("steps.log")
    }

    /// All of a node.
    #[must_use]
    pub fn node(&self, node: &str) -> PathBuf {
        self.root.join("nodes").join(node)
    }

    /// The run directories of a node's daemons: what is `/run/rackweave` on a machine of its own.
    #[must_use]
    pub fn runs(&self, node: &str) -> PathBuf {
        self.node(node).join("run")
    }

    /// The router's run directory, with its socket.
    #[must_use]
    pub fn run_dir(&self, node: &str) -> PathBuf {
        self.runs(node).join("router")
    }

    /// The router's state directory.
    #[must_use]
    pub fn state_dir(&self, node: &str) -> PathBuf {
        self.node(node).join("state")
    }

    /// The router's configuration.
    #[must_use]
    pub fn config(&self, node: &str) -> PathBuf {
        self.node(node).join("router.toml")
    }

    /// What the router says.
    #[must_use]
    pub fn log(&self, node: &str) -> PathBuf {
        self.node(node).join("router.log")
    }

    /// The socket by which the relay of a link is told what to do.
    #[must_use]
    pub fn relay(&self, link: &str) -> PathBuf {
        self.root.join("relays").join(format!("{link}.sock"))
    }

    /// What the relay of a link says.
    #[must_use]
    pub fn relay_log(&self, link: &str) -> PathBuf {
        self.root.join("relays").join(format!("{link}.log"))
    }

    /// Makes the directories.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(&self) -> Result<(), StepError> {
        self.ensure(&self.root)?;
        self.ensure(&self.root.join("relays"))
    }

    /// Makes a directory that may be there already.
    ///
    /// # Errors
    /// What the file system says.
    pub fn ensure(&self, path: &Path) -> Result<(), StepError> {
        fs::create_dir_all(path).map_err(|error| {
            StepError::new(format!("cannot make the directory {}", path.display()))
                .because(&error)
                .next("a lab needs root and a writable /run")
        })
    }

    /// The name of a node's namespace.
    #[must_use]
    pub fn space(&self, node: &str) -> String {
        format!("{SPACE}.{}.{node}", self.lab)
    }

    /// The name of the namespace of cables.
    #[must_use]
    pub fn cables(&self) -> String {
        self.space(CABLES)
    }

    /// Whether a namespace is of this lab, by its name.
    #[must_use]
    pub fn owns(&self, space: &str) -> bool {
        space.starts_with(&format!("{SPACE}.{}.", self.lab))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_owns_its_own_namespaces_alone() {
        let place = |name: &str| Place::of(&name.parse().unwrap());
        let space = place("one").space("r1s1");
        assert!(place("one").owns(&space));
        assert!(!place("one-more").owns(&space) && !place("on").owns(&space));
        assert!(place("one").owns(&place("one").cables()));
    }
}
