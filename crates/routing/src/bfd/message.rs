//! The control message (RFC 5880, section 4.1).
//!
//! [`Message::parse`] refuses what section 6.8.6 has discarded before a session is looked for. What it takes, and what
//! [`Message::emit`] writes, is [`LEN`] octets.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Octets of a message without authentication.
pub const LEN: usize = 24;
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const INDEPENDENT: u8 = 0x08;
const AUTHENTICATED: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// What a session is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Held down by an administrator.
    AdminDown,
    /// Nothing is heard, or the other side hears nothing.
    Down,
    /// The other side is heard, and does not know it yet.
    Init,
    /// Both hear each other.
    Up,
}

impl State {
    const fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

/// Why a session left the state before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    /// Nothing has been wrong.
    pub const NONE: Self = Self(0);
    /// Nothing came for the detection time.
    pub const TIME_EXPIRED: Self = Self(1);
    /// The other side said that it is down.
    pub const NEIGHBOR_DOWN: Self = Self(3);
    /// An administrator took the session down.
    pub const ADMIN_DOWN: Self = Self(7);
}

/// Microseconds between messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u32);

impl Micros {
    /// As a length of time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0 as u64)
    }
}

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the header's flag bits"
)]
pub struct Message {
    /// Why the sender's session left the state before.
    pub diagnostic: Diagnostic,
    /// The state of the sender's session.
    pub state: State,
    /// Whether the sender wants its changed intervals confirmed.
    pub poll: bool,
    /// Whether this confirms the receiver's.
    pub is_final: bool,
    /// Whether the sender's liveness does not share fate with its control plane (C).
    pub independent: bool,
    /// Whether the sender wants no messages without a poll while both are up (D).
    pub demand: bool,
    /// Intervals without a message after which the receiver holds the sender dead; at least one.
    pub multiplier: u8,
    /// The sender's number of the session.
    pub mine: NonZeroU32,
    /// The receiver's number of the session; none where the sender does not know it.
    pub yours: Option<NonZeroU32>,
    /// The least time between messages that the sender would like to keep.
    pub desired_min_tx: Micros,
    /// The least time between messages that the sender can take; zero: none at all.
    pub required_min_rx: Micros,
    /// The least time between echoes that the sender can take; zero: no echoes.
    pub required_min_echo_rx: Micros,
}

/// Why octets are no control message for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Too few octets, or fewer than the message claims.
    #[error("bfd message is cut: {got} of {needed} octets")]
    Truncated {
        /// What is there.
        got: usize,
        /// What it takes.
        needed: usize,
    },
    /// Another version.
    #[error("bfd version {got} is not spoken here")]
    Version {
        /// Which.
        got: u8,
    },
    /// The length field is less than a header's.
    #[error("bfd length {got} is too short")]
    Length {
        /// What it says.
        got: u8,
    },
    /// The multiplier is zero.
    #[error("bfd detection multiplier is zero")]
    Multiplier,
    /// The multipoint bit is set.
    #[error("bfd multipoint bit is set")]
    Multipoint,
    /// The message is authenticated, and no authentication was agreed.
    #[error("bfd message is authenticated and no authentication is in use")]
    Authenticated,
    /// The sender's number is zero.
    #[error("bfd discriminator of the sender is zero")]
    NoDiscriminator,
    /// The receiver's number is zero in a state that only a known receiver leads to.
    #[error("bfd discriminator of the receiver is zero in state {state:?}")]
    NotAddressed {
        /// The state.
        state: State,
    },
}

