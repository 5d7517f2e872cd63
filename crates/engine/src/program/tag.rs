//! Tags: what one layer tells the later ones about a packet.

use core::fmt;

use serde::{Deserialize, Serialize};

/// One of 32 marks that a layer may set and a later layer may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Tag(u8);

impl Tag {
    /// The greatest tag.
    pub const MAX: u8 = 31;

    /// The tag with this number.
    ///
    /// # Errors
    /// Where the number is above [`Tag::MAX`].
    pub const fn new(number: u8) -> Result<Self, TagError> {
        if number > Self::MAX {
            Err(TagError(number))
        } else {
            Ok(Self(number))
        }
    }

    /// A tag of the caller's own: the bound is checked when the caller is built.
    #[must_use]
    pub const fn fixed<const NUMBER: u8>() -> Self {
        const { assert!(NUMBER <= Self::MAX) };
        Self(NUMBER)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A tag number above [`Tag::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagError(pub u8);

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tag {} is above {}", self.0, Tag::MAX)
    }
}

impl core::error::Error for TagError {}

impl TryFrom<u8> for Tag {
    type Error = TagError;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::new(number)
    }
}

impl From<Tag> for u8 {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

/// A set of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagSet(u32);

impl TagSet {
    /// No tag.
    pub const EMPTY: Self = Self(0);

    /// The set with `tag` added.
    #[must_use]
    pub const fn with(self, tag: Tag) -> Self {
        Self(self.0 | 1 << tag.0)
    }

    /// Whether every tag of `other` is in this set.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no tag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
