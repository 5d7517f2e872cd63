//! Secrets of tokens, and their hashes.

use std::fmt::{self, Write as _};

/// What secrets begin with, so that people and scanners know them when they see them.
const PREFIX: &str = "rwt_";

/// What the holder of a token shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The secret of these octets, which were drawn for it.
    pub(crate) fn new(drawn: &[u8; 32]) -> Self {
        let mut text = PREFIX.to_owned();
        for octet in drawn {
            // Writing to a text cannot fail.
            let _written = write!(text, "{octet:02x}");
        }
        Self(text)
    }

    /// As its holder keeps it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(of {})", self.hash())
    }
}

/// What is kept of a token's secret. Written as 64 hexadecimal digits; the first [`TokenHash::ID`] are the token's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    /// Digits of an id.
    pub(crate) const ID: usize = 16;

    /// The hash of what somebody shows.
    pub(crate) fn of(shown: &str) -> Self {
        Self(*blake3::hash(shown.as_bytes()).as_bytes())
    }

    /// The id of the token.
    pub(crate) fn id(self) -> String {
        self.to_string().chars().take(Self::ID).collect()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_what_is_shown_and_not_told_by_its_hash() {
        let secret = Secret::new(&[7; 32]);
        assert_eq!(secret.as_str().len(), PREFIX.len() + 64);
        assert_eq!(TokenHash::of(secret.as_str()), secret.hash());
        assert_ne!(TokenHash::of("rwt_"), secret.hash());
        assert!(!format!("{secret:?}").contains("0707"));
        assert_eq!(secret.hash().id().len(), TokenHash::ID);
    }
}
