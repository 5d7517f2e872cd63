//! The node itself.

use ipnet::Ipv6Net;
use rackweave_types::{AzPrefix, MacAddr, NodePrefix, RackPrefix, Role};
use serde::{Deserialize, Serialize};

/// Asks who the node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRequest {}

/// Who the node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Who it is: what it was named, else its machine's serial number, else its least permanent hardware address.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// Its prefix of the bootstrap network.
    pub bootstrap: Ipv6Net,
    /// Its /64; none before rack setup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<NodePrefix>,
    /// Its rack's /56; none before rack setup, and of a spine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<RackPrefix>,
    /// Its AZ's /48, once it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub az: Option<AzPrefix>,
    /// Whether it keeps the routes of a process before until neighbours have said all.
    #[serde(default)]
    pub holding: bool,
    /// Whether it believes signed messages alone.
    pub signed: bool,
}

/// Asks how the router is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRequest {}

/// How the router is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Name and version of the program.
    pub program: String,
    /// Its process.
    pub pid: u32,
    /// How long it has run, in milliseconds.
    pub uptime_ms: u64,
    /// Who the node is.
    pub node: Node,
    /// The links that the fabric runs on.
    pub links: Vec<Link>,
    /// Neighbours whose session stands.
    pub sessions: u64,
    /// All neighbours that are known.
    pub neighbors: u64,
    /// Prefixes with a route.
    pub routes: u64,
    /// Routes that the kernel has as they should be.
    pub routes_held: u64,
    /// Prefixes that programs of the node had originated.
    #[serde(default)]
    pub originated: Vec<OriginatedPrefix>,
    /// What people should look at, each with its next step.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// A link that the fabric runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Whether it is up and has carrier.
    pub up: bool,
    /// How many neighbours are known on it.
    pub neighbors: u64,
}

/// A prefix that a program of the node had originated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginatedPrefix {
    /// Who asked.
    pub asker: String,
    /// What.
    pub prefix: Ipv6Net,
    /// Whether it is announced now.
    pub ready: bool,
    /// How long it still holds, in milliseconds, where its asker is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_in_ms: Option<u64>,
}
