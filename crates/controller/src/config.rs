//! The configuration file of a controller, and what the command line puts in its place.

use std::net::SocketAddr;
use std::path::PathBuf;

use rackweave_api::control::{RUN_DIR, SOCKET};
use rackweave_daemon::config::{ConfigFileError, ControlConfig};
use rackweave_daemon::http::Place;
use serde::{Deserialize, Serialize};

/// What `rackweave controller run` is told; every field has a default, so an empty file is a configuration: a
/// controller with a store of its own, which serves its machine alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The unix socket of the API.
    pub run_dir: PathBuf,
    /// The embedded store.
    pub state_dir: PathBuf,
    /// Where the API is served beside the unix socket, in the clear: on the loopback, or behind something that ends TLS.
    pub listen: Vec<SocketAddr>,
    /// Where nodes reach the API, by TLS with the keys of the fabric.
    pub nodes: NodesConfig,
    /// The members of an etcd cluster; the store is embedded where there is none.
    pub etcd: Vec<String>,
    /// Connections at once.
    pub connections: usize,
    /// Who may connect to the unix socket.
    pub control: ControlConfig,
}

/// How nodes reach the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodesConfig {
    /// Where it is served to them.
    pub listen: Vec<SocketAddr>,
    /// The directory of this node's own keys, as `rackweave keys node` makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            state_dir: "/var/lib/rackweave/controller".into(),
            listen: Vec::new(),
            nodes: NodesConfig::default(),
            etcd: Vec::new(),
            connections: 4096,
            control: ControlConfig::default(),
        }
    }
}

impl Config {
    /// Checks what no single field's type can say.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ConfigFileError> {
        if self.connections == 0 {
            let (field, problem) = ("connections", "nobody could connect");
            return Err(ConfigFileError::Value { field, problem });
        }
        if self.nodes.keys.is_none() && !self.nodes.listen.is_empty() {
            let (field, problem) = ("nodes.keys", "missing: nodes are believed by their keys");
            return Err(ConfigFileError::Value { field, problem });
        }
        Ok(())
    }

    /// Where the API is served.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let unix = Place::Unix(self.run_dir.join(SOCKET));
        let tcp = self.listen.iter().copied().map(Place::Tcp);
        std::iter::once(unix).chain(tcp).collect()
    }

    /// The file of the embedded store.
    #[must_use]
    pub fn store_file(&self) -> PathBuf {
        self.state_dir.join("store.redb")
    }
}
