//! What a node is to the fabric.

use core::fmt;
use core::str::FromStr;

use crate::text::serde_as_text;

/// What a node does in the fabric, and so what may be announced to it and by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A server: originates its own prefixes, and passes nothing on.
    Sled,
    /// A rack switch: passes on between its sleds and towards other switches, and stands for its rack.
    Switch,
    /// Joins rack switches where there are too many for a full mesh: no sleds, no rack, no boundary.
    Spine,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Sled, Self::Switch, Self::Spine];

    /// Whether the node passes packets of others on.
    #[must_use]
    pub const fn is_transit(self) -> bool {
        !matches!(self, Self::Sled)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Switch => "switch",
            Self::Spine => "spine",
        }
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseRoleError;

impl fmt::Display for ParseRoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role is sled, switch or spine")
    }
}

impl core::error::Error for ParseRoleError {}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or(ParseRoleError)
    }
}

serde_as_text!(Role);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_role_reads_its_own_name() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("server".parse::<Role>(), Err(ParseRoleError));
    }
}
