//! What every daemon has: log, lock, control socket, counters, and the manners of its command line.
//!
//! | module | what it is |
//! |---|---|
//! | [`ask`] | asking a daemon over its control socket |
//! | [`config`] | configuration files, and what those of all daemons have in common |
//! | [`conversation`] | clients of the control socket: a daemon says what it answers ([`conversation::Service`]) |
//! | [`dir`] | directories of a daemon |
//! | [`follow`] | how a node hears from the controllers what it is to be |
//! | [`http`] | HTTP APIs, described by their own handlers |
//! | [`listen`] | the control socket's file, for root and a group |
//! | [`lock`] | one process for each run directory |
//! | [`log`] | structured lines on standard error |
//! | [`metrics`] | counters for collectors: `OpenMetrics` over HTTP |
//! | [`node_tls`] | TLS between nodes, by the keys of the fabric |
//! | [`notify`] | what the service manager is told |
//! | [`output`] | what commands write, and what they say when they fail |
//! | [`table`] | tables as text |
//!
//! It knows no daemon: each tells its name and its requests.

pub mod ask;
pub mod config;
pub mod conversation;
pub mod dir;
pub mod follow;
pub mod http;
pub mod listen;
pub mod lock;
pub mod log;
pub mod metrics;
pub mod node_tls;
pub mod notify;
pub mod output;
pub mod table;

/// Name and version of the program, for hellos.
#[must_use]
pub fn program() -> String {
    format!("rackweave {}", env!("CARGO_PKG_VERSION"))
}
