//! What programs of the node have the router do.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

/// Has prefixes originated, in the place of all that this asker had originated before.
///
/// It holds as long as the request goes on; where its asker's connection ends, 30 s longer, so that it outlives a restart
/// of the asker; where it is cancelled, no longer. A later request of the same asker takes its place at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginateRequest {
    /// Who asks: a program's name, the same after its restart.
    pub asker: String,
    /// The prefixes.
    pub prefixes: Vec<Origination>,
}

/// A prefix to originate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origination {
    /// What.
    pub prefix: Ipv6Net,
    /// How far it travels.
    pub scope: OriginScope,
    /// Whether it is announced now; not, where the program is there but does not serve yet.
    pub ready: bool,
}

/// How far what a program has originated travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginScope {
    /// Through the AZ, from any number of origins: a /64 of the service rack.
    Service,
    /// Between AZs: a /48.
    Site,
}

/// What was asked for is originated; the last reply says that it no longer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Originated {
    /// How many prefixes.
    pub prefixes: u64,
    /// Whether they are withdrawn, or another request of the same asker took the place of this one.
    #[serde(default)]
    pub over: bool,
}

/// Takes back at once all that this asker had originated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawRequest {
    /// Who had asked.
    pub asker: String,
}

/// What was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// How many prefixes.
    pub prefixes: u64,
}

/// Tells which destinations a program sends to, in the place of what it told before: the paths to them are probed.
///
/// It holds for a minute; a program that goes on tells it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseRequest {
    /// Who tells.
    pub asker: String,
    /// Own addresses (`::1`) of other nodes.
    pub destinations: Vec<Ipv6Addr>,
}

/// How many destinations are probed, of all programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// How many.
    pub destinations: u64,
}

/// Ends the router; what it gave the kernel stays, and neighbours keep what it said for half a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Also ends liveness and takes the routes out of the kernel: the node leaves the fabric.
    #[serde(default)]
    pub all: bool,
}

/// The router is about to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {}
