//! The directory of all keys of an AZ, for those who run it: make it once, keep it offline, give each node its own part.
//!
//! ```text
//! DIR/az.key  az.crt                                    the root
//!     racks/01/rack.key  rack.crt  az.crt               a rack: `rackweave rack init --keys` takes this directory too
//!     racks/01/nodes/NAME/node.key  node.crt  rack.crt  az.crt    a node: what it is given
//!     spines/NAME/node.key  node.crt  az.crt                      a spine
//! ```

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rackweave_linux::random;
use rackweave_trust::{
    AzCertificate, IdentityError, NodeCertificate, RackCertificate, SecretKey, Signed, UnixTime,
    check_identity,
};
use rackweave_types::{AzPrefix, MacAddr, RackNumber, RackPrefix, Role};

use super::file::{self, FileError};
use super::node::{AZ_CERTIFICATE, NODE_CERTIFICATE, NODE_KEY, RACK_CERTIFICATE};

/// The file of the root's private key.
pub const AZ_KEY: &str = "az.key";
/// The file of a rack's private key.
pub const RACK_KEY: &str = "rack.key";

/// Certificates begin to hold so many seconds before they were made: clocks of nodes may be behind.
const LEEWAY: u64 = 3_600;

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A file could not be read or written.
    #[error("{0}")]
    File(#[source] FileError),
    /// The kernel gave no random octets.
    #[error("cannot draw a key")]
    Random(#[from] random::RandomError),
    /// A node cannot be called so.
    #[error("{name:?} is no node's identity")]
    Identity {
        /// The name.
        name: String,
        /// Why not.
        #[source]
        source: IdentityError,
    },
    /// Sleds and switches are of a rack, spines of none.
    #[error("a {0} is of {rack}", rack = if *.0 == Role::Spine { "no rack: leave out --rack" } else { "a rack: say which by --rack" })]
    Rack(Role),
}

impl From<FileError> for TreeError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// The directory of an AZ's keys.
#[derive(Clone, Debug)]
pub struct Tree {
    dir: PathBuf,
}

/// Whom a node's key is made for.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// What it is called.
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    pub hardware: MacAddr,
    /// What it does.
    pub role: Role,
    /// Its rack; a spine has none.
    pub rack: Option<RackNumber>,
}

/// From when until when a new certificate holds.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// When it is made.
    pub now: UnixTime,
    /// For how many days it holds.
    pub days: u32,
}

impl Term {
    fn from(self) -> UnixTime {
        UnixTime(self.now.0.saturating_sub(LEEWAY))
    }

    fn until(self) -> UnixTime {
        self.now.after_days(self.days)
    }
}

fn draw() -> Result<SecretKey, TreeError> {
    Ok(SecretKey::new(&random::bytes()?))
}

/// The name of a node's directory: its identity, where every character that a path gives a meaning is written as `%`
/// and its number.
fn dir_name(identity: &str) -> String {
    let mut name = String::new();
    for c in identity.chars() {
        let plain =
            c.is_ascii_alphanumeric() || "-_:".contains(c) || (c == '.' && !name.is_empty());
        if plain {
            name.push(c);
        } else {
            // Writing into a String cannot fail.
            let _written = write!(name, "%{:02x}", u32::from(c));
        }
    }
    name
}

impl Tree {
    /// The tree in this directory, which need not be there yet.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of all racks.
    pub(crate) fn racks(&self) -> PathBuf {
        self.dir.join("racks")
    }

    /// The directory of all spines.
    pub(crate) fn spines(&self) -> PathBuf {
        self.dir.join("spines")
    }

    /// The directory of a rack.
    #[must_use]
    pub fn rack_dir(&self, rack: RackNumber) -> PathBuf {
        self.racks().join(rack.to_string())
    }

    /// The directory of a node: what it is given.
    #[must_use]
    pub fn node_dir(&self, rack: Option<RackNumber>, identity: &str) -> PathBuf {
        let nodes = rack.map_or_else(|| self.spines(), |rack| self.rack_dir(rack).join("nodes"));
        nodes.join(dir_name(identity))
    }

    /// Makes the AZ's root.
    ///
    /// # Errors
    /// Where there is one, or the system refuses.
    pub fn make_az(&self, az: AzPrefix, term: Term) -> Result<Signed<AzCertificate>, TreeError> {
        file::make_dir(&self.dir)?;
        let key = draw()?;
        let claims = AzCertificate {
            serial: 1,
            key: key.public(),
            from: term.from(),
            until: term.until(),
            az,
        };
        let certificate = Signed::sign(claims, &key);
        file::create_key(&self.dir.join(AZ_KEY), &key)?;
        file::create_certificate(&self.dir.join(AZ_CERTIFICATE), &certificate)?;
        Ok(certificate)
    }

