//! What a configuration file says of the controllers.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rackweave_api::control::NODES_PORT;
use rackweave_api::http::{BadEndpoint, Client, Endpoint};
use rackweave_types::{NodePrefix, ServicePrefix, ServiceRole};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::config::ConfigFileError;
use crate::node_tls::{Keys, KeysError};

/// Where the router keeps what the node's rack gave it.
const ASSIGNMENT: &str = "/var/lib/rackweave/router/assignment.json";

/// How a node finds its controllers, and what it shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControllerConfig {
    /// Where controllers serve nodes: `HOST:PORT`, or the path of a unix socket; those of the AZ's service rack where
    /// there are none and there are keys.
    pub addresses: Vec<String>,
    /// The directory of this node's keys, as `rackweave keys node` makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// The file in which the router keeps the node's assignment; `/var/lib/rackweave/router/assignment.json` where there
    /// is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<PathBuf>,
    /// The node's prefix, where no keys say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodePrefix>,
}

/// Why the controllers cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllersError {
    /// The keys cannot be used.
    #[error("the node's keys cannot be used")]
    Keys(#[from] KeysError),
    /// An address is none.
    #[error("the controller's address cannot be used")]
    Address(#[from] BadEndpoint),
    /// The node has no prefix.
    #[error(
        "the node has no prefix yet: its rack gives it one by `rackweave rack init`, and the router keeps it in {}",
        .0.display()
    )]
    NoPrefix(PathBuf),
}

impl ControllerConfig {
    /// Whether there are controllers to follow.
    #[must_use]
    pub const fn is_used(&self) -> bool {
        self.keys.is_some() || !self.addresses.is_empty()
    }

    /// Checks what no single field's type can say.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ConfigFileError> {
        let value = |field, problem| Err(ConfigFileError::Value { field, problem });
        let local = |address: &String| matches!(address.parse(), Ok(Endpoint::Unix(_)));
        if self.is_used() && self.keys.is_none() {
            if !self.addresses.iter().all(local) {
                return value(
                    "controller.keys",
                    "missing: nodes are believed by their keys",
                );
            }
            if self.node.is_none() {
                return value(
                    "controller.node",
                    "missing: without keys nothing else says it",
                );
            }
        }
        if self
            .addresses
            .iter()
            .any(|address| address.parse::<Endpoint>().is_err())
        {
            return value(
                "controller.addresses",
                "an address is neither HOST:PORT nor the path of a unix socket",
            );
        }
        Ok(())
    }

    /// Whom to follow, with the keys as they are now.
    ///
    /// # Errors
    /// Where the keys cannot be used, or the node has no prefix.
    pub fn settings(&self) -> Result<Settings, ControllersError> {
        let assignment = self.assignment.as_deref().unwrap_or(Path::new(ASSIGNMENT));
        let keys = self.keys.as_deref();
        let keys = keys
            .map(|dir| Keys::read(dir, Some(assignment)))
            .transpose()?;
        let node = keys.as_ref().and_then(Keys::prefix).or(self.node);
        let node = node.ok_or_else(|| ControllersError::NoPrefix(assignment.to_owned()))?;
        let tls = keys.as_ref().map(Keys::client_config).transpose()?;
        let addresses = if self.addresses.is_empty() {
            service_rack(node)
        } else {
            self.addresses.clone()
        };
        let controllers = addresses.iter().map(|address| {
            let endpoint = endpoint(address, tls.as_ref())?;
            Ok::<_, BadEndpoint>(Client::new(endpoint))
        });
        Ok(Settings {
            node,
            controllers: controllers.collect::<Result<_, _>>()?,
        })
    }
}

/// Where the controllers of a node's AZ are, if they are there.
fn service_rack(node: NodePrefix) -> Vec<String> {
    let number = |index| ServicePrefix::new(node.az(), ServiceRole::Controller, index).ok();
    let all = (0_u8..).map_while(number);
    all.map(|prefix| format!("[{}]:{NODES_PORT}", prefix.address()))
        .collect()
}

fn endpoint(address: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Endpoint, BadEndpoint> {
    let endpoint: Endpoint = address.parse()?;
    Ok(match (endpoint, tls) {
        (Endpoint::Tcp(address), Some(config)) => Endpoint::Tls {
            address,
            // Nothing is compared with it: controllers are believed by their chain.
            name: ServerName::from(IpAddr::from(Ipv6Addr::LOCALHOST)),
            config: Arc::clone(config),
        },
        (endpoint, _) => endpoint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ControllerConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        let with_node = "node = \"fd00:1:2:101::/64\"\n";
        for (text, field) in [
            ("addresses = [\"[::1]:6094\"]", "controller.keys"),
            ("addresses = [\"/run/a.sock\"]", "controller.node"),
            ("keys = \"/k\"\naddresses = [\"x\"]", "controller.addresses"),
        ] {
            let error = config(text).check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        for text in [
            "",
            "keys = \"/k\"",
            &format!("{with_node}addresses = [\"/run/a.sock\"]"),
        ] {
            config(text).check().unwrap();
        }
        assert!(!config(with_node).is_used());
    }

    #[test]
    fn a_node_without_addresses_goes_to_the_service_rack() {
        let all = service_rack("fd00:1:2:101::/64".parse().unwrap());
        assert_eq!(all.len(), 16);
        assert_eq!(all[1], "[fd00:1:2:ff01::1]:6094");
    }

    #[test]
    fn a_node_on_the_controllers_machine_needs_no_keys() {
        let text = "node = \"fd00:1:2:101::/64\"\naddresses = [\"/run/a.sock\"]";
        let settings = config(text).settings().unwrap();
        assert_eq!(settings.node.to_string(), "fd00:1:2:101::/64");
        assert_eq!(
            settings.controllers[0].endpoint().to_string(),
            "/run/a.sock"
        );
    }
}
