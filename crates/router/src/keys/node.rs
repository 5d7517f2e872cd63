//! What a node needs to prove itself: a directory with its key and the certificates up to the AZ's root.
//!
//! | file | what |
//! |---|---|
//! | `node.key` | the node's private key (PKCS#8 PEM, mode 0600) |
//! | `node.crt` | its certificate |
//! | `rack.crt` | its rack's; a spine has none |
//! | `az.crt` | its AZ's root: whom it trusts |
//! | `az-*.crt` | roots of other AZs that it is joined to |

use std::fs;
use std::path::{Path, PathBuf};

use rackweave_trust::{
    Anchor, AzCertificate, Chain, ChainError, Credentials, CredentialsError, NodeCertificate,
    RackCertificate, Signed,
};

use super::file::{self, FileError};

/// The file of a node's private key.
pub const NODE_KEY: &str = "node.key";
/// The file of a node's certificate.
pub const NODE_CERTIFICATE: &str = "node.crt";
/// The file of a rack's certificate.
pub const RACK_CERTIFICATE: &str = "rack.crt";
/// The file of an AZ root's certificate.
pub const AZ_CERTIFICATE: &str = "az.crt";

/// What a node proves itself with, and whom it trusts.
#[derive(Clone, Debug)]
pub struct NodeKeys {
    /// Its key and chain.
    pub credentials: Credentials,
    /// Whom it trusts.
    pub anchor: Anchor,
}

/// Why a node's keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeKeysError {
    /// A file cannot be read.
    #[error("cannot read the node's keys")]
    File(#[from] FileError),
    /// The private key and the certificate are not of one node.
    #[error("the keys in {path} do not belong together")]
    Pair {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: CredentialsError,
    },
    /// A root does not state itself.
    #[error("the roots in {path} cannot be trusted")]
    Root {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: ChainError,
    },
}

impl NodeKeys {
    /// Reads a node's directory. Whether the certificates hold at this time is not looked at: the sessions do.
    ///
    /// # Errors
    /// Where a file is missing, cannot be read, can be read by others though it is private, or fits no other.
    pub fn read(dir: &Path) -> Result<Self, NodeKeysError> {
        let secret = file::read_key(&dir.join(NODE_KEY))?;
        let node: Signed<NodeCertificate> = file::read_certificate(&dir.join(NODE_CERTIFICATE))?;
        let rack = dir.join(RACK_CERTIFICATE);
        let rack: Option<Signed<RackCertificate>> = if rack.exists() {
            Some(file::read_certificate(&rack)?)
        } else {
            None
        };
        let credentials = Credentials::new(secret, Chain { rack, node });
        let credentials = credentials.map_err(|source| NodeKeysError::Pair {
            path: dir.to_owned(),
            source,
        })?;
        let anchor = Anchor::new(&roots(dir)?).map_err(|source| NodeKeysError::Root {
            path: dir.to_owned(),
            source,
        })?;
        Ok(Self {
            credentials,
            anchor,
        })
    }
}

/// The roots that lie in the directory.
fn roots(dir: &Path) -> Result<Vec<Signed<AzCertificate>>, FileError> {
    let mut roots = vec![file::read_certificate(&dir.join(AZ_CERTIFICATE))?];
    let entries = fs::read_dir(dir).map_err(file::io_error("read", dir))?;
    for entry in entries {
        let entry = entry.map_err(file::io_error("read", dir))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("az-") && name.ends_with(".crt") {
            roots.push(file::read_certificate(&entry.path())?);
        }
    }
    Ok(roots)
}
