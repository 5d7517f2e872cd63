//! What a key's holder is, stated by who stands above it.
//!
//! An AZ's root states itself, a rack's key is stated by the AZ's root, a node's by its rack; a spine, which is of no
//! rack, is stated by the AZ's root.

use std::fmt;

use minicbor::{Decode, Encode};
use rackweave_types::{AzPrefix, MacAddr, RackPrefix, Role};

use crate::cbor;
use crate::envelope::{self, FormatError, Kind};
use crate::identity::check_identity;
use crate::key::{BadSignature, PublicKey, SIGNATURE_LENGTH, SecretKey};
use crate::pem::{self, PemError};
use crate::time::{UnixTime, Validity};

/// Something that is stated by a signature.
pub trait Statement: Sized {
    /// What it is.
    const KIND: Kind;
    /// What the first line of its text says.
    const LABEL: &'static str;

    /// The octets to sign.
    fn emit(&self) -> Vec<u8>;

    /// The statement, and how many octets of `bytes` are signed.
    ///
    /// # Errors
    /// Where the octets are no such statement.
    fn parse(bytes: &[u8]) -> Result<(Self, usize), FormatError>;

    /// From when until when it holds.
    fn validity(&self) -> Validity;
}

/// The certificate of an AZ's root key, which it signed itself: what every node of the AZ trusts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AzCertificate {
    /// Tells certificates of one signer apart.
    #[n(0)]
    pub serial: u64,
    /// The AZ's root key.
    #[cbor(n(1), with = "cbor::key")]
    pub key: PublicKey,
    /// When it begins to hold.
    #[n(2)]
    pub from: UnixTime,
    /// When it ends to hold.
    #[n(3)]
    pub until: UnixTime,
    /// The AZ's /48: the root states nothing of racks elsewhere.
    #[cbor(n(4), with = "cbor::az")]
    pub az: AzPrefix,
}

/// The certificate of a rack's key, signed by its AZ's root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RackCertificate {
    /// Tells certificates of one signer apart.
    #[n(0)]
    pub serial: u64,
    /// The rack's key.
    #[cbor(n(1), with = "cbor::key")]
    pub key: PublicKey,
    /// When it begins to hold.
    #[n(2)]
    pub from: UnixTime,
    /// When it ends to hold.
    #[n(3)]
    pub until: UnixTime,
    /// The rack's /56.
    #[cbor(n(4), with = "cbor::rack")]
    pub rack: RackPrefix,
}

/// The certificate of a node's key, signed by its rack's key (a spine's by the AZ's root).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NodeCertificate {
    /// Tells certificates of one signer apart; the next key of a node has the next serial number.
    #[n(0)]
    pub serial: u64,
    /// The node's key.
    #[cbor(n(1), with = "cbor::key")]
    pub key: PublicKey,
    /// When it begins to hold.
    #[n(2)]
    pub from: UnixTime,
    /// When it ends to hold.
    #[n(3)]
    pub until: UnixTime,
    /// Who the node is: what its assignment is made out to.
    #[n(4)]
    pub identity: String,
    /// The hardware address that its bootstrap prefix is made of.
    #[cbor(n(5), with = "cbor::mac")]
    pub hardware: MacAddr,
    /// What it does.
    #[cbor(n(6), with = "cbor::role")]
    pub role: Role,
}

/// Implements [`Statement`] for a certificate; `check` looks at what CBOR cannot.
macro_rules! statement {
    ($type:ty, $kind:expr, $label:literal, $check:expr) => {
        impl Statement for $type {
            const KIND: Kind = $kind;
            const LABEL: &'static str = $label;

            fn emit(&self) -> Vec<u8> {
                envelope::emit(Self::KIND, self)
            }

            fn parse(bytes: &[u8]) -> Result<(Self, usize), FormatError> {
                let (statement, signed) = envelope::parse(Self::KIND, bytes)?;
                let check: fn(&Self) -> Result<(), FormatError> = $check;
                check(&statement)?;
                Ok((statement, signed))
            }

            fn validity(&self) -> Validity {
                Validity {
                    from: self.from,
                    until: self.until,
                }
            }
        }
    };
}

statement!(AzCertificate, Kind::Az, "RACKWEAVE AZ CERTIFICATE", |_| Ok(
    ()
));
statement!(
    RackCertificate,
    Kind::Rack,
    "RACKWEAVE RACK CERTIFICATE",
    |_| Ok(())
);
statement!(
    NodeCertificate,
    Kind::Node,
    "RACKWEAVE NODE CERTIFICATE",
    |node| {
        let checked = check_identity(&node.identity);
        checked.map_err(|source| FormatError::Identity {
            kind: Kind::Node,
            source,
        })
    }
);

/// A statement with its signature, whose signer is yet to be checked: by an [`Anchor`](crate::Anchor), or
/// [`Self::verify`] with one key.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    claims: T,
    bytes: Vec<u8>,
    signed: usize,
}

impl<T: Statement> Signed<T> {
    /// States it by this key.
    #[must_use]
    pub fn sign(claims: T, by: &SecretKey) -> Self {
        let mut bytes = claims.emit();
        let signed = bytes.len();
        let signature = by.sign(&bytes);
        bytes.extend_from_slice(&signature);
        Self {
            claims,
            bytes,
            signed,
        }
    }

    /// Reads the octets that [`Self::as_bytes`] gave; whether somebody signed them is not looked at.
    ///
    /// # Errors
    /// Where they are no such statement.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let (claims, signed) = T::parse(bytes)?;
        let _: (&[u8], [u8; SIGNATURE_LENGTH]) = envelope::split(T::KIND, bytes, signed)?;
        Ok(Self {
            claims,
            bytes: bytes.to_vec(),
            signed,
        })
    }

    /// Its octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it claims, as long as nobody has checked the signature.
    #[must_use]
    pub const fn claims(&self) -> &T {
        &self.claims
    }

    /// What it states, where this key signed it.
    ///
    /// # Errors
    /// Where the key did not.
    pub fn verify(&self, by: &PublicKey) -> Result<&T, BadSignature> {
        let (message, signature) = self.bytes.split_at(self.signed);
        by.verify(message, signature)?;
        Ok(&self.claims)
    }

    /// As text (RFC 7468).
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::armour(T::LABEL, &self.bytes)
    }

    /// Reads the text that [`Self::to_pem`] gave; whether somebody signed it is not looked at.
    ///
    /// # Errors
    /// Where it is no such text.
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        let bytes = pem::disarm(T::LABEL, text)?;
        Ok(Self::from_bytes(&bytes)?)
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.claims).finish()
    }
}
