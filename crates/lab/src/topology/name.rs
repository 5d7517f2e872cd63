//! What a lab is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a lab: it stands in names of namespaces, files and directories.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabName(String);

/// Why something is no name of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lab's name is 1 to 24 lower-case letters, digits and dashes, and begins with a letter")]
pub struct LabNameError;

impl LabName {
    /// The longest name.
    pub const MAX: usize = 24;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabName {
    type Err = LabNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let first = text.bytes().next().ok_or(LabNameError)?;
        if first.is_ascii_lowercase() && text.len() <= Self::MAX && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(LabNameError)
        }
    }
}

impl TryFrom<String> for LabName {
    type Error = LabNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LabName> for String {
    fn from(name: LabName) -> Self {
        name.0
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["lab", "a-2", "rack-of-tuesday"] {
            assert_eq!(name.parse::<LabName>().unwrap().as_str(), name);
        }
        for name in [
            "",
            "..",
            "a/b",
            "Lab",
            "2lab",
            "-a",
            "a.b",
            "a-name-that-is-far-too-long-for-this",
        ] {
            assert_eq!(name.parse::<LabName>(), Err(LabNameError), "{name:?}");
        }
    }
}
