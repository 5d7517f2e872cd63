//! The shape of everything that is signed once and shown often: certificates and assignments.
//!
//! ```text
//! "rwct"  version  kind  CBOR map (integer keys; those that are not known are ignored)  signature
//!   4        1       1                        …                                          64, or none
//! ```
//!
//! The signature is over all octets before it, as they came: a later release's additions do not break it.

use std::fmt;

use minicbor::decode::Decoder;
use minicbor::{Decode, Encode};

use crate::cbor;
use crate::identity::IdentityError;
use crate::key::SIGNATURE_LENGTH;

/// What all begin with.
const MAGIC: [u8; 4] = *b"rwct";
/// The version that is written, and the only one that is read.
const VERSION: u8 = 1;
/// Octets before the body.
const HEAD: usize = MAGIC.len() + 2;
/// More octets has none.
const LONGEST: usize = 512;

/// What is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The certificate of an AZ's root key.
    Az,
    /// The certificate of a rack's key.
    Rack,
    /// The certificate of a node's key.
    Node,
    /// The assignment of a /64 to a node.
    Assignment,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Az => 1,
            Self::Rack => 2,
            Self::Node => 3,
            Self::Assignment => 4,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Az => "AZ certificate",
            Self::Rack => "rack certificate",
            Self::Node => "node certificate",
            Self::Assignment => "assignment",
        })
    }
}

/// Why octets are not a certificate or assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It is longer than any can be.
    #[error("the {kind} has {length} octets, more than {LONGEST}")]
    TooLong {
        /// What it should be.
        kind: Kind,
        /// Its octets.
        length: usize,
    },
    /// It does not begin as all do, or is cut short.
    #[error("these octets are no {0}")]
    NotOne(Kind),
    /// It is of a release that this one does not know.
    #[error("the {kind} has version {version}, this release reads version {VERSION}")]
    Version {
        /// What it should be.
        kind: Kind,
        /// Its version.
        version: u8,
    },
    /// Its body is not as it should be.
    #[error("the body of the {kind} cannot be read at octet {at}")]
    Body {
        /// What it should be.
        kind: Kind,
        /// Where in the body reading ended.
        at: usize,
    },
    /// It names nobody.
    #[error("the {kind} names no node")]
    Identity {
        /// What it should be.
        kind: Kind,
        /// Why the name is none.
        #[source]
        source: IdentityError,
    },
}

/// What is signed: head and body.
pub(crate) fn emit<T: Encode<()>>(kind: Kind, body: &T) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[VERSION, kind.code()]);
    cbor::write(body, &mut bytes);
    bytes
}

/// The body, and how many octets are signed; all after them is the signature's.
pub(crate) fn parse<'b, T: Decode<'b, ()>>(
    kind: Kind,
    bytes: &'b [u8],
) -> Result<(T, usize), FormatError> {
    let length = bytes.len();
    if length > LONGEST {
        return Err(FormatError::TooLong { kind, length });
    }
    let (head, rest) = bytes
        .split_at_checked(HEAD)
        .ok_or(FormatError::NotOne(kind))?;
    let (magic, of) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(FormatError::NotOne(kind));
    }
    let (version, code) = (of[0], of[1]);
    if version != VERSION {
        return Err(FormatError::Version { kind, version });
    }
    if code != kind.code() {
        return Err(FormatError::NotOne(kind));
    }
    let mut decoder = Decoder::new(rest);
    let body = decoder.decode().map_err(|_| FormatError::Body {
        kind,
        at: decoder.position(),
    })?;
    Ok((body, HEAD + decoder.position()))
}

/// The signed octets and the signature behind them.
pub(crate) fn split(
    kind: Kind,
    bytes: &[u8],
    signed: usize,
) -> Result<(&[u8], [u8; SIGNATURE_LENGTH]), FormatError> {
    let cut = bytes.split_at_checked(signed);
    let (message, signature) = cut.ok_or(FormatError::NotOne(kind))?;
    let signature = signature.try_into().map_err(|_| FormatError::Body {
        kind,
        at: signed.saturating_sub(HEAD),
    })?;
    Ok((message, signature))
}
