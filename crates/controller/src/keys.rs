//! The controller's own node keys.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rackweave_daemon::node_tls::{Leaf, server_config};
use rackweave_trust::{Anchor, Chain, Credentials, SecretKey, Signed, Statement};
use rustls::ServerConfig;

/// The keys of the node that the controller runs on.
#[derive(Debug)]
pub(crate) struct Keys {
    credentials: Credentials,
    anchor: Anchor,
}

impl Keys {
    /// Reads a node's directory, as `rackweave keys node` makes it.
    pub(crate) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("node.key");
        let secret = std::fs::read_to_string(&path);
        let secret = secret.with_context(|| format!("cannot read {}", path.display()))?;
        let secret = SecretKey::from_pem(&secret)
            .with_context(|| format!("{} is no key", path.display()))?;
        let chain = Chain {
            rack: Some(certificate(&dir.join("rack.crt"))?),
            node: certificate(&dir.join("node.crt"))?,
        };
        Ok(Self {
            credentials: Credentials::new(secret, chain)?,
            anchor: Anchor::new(&[certificate(&dir.join("az.crt"))?])?,
        })
    }

    /// How nodes are met.
    pub(crate) fn server_config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let leaf = Leaf::new(&self.credentials, None)?;
        Ok(server_config(leaf, self.anchor.clone())?)
    }

    /// Whose nodes are believed.
    pub(crate) fn into_anchor(self) -> Anchor {
        self.anchor
    }
}

fn certificate<T: Statement>(path: &Path) -> anyhow::Result<Signed<T>> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    Signed::from_pem(&text).with_context(|| format!("{} is no certificate", path.display()))
}
