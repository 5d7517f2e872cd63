//! Names of what is stored.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A key: text of 1 to [`Key::MAX_LEN`] octets without control characters. Keys are ordered by their octets, and cheap to
/// clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key(Arc<str>);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It has no character.
    #[error("a key cannot be empty")]
    Empty,
    /// It is too long.
    #[error("a key has at most {max} octets, not {0}", max = Key::MAX_LEN)]
    TooLong(usize),
    /// It has a character that no terminal shows.
    #[error("a key cannot hold the control character {0:?}")]
    Control(char),
}

impl Key {
    /// Octets of the longest key.
    pub const MAX_LEN: usize = 512;

    /// A key of this text.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(KeyError::TooLong(text.len()));
        }
        match text.chars().find(|c| c.is_control()) {
            Some(control) => Err(KeyError::Control(control)),
            None => Ok(Self(text.into())),
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.as_str().to_owned()
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_that_can_be_shown() {
        assert_eq!(Key::new("v1/vpc/ä").unwrap().as_str(), "v1/vpc/ä");
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert_eq!(Key::new("a\0"), Err(KeyError::Control('\0')));
        assert!(Key::new(&"k".repeat(Key::MAX_LEN)).is_ok());
        let error = Key::new(&"k".repeat(Key::MAX_LEN + 1)).unwrap_err();
        assert_eq!(error.to_string(), "a key has at most 512 octets, not 513");
    }
}
