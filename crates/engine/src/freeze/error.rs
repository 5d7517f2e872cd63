//! What can be wrong with frozen bytes, and where.

use alloc::string::String;
use core::fmt;

use crate::port::PortError;

/// Why a port cannot be thawed; nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThawError {
    /// The bytes of one shard cannot be read.
    Part {
        /// Place among the byte strings given.
        part: usize,
        /// What is wrong with them.
        error: PartError,
    },
    /// The byte strings are not all shards of one port, each once.
    Incomplete {
        /// How many were given.
        parts: usize,
    },
    /// The port to thaw into cannot be made.
    Port(PortError),
}

/// What is wrong with the bytes of one shard, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartError {
    /// Octets from the start.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with the bytes of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Shorter than what every frozen shard has.
    TooShort,
    /// Not a frozen shard at all.
    Magic,
    /// A version that this reader cannot read.
    Version {
        /// The version of the bytes.
        version: u16,
        /// The oldest version whose readers can read them.
        oldest_reader: u16,
    },
    /// The digest is another: the bytes were damaged.
    Digest,
    /// A section that is longer than what is left.
    Overlong {
        /// The section's number.
        section: u16,
        /// The length it says.
        len: u32,
    },
    /// A section that must be there is not.
    Missing {
        /// Its name.
        section: &'static str,
    },
    /// A section that may stand once stands again.
    Repeated {
        /// Its name.
        section: &'static str,
    },
    /// An item that does not read: the encoding is wrong, or a field is missing or of another type.
    Item {
        /// The name of its section.
        section: &'static str,
        /// What the decoder says, with the field's number.
        what: String,
    },
    /// A field of a value that no shard has.
    Value {
        /// The name of its section.
        section: &'static str,
        /// The field's name.
        field: &'static str,
    },
}

impl fmt::Display for ThawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { part, .. } => write!(f, "frozen shard {part} cannot be read"),
            Self::Incomplete { parts } => {
                write!(
                    f,
                    "the {parts} byte strings are not all shards of one port, each once"
                )
            }
            Self::Port(_) => f.write_str("no port to thaw into"),
        }
    }
}

impl core::error::Error for ThawError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Part { error, .. } => Some(error),
            Self::Incomplete { .. } => None,
            Self::Port(error) => Some(error),
        }
    }
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at octet {}: {}", self.offset, self.problem)
    }
}

impl core::error::Error for PartError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("shorter than any frozen shard"),
            Self::Magic => f.write_str("not a frozen shard"),
            Self::Version {
                version,
                oldest_reader,
            } => {
                write!(
                    f,
                    "version {version}, for readers from version {oldest_reader} on"
                )
            }
            Self::Digest => f.write_str("the digest does not fit the bytes"),
            Self::Overlong { section, len } => {
                write!(
                    f,
                    "section {section} of {len} octets reaches beyond the end"
                )
            }
            Self::Missing { section } => write!(f, "section {section} missing"),
            Self::Repeated { section } => write!(f, "section {section} stands twice"),
            Self::Item { section, what } => write!(f, "item of section {section}: {what}"),
            Self::Value { section, field } => {
                write!(f, "field {field} of section {section} out of range")
            }
        }
    }
}
