//! Who is who: the tree of keys from AZ root over racks to nodes, and what racks state about their nodes.
//!
//! Pure: keys are made from octets that the caller drew, signatures are checked at a time that the caller names.
//!
//! | type | what it is |
//! |---|---|
//! | [`SecretKey`], [`PublicKey`] | Ed25519 (RFC 8032), private keys as PKCS#8 in PEM (RFC 8410) |
//! | [`AzCertificate`], [`RackCertificate`], [`NodeCertificate`] | what a key's holder is, in [`Signed`] |
//! | [`Chain`] | a node's certificate with its rack's: what it shows to others |
//! | [`Anchor`] | the AZ roots that a node trusts: checks chains, at a time |
//! | [`Credentials`] | a node's own secret key and chain: signs |
//! | [`Verified`] | a peer as its chain proves it: checks what it signed, and its [`Assignment`] |
//! | [`seal`], [`open`] | what only the holder of a key can read |
//!
//! The way of a session: send [`Credentials::chain`] and the own assignment as octets ([`Chain::to_bytes`],
//! [`Assignment::to_bytes`]), sign every message by [`Credentials::sign`]; of the peer's, [`Chain::from_bytes`],
//! [`Anchor::verify`] at [the time](UnixTime), [`Verified::verify`] for each message and [`Verified::assigned`] for its
//! assignment; when the time passes [`Verified::valid_until`], the peer has to show a new chain.
#![forbid(unsafe_code)]

mod assignment;
mod cbor;
mod certificate;
mod chain;
mod credentials;
mod envelope;
mod identity;
mod key;
mod pem;
mod sealed;
mod time;

pub use assignment::{Assignment, AssignmentError};
pub use certificate::{AzCertificate, NodeCertificate, RackCertificate, Signed, Statement};
pub use chain::{Anchor, Chain, ChainError, Verified};
pub use credentials::{Credentials, CredentialsError};
pub use envelope::{FormatError, Kind};
pub use identity::{IdentityError, check_identity};
pub use key::{BadKey, BadSignature, PublicKey, SIGNATURE_LENGTH, SecretKey};
pub use pem::PemError;
pub use sealed::{NotOpened, open, seal};
pub use time::{UnixTime, Validity};
