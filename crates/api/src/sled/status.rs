//! How the sled is.

use rackweave_types::{Generation, NodePrefix};
use serde::{Deserialize, Serialize};

use super::ObjectError;

/// Asks how the sled is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRequest {}

/// How the sled is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Name and version of the program.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// How long it has run, in milliseconds.
    pub uptime_ms: u64,
    /// Its place on the underlay; none before the first host state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sled: Option<NodePrefix>,
    /// How it reaches the underlay.
    pub underlay: UnderlayStatus,
    /// How it follows its controllers; none where its host state is a file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<ControllerStatus>,
    /// The host state.
    pub state: StateStatus,
    /// How many ports there are.
    pub ports: u32,
    /// How many connections there are.
    pub flows: u64,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
}

/// How the sled reaches the underlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderlayStatus {
    /// The back end in use: `udp`, `tap`, `vhost`.
    pub kind: String,
    /// The faster ones that are not in use, and why.
    #[serde(default)]
    pub passed_over: Vec<PassedOver>,
}

/// A back end that is not in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Which one.
    pub kind: String,
    /// Why.
    pub why: String,
}

/// The host state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateStatus {
    /// The generation that holds; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// What is wrong with the state that was handed over last, if it does not hold.
    #[serde(default)]
    pub errors: Vec<ObjectError>,
}

/// How a sled follows its controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerStatus {
    /// The one that it hears; none while it hears nobody, and goes on with what it heard last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why it hears nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The generation that it heard of last.
    pub heard: Generation,
    /// Changes heard.
    pub deltas: u64,
    /// Whole states heard.
    pub states: u64,
    /// Updates that did not fit, after which the whole state was asked for.
    pub misfits: u64,
    /// Streams that ended, and controllers that did not answer.
    pub lost: u64,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Which one.
    pub index: u16,
    /// The CPU it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// How it waits: `adaptive`, `spin`, `block`.
    pub poll: String,
    /// Nanoseconds spent with frames, since it started.
    pub busy_ns: u64,
    /// Nanoseconds spent looking for frames in vain.
    pub spin_ns: u64,
    /// Nanoseconds asleep.
    pub sleep_ns: u64,
}
