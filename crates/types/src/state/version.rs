//! Versions of the format of a state.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The version of the format in which an object is written.
///
/// What crosses a machine works with one release older and newer (design, contract "Versions"):
/// the next version is read by ignoring what it adds, one beyond it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct StateVersion(u16);

impl StateVersion {
    /// What is written now.
    pub const CURRENT: Self = Self(1);
    /// The oldest version that is read.
    pub const OLDEST: Self = Self(1);
    /// The newest version that is read.
    pub const NEWEST: Self = Self(2);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for StateVersion {
    fn default() -> Self {
        Self::CURRENT
    }
}

/// A version that is too old or too new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadableVersion(pub u16);

impl fmt::Display for UnreadableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (oldest, newest) = (StateVersion::OLDEST.0, StateVersion::NEWEST.0);
        write!(
            f,
            "state version {} is not within {oldest} to {newest}",
            self.0
        )
    }
}

impl core::error::Error for UnreadableVersion {}

impl TryFrom<u16> for StateVersion {
    type Error = UnreadableVersion;

    fn try_from(number: u16) -> Result<Self, Self::Error> {
        let readable = (Self::OLDEST.0..=Self::NEWEST.0).contains(&number);
        if readable {
            Ok(Self(number))
        } else {
            Err(UnreadableVersion(number))
        }
    }
}

impl From<StateVersion> for u16 {
    fn from(version: StateVersion) -> Self {
        version.0
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn one_release_ahead_is_read_and_two_are_not() {
        assert_eq!(
            serde_json::from_str::<StateVersion>("2").unwrap(),
            StateVersion::NEWEST
        );
        for text in ["0", "3"] {
            let error = serde_json::from_str::<StateVersion>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains("is not within 1 to 2"), "{error}");
        }
    }
}
