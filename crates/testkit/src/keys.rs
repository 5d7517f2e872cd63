//! A tree of keys, and nodes that have theirs from it.

use std::sync::Arc;

use rackweave_routing::ddm::session::{Own, Security};
use rackweave_trust::{
    Anchor, Assignment, AzCertificate, Chain, Credentials, NodeCertificate, RackCertificate,
    SecretKey, Signed, UnixTime,
};
use rackweave_types::{AzPrefix, NodeNumber, NodePrefix, RackNumber, RackPrefix, Role};

use crate::ends::{UNIX, own};

/// What a tree of keys cannot be made of; never with what stands here.
type Fault = String;

/// The keys of an AZ's root and of its rack 1.
#[derive(Debug)]
pub struct Tree {
    root: SecretKey,
    rack: SecretKey,
    rack_certificate: Signed<RackCertificate>,
    /// What nodes of the tree trust.
    pub anchor: Arc<Anchor>,
    serial: u64,
}

fn key(tree: u8, number: u64) -> SecretKey {
    let mut octets = [tree; 32];
    octets[..8].copy_from_slice(&number.to_be_bytes());
    SecretKey::new(&octets)
}

/// The rack of the tree: `fd00:1122:3344:100::/56`.
///
/// # Errors
/// Never.
pub fn rack_prefix() -> Result<RackPrefix, Fault> {
    let az = AzPrefix::new([0xfd, 0, 0x11, 0x22, 0x33, 0x44]).map_err(|error| error.to_string())?;
    let rack = RackNumber::new(1).map_err(|error| error.to_string())?;
    Ok(RackPrefix::new(az, rack))
}

impl Tree {
    /// The tree of this number; each has other keys, all of the same AZ and rack.
    ///
    /// # Errors
    /// Never.
    pub fn new(number: u8) -> Result<Self, Fault> {
        let (root, rack) = (key(number, 1), key(number, 2));
        let prefix = rack_prefix()?;
        let (from, until) = (UnixTime(UNIX - 1000), UnixTime(UNIX + 1_000_000));
        let root_certificate = AzCertificate {
            serial: 1,
            key: root.public(),
            from,
            until,
            az: prefix.az(),
        };
        let rack_certificate = RackCertificate {
            serial: 2,
            key: rack.public(),
            from,
            until,
            rack: prefix,
        };
        let root_certificate = Signed::sign(root_certificate, &root);
        let anchor = Anchor::new(&[root_certificate]).map_err(|error| error.to_string())?;
        Ok(Self {
            rack_certificate: Signed::sign(rack_certificate, &root),
            anchor: Arc::new(anchor),
            root,
            rack,
            serial: 2,
        })
    }

    /// The tree has its rack's certificate made anew, valid until then.
    pub fn renew_rack(&mut self, until: u64) {
        self.serial += 1;
        let certificate = RackCertificate {
            serial: self.serial,
            until: UnixTime(until),
            ..self.rack_certificate.claims().clone()
        };
        self.rack_certificate = Signed::sign(certificate, &self.root);
    }

    /// New credentials of a node, a key of its own with each, valid until then.
    ///
    /// # Errors
    /// Never.
    pub fn credentials(&mut self, own: &Own, until: u64) -> Result<Arc<Credentials>, Fault> {
        self.serial += 1;
        let secret = key(100, self.serial);
        let certificate = NodeCertificate {
            serial: self.serial,
            key: secret.public(),
            from: UnixTime(UNIX - 1000),
            until: UnixTime(until),
            identity: own.name.clone(),
            hardware: own.id.0,
            role: own.role,
        };
        let chain = Chain {
            rack: Some(self.rack_certificate.clone()),
            node: Signed::sign(certificate, &self.rack),
        };
        let credentials = Credentials::new(secret, chain).map_err(|error| error.to_string())?;
        Ok(Arc::new(credentials))
    }

    /// Gives a node these credentials, to be shown with its next hello.
    pub fn equip(&self, own: &mut Own, credentials: Arc<Credentials>) {
        own.revision += 1;
        own.security = Security::Signed {
            credentials,
            anchor: Arc::clone(&self.anchor),
        };
    }

    /// A node with credentials that hold for 100,000 s, and its assignment.
    ///
    /// # Errors
    /// Where no /64 goes by its number.
    pub fn own(&mut self, number: u8) -> Result<Own, Fault> {
        let mut own = own(number, Security::Unsigned);
        let credentials = self.credentials(&own, UNIX + 100_000)?;
        self.equip(&mut own, credentials);
        own.assignment = Some(self.assignment(&own)?);
        Ok(own)
    }

    /// The assignment of a node: a sled has the number that its address ends with, a switch one by whether that is even.
    ///
    /// # Errors
    /// Where no /64 goes by that number.
    pub fn assignment(&self, own: &Own) -> Result<Assignment, Fault> {
        let [.., last] = own.id.0.octets();
        let number = match own.role {
            Role::Sled => NodeNumber::new(last).map_err(|error| error.to_string())?,
            Role::Switch | Role::Spine => NodeNumber::SWITCHES[usize::from(last % 2)],
        };
        let prefix = NodePrefix::new(rack_prefix()?, number);
        let given = Assignment::unsigned(own.name.clone(), own.id.0, own.role, prefix);
        Ok(given.sign(&self.rack))
    }
}
