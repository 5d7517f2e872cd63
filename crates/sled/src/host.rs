//! The host state: read, checked, compiled, and brought to the workers.
//!
//! Everything that decides is pure ([`check`], [`compile`](mod@compile), [`steps`]); [`Host`] does what they say, at one
//! place, on a thread of its own.

pub mod check;
pub mod compile;
mod devices;
pub mod error;
pub mod kept;
pub mod manage;
pub mod read;
pub mod serve;
pub mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use rackweave_types::state::HostState;
use rackweave_types::{Generation, PortId};
use tokio::sync::oneshot;

pub use devices::MachineDevices;
pub(crate) use devices::told;
pub use error::{HostError, HostErrors};
pub use manage::{Devices, Host, HostSettings};

/// What the host task is asked to do.
#[derive(Debug)]
pub enum HostCommand {
    /// Bring the sled to this state; all of it or nothing.
    Apply {
        /// The state.
        state: Box<HostState>,
        /// Gets what became of it.
        reply: oneshot::Sender<Result<Applied, HostErrors>>,
    },
    /// Read the host-state file again and bring the sled to it.
    Reload {
        /// Gets what became of it.
        reply: oneshot::Sender<Result<Applied, HostErrors>>,
    },
    /// Say what is applied.
    Snapshot {
        /// Gets the answer.
        reply: oneshot::Sender<Snapshot>,
    },
}

/// What applying a state changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Applied {
    /// The generation that is applied now.
    pub generation: Generation,
    /// Ports that are new.
    pub added: usize,
    /// Ports whose program or device changed.
    pub changed: usize,
    /// Ports that are gone.
    pub removed: usize,
    /// Ports that stayed as they were.
    pub unchanged: usize,
}

/// What is applied.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state; nothing before the first was applied.
    pub state: Option<Arc<HostState>>,
    /// The ports as they run.
    pub ports: BTreeMap<PortId, PortStatus>,
    /// What was wrong with the last state that could not be applied, if it was the last one given.
    pub refused: Option<Arc<HostErrors>>,
}

/// A port as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// Connections that came over from the process before.
    pub restored: u32,
    /// Whether its device is there: `None` where the state gives it none.
    pub attached: Option<bool>,
    /// Why it is not.
    pub fault: Option<String>,
}
