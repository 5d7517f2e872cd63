//! What every header's errors share.

use thiserror::Error;

/// The bytes end before the header does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{header} needs {needed} bytes, {got} are there")]
pub struct Truncated {
    /// The header or the part of it, in the words of its standard.
    pub header: &'static str,
    /// Bytes needed from the start of that part.
    pub needed: usize,
    /// Bytes there from the start of that part.
    pub got: usize,
}

/// A buffer is shorter than `buffer_len` of what was to be written into it; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("writing needs {needed} bytes, the buffer has {got}")]
pub struct BufferTooSmall {
    /// Bytes to be written.
    pub needed: usize,
    /// Bytes of the buffer.
    pub got: usize,
}

/// A number that its field cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} {value} is above {max}")]
pub struct OutOfRange {
    /// The field, in the words of its standard.
    pub what: &'static str,
    /// The number.
    pub value: usize,
    /// The greatest that fits.
    pub max: usize,
}
