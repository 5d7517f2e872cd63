//! Host and domain names.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::text::serde_as_text;

/// A host or domain name: labels of letters, digits, hyphens and underscores, parted by dots.
///
/// Labels have 1 to 63 octets and neither begin nor end with a hyphen (RFC 1123, section 2.1;
/// underscores stand in service names, RFC 2782); the whole has at most 253. Kept in lower case,
/// without the final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// The most octets of a name as text.
    pub const MAX: usize = 253;
    /// The most octets of a label (RFC 1035, section 2.3.4).
    pub const MAX_LABEL: usize = 63;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a host or domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DomainNameError {
    /// It has more than [`DomainName::MAX`] octets.
    TooLong,
    /// The label with this number, counted from 0, is empty or longer than
    /// [`DomainName::MAX_LABEL`] octets.
    LabelLength(usize),
    /// The label with this number has another character, or a hyphen at an end.
    LabelCharacter(usize),
}

impl fmt::Display for DomainNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a name has at most {} octets", DomainName::MAX),
            Self::LabelLength(at) => {
                write!(
                    f,
                    "label {at} has not 1 to {} octets",
                    DomainName::MAX_LABEL
                )
            }
            Self::LabelCharacter(at) => {
                write!(
                    f,
                    "label {at} has more than letters, digits and inner hyphens"
                )
            }
        }
    }
}

impl core::error::Error for DomainNameError {}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > Self::MAX {
            return Err(DomainNameError::TooLong);
        }
        for (at, label) in text.split('.').enumerate() {
            if label.is_empty() || label.len() > Self::MAX_LABEL {
                return Err(DomainNameError::LabelLength(at));
            }
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if !label.bytes().all(known) || label.starts_with('-') || label.ends_with('-') {
                return Err(DomainNameError::LabelCharacter(at));
            }
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

serde_as_text!(DomainName);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_are_lower_case_without_the_final_dot() {
        let name: DomainName = "Web-1.Example.".parse().unwrap();
        assert_eq!(name.to_string(), "web-1.example");
        assert!("_dns._udp.example".parse::<DomainName>().is_ok());
    }

    #[test]
    fn each_fault_names_its_label() {
        let error = |text: &str| text.parse::<DomainName>().unwrap_err();
        assert_eq!(error(""), DomainNameError::LabelLength(0));
        assert_eq!(error("a..b"), DomainNameError::LabelLength(1));
        assert_eq!(error(&"a".repeat(64)), DomainNameError::LabelLength(0));
        assert_eq!(error("a.b c"), DomainNameError::LabelCharacter(1));
        assert_eq!(error("-a"), DomainNameError::LabelCharacter(0));
        assert_eq!(error(&"abc.".repeat(64)), DomainNameError::TooLong);
    }
}
