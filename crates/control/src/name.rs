//! Names that users give.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a user calls an object: unique among those of its kind under one parent, for life.
///
/// A label of the DNS (RFC 1035, section 2.3.1): it begins with a letter, holds letters, digits and
/// hyphens, does not end with a hyphen, and has at most 63 octets. In lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The most octets.
    pub const MAX: usize = 63;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is not above any name: where a listing begins.
    pub(crate) const fn least() -> Self {
        Self(String::new())
    }
}

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 63 lower-case letters, digits and hyphens, begins with a letter and does not end with a hyphen"
)]
pub struct NameError;

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let fits = text.len() <= Self::MAX && !text.ends_with('-');
        if begins && fits && text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label() {
        assert_eq!("web-1".parse::<Name>().unwrap().as_str(), "web-1");
        let [longest, long] = [63, 64].map(|len| "a".repeat(len));
        for text in ["", "-a", "a-", "1a", "Web", "a.b", "a_b", "ä", &long] {
            assert_eq!(text.parse::<Name>(), Err(NameError), "{text:?}");
        }
        assert!(longest.parse::<Name>().is_ok());
    }
}