    /// Makes a rack's key.
    ///
    /// # Errors
    /// Where the rack has one, the root is not here, or the system refuses.
    pub fn make_rack(
        &self,
        rack: RackNumber,
        term: Term,
    ) -> Result<Signed<RackCertificate>, TreeError> {
        let root = file::read_key(&self.dir.join(AZ_KEY))?;
        let az: Signed<AzCertificate> = file::read_certificate(&self.dir.join(AZ_CERTIFICATE))?;
        let dir = self.rack_dir(rack);
        file::make_dir(&dir)?;
        let key = draw()?;
        let claims = RackCertificate {
            serial: 1,
            key: key.public(),
            from: term.from(),
            until: term.until(),
            rack: RackPrefix::new(az.claims().az, rack),
        };
        let certificate = Signed::sign(claims, &root);
        file::create_key(&dir.join(RACK_KEY), &key)?;
        file::create_certificate(&dir.join(RACK_CERTIFICATE), &certificate)?;
        file::copy(&self.dir.join(AZ_CERTIFICATE), &dir.join(AZ_CERTIFICATE))?;
        Ok(certificate)
    }

    /// The private key of a rack. The directory may be the rack's own, too.
    ///
    /// # Errors
    /// Where it is not here, or cannot be used.
    pub fn rack_key(&self, rack: RackNumber) -> Result<SecretKey, FileError> {
        let own = self.dir.join(RACK_KEY);
        if own.exists() {
            file::read_key(&own)
        } else {
            file::read_key(&self.rack_dir(rack).join(RACK_KEY))
        }
    }

    /// The key that states nodes of this rack, or spines.
    fn signer(&self, rack: Option<RackNumber>) -> Result<SecretKey, FileError> {
        let path = rack.map_or_else(
            || self.dir.join(AZ_KEY),
            |rack| self.rack_dir(rack).join(RACK_KEY),
        );
        file::read_key(&path)
    }

    /// Makes a node's key, with all that the node is given in one directory.
    ///
    /// # Errors
    /// Where the node has one, the rack's key is not here, or the system refuses.
    pub fn make_node(
        &self,
        node: &NewNode,
        term: Term,
    ) -> Result<Signed<NodeCertificate>, TreeError> {
        check_identity(&node.identity).map_err(|source| TreeError::Identity {
            name: node.identity.clone(),
            source,
        })?;
        if (node.role == Role::Spine) != node.rack.is_none() {
            return Err(TreeError::Rack(node.role));
        }
        let signer = self.signer(node.rack)?;
        let dir = self.node_dir(node.rack, &node.identity);
        file::make_dir(&dir)?;
        let key = draw()?;
        let claims = NodeCertificate {
            serial: 1,
            key: key.public(),
            from: term.from(),
            until: term.until(),
            identity: node.identity.clone(),
            hardware: node.hardware,
            role: node.role,
        };
        let certificate = Signed::sign(claims, &signer);
        file::create_key(&dir.join(NODE_KEY), &key)?;
        file::create_certificate(&dir.join(NODE_CERTIFICATE), &certificate)?;
        file::copy(&self.dir.join(AZ_CERTIFICATE), &dir.join(AZ_CERTIFICATE))?;
        if let Some(rack) = node.rack {
            let from = self.rack_dir(rack).join(RACK_CERTIFICATE);
            file::copy(&from, &dir.join(RACK_CERTIFICATE))?;
        }
        Ok(certificate)
    }

    /// Gives a node its next key, in the place of the one it has.
    ///
    /// # Errors
    /// Where the node has none, the rack's key is not here, or the system refuses; the node's key is then as it was.
    pub fn rotate(
        &self,
        rack: Option<RackNumber>,
        identity: &str,
        term: Term,
    ) -> Result<Signed<NodeCertificate>, TreeError> {
        let dir = self.node_dir(rack, identity);
        let (key_path, path) = (dir.join(NODE_KEY), dir.join(NODE_CERTIFICATE));
        let old: Signed<NodeCertificate> = file::read_certificate(&path)?;
        let signer = self.signer(rack)?;
        let key = draw()?;
        let mut claims = old.claims().clone();
        claims.serial = claims.serial.saturating_add(1);
        claims.key = key.public();
        claims.from = term.from();
        claims.until = term.until();
        let certificate = Signed::sign(claims, &signer);
        file::remove_beside(&key_path)?;
        file::remove_beside(&path)?;
        file::create_key(&file::beside(&key_path), &key)?;
        file::create_certificate(&file::beside(&path), &certificate)?;
        file::replace(&key_path)?;
        file::replace(&path)?;
        Ok(certificate)
    }
}
