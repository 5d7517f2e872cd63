//! Why a session ends (RFC 4271, section 4.5).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HEADER, MAX, begin, finish, kind};

/// Codes of errors (RFC 4271, section 4.5; 7: RFC 7313; 8: RFC 9687).
pub mod code {
    /// A header that is none.
    pub const HEADER: u8 = 1;
    /// An OPEN that cannot be accepted.
    pub const OPEN: u8 = 2;
    /// An UPDATE that cannot be read.
    pub const UPDATE: u8 = 3;
    /// Nothing came for too long.
    pub const HOLD_TIMER: u8 = 4;
    /// A message that is not expected in the state.
    pub const STATE_MACHINE: u8 = 5;
    /// The session is ended without an error.
    pub const CEASE: u8 = 6;
    /// A wish for routes that cannot be read.
    pub const REFRESH: u8 = 7;
    /// Nothing could be sent for too long.
    pub const SEND_HOLD_TIMER: u8 = 8;
}

/// Subcodes (RFC 4271, section 4.5; Cease: RFC 4486, 8538, 9384).
pub mod subcode {
    /// None is said.
    pub const UNSPECIFIC: u8 = 0;
    /// Header: the marker.
    pub const NOT_SYNCHRONIZED: u8 = 1;
    /// Header: the length.
    pub const BAD_LENGTH: u8 = 2;
    /// Header: the type.
    pub const BAD_TYPE: u8 = 3;
    /// OPEN: the version.
    pub const VERSION: u8 = 1;
    /// OPEN: the number of the system.
    pub const PEER_AS: u8 = 2;
    /// OPEN: the identifier.
    pub const IDENTIFIER: u8 = 3;
    /// OPEN: an optional parameter.
    pub const PARAMETER: u8 = 4;
    /// OPEN: the hold time.
    pub const HOLD_TIME: u8 = 6;
    /// OPEN: a capability is missing (RFC 5492).
    pub const CAPABILITY: u8 = 7;
    /// UPDATE: the list of attributes.
    pub const ATTRIBUTES: u8 = 1;
    /// UPDATE: a well-known attribute that is not known.
    pub const UNKNOWN_WELL_KNOWN: u8 = 2;
    /// UPDATE: an optional attribute.
    pub const OPTIONAL: u8 = 9;
    /// UPDATE: a prefix.
    pub const NETWORK: u8 = 10;
    /// Cease: more prefixes than allowed.
    pub const MAX_PREFIXES: u8 = 1;
    /// Cease: an administrator ended it.
    pub const SHUTDOWN: u8 = 2;
    /// Cease: the peer is no longer configured.
    pub const DECONFIGURED: u8 = 3;
    /// Cease: an administrator begins it anew.
    pub const RESET: u8 = 4;
    /// Cease: the connection is not wanted.
    pub const REJECTED: u8 = 5;
    /// Cease: the configuration changed.
    pub const CONFIGURATION: u8 = 6;
    /// Cease: another connection with the same peer is kept.
    pub const COLLISION: u8 = 7;
    /// Cease: also what graceful restart would keep is to go (RFC 8538); the reason follows.
    pub const HARD_RESET: u8 = 9;
    /// Cease: BFD says that the way is dead (RFC 9384).
    pub const BFD_DOWN: u8 = 10;
}

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What kind of error.
    pub code: u8,
    /// Which one of these.
    pub subcode: u8,
    /// More of it.
    pub data: Vec<u8>,
}

impl Notification {
    /// An error with what belongs to it, as far as it fits.
    #[must_use]
    pub fn new(code: u8, subcode: u8, data: &[u8]) -> Self {
        let data = data[..data.len().min(MAX - HEADER - 2)].to_vec();
        Self {
            code,
            subcode,
            data,
        }
    }

    /// The session is ended without an error.
    #[must_use]
    pub fn cease(subcode: u8) -> Self {
        Self::new(code::CEASE, subcode, &[])
    }

    /// An administrator ends the session, and says why (RFC 9003): at most 255 octets of the text.
    #[must_use]
    pub fn shutdown(subcode: u8, why: &str) -> Self {
        let mut len = why.len().min(255);
        while !why.is_char_boundary(len) {
            len -= 1;
        }
        let text = &why.as_bytes()[..len];
        let mut data = vec![u8::try_from(len).unwrap_or(u8::MAX)];
        data.extend_from_slice(text);
        Self::new(code::CEASE, subcode, &data)
    }

