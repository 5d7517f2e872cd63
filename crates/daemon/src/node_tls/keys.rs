//! A node's own keys, as they lie on its disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rackweave_trust::{
    Anchor, Assignment, BadKey, Chain, ChainError, Credentials, CredentialsError, PemError,
    SecretKey, Signed, Statement,
};
use rackweave_types::NodePrefix;
use rustls::{ClientConfig, ServerConfig};

use super::{Leaf, LeafError, client_config, server_config};

/// The keys of the node that a daemon runs on, and what its rack gave it.
#[derive(Clone, Debug)]
pub struct Keys {
    credentials: Credentials,
    anchor: Anchor,
    assignment: Option<Assignment>,
}

/// Why a node's keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no key.
    #[error("{} holds no private key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BadKey,
    },
    /// A file holds no such certificate.
    #[error("{} holds no such certificate", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// The file of the assignment is damaged.
    #[error("{} holds no assignment", path.display())]
    Assignment {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The private key and the certificate are not of one node.
    #[error("the keys do not belong together")]
    Pair(#[from] CredentialsError),
    /// The root does not state itself.
    #[error("the root cannot be trusted")]
    Root(#[from] ChainError),
    /// There is no leaf certificate.
    #[error("the node cannot show who it is")]
    Leaf(#[from] LeafError),
    /// The keys cannot be used for TLS.
    #[error("the keys cannot be used for TLS")]
    Tls(#[from] rustls::Error),
}

impl Keys {
    /// Reads a node's directory, as `rackweave keys node` makes it (`node.key`, `node.crt`, `rack.crt`, `az.crt`), and the
    /// file in which the router keeps the node's assignment, where that is named and there.
    ///
    /// # Errors
    /// Where a file cannot be read or fits no other.
    pub fn read(dir: &Path, assignment: Option<&Path>) -> Result<Self, KeysError> {
        let path = dir.join("node.key");
        let secret = SecretKey::from_pem(&text(&path)?);
        let secret = secret.map_err(|source| KeysError::Key { path, source })?;
        let rack = dir.join("rack.crt");
        let rack = rack.exists().then(|| certificate(rack)).transpose()?;
        let chain = Chain {
            rack,
            node: certificate(dir.join("node.crt"))?,
        };
        let assignment = assignment.filter(|path| path.exists());
        Ok(Self {
            credentials: Credentials::new(secret, chain)?,
            anchor: Anchor::new(&[certificate(dir.join("az.crt"))?])?,
            assignment: assignment.map(given).transpose()?,
        })
    }

    /// The node's /64, where its rack gave it one.
    #[must_use]
    pub fn prefix(&self) -> Option<NodePrefix> {
        self.assignment.as_ref().map(|given| given.prefix)
    }

    /// Whose nodes are believed.
    #[must_use]
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// How nodes are met that come.
    ///
    /// # Errors
    /// Where the keys cannot be used for TLS.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, KeysError> {
        Ok(server_config(self.leaf()?, self.anchor.clone())?)
    }

    /// How other nodes are gone to.
    ///
    /// # Errors
    /// Where the keys cannot be used for TLS.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, KeysError> {
        Ok(client_config(self.leaf()?, self.anchor.clone())?)
    }

    fn leaf(&self) -> Result<Leaf, LeafError> {
        Leaf::new(&self.credentials, self.assignment.as_ref())
    }
}

fn text(path: &Path) -> Result<String, KeysError> {
    let read = fs::read_to_string(path);
    read.map_err(|source| KeysError::Read {
        path: path.to_owned(),
        source,
    })
}

fn certificate<T: Statement>(path: PathBuf) -> Result<Signed<T>, KeysError> {
    let signed = Signed::from_pem(&text(&path)?);
    signed.map_err(|source| KeysError::Certificate { path, source })
}

fn given(path: &Path) -> Result<Assignment, KeysError> {
    let assignment = serde_json::from_str(&text(path)?);
    assignment.map_err(|source| KeysError::Assignment {
        path: path.to_owned(),
        source,
    })
}
