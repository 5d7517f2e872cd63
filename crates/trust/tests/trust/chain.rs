//! What chains and assignments prove, and what they do not.

use proptest::prelude::*;
use rackweave_trust::{
    Anchor, Assignment, AssignmentError, Chain, ChainError, Credentials, Kind, NodeCertificate,
    SecretKey, Signed, UnixTime, Verified,
};
use rackweave_types::Role;

use crate::tree::{FROM, NOW, Tree, UNTIL, of_node};

fn verified(tree: &Tree) -> Verified {
    tree.anchor().verify(&tree.chain(), NOW).unwrap()
}

#[test]
fn a_chain_proves_who_a_node_is() {
    let tree = Tree::new();
    let peer = verified(&tree);
    assert_eq!((peer.identity.as_str(), peer.role), ("sled-1", Role::Sled));
    assert_eq!(peer.rack, Some(tree.assignment.prefix.rack()));
    assert_eq!(peer.valid_until, UNTIL);
    let credentials = Credentials::new(tree.node.clone(), tree.chain()).unwrap();
    assert_eq!(peer.verify(b"hello", &credentials.sign(b"hello")), Ok(()));
    assert!(peer.verify(b"hollo", &credentials.sign(b"hello")).is_err());
    assert!(Credentials::new(tree.rack, credentials.chain().clone()).is_err());
}

#[test]
fn a_chain_holds_from_its_first_to_its_last_second() {
    let tree = Tree::new();
    let anchor = tree.anchor();
    let at = |seconds| anchor.verify(&tree.chain(), UnixTime(seconds)).map(drop);
    assert_eq!(at(FROM.0), Ok(()));
    assert_eq!(at(UNTIL.0), Ok(()));
    let early = at(FROM.0 - 1).unwrap_err();
    assert!(
        matches!(
            early,
            ChainError::NotYet {
                which: Kind::Az,
                ..
            }
        ),
        "{early}"
    );
    let late = at(UNTIL.0 + 1).unwrap_err();
    assert!(
        matches!(
            late,
            ChainError::Expired {
                which: Kind::Az,
                ..
            }
        ),
        "{late}"
    );
}

