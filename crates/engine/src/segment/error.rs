//! Why a frame cannot be cut.

use core::fmt;

use crate::drop_reason::DropReason;

/// Why a frame cannot be cut, or its checksum not be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutError {
    /// The frame is not to be cut.
    Unsegmented,
    /// Its headers cannot be read, or what is asked for does not fit them ([`DropReason::Offload`]).
    Headers(DropReason),
    /// Its headers have more octets than [`Cut`](super::Cut) has room for.
    HeadersTooLong(usize),
    /// It would become more segments than [`Cut::MAX_SEGMENTS`](super::Cut::MAX_SEGMENTS).
    TooMany(usize),
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsegmented => f.write_str("the frame is not to be cut"),
            Self::Headers(reason) => write!(f, "the frame cannot be read: {reason}"),
            Self::HeadersTooLong(len) => write!(f, "{len} octets of headers are too many to cut"),
            Self::TooMany(count) => write!(f, "{count} segments are too many to cut into"),
        }
    }
}

impl core::error::Error for CutError {}

impl From<DropReason> for CutError {
    fn from(reason: DropReason) -> Self {
        Self::Headers(reason)
    }
}
