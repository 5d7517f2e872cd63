//! Messages (RFC 4271, section 4).
//!
//! [`frame`] finds where a message ends, [`Message::parse`] reads it, and each kind's `emit` writes it with its header. No
//! octets make a parser panic, and what is wrong with them says itself which [`Notification`] the sender is told.

mod attribute;
mod capability;
mod notification;
mod octets;
mod open;
mod refresh;
mod update;
mod write;

use std::fmt;

pub use attribute::{Consequence, Flaw};
pub use capability::{Capabilities, Restart, RestartFamily};
pub use notification::{Notification, code, subcode};
pub use open::Open;
pub use refresh::Refresh;
pub use update::{Prefixes, Reach, Update};
pub use write::{TooLong, announce, end_of_rib, withdraw};

/// Octets of a message's header (section 4.1).
pub const HEADER: usize = 19;
/// Octets of the longest message (section 4.1).
pub const MAX: usize = 4096;

/// Types of messages (section 4.1; 5: RFC 2918).
mod kind {
    pub(super) const OPEN: u8 = 1;
    pub(super) const UPDATE: u8 = 2;
    pub(super) const NOTIFICATION: u8 = 3;
    pub(super) const KEEPALIVE: u8 = 4;
    pub(super) const REFRESH: u8 = 5;
}

/// What two speakers agreed on, as far as it decides what octets mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is agreed upon by itself"
)]
pub struct Terms {
    /// Whether the other side is of another system.
    pub external: bool,
    /// Whether numbers of systems have four octets (RFC 6793).
    pub four_octets: bool,
    /// Whether IPv4 prefixes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Whether IPv4 is exchanged.
    pub ipv4: bool,
    /// Whether IPv6 is exchanged.
    pub ipv6: bool,
}

impl Terms {
    /// Whether prefixes of the family are exchanged.
    #[must_use]
    pub const fn has(&self, family: super::Family) -> bool {
        match family {
            super::Family::Ipv4 => self.ipv4,
            super::Family::Ipv6 => self.ipv6,
        }
    }
}

/// A message that ends the session: what was wrong, and what the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What was wrong, for people.
    pub what: &'static str,
    /// What the sender is told.
    pub notification: Notification,
}

impl Broken {
    pub(crate) fn new(what: &'static str, code: u8, subcode: u8, data: &[u8]) -> Self {
        Self {
            what,
            notification: Notification::new(code, subcode, data),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for Broken {}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Who a speaker is and what it can do.
    Open(Open),
    /// Routes.
    Update(Update),
    /// Why the session ends.
    Notification(Notification),
    /// That the sender is alive.
    Keepalive,
    /// A wish to be told all routes again.
    Refresh(Refresh),
}

/// The octets of one message in front of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    kind: u8,
    body: &'a [u8],
}

impl Frame<'_> {
    /// Octets of the message, its header with them.
    #[must_use]
    pub const fn len(&self) -> usize {
        HEADER + self.body.len()
    }

    /// Never: a message has a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Whether it carries routes.
    #[must_use]
    pub const fn is_update(&self) -> bool {
        self.kind == kind::UPDATE
    }
}

/// Finds the first message in what was received; nothing where it is not all there yet.
///
/// # Errors
/// A header that is none (section 6.1).
pub fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, Broken> {
    let marker = &bytes[..bytes.len().min(16)];
    if marker.iter().any(|octet| *octet != 0xff) {
        return Err(header(
            "the marker is not all ones",
            subcode::NOT_SYNCHRONIZED,
            &[],
        ));
    }
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let (len, kind) = (u16::from_be_bytes([head[16], head[17]]), head[18]);
    let octets = len.to_be_bytes();
    let wrong = || {
        header(
            "the length is not one of this type",
            subcode::BAD_LENGTH,
            &octets,
        )
    };
    let size = usize::from(len);
    let fits = match kind {
        kind::OPEN => 29..=MAX,
        kind::UPDATE => 23..=MAX,
        kind::NOTIFICATION => 21..=MAX,
        kind::KEEPALIVE => HEADER..=HEADER,
        kind::REFRESH => 23..=MAX,
        _ if (HEADER..=MAX).contains(&size) => {
            return Err(header("the type is unknown", subcode::BAD_TYPE, &[kind]));
        }
        _ => return Err(wrong()),
    };
    if !fits.contains(&size) {
        return Err(wrong());
    }
    Ok(rest.get(..size - HEADER).map(|body| Frame { kind, body }))
}

fn header(what: &'static str, subcode: u8, data: &[u8]) -> Broken {
    Broken::new(what, code::HEADER, subcode, data)
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// What ends the session; a flaw that does not is in [`Update::flaws`].
    pub fn parse(frame: Frame<'_>, terms: &Terms) -> Result<Self, Broken> {
        let body = frame.body;
        match frame.kind {
            kind::OPEN => Open::parse(body).map(Self::Open),
            kind::UPDATE => Update::parse(body, terms).map(Self::Update),
            kind::NOTIFICATION => Ok(Self::Notification(Notification::parse(body))),
            kind::KEEPALIVE => Ok(Self::Keepalive),
            _ => Refresh::parse(body).map(Self::Refresh),
        }
    }

    /// That the sender is alive.
    #[must_use]
    pub fn keepalive() -> Vec<u8> {
        begin(kind::KEEPALIVE)
    }
}

/// A message with a header and nothing else yet; [`finish`] makes its length right.
fn begin(kind: u8) -> Vec<u8> {
    let mut bytes = vec![0xff; HEADER];
    bytes[16..].copy_from_slice(&[0, 19, kind]);
    bytes
}

/// Writes the length into the header. Messages are made shorter than [`MAX`].
fn finish(mut bytes: Vec<u8>) -> Vec<u8> {
    debug_assert!(bytes.len() <= MAX, "a message is at most 4096 octets long");
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    bytes[16..18].copy_from_slice(&len.to_be_bytes());
    bytes
}
