//! Why a message was refused, and how many were.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Kinds of refusals, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedKind {
    /// No message of the protocol, or one that says nothing that makes sense.
    Malformed,
    /// A version of the protocol that this node does not speak.
    Version,
    /// It carries no signature where one is due.
    Unsigned,
    /// The signature is not that of the neighbour's key, or the key not certified by who must.
    Signature,
    /// A certificate is not valid now.
    Expired,
    /// It came before, or belongs to a session that is over or to none.
    Replayed,
    /// It is of another tree of keys, of this node itself, or claims what its certificate does not say.
    Foreign,
}

impl RefusedKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Version,
        Self::Unsigned,
        Self::Signature,
        Self::Expired,
        Self::Replayed,
        Self::Foreign,
    ];

    /// The kind's name in counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Unsigned => "unsigned",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Replayed => "replayed",
            Self::Foreign => "foreign",
        }
    }
}

impl fmt::Display for RefusedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A message was refused: it changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// For counters.
    pub kind: RefusedKind,
    /// For people.
    pub reason: String,
}

impl Refused {
    pub(crate) fn new(kind: RefusedKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

/// How many messages were refused, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; RefusedKind::ALL.len()]);

impl Refusals {
    /// Counts one.
    pub fn count(&mut self, kind: RefusedKind) {
        for (slot, at) in self.0.iter_mut().zip(RefusedKind::ALL) {
            if at == kind {
                *slot = slot.saturating_add(1);
            }
        }
    }

    /// How many of a kind.
    #[must_use]
    pub fn of(&self, kind: RefusedKind) -> u64 {
        self.iter()
            .find_map(|(at, count)| (at == kind).then_some(count))
            .unwrap_or_default()
    }

    /// Every kind with its number.
    pub fn iter(&self) -> impl Iterator<Item = (RefusedKind, u64)> + '_ {
        RefusedKind::ALL.into_iter().zip(self.0)
    }
}
