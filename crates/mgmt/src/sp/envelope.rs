//! How a message lies in a datagram.
//!
//! ```text
//! 0        1        2                 6                      14           end-16       end
//! ┌────────┬────────┬─────────────────┬──────────────────────┬────────────┬────────────┐
//! │version │ flags  │ id              │ counter (if proven)  │ CBOR       │ tag        │
//! └────────┴────────┴─────────────────┴──────────────────────┴────────────┴────────────┘
//! ```
//! Numbers are big-endian. Flags: 1 it is a response, 2 it is proven. The tag covers all before it.

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};

use super::auth::{Opener, Refused, Sealer, TAG};
use super::{DATAGRAM_MAX, Request, Response};

/// The version that this release speaks.
pub const VERSION: u8 = 1;
const HEAD: usize = 6;
const COUNTER: usize = 8;
const RESPONSE: u8 = 1;
const PROVEN: u8 = 2;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A question.
    Request(Request),
    /// An answer.
    Response(Response),
}

/// A datagram that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Joins a response to its request.
    pub id: u32,
    /// Whether its sender proved to have the key.
    pub proven: bool,
    /// The message.
    pub message: Message,
}

/// Why a datagram was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// It ends too early, or is longer than any.
    Length,
    /// Its version is not spoken here.
    Version(u8),
    /// Its body is no message.
    Body,
    /// It claims to prove what it does not.
    Refused(Refused),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("the datagram has a length that none has"),
            Self::Version(version) => {
                write!(f, "version {version} is not spoken here, {VERSION} is")
            }
            Self::Body => f.write_str("the body is no message"),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl core::error::Error for Unreadable {}

/// Writes a message; with a sealer, as one that is proven.
///
/// # Errors
/// [`Unreadable::Length`] where it does not fit a datagram.
pub fn write(
    id: u32,
    message: &Message,
    sealer: Option<&mut Sealer>,
) -> Result<Vec<u8>, Unreadable> {
    let mut flags = if matches!(message, Message::Response(_)) {
        RESPONSE
    } else {
        0
    };
    if sealer.is_some() {
        flags |= PROVEN;
    }
    let mut octets = Vec::from([VERSION, flags]);
    octets.extend(id.to_be_bytes());
    let sealer = sealer.map(|sealer| {
        octets.extend(sealer.next_counter().to_be_bytes());
        &*sealer
    });
    match message {
        Message::Request(request) => encode(request, &mut octets),
        Message::Response(response) => encode(response, &mut octets),
    }
    if let Some(sealer) = sealer {
        octets.extend(sealer.tag(&octets));
    }
    if octets.len() > DATAGRAM_MAX {
        return Err(Unreadable::Length);
    }
    Ok(octets)
}

/// Reads a datagram. What claims to be proven is believed if `opener` does, and else refused; a claim that nobody here
/// can judge is no proof.
///
/// # Errors
/// [`Unreadable`].
pub fn read(octets: &[u8], opener: Option<&mut Opener>) -> Result<Letter, Unreadable> {
    if octets.len() > DATAGRAM_MAX {
        return Err(Unreadable::Length);
    }
    let (head, rest) = octets
        .split_first_chunk::<HEAD>()
        .ok_or(Unreadable::Length)?;
    let [version, flags, id @ ..] = *head;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let (body, proven) = if flags & PROVEN == 0 {
        (rest, false)
    } else {
        let (rest, tag) = rest.split_last_chunk::<TAG>().ok_or(Unreadable::Length)?;
        let (counter, body) = rest
            .split_first_chunk::<COUNTER>()
            .ok_or(Unreadable::Length)?;
        let covered = &octets[..octets.len() - TAG];
        let proven = match opener {
            Some(opener) => {
                let opened = opener.open(u64::from_be_bytes(*counter), covered, tag);
                opened.map(|()| true).map_err(Unreadable::Refused)?
            }
            None => false,
        };
        (body, proven)
    };
    let message = if flags & RESPONSE == 0 {
        Message::Request(decode(body)?)
    } else {
        Message::Response(decode(body)?)
    };
    Ok(Letter {
        id: u32::from_be_bytes(id),
        proven,
        message,
    })
}

fn encode<T: Encode<()>>(value: &T, octets: &mut Vec<u8>) {
    match minicbor::encode(value, octets) {
        Ok(()) => {}
        Err(never) => {
            let _infallible: &minicbor::encode::Error<core::convert::Infallible> = &never;
        }
    }
}

fn decode<'b, T: Decode<'b, ()>>(body: &'b [u8]) -> Result<T, Unreadable> {
    minicbor::decode(body).map_err(|_| Unreadable::Body)
}

#[cfg(test)]
mod tests;