impl Message {
    /// Reads a message; octets behind it are ignored.
    ///
    /// # Errors
    /// Where it is to be discarded (RFC 5880, section 6.8.6).
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let Some(raw) = bytes.first_chunk::<LEN>() else {
            return Err(MessageError::Truncated {
                got: bytes.len(),
                needed: LEN,
            });
        };
        let (version, length) = (raw[0] >> 5, raw[3]);
        if version != VERSION {
            return Err(MessageError::Version { got: version });
        }
        if usize::from(length) < LEN {
            return Err(MessageError::Length { got: length });
        }
        if bytes.len() < usize::from(length) {
            return Err(MessageError::Truncated {
                got: bytes.len(),
                needed: usize::from(length),
            });
        }
        let (flags, state) = (raw[1], State::from_bits(raw[1] >> 6));
        if raw[2] == 0 {
            return Err(MessageError::Multiplier);
        }
        if flags & MULTIPOINT != 0 {
            return Err(MessageError::Multipoint);
        }
        let number =
            |at: usize| u32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        let mine = NonZeroU32::new(number(4)).ok_or(MessageError::NoDiscriminator)?;
        let yours = NonZeroU32::new(number(8));
        if yours.is_none() && matches!(state, State::Init | State::Up) {
            return Err(MessageError::NotAddressed { state });
        }
        if flags & AUTHENTICATED != 0 {
            return Err(MessageError::Authenticated);
        }
        Ok(Self {
            diagnostic: Diagnostic(raw[0] & 0x1f),
            state,
            poll: flags & POLL != 0,
            is_final: flags & FINAL != 0,
            independent: flags & INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            multiplier: raw[2],
            mine,
            yours,
            desired_min_tx: Micros(number(12)),
            required_min_rx: Micros(number(16)),
            required_min_echo_rx: Micros(number(20)),
        })
    }

    /// The octets of the message.
    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let mut raw = [0; LEN];
        raw[0] = VERSION << 5 | self.diagnostic.0 & 0x1f;
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        raw[1] = self.state.bits() << 6
            | bit(self.poll, POLL)
            | bit(self.is_final, FINAL)
            | bit(self.independent, INDEPENDENT)
            | bit(self.demand, DEMAND);
        raw[2] = self.multiplier;
        raw[3] = 24;
        let numbers = [
            self.mine.get(),
            self.yours.map_or(0, NonZeroU32::get),
            self.desired_min_tx.0,
            self.required_min_rx.0,
            self.required_min_echo_rx.0,
        ];
        for (at, number) in raw[4..].chunks_exact_mut(4).zip(numbers) {
            at.copy_from_slice(&number.to_be_bytes());
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 5880, section 4.1: the bytes of version 1 never change; nor does this test.
    const FROZEN: [u8; LEN] = [
        0x21, 0xe8, 3, 24, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0x27, 0x10, 0, 0,
        0x4e, 0x20, 0, 0, 0, 0,
    ];

    fn frozen() -> Message {
        Message {
            diagnostic: Diagnostic::TIME_EXPIRED,
            state: State::Up,
            poll: true,
            is_final: false,
            independent: true,
            demand: false,
            multiplier: 3,
            mine: NonZeroU32::new(0x1122_3344).unwrap(),
            yours: NonZeroU32::new(0x5566_7788),
            desired_min_tx: Micros(10_000),
            required_min_rx: Micros(20_000),
            required_min_echo_rx: Micros(0),
        }
    }

    #[test]
    fn the_bytes_are_frozen() {
        assert_eq!(frozen().emit(), FROZEN);
        assert_eq!(Message::parse(&FROZEN), Ok(frozen()));
    }

    #[test]
    fn what_is_to_be_discarded_is_refused() {
        let with = |at: usize, value: u8| {
            let mut bytes = FROZEN;
            bytes[at] = value;
            Message::parse(&bytes).unwrap_err()
        };
        assert_eq!(with(0, 0x41), MessageError::Version { got: 2 });
        assert_eq!(with(1, 0xc1), MessageError::Multipoint);
        assert_eq!(with(1, 0xc4), MessageError::Authenticated);
        assert_eq!(with(2, 0), MessageError::Multiplier);
        assert_eq!(with(3, 23), MessageError::Length { got: 23 });
        let cut = MessageError::Truncated {
            got: 24,
            needed: 25,
        };
        assert_eq!(with(3, 25), cut);
        let mut bytes = FROZEN;
        bytes[4..8].fill(0);
        assert_eq!(Message::parse(&bytes), Err(MessageError::NoDiscriminator));
        let mut bytes = FROZEN;
        bytes[8..12].fill(0);
        let state = State::Up;
        assert_eq!(
            Message::parse(&bytes),
            Err(MessageError::NotAddressed { state })
        );
        bytes[1] = 0x40;
        assert_eq!(Message::parse(&bytes).unwrap().yours, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_what_is_taken_comes_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            head in any::<bool>(),
        ) {
            let mut bytes = bytes;
            if head && bytes.len() >= LEN {
                (bytes[0], bytes[3]) = (bytes[0] & 0x1f | 0x20, 24);
                bytes[1] &= !(MULTIPOINT | AUTHENTICATED);
            }
            if let Ok(message) = Message::parse(&bytes) {
                let again = message.emit();
                prop_assert_eq!(&again[4..], &bytes[4..LEN]);
                prop_assert_eq!(Message::parse(&again), Ok(message));
            }
        }
    }
}
