//! The elements (TLVs) that a message is made of: seven bits of type, nine of length (IEEE 802.1AB, 8.4).

use serde::{Deserialize, Serialize};

/// Types of elements (IEEE 802.1AB, table 8-1).
pub(super) mod kind {
    pub(in super::super) const END: u8 = 0;
    pub(in super::super) const CHASSIS_ID: u8 = 1;
    pub(in super::super) const PORT_ID: u8 = 2;
    pub(in super::super) const TIME_TO_LIVE: u8 = 3;
    pub(in super::super) const PORT_DESCRIPTION: u8 = 4;
    pub(in super::super) const SYSTEM_NAME: u8 = 5;
    pub(in super::super) const SYSTEM_DESCRIPTION: u8 = 6;
    pub(in super::super) const SYSTEM_CAPABILITIES: u8 = 7;
    pub(in super::super) const MANAGEMENT_ADDRESS: u8 = 8;
    pub(in super::super) const ORGANISATION: u8 = 127;
}

/// The name of a type, for people.
pub(super) const fn name(kind: u8) -> &'static str {
    match kind {
        kind::END => "end",
        kind::CHASSIS_ID => "chassis id",
        kind::PORT_ID => "port id",
        kind::TIME_TO_LIVE => "time to live",
        kind::PORT_DESCRIPTION => "port description",
        kind::SYSTEM_NAME => "system name",
        kind::SYSTEM_DESCRIPTION => "system description",
        kind::SYSTEM_CAPABILITIES => "system capabilities",
        kind::MANAGEMENT_ADDRESS => "management address",
        kind::ORGANISATION => "organisation's",
        _ => "reserved",
    }
}

/// What was wrong with an element that was left out of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flaw {
    /// The message ends inside it; nothing after it was read.
    #[error("{} element of {len} octets, of which {got} are there", name(*kind))]
    Cut {
        /// Its type.
        kind: u8,
        /// Octets that its head promises.
        len: usize,
        /// Octets that are there.
        got: usize,
    },
    /// One octet is left, where a head has two.
    #[error("half an element's head at the end")]
    HalfHead,
    /// Its content has another length than its type has.
    #[error("{} element of {len} octets", name(*kind))]
    Length {
        /// Its type.
        kind: u8,
        /// Octets of its content.
        len: usize,
    },
    /// There may be one of its type, and there was one.
    #[error("second {} element", name(*kind))]
    Second {
        /// Its type.
        kind: u8,
    },
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) kind: u8,
    pub(super) content: &'a [u8],
}

/// The elements of a message, up to its end element or its last octet.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        let (first, second, rest) = match bytes {
            [] => return None,
            [_] => return Some(Err(Flaw::HalfHead)),
            [first, second, rest @ ..] => (*first, *second, rest),
        };
        let kind = first >> 1;
        // What follows the end element is padding of the frame (IEEE 802.1AB, 8.5.1).
        if kind == kind::END {
            return None;
        }
        let len = usize::from(first & 1) << 8 | usize::from(second);
        let Some((content, rest)) = rest.split_at_checked(len) else {
            let got = rest.len();
            return Some(Err(Flaw::Cut { kind, len, got }));
        };
        self.0 = rest;
        Some(Ok(Element { kind, content }))
    }
}

/// Writes elements while they fit.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    limit: usize,
}

impl Writer {
    /// Room for a message of so many octets, its end element included.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(256),
            limit,
        }
    }

    /// Adds an element, where it fits as a whole: its content is the parts one after the other.
    pub(super) fn put(&mut self, kind: u8, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(short) = u16::try_from(len) else {
            return;
        };
        // Behind it there is still the end element to come.
        if short > 511 || self.bytes.len() + 2 + len + 2 > self.limit {
            return;
        }
        let head = u16::from(kind) << 9 | short;
        self.bytes.extend_from_slice(&head.to_be_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// The message, with its end element.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[kind::END, 0]);
        self.bytes
    }
}
