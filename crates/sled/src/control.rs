//! The control socket: what people and programs of this machine ask the sled, and have it do.
//!
//! ```text
//! listen ── serve ──► conversation (a task for each client: lines in, lines out)
//!                       └► answer (a blocking thread for each request: workers' jobs, the host task)
//!                       └► capture (a task as long as it runs)
//! ```
//!
//! Who may connect is the socket's file mode; who may change something or see guests' packets is asked of the kernel.

mod answer;
mod describe;
mod doors;
pub(crate) mod drops;
mod explain;
mod flows;
pub(crate) mod gather;
mod names;
mod overview;
mod packet;
mod reasons;
mod rules;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tunnel;

use std::fmt;
use std::sync::Arc;

use rackweave_api::sled::UnderlayStatus;
use rackweave_daemon::follow::FollowStatus;
use rackweave_types::Instant;
use tokio::sync::{Notify, mpsc, watch};

pub use doors::open_doors;
pub(crate) use names::{device_label, instance_label, title};
pub(crate) use overview::errors as told_errors;
pub(crate) use packet::{from_hex as octets_of, protocol};
pub(crate) use summary::{FLAG_LETTERS, end as end_text, frame_text, protocol_name};

use crate::capture::Captures;
use crate::host::HostCommand;
use crate::workers::Workers;

/// What requests are answered from.
#[derive(Clone, Debug)]
pub struct Context {
    /// The threads that hold the ports.
    pub workers: Workers,
    /// The host task.
    pub host: mpsc::Sender<HostCommand>,
    /// What does not change while the sled runs.
    pub info: Arc<Info>,
    /// What the agent has counted.
    pub agent: AgentCounts,
    /// How the sled follows its controllers, where it does.
    pub follows: Option<watch::Receiver<FollowStatus>>,
    /// Told when somebody asks the sled to end.
    pub stop: Arc<Notify>,
    /// The captures that run.
    pub captures: Captures,
}

/// What does not change while the sled runs.
#[derive(Clone, Debug)]
pub struct Info {
    /// Name and version of the program.
    pub program: String,
    /// When it started.
    pub started: Instant,
    /// How it reaches the underlay.
    pub underlay: UnderlayStatus,
    /// The processors of the workers, in turn.
    pub cpus: Option<Vec<usize>>,
}

impl Info {
    /// The processor that a worker is bound to.
    pub(crate) fn cpu_of(&self, worker: u16) -> Option<u32> {
        let cpus = self.cpus.as_ref().filter(|cpus| !cpus.is_empty())?;
        let cpu = cpus.get(usize::from(worker) % cpus.len())?;
        u32::try_from(*cpu).ok()
    }
}

/// One of the agent's counters: its name, what it counts, how many.
pub type AgentCount = (&'static str, &'static str, u64);

/// Asks the agent what it has counted.
#[derive(Clone)]
pub struct AgentCounts(Arc<dyn Fn() -> Vec<AgentCount> + Send + Sync>);

impl AgentCounts {
    /// Counters that `ask` reads.
    #[must_use]
    pub fn new(ask: impl Fn() -> Vec<AgentCount> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(crate) fn get(&self) -> Vec<AgentCount> {
        (self.0)()
    }
}

impl fmt::Debug for AgentCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentCounts")
    }
}
