//! A tree of keys, and ends that have theirs from it.

use std::sync::Arc;

use rackweave_routing::ddm::session::{Own, Security};
use rackweave_trust::{
    Anchor, Assignment, AzCertificate, Chain, Credentials, NodeCertificate, RackCertificate,
    SecretKey, Signed, UnixTime,
};
use rackweave_types::{AzPrefix, NodePrefix, RackPrefix, Role};

use crate::ends::{own, unix};

/// The keys of an AZ's root and of its rack 1.
pub(crate) struct Tree {
    root: SecretKey,
    rack: SecretKey,
    rack_certificate: Signed<RackCertificate>,
    pub(crate) anchor: Arc<Anchor>,
    serial: u64,
}

fn key(tree: u8, number: u8) -> SecretKey {
    let mut octets = [7; 32];
    octets[0] = tree;
    octets[1] = number;
    SecretKey::new(&octets)
}

pub(crate) fn rack_prefix() -> RackPrefix {
    "fd00:1122:3344:100::/56".parse().unwrap()
}

impl Tree {
    /// The tree of this number; each has other keys.
    pub(crate) fn new(number: u8) -> Self {
        let root = key(number, 1);
        let rack = key(number, 2);
        let az: AzPrefix = "fd00:1122:3344::/48".parse().unwrap();
        let (from, until) = (UnixTime(unix() - 1000), UnixTime(unix() + 1_000_000));
        let root_certificate = AzCertificate {
            serial: 1,
            key: root.public(),
            from,
            until,
            az,
        };
        let rack_certificate = RackCertificate {
            serial: 2,
            key: rack.public(),
            from,
            until,
            rack: rack_prefix(),
        };
        let root_certificate = Signed::sign(root_certificate, &root);
        Self {
            rack_certificate: Signed::sign(rack_certificate, &root),
            anchor: Arc::new(Anchor::new(&[root_certificate]).unwrap()),
            root,
            rack,
            serial: 2,
        }
    }

    /// The tree has its rack's certificate made anew, for so long.
    pub(crate) fn renew_rack(&mut self, until: u64) {
        self.serial += 1;
        let certificate = RackCertificate {
            serial: self.serial,
            key: self.rack.public(),
            from: UnixTime(unix() - 1000),
            until: UnixTime(until),
            rack: rack_prefix(),
        };
        self.rack_certificate = Signed::sign(certificate, &self.root);
    }

    /// New credentials of a node, a key of its own with each.
    pub(crate) fn credentials(&mut self, own: &Own, until: u64) -> Arc<Credentials> {
        self.serial += 1;
        let secret = key(100, u8::try_from(self.serial).unwrap());
        let certificate = NodeCertificate {
            serial: self.serial,
            key: secret.public(),
            from: UnixTime(unix() - 1000),
            until: UnixTime(until),
            identity: own.name.clone(),
            hardware: own.id.0,
            role: own.role,
        };
        let chain = Chain {
            rack: Some(self.rack_certificate.clone()),
            node: Signed::sign(certificate, &self.rack),
        };
        Arc::new(Credentials::new(secret, chain).unwrap())
    }

    /// Gives a node these credentials, to be shown with the next hello.
    pub(crate) fn equip(&self, own: &mut Own, credentials: Arc<Credentials>) {
        own.revision += 1;
        own.security = Security::Signed {
            credentials,
            anchor: Arc::clone(&self.anchor),
        };
    }

    /// A node with credentials that hold for 100,000 s.
    pub(crate) fn own(&mut self, number: u8) -> Own {
        let mut own = own(number, Security::Unsigned);
        let credentials = self.credentials(&own, unix() + 100_000);
        self.equip(&mut own, credentials);
        own.assignment = Some(self.assignment(&own));
        own
    }

    /// The /64 of a node, by the last octet of its address (switches: fd and up).
    pub(crate) fn assignment(&self, own: &Own) -> Assignment {
        let [.., last] = own.id.0.octets();
        let number = if own.role == Role::Sled {
            last
        } else {
            0xfb + last
        };
        let text = format!("fd00:1122:3344:1{number:02x}::/64");
        let prefix: NodePrefix = text.parse().unwrap();
        Assignment::unsigned(own.name.clone(), own.id.0, own.role, prefix).sign(&self.rack)
    }
}
