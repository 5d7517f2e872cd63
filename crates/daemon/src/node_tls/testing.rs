//! A tree of keys for tests.

use rackweave_linux::clock;
use rackweave_trust::{
    Anchor, Assignment, AzCertificate, Chain, Credentials, NodeCertificate, RackCertificate,
    SecretKey, Signed, UnixTime,
};
use rackweave_types::{AzPrefix, MacAddr, NodePrefix, RackPrefix, Role};

/// The time.
pub(super) fn now() -> UnixTime {
    UnixTime(clock::unix_seconds())
}

/// The root and one rack of an AZ.
pub(super) struct Tree {
    root: SecretKey,
    rack: SecretKey,
}

impl Tree {
    pub(super) fn new(seed: u8) -> Self {
        Self {
            root: SecretKey::new(&[seed; 32]),
            rack: SecretKey::new(&[seed + 100; 32]),
        }
    }

    pub(super) fn anchor(&self) -> Anchor {
        let root = AzCertificate {
            serial: 1,
            key: self.root.public(),
            from: UnixTime(0),
            until: now().after_days(1),
            az: az(),
        };
        Anchor::new(&[Signed::sign(root, &self.root)]).unwrap()
    }

    /// A sled: what it proves itself with, and what its rack gave it.
    pub(super) fn sled(&self, number: u8) -> (Credentials, Assignment) {
        let secret = SecretKey::new(&[number + 200; 32]);
        let (identity, until) = (format!("sled-{number}"), now().after_days(1));
        let hardware = MacAddr::new([2, 0, 0, 0, 0, number]);
        let rack: RackPrefix = "fd00:1:2:100::/56".parse().unwrap();
        let stated = RackCertificate {
            serial: 2,
            key: self.rack.public(),
            from: UnixTime(0),
            until,
            rack,
        };
        let node = NodeCertificate {
            serial: u64::from(number),
            key: secret.public(),
            from: UnixTime(0),
            until,
            identity: identity.clone(),
            hardware,
            role: Role::Sled,
        };
        let chain = Chain {
            rack: Some(Signed::sign(stated, &self.root)),
            node: Signed::sign(node, &self.rack),
        };
        let prefix: NodePrefix = format!("fd00:1:2:1{number:02x}::/64").parse().unwrap();
        let assignment = Assignment::unsigned(identity, hardware, Role::Sled, prefix);
        (
            Credentials::new(secret, chain).unwrap(),
            assignment.sign(&self.rack),
        )
    }
}

fn az() -> AzPrefix {
    "fd00:1:2::/48".parse().unwrap()
}
