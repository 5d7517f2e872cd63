//! A tree of keys, the same in every run.

use rackweave_trust::{
    Anchor, Assignment, AzCertificate, Chain, NodeCertificate, RackCertificate, SecretKey, Signed,
    UnixTime,
};
use rackweave_types::{MacAddr, NodePrefix, Role};

/// When the certificates begin to hold.
pub(crate) const FROM: UnixTime = UnixTime(1_700_000_000);
/// When they end to hold.
pub(crate) const UNTIL: UnixTime = UnixTime(1_800_000_000);
/// Between the two.
pub(crate) const NOW: UnixTime = UnixTime(1_750_000_000);
/// The hardware address of the node.
pub(crate) const HARDWARE: MacAddr = MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 1]);

/// Every key and certificate of an AZ with one rack and one sled.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: SecretKey,
    pub(crate) rack: SecretKey,
    pub(crate) node: SecretKey,
    pub(crate) az_certificate: Signed<AzCertificate>,
    pub(crate) rack_certificate: Signed<RackCertificate>,
    pub(crate) node_certificate: Signed<NodeCertificate>,
    pub(crate) assignment: Assignment,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let [root, rack, node] = [1, 2, 3].map(|seed| SecretKey::new(&[seed; 32]));
        let prefix: NodePrefix = "fd00:1122:3344:101::/64".parse().unwrap();
        let az = AzCertificate {
            serial: 1,
            key: root.public(),
            from: FROM,
            until: UNTIL,
            az: prefix.az(),
        };
        let of_rack = RackCertificate {
            serial: 2,
            key: rack.public(),
            from: FROM,
            until: UNTIL,
            rack: prefix.rack(),
        };
        let unsigned = Assignment::unsigned("sled-1".into(), HARDWARE, Role::Sled, prefix);
        Self {
            az_certificate: Signed::sign(az, &root),
            rack_certificate: Signed::sign(of_rack, &root),
            node_certificate: Signed::sign(of_node(&node, Role::Sled), &rack),
            assignment: unsigned.sign(&rack),
            root,
            rack,
            node,
        }
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor::new(std::slice::from_ref(&self.az_certificate)).unwrap()
    }

    pub(crate) fn chain(&self) -> Chain {
        Chain {
            rack: Some(self.rack_certificate.clone()),
            node: self.node_certificate.clone(),
        }
    }
}

/// The certificate of a node with this key and role.
pub(crate) fn of_node(key: &SecretKey, role: Role) -> NodeCertificate {
    NodeCertificate {
        serial: 3,
        key: key.public(),
        from: FROM,
        until: UNTIL,
        identity: "sled-1".into(),
        hardware: HARDWARE,
        role,
    }
}
