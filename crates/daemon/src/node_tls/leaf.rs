//! A node's leaf certificate: made, and believed.

use rackweave_trust::{
    Anchor, Assignment, AssignmentError, BadKey, Chain, ChainError, Credentials, FormatError,
    UnixTime, Verified,
};
use rackweave_types::NodePrefix;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::asn1_rs::Oid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::der;

/// What our extensions' identifiers begin with, under the arc of those that need no registration (X.667).
const OURS: [u64; 3] = [2, 25, 6_183_942_857_301_664_771];
/// The last part of the chain's identifier.
const CHAIN: u64 = 1;
/// The last part of the assignment's identifier.
const ASSIGNMENT: u64 = 2;

/// What a node shows, and the key that it has.
#[derive(Debug)]
pub struct Leaf {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// Why there is no leaf certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// The node's key cannot be used for TLS.
    #[error("the node's key cannot be used for TLS")]
    Key(#[from] BadKey),
    /// The certificate cannot be written.
    #[error("the node's certificate cannot be written in X.509 form")]
    Certificate(#[from] rcgen::Error),
    /// The chain is too long for one.
    #[error("the node's chain does not fit into a certificate")]
    TooLong,
}

/// A node, as its leaf certificate proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Who it is.
    pub verified: Verified,
    /// Its /64, where it has shown that its rack gave it one.
    pub prefix: Option<NodePrefix>,
}

/// Why a leaf certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It is no X.509 certificate.
    #[error("it is no X.509 certificate")]
    Malformed,
    /// It carries no chain.
    #[error("the certificate carries no chain of a node")]
    NoChain,
    /// What it carries is malformed.
    #[error("what the certificate carries is malformed")]
    Format(#[from] FormatError),
    /// The chain proves nothing.
    #[error("the chain in the certificate proves nothing")]
    Chain(#[from] ChainError),
    /// The certificate is of another key than the chain.
    #[error("the certificate is of another key than the chain in it")]
    OtherKey,
    /// The assignment is not this node's.
    #[error("the assignment in the certificate is not the node's")]
    Assignment(#[from] AssignmentError),
}

impl Leaf {
    /// The leaf certificate of a node, with its assignment once it has one.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new(
        credentials: &Credentials,
        assignment: Option<&Assignment>,
    ) -> Result<Self, LeafError> {
        let pem = credentials.secret().to_pem()?;
        let key = KeyPair::from_pem(pem.as_ref())?;
        let mut params = CertificateParams::new(Vec::new())?;
        let identity = &credentials.chain().node.claims().identity;
        params
            .distinguished_name
            .push(DnType::CommonName, identity.as_str());
        let extension = |last, octets: &[u8]| {
            let [first, second, third] = OURS;
            let content = der::octet_string(octets).ok_or(LeafError::TooLong)?;
            let identifier = [first, second, third, last];
            Ok::<_, LeafError>(CustomExtension::from_oid_content(&identifier, content))
        };
        let chain = extension(CHAIN, &credentials.chain().to_bytes())?;
        params.custom_extensions.push(chain);
        if let Some(assignment) = assignment {
            let assignment = extension(ASSIGNMENT, &assignment.to_bytes())?;
            params.custom_extensions.push(assignment);
        }
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }
}

/// What a leaf certificate proves at this time to those who trust the anchor. That whoever showed it has its key, the
/// handshake proves.
///
/// # Errors
/// Why it proves nothing.
pub fn node(certificate: &[u8], anchor: &Anchor, now: UnixTime) -> Result<Node, NodeError> {
    let (rest, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| NodeError::Malformed)?;
    if !rest.is_empty() {
        return Err(NodeError::Malformed);
    }
    let chain = extension(&parsed, CHAIN)?.ok_or(NodeError::NoChain)?;
    let verified = anchor.verify(&Chain::from_bytes(chain)?, now)?;
    let key = &parsed.public_key().subject_public_key.data;
    if key.as_ref() != verified.key.as_bytes() {
        return Err(NodeError::OtherKey);
    }
    let prefix = match extension(&parsed, ASSIGNMENT)? {
        Some(octets) => {
            let assignment = Assignment::from_bytes(octets)?;
            verified.assigned(&assignment)?;
            Some(assignment.prefix)
        }
        None => None,
    };
    Ok(Node { verified, prefix })
}

/// The octets of one of our extensions.
fn extension<'a>(
    certificate: &X509Certificate<'a>,
    last: u64,
) -> Result<Option<&'a [u8]>, NodeError> {
    let [first, second, third] = OURS;
    let identifier = Oid::from(&[first, second, third, last]).map_err(|_| NodeError::Malformed)?;
    let found = certificate.get_extension_unique(&identifier);
    let found = found.map_err(|_| NodeError::Malformed)?;
    found
        .map(|found| der::octets(found.value).ok_or(NodeError::Malformed))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_tls::testing::{Tree, now};

    #[test]
    fn a_leaf_proves_the_node_and_its_prefix() {
        let tree = Tree::new(1);
        let (credentials, assignment) = tree.sled(1);
        let (anchor, foreign) = (tree.anchor(), Tree::new(2).anchor());
        let proves = |leaf: &Leaf, anchor: &Anchor| node(&leaf.certificate, anchor, now());
        let leaf = Leaf::new(&credentials, Some(&assignment)).unwrap();
        let proven = proves(&leaf, &anchor).unwrap();
        assert_eq!(proven.verified.identity, "sled-1");
        assert_eq!(proven.prefix, Some(assignment.prefix));
        let leaf = Leaf::new(&credentials, None).unwrap();
        assert_eq!(proves(&leaf, &anchor).unwrap().prefix, None);
        assert!(matches!(proves(&leaf, &foreign), Err(NodeError::Chain(_))));
    }

    #[test]
    fn what_is_another_nodes_proves_nothing() {
        let tree = Tree::new(1);
        let (credentials, assignment) = tree.sled(1);
        let (other, _) = tree.sled(2);
        let leaf = Leaf::new(&other, Some(&assignment)).unwrap();
        let proven = node(&leaf.certificate, &tree.anchor(), now());
        assert!(matches!(proven, Err(NodeError::Assignment(_))));
        // The chain of one in the certificate of another.
        let key = KeyPair::from_pem(other.secret().to_pem().unwrap().as_ref()).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let chain = der::octet_string(&credentials.chain().to_bytes()).unwrap();
        let [first, second, third] = OURS;
        let chain = CustomExtension::from_oid_content(&[first, second, third, CHAIN], chain);
        params.custom_extensions.push(chain);
        let stolen = params.self_signed(&key).unwrap();
        let proven = node(stolen.der(), &tree.anchor(), now());
        assert_eq!(proven, Err(NodeError::OtherKey));
        params.custom_extensions.clear();
        let empty = params.self_signed(&key).unwrap();
        let proven = node(empty.der(), &tree.anchor(), now());
        assert_eq!(proven, Err(NodeError::NoChain));
        for octets in [&b""[..], b"x", &stolen.der()[..100]] {
            let proven = node(octets, &tree.anchor(), now());
            assert_eq!(proven, Err(NodeError::Malformed));
        }
    }
}
