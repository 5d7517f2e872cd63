//! The tree of keys of an AZ: what a controller and its hosts prove themselves with.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rackweave_daemon::node_tls::{Leaf, client_config};
use rackweave_trust::{
    Anchor, Assignment, AzCertificate, Chain, Credentials, NodeCertificate, RackCertificate,
    SecretKey, Signed, UnixTime,
};
use rackweave_types::{MacAddr, NodePrefix, Role};
use rustls::ClientConfig;

use super::fleet::AZ;

/// Until when its certificates hold: nobody measures for so long.
const UNTIL: UnixTime = UnixTime(u64::MAX / 2);

/// The tree of keys of an AZ.
#[derive(Debug)]
pub(super) struct Tree {
    root: SecretKey,
    rack: SecretKey,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            root: SecretKey::new(&[1; 32]),
            rack: SecretKey::new(&[2; 32]),
        }
    }
}

impl Tree {
    /// Whom its nodes believe.
    ///
    /// # Errors
    /// Never with keys of this tree.
    pub(super) fn anchor(&self) -> Result<Anchor> {
        Ok(Anchor::new(&[self.az()?])?)
    }

    /// How the sled of a prefix meets its controllers.
    ///
    /// # Errors
    /// Where there is no such prefix, or TLS cannot be used.
    pub(super) fn client(&self, prefix: NodePrefix) -> Result<Arc<ClientConfig>> {
        let (credentials, assignment) = self.node(prefix)?;
        let leaf = Leaf::new(&credentials, Some(&assignment))?;
        Ok(client_config(leaf, self.anchor()?)?)
    }

    /// Writes the keys of the controller's node into a directory, as `rackweave keys node` does.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(super) fn write(&self, prefix: NodePrefix, dir: &Path) -> Result<()> {
        let (credentials, _) = self.node(prefix)?;
        let chain = credentials.chain();
        fs::create_dir_all(dir)?;
        fs::write(
            dir.join("node.key"),
            credentials.secret().to_pem()?.as_ref(),
        )?;
        fs::write(dir.join("node.crt"), chain.node.to_pem())?;
        if let Some(rack) = &chain.rack {
            fs::write(dir.join("rack.crt"), rack.to_pem())?;
        }
        fs::write(dir.join("az.crt"), self.az()?.to_pem())?;
        Ok(())
    }

    fn az(&self) -> Result<Signed<AzCertificate>> {
        let root = AzCertificate {
            serial: 1,
            key: self.root.public(),
            from: UnixTime(0),
            until: UNTIL,
            az: AZ.parse()?,
        };
        Ok(Signed::sign(root, &self.root))
    }

    /// A node, by its prefix: all racks have the same key.
    fn node(&self, prefix: NodePrefix) -> Result<(Credentials, Assignment)> {
        let octets = prefix.net().network().octets();
        let (rack, node) = (octets[6], octets[7]);
        let mut drawn = [3; 32];
        drawn[..2].copy_from_slice(&[rack, node]);
        let secret = SecretKey::new(&drawn);
        let identity = format!("sled-{rack}-{node}");
        let hardware = MacAddr::new([2, 0, 0, 0, rack, node]);
        let stated = RackCertificate {
            serial: u64::from(rack) + 1,
            key: self.rack.public(),
            from: UnixTime(0),
            until: UNTIL,
            rack: prefix.rack(),
        };
        let certificate = NodeCertificate {
            serial: u64::from(node),
            key: secret.public(),
            from: UnixTime(0),
            until: UNTIL,
            identity: identity.clone(),
            hardware,
            role: Role::Sled,
        };
        let chain = Chain {
            rack: Some(Signed::sign(stated, &self.root)),
            node: Signed::sign(certificate, &self.rack),
        };
        let assignment = Assignment::unsigned(identity, hardware, Role::Sled, prefix);
        Ok((
            Credentials::new(secret, chain)?,
            assignment.sign(&self.rack),
        ))
    }
}
