//! The configuration file of a controller, and what the command line puts in its place.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::Ipv6Net;
use rackweave_api::control::{RUN_DIR, SOCKET};
use rackweave_daemon::config::{ConfigFileError, ControlConfig, MetricsConfig};
use rackweave_daemon::http::Place;
use rackweave_types::{ServicePrefix, ServiceRole};
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
    /// Where users reach it from elsewhere, by TLS.
    pub api: ApiConfig,
    /// Where nodes reach the API, by TLS with the keys of the fabric.
    pub nodes: NodesConfig,
    /// The members of an etcd cluster; the store is embedded where there is none.
    pub etcd: Vec<String>,
    /// The address of the service rack under which hosts find this controller.
    pub service: ServiceConfig,
    /// Connections at once.
    pub connections: usize,
    /// Where counters are read.
    pub metrics: MetricsConfig,
    /// Who may connect to the unix socket.
    pub control: ControlConfig,
}

/// How users reach the API from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Where it is served to them; at port 443 the sled's external address leads here.
    pub listen: Vec<SocketAddr>,
    /// The file of the certificate and those above it (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The file of its private key (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
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

/// The address of the service rack under which hosts find this controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceConfig {
    /// One of the service rack's prefixes for controllers, `ff00` to `ff0f`; none is announced where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Ipv6Net>,
    /// The socket of the node's router.
    pub router: PathBuf,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        let dir = PathBuf::from(rackweave_api::router::RUN_DIR);
        Self {
            prefix: None,
            router: dir.join(rackweave_api::router::SOCKET),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            state_dir: "/var/lib/rackweave/controller".into(),
            listen: Vec::new(),
            api: ApiConfig::default(),
            nodes: NodesConfig::default(),
            etcd: Vec::new(),
            service: ServiceConfig::default(),
            connections: 4096,
            metrics: MetricsConfig::default(),
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
        if !self.api.listen.is_empty() {
            let problem = "missing: users from elsewhere are served by TLS";
            for (field, file) in [
                ("api.certificate", &self.api.certificate),
                ("api.key", &self.api.key),
            ] {
                if file.is_none() {
                    return Err(ConfigFileError::Value { field, problem });
                }
            }
        }
        if self.service.prefix.is_some() && self.service().is_none() {
            let problem = "no /64 of the service rack for controllers: fd00:…:ff00::/64 to ff0f";
            let field = "service.prefix";
            return Err(ConfigFileError::Value { field, problem });
        }
        if !self.metrics.is_local() {
            let problem = "not an address of the loopback: let a local collector forward them";
            let field = "metrics.listen";
            return Err(ConfigFileError::Value { field, problem });
        }
        Ok(())
    }

    /// The prefix of the service rack under which it is found.
    #[must_use]
    pub fn service(&self) -> Option<ServicePrefix> {
        let prefix = self.service.prefix?;
        let service = ServicePrefix::of(prefix.addr())?;
        let fits = service.net() == prefix && service.role() == ServiceRole::Controller;
        fits.then_some(service)
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

#[cfg(test)]
mod tests {
    use rackweave_daemon::config;

    use super::*;

    fn read(text: &str) -> Result<Config, ConfigFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("controller.toml");
        std::fs::write(&path, text).unwrap();
        config::read(&path)
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = read("").unwrap();
        assert_eq!(config, Config::default());
        config.check().unwrap();
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, field) in [
            ("connections = 0", "connections"),
            ("[api]\nlisten = [\"[::]:443\"]", "api.certificate"),
            (
                "[api]\nlisten = [\"[::]:443\"]\ncertificate = \"x\"",
                "api.key",
            ),
            ("[nodes]\nlisten = [\"[::]:6094\"]", "nodes.keys"),
            (
                "[service]\nprefix = \"fd00:1:2:101::/64\"",
                "service.prefix",
            ),
            (
                "[service]\nprefix = \"fd00:1:2:ff10::/64\"",
                "service.prefix",
            ),
            (
                "[service]\nprefix = \"fd00:1:2:ff00::/60\"",
                "service.prefix",
            ),
            ("[metrics]\nlisten = \"0.0.0.0:9104\"", "metrics.listen"),
        ] {
            let error = read(text).unwrap().check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        let error = read("etdc = []").unwrap_err().to_string();
        assert!(error.contains("etdc"), "{error}");
        let found = read("[service]\nprefix = \"fd00:1:2:ff0f::/64\"").unwrap();
        found.check().unwrap();
        assert_eq!(found.service().map(ServicePrefix::index), Some(15));
    }
}
