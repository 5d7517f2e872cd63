//! Marks on routes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A mark of four octets (RFC 1997), written `65001:100`, or by its name where it is well known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Community(pub u32);

impl Community {
    /// The sender is about to leave: prefer others (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);
    /// Drop what goes there (RFC 7999).
    pub const BLACKHOLE: Self = Self(0xffff_029a);
    /// "MUST NOT be advertised outside a BGP confederation boundary" (RFC 1997): for us, to other systems.
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// "MUST NOT be advertised to other BGP peers" (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// "MUST NOT be advertised to external BGP peers" (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
        (Self::BLACKHOLE, "blackhole"),
        (Self::NO_EXPORT, "no-export"),
        (Self::NO_ADVERTISE, "no-advertise"),
        (Self::NO_EXPORT_SUBCONFED, "no-export-subconfed"),
    ];
}

/// A mark of twelve octets (RFC 8092), written `4200000001:1:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LargeCommunity(pub [u32; 3]);

/// Why a text is no community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseCommunityError {
    /// Not two numbers, nor a name.
    #[error(
        "a community is two numbers of at most 65535 such as 65001:100, or a name such as no-export"
    )]
    Community,
    /// Not three numbers.
    #[error("a large community is three numbers such as 4200000001:1:2")]
    Large,
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

impl FromStr for Community {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((known, _)) = Self::NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*known);
        }
        let parts = text.split_once(':');
        let parts = parts.and_then(|(high, low)| Some((number::<u16>(high)?, number::<u16>(low)?)));
        let (high, low) = parts.ok_or(ParseCommunityError::Community)?;
        Ok(Self(u32::from(high) << 16 | u32::from(low)))
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':').map(number::<u32>);
        let mut next = || parts.next().flatten().ok_or(ParseCommunityError::Large);
        let all = [next()?, next()?, next()?];
        match parts.next() {
            None => Ok(Self(all)),
            Some(_) => Err(ParseCommunityError::Large),
        }
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([who, first, second]) = self;
        write!(f, "{who}:{first}:{second}")
    }
}

impl TryFrom<String> for Community {
    type Error = ParseCommunityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Community> for String {
    fn from(community: Community) -> Self {
        community.to_string()
    }
}

impl TryFrom<String> for LargeCommunity {
    type Error = ParseCommunityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LargeCommunity> for String {
    fn from(community: LargeCommunity) -> Self {
        community.to_string()
    }
}