    /// The same, so that also graceful restart keeps nothing (RFC 8538, section 3).
    #[must_use]
    pub fn hard(self) -> Self {
        let mut data = vec![self.code, self.subcode];
        data.extend(self.data);
        Self::new(code::CEASE, subcode::HARD_RESET, &data)
    }

    /// Whether it is [`hard`](Self::hard).
    #[must_use]
    pub const fn is_hard(&self) -> bool {
        self.code == code::CEASE && self.subcode == subcode::HARD_RESET
    }

    /// What an administrator said (RFC 9003).
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let is_said = matches!(self.subcode, subcode::SHUTDOWN | subcode::RESET);
        if self.code != code::CEASE || !is_said {
            return None;
        }
        let (len, rest) = self.data.split_first()?;
        let text = rest
            .get(..usize::from(*len))
            .filter(|text| !text.is_empty())?;
        let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        Some(String::from_utf8_lossy(text).chars().map(plain).collect())
    }

    pub(super) fn parse(body: &[u8]) -> Self {
        match body {
            [code, subcode, data @ ..] => Self::new(*code, *subcode, data),
            // A frame of this type has both.
            _ => Self::new(0, 0, body),
        }
    }

    /// Writes it.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = begin(kind::NOTIFICATION);
        bytes.extend_from_slice(&[self.code, self.subcode]);
        bytes.extend_from_slice(&self.data[..self.data.len().min(MAX - HEADER - 2)]);
        finish(bytes)
    }

    const fn name(&self) -> &'static str {
        match (self.code, self.subcode) {
            (code::HEADER, subcode::NOT_SYNCHRONIZED) => "header: connection not synchronized",
            (code::HEADER, subcode::BAD_LENGTH) => "header: bad message length",
            (code::HEADER, subcode::BAD_TYPE) => "header: bad message type",
            (code::OPEN, subcode::VERSION) => "open: unsupported version",
            (code::OPEN, subcode::PEER_AS) => "open: bad peer as",
            (code::OPEN, subcode::IDENTIFIER) => "open: bad bgp identifier",
            (code::OPEN, subcode::PARAMETER) => "open: unsupported optional parameter",
            (code::OPEN, subcode::HOLD_TIME) => "open: unacceptable hold time",
            (code::OPEN, subcode::CAPABILITY) => "open: unsupported capability",
            (code::OPEN, _) => "open message error",
            (code::UPDATE, subcode::ATTRIBUTES) => "update: malformed attribute list",
            (code::UPDATE, subcode::UNKNOWN_WELL_KNOWN) => {
                "update: unrecognized well-known attribute"
            }
            (code::UPDATE, subcode::OPTIONAL) => "update: optional attribute error",
            (code::UPDATE, subcode::NETWORK) => "update: invalid network field",
            (code::UPDATE, _) => "update message error",
            (code::HOLD_TIMER, _) => "hold timer expired",
            (code::STATE_MACHINE, _) => "finite state machine error",
            (code::CEASE, subcode::MAX_PREFIXES) => "cease: maximum number of prefixes reached",
            (code::CEASE, subcode::SHUTDOWN) => "cease: administrative shutdown",
            (code::CEASE, subcode::DECONFIGURED) => "cease: peer de-configured",
            (code::CEASE, subcode::RESET) => "cease: administrative reset",
            (code::CEASE, subcode::REJECTED) => "cease: connection rejected",
            (code::CEASE, subcode::CONFIGURATION) => "cease: other configuration change",
            (code::CEASE, subcode::COLLISION) => "cease: connection collision resolution",
            (code::CEASE, subcode::HARD_RESET) => "cease: hard reset",
            (code::CEASE, subcode::BFD_DOWN) => "cease: bfd down",
            (code::CEASE, _) => "cease",
            (code::REFRESH, _) => "route refresh message error",
            (code::SEND_HOLD_TIMER, _) => "send hold timer expired",
            _ => "unknown error",
        }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/{})", self.name(), self.code, self.subcode)?;
        match (self.text(), self.is_hard(), &self.data[..]) {
            (Some(text), _, _) => write!(f, ": {text}"),
            (None, true, [code, subcode, data @ ..]) => {
                // One inside another is not looked into again.
                let inner = Self::new(*code, *subcode, data);
                write!(f, ": {} ({code}/{subcode})", inner.name())
            }
            _ => Ok(()),
        }
    }
}
