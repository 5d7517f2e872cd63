//! What is remembered of a lab from one command to the next.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::fault::Condition;
use crate::management::Management;
use crate::place::Place;
use crate::step::StepError;
use crate::topology::{LabName, Link, Topology, UnknownTarget};

/// The version of the file's form.
const VERSION: u32 = 1;

/// How often neighbours tell each other that frames pass, where nobody says otherwise, in milliseconds.
pub const LIVENESS_MS: u64 = 10;

const fn usual_liveness() -> u64 {
    LIVENESS_MS
}

/// A lab, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`VERSION`] when it was written.
    version: u32,
    /// What it is made of.
    pub topology: Topology,
    /// Whether its nodes accept signed messages alone.
    pub signed: bool,
    /// How often neighbours tell each other that frames pass, in milliseconds.
    #[serde(default = "usual_liveness")]
    pub liveness_ms: u64,
    /// The links that are not whole.
    #[serde(default)]
    pub conditions: BTreeMap<String, Condition>,
    /// Its management network, if it has one.
    #[serde(default)]
    pub management: Option<Management>,
}

/// The right to change a lab; others wait until it is dropped.
#[derive(Debug)]
pub struct Held {
    _lock: Flock<File>,
}

impl State {
    /// A lab of which all links are whole.
    #[must_use]
    pub const fn new(topology: Topology, signed: bool) -> Self {
        Self {
            version: VERSION,
            topology,
            signed,
            liveness_ms: LIVENESS_MS,
            conditions: BTreeMap::new(),
            management: None,
        }
    }

    /// What people mean by a name: a link, a node or a unit, which stand for all their links, or `all`.
    ///
    /// # Errors
    /// [`UnknownTarget`].
    pub fn target(&self, name: &str) -> Result<Vec<&Link>, UnknownTarget> {
        let management = self.management.as_ref();
        if name == "all" {
            let more = management.into_iter().flat_map(|it| &it.links);
            return Ok(self.topology.links.iter().chain(more).collect());
        }
        let more = management.map(|it| it.target(name)).unwrap_or_default();
        if more.is_empty() {
            self.topology.target(name)
        } else {
            Ok(more)
        }
    }

    /// Whether a namespace is called so.
    #[must_use]
    pub fn has_node(&self, name: &str) -> bool {
        let managed =
            self.management.is_some() && Management::nodes().iter().any(|node| node == name);
        managed || self.topology.node(name).is_some()
    }

    /// The state of the lab.
    ///
    /// # Errors
    /// Where there is no such lab, or another release wrote its file.
    pub fn read(place: &Place) -> Result<Self, StepError> {
        let path = place.state();
        let what = || StepError::new(format!("cannot read {}", path.display()));
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_lab(place.lab()),
            _ => what().because(&error).next("a lab needs root"),
        })?;
        let remove = format!(
            "take the lab away: `rackweave lab down --name {}`",
            place.lab()
        );
        let state: Self = serde_json::from_slice(&bytes)
            .map_err(|error| what().because(&error).next(remove.clone()))?;
        if state.version != VERSION {
            let version = state.version;
            return Err(what()
                .cause(format!(
                    "it has version {version}, this release knows {VERSION}"
                ))
                .next(remove));
        }
        Ok(state)
    }

    /// Writes the state, in one piece.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, place: &Place) -> Result<(), StepError> {
        let path = place.state();
        let next = path.with_extension("new");
        let written = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|bytes| fs::write(&next, bytes))
            .and_then(|()| fs::rename(&next, &path));
        written.map_err(|error| {
            StepError::new(format!("cannot write {}", path.display())).because(&error)
        })
    }

    /// How a link is.
    #[must_use]
    pub fn condition(&self, link: &Link) -> Condition {
        self.conditions.get(&link.name).copied().unwrap_or_default()
    }

    /// Remembers how a link is.
    pub fn set(&mut self, link: &Link, condition: Condition) {
        if condition.is_whole() {
            self.conditions.remove(&link.name);
        } else {
            self.conditions.insert(link.name.clone(), condition);
        }
    }
}

/// Takes the right to change the lab, and waits for it.
///
/// # Errors
/// Where there is no such lab.
pub fn hold(place: &Place) -> Result<Held, StepError> {
    let path = place.lock();
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_lab(place.lab()),
            _ => StepError::new(format!("cannot open {}", path.display()))
                .because(&error)
                .next("a lab needs root"),
        })?;
    let held = Flock::lock(file, FlockArg::LockExclusive);
    held.map(|lock| Held { _lock: lock }).map_err(|(_, errno)| {
        StepError::new(format!("cannot lock {}", path.display())).because(&errno)
    })
}

fn no_lab(name: &LabName) -> StepError {
    let others = Place::all();
    let next = if others.is_empty() {
        "make one: `rackweave lab fabric`".to_owned()
    } else {
        let names: Vec<_> = others.iter().map(ToString::to_string).collect();
        format!(
            "labs that are here: {}; say which with --name",
            names.join(", ")
        )
    };
    StepError::new(format!("there is no lab called {name}")).next(next)
}
