//! What an instance is told by the metadata service.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{DomainName, StateVersion};
use crate::text::{hexadecimal, serde_as_text};
use crate::{Generation, PortId};

/// An instance, as far as its sled must know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// Its number, unique in the AZ.
    pub id: InstanceId,
    /// Its host name.
    pub hostname: DomainName,
    /// Its NICs, in the order of their slots.
    pub ports: Vec<PortId>,
    /// The image it was made from, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its size, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The availability zone it runs in, such as `us-east-1a`: a region and one letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Public SSH keys, in the form of `authorized_keys`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
    /// What cloud-init runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// Names an instance within the AZ; written as `i-` and sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(u64);

impl InstanceId {
    /// The instance with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A text that names no instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseInstanceIdError;

impl fmt::Display for ParseInstanceIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an instance id is i- and sixteen hexadecimal digits, such as i-00000000000002f1",
        )
    }
}

impl core::error::Error for ParseInstanceIdError {}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i-{:016x}", self.0)
    }
}

impl FromStr for InstanceId {
    type Err = ParseInstanceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("i-").ok_or(ParseInstanceIdError)?;
        hexadecimal(digits, 16)
            .map(Self)
            .ok_or(ParseInstanceIdError)
    }
}

serde_as_text!(InstanceId);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        let id = InstanceId::new(0x2f1);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "i-", "2f1", "i-2f1", "i-00000000000002fg"] {
            assert_eq!(
                text.parse::<InstanceId>(),
                Err(ParseInstanceIdError),
                "{text}"
            );
        }
    }
}
