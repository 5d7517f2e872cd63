//! The protocol's messages: what a datagram holds.
//!
//! ```text
//!  0        4         5      6                                    end − 64     end
//!  | "rwdm" | version | kind | one CBOR map with integer keys ... | signature |
//! ```
//!
//! The highest bit of the kind says that a signature (Ed25519, RFC 8032) over all octets before it follows. Keys of a
//! map that a receiver does not know are passed over, so that a release can add some; what it cannot do without raises
//! the version. All is parsed by checked reads: no input panics.

mod cbor;
mod hello;
mod item;
mod update;

pub use cbor::BodyError;
pub use hello::{Hello, MAX_NAME};
pub use item::{Items, MAX_ITEM, MAX_PATH, emit_item};
pub use update::{Envelope, Keepalive, Update};

/// The most octets of a datagram: what the least MTU of IPv6 carries (1,280 − 40 − 8).
pub const MAX_DATAGRAM: usize = 1232;

/// The version of the protocol that this release speaks.
pub const VERSION: u8 = 1;

/// The octets of a signature.
pub const SIGNATURE: usize = 64;

/// The most octets of items that an [`Update`] carries: whatever its numbers are, the datagram fits.
pub const MAX_ITEMS: usize = MAX_DATAGRAM - HEADER - SIGNATURE - update::AROUND_ITEMS;

const MAGIC: [u8; 4] = *b"rwdm";
const HEADER: usize = 6;
const SIGNED: u8 = 0x80;

/// Kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who the sender is, and its part of a handshake: [`Hello`].
    Hello,
    /// Items and acknowledgements: [`Update`].
    Update,
    /// Acknowledgements alone: [`Keepalive`].
    Keepalive,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Hello, Self::Update, Self::Keepalive];

    const fn code(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Update => 2,
            Self::Keepalive => 3,
        }
    }
}

/// Why octets are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// They do not begin as a message does.
    #[error("it is no message of the fabric's protocol")]
    Magic,
    /// They are more than a datagram may hold.
    #[error("it has {0} octets where {MAX_DATAGRAM} are the most")]
    Long(usize),
    /// They end before they should.
    #[error("it ends after {0} octets")]
    Short(usize),
    /// They are of a version that this release does not speak.
    #[error("it is of version {0}, and this release speaks {VERSION}")]
    Version(u8),
    /// They are of a kind that this release does not know.
    #[error("it is of unknown kind {0}")]
    Kind(u8),
}

/// A datagram taken apart, its body not read yet and its signature not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the body is.
    pub kind: Kind,
    /// The map.
    pub body: &'a [u8],
    /// The signature, where there is one.
    pub signature: Option<&'a [u8; SIGNATURE]>,
    /// What the signature is over.
    pub signed: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes a datagram apart.
    ///
    /// # Errors
    ///
    /// [`FrameError`] says what is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let short = FrameError::Short(bytes.len());
        if bytes.len() > MAX_DATAGRAM {
            return Err(FrameError::Long(bytes.len()));
        }
        let rest = bytes.strip_prefix(&MAGIC).ok_or(FrameError::Magic)?;
        let (&[version, code], rest) = rest.split_first_chunk().ok_or(short)?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.code() == code & !SIGNED)
            .ok_or(FrameError::Kind(code))?;
        if code & SIGNED == 0 {
            return Ok(Self {
                kind,
                body: rest,
                signature: None,
                signed: bytes,
            });
        }
        let (body, signature) = rest.split_last_chunk().ok_or(short)?;
        Ok(Self {
            kind,
            body,
            signature: Some(signature),
            signed: &bytes[..HEADER + body.len()],
        })
    }

    /// Begins a datagram; the body follows, and then the signature where one is announced here.
    #[must_use]
    pub fn begin(kind: Kind, signed: bool, capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + capacity + SIGNATURE);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        bytes.push(kind.code() | if signed { SIGNED } else { 0 });
        bytes
    }
}
