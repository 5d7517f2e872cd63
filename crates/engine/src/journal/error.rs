//! What can be wrong with a journal.

use core::fmt;

/// Why a journal cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalError {
    /// The shard keeps no journal: [`begin_journal`](crate::Shard::begin_journal) comes first.
    NotBegun,
    /// The memory to write into is too short.
    NoRoom {
        /// How many octets there are.
        len: usize,
        /// How many the shard's journal has.
        needed: usize,
    },
    /// The bytes to read are no journal, or not one for this reader.
    Unreadable(Problem),
}

/// What keeps a journal from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Shorter than the part before the slots.
    TooShort,
    /// Not a journal at all, or one that was only just begun.
    Magic,
    /// A version that this reader cannot read.
    Version {
        /// The version of the bytes.
        version: u16,
        /// The oldest version whose readers can read them.
        oldest_reader: u16,
    },
    /// Both headers are damaged.
    Headers,
    /// A field of the header has a value that no shard writes.
    Value {
        /// The field's name.
        field: &'static str,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBegun => f.write_str("the shard keeps no journal"),
            Self::NoRoom { len, needed } => {
                write!(f, "{len} octets for a journal of {needed}")
            }
            Self::Unreadable(_) => f.write_str("journal cannot be read"),
        }
    }
}

impl core::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unreadable(problem) => Some(problem),
            Self::NotBegun | Self::NoRoom { .. } => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("shorter than any journal"),
            Self::Magic => f.write_str("not a journal"),
            Self::Version {
                version,
                oldest_reader,
            } => {
                write!(
                    f,
                    "version {version}, for readers from version {oldest_reader} on"
                )
            }
            Self::Headers => f.write_str("both headers are damaged"),
            Self::Value { field } => write!(f, "field {field} of the header out of range"),
        }
    }
}

impl core::error::Error for Problem {}