#[test]
fn errors_name_the_certificate_and_the_cause() {
    let tree = Tree::new();
    let stranger = SecretKey::new(&[9; 32]);
    let mut short = of_node(&tree.node, Role::Sled);
    short.until = UnixTime(NOW.0 - 1);
    let of = |node| Chain {
        rack: Some(tree.rack_certificate.clone()),
        node,
    };
    let rackless = |node| Chain { rack: None, node };
    let foreign = Signed::sign(tree.rack_certificate.claims().clone(), &stranger);
    let cases = [
        (
            of(Signed::sign(short, &tree.rack)),
            "the node certificate expired at 2025-06-15T15:06:39Z, and it is 2025-06-15T15:06:40Z; \
             make a new one by `rackweave keys`",
        ),
        (
            of(Signed::sign(of_node(&tree.node, Role::Sled), &stranger)),
            "the node certificate is not signed by its rack's key",
        ),
        (
            Chain {
                rack: Some(foreign),
                node: tree.node_certificate.clone(),
            },
            "the rack certificate is not signed by its AZ's root key",
        ),
        (
            of(Signed::sign(of_node(&tree.node, Role::Spine), &tree.rack)),
            "the node certificate says spine: a spine is stated by the AZ's root, not by a rack",
        ),
        (
            rackless(Signed::sign(of_node(&tree.node, Role::Switch), &tree.root)),
            "the node certificate says switch: sleds and switches are stated by their rack, \
             and its certificate is missing",
        ),
        (
            rackless(Signed::sign(of_node(&tree.node, Role::Spine), &tree.rack)),
            "no AZ root that is known here signed the spine's node certificate",
        ),
    ];
    for (chain, text) in cases {
        let error = tree.anchor().verify(&chain, NOW).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    let nobody = Anchor::default().verify(&tree.chain(), NOW).unwrap_err();
    assert!(matches!(nobody, ChainError::UnknownAz(_)), "{nobody}");
}

#[test]
fn a_root_states_nothing_of_another_az() {
    let tree = Tree::new();
    let mut elsewhere = tree.az_certificate.claims().clone();
    elsewhere.az = "fd00:dead:beef::/48".parse().unwrap();
    let anchor = Anchor::new(&[Signed::sign(elsewhere, &tree.root)]).unwrap();
    let error = anchor.verify(&tree.chain(), NOW).unwrap_err();
    assert!(matches!(error, ChainError::UnknownAz(_)), "{error}");
}

#[test]
fn a_spine_is_of_no_rack() {
    let tree = Tree::new();
    let node = Signed::sign(of_node(&tree.node, Role::Spine), &tree.root);
    let chain = Chain { rack: None, node };
    assert_eq!(Chain::from_bytes(&chain.to_bytes()), Ok(chain.clone()));
    let spine = tree.anchor().verify(&chain, NOW).unwrap();
    assert_eq!((spine.rack, spine.role), (None, Role::Spine));
    let error = spine.assigned(&tree.assignment).unwrap_err();
    assert!(matches!(error, AssignmentError::Number { .. }), "{error}");
}

#[test]
fn an_assignment_is_its_nodes_alone() {
    let tree = Tree::new();
    let peer = verified(&tree);
    assert_eq!(peer.assigned(&tree.assignment), Ok(()));
    let mut other = tree.assignment.clone();
    other.identity = "sled-2".into();
    let error = peer.assigned(&other.clone().sign(&tree.rack)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the assignment of fd00:1122:3344:101::/64 is made out to sled sled-2 (a8:40:25:10:00:01), \
         and shown by sled sled-1 (a8:40:25:10:00:01)"
    );
    // Altered after it was signed.
    let error = peer.assigned(&other).unwrap_err();
    assert!(matches!(error, AssignmentError::Signer(..)), "{error}");
    let mut unsigned = tree.assignment.clone();
    unsigned.signature.clear();
    assert_eq!(unsigned.check(), Ok(()));
    let error = peer.assigned(&unsigned).unwrap_err();
    assert!(matches!(error, AssignmentError::Unsigned(..)), "{error}");
    let mut elsewhere = unsigned.clone();
    elsewhere.prefix = "fd00:1122:3344:201::/64".parse().unwrap();
    let error = peer.assigned(&elsewhere.sign(&tree.rack)).unwrap_err();
    assert!(matches!(error, AssignmentError::Rack { .. }), "{error}");
    unsigned.role = Role::Switch;
    let error = unsigned.check().unwrap_err();
    assert!(matches!(error, AssignmentError::Number { .. }), "{error}");
}

/// Whether altered octets of the node's certificate still prove something.
fn proves(tree: &Tree, bytes: &[u8]) -> bool {
    let Ok(node) = Signed::<NodeCertificate>::from_bytes(bytes) else {
        return false;
    };
    let rack = Some(tree.rack_certificate.clone());
    tree.anchor().verify(&Chain { rack, node }, NOW).is_ok()
}

#[test]
fn every_altered_or_missing_octet_is_refused() {
    let tree = Tree::new();
    let peer = verified(&tree);
    let bytes = tree.node_certificate.as_bytes();
    assert!(proves(&tree, bytes));
    for at in 0..bytes.len() {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1 << (at % 8);
        assert!(!proves(&tree, &altered), "octet {at}");
        assert!(!proves(&tree, &bytes[..at]), "cut at {at}");
    }
    let bytes = tree.assignment.to_bytes();
    let gives = |bytes: &[u8]| {
        Assignment::from_bytes(bytes).is_ok_and(|given| peer.assigned(&given).is_ok())
    };
    assert!(gives(&bytes));
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(!gives(&altered), "octet {at}");
        assert!(!gives(&bytes[..at]), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn no_octets_panic(bytes: Vec<u8>, kind in 1_u8..5, text: String) {
        let mut framed = b"rwct\x01".to_vec();
        framed.push(kind);
        framed.extend_from_slice(&bytes);
        for bytes in [&bytes, &framed] {
            let _ = Chain::from_bytes(bytes);
            let _ = Signed::<NodeCertificate>::from_bytes(bytes);
            let _ = Assignment::from_bytes(bytes);
        }
        let _ = Signed::<NodeCertificate>::from_pem(&text);
    }

    #[test]
    fn any_octet_altered_in_any_way_is_refused(at: usize, by in 1_u8..) {
        let tree = Tree::new();
        let mut bytes = tree.node_certificate.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= by;
        prop_assert!(!proves(&tree, &bytes), "octet {}", at);
    }
}
