//! What an object is kept under.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names an object over its life; written as sixteen hexadecimal digits, of which twelve are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

impl Id {
    /// The greatest number, of 48 bits: the name of a TAP is made from it and has room for no more.
    pub const MAX: u64 = 0xffff_ffff_ffff;

    /// The object with this number, cut to 48 bits.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number & Self::MAX)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is sixteen hexadecimal digits, such as 00007c22a9e0015f")]
pub struct ParseIdError;

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok();
        let number = number.filter(|number| digits && *number <= Self::MAX);
        number.map(Self).ok_or(ParseIdError)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal under $parent:expr;)+) => {
        /// A kind of object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// Every kind, parents before their children.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The kind as it stands in keys and messages.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// The kind of parent under which names are unique; none where that is the AZ.
            #[must_use]
            pub const fn parent(self) -> Option<Self> {
                match self {
                    $(Self::$kind => $parent,)+
                }
            }
        }
    };
}

kinds! {
    /// The AZ itself, one object.
    Az = "az" under None;
    /// A rack.
    Rack = "rack" under None;
    /// A sled.
    Sled = "sled" under None;
    /// A rack switch.
    Switch = "switch" under None;
    /// A link of a switch to the customer's network.
    Uplink = "uplink" under Some(Self::Switch);
    /// A BGP session of a switch.
    BgpPeer = "bgp-peer" under Some(Self::Switch);
    /// A static route of a switch.
    StaticRoute = "static-route" under Some(Self::Switch);
    /// External addresses.
    IpPool = "ip-pool" under None;
    /// Users' objects that belong together, and who may see them.
    Project = "project" under None;
    /// A pool that a project may take addresses from.
    PoolLink = "pool-link" under Some(Self::Project);
    /// A virtual private cloud.
    Vpc = "vpc" under Some(Self::Project);
    /// A subnet.
    Subnet = "subnet" under Some(Self::Vpc);
    /// A routing table.
    Router = "router" under Some(Self::Vpc);
    /// A route of a table.
    Route = "route" under Some(Self::Router);
    /// A firewall rule.
    FirewallRule = "firewall-rule" under Some(Self::Vpc);
    /// A way to the world outside.
    InternetGateway = "internet-gateway" under Some(Self::Vpc);
    /// A wish to be joined with another VPC.
    Peering = "peering" under Some(Self::Vpc);
    /// A DNS record of a user.
    DnsRecord = "dns-record" under Some(Self::Vpc);
    /// A guest.
    Instance = "instance" under Some(Self::Project);
    /// A NIC of a guest.
    Nic = "nic" under Some(Self::Instance);
    /// An external address that outlives instances.
    FloatingIp = "floating-ip" under Some(Self::Project);
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such kind of object")]
pub struct ParseKindError;

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = Self::ALL.iter();
        all.copied()
            .find(|kind| kind.name() == text)
            .ok_or(ParseKindError)
    }
}

/// What an object is kept under; written as `intent/vpc/00007c22a9e0015f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
}

impl Key {
    /// What all keys begin with.
    pub const PREFIX: &'static str = "intent/";
    /// The key of the count of commits, beside those of objects.
    pub const HEAD: &'static str = "intent/head";

    /// The key of this object.
    #[must_use]
    pub const fn new(kind: Kind, id: Id) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", Self::PREFIX, self.kind, self.id)
    }
}

/// A text that is no key of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is written as intent/KIND/ID")]
pub struct ParseKeyError;

impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix(Self::PREFIX);
        let (kind, id) = parts
            .and_then(|parts| parts.split_once('/'))
            .ok_or(ParseKeyError)?;
        Ok(Self {
            kind: kind.parse().map_err(|_| ParseKeyError)?,
            id: id.parse().map_err(|_| ParseKeyError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_as_it_is_written() {
        for kind in Kind::ALL {
            let key = Key::new(*kind, Id::new(0x2f1));
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert_eq!(
            Key::new(Kind::Vpc, Id::new(0x2f1)).to_string(),
            "intent/vpc/00000000000002f1"
        );
        for text in [Key::HEAD, "intent/vpc/2f1", "intent/box/00000000000002f1"] {
            assert_eq!(text.parse::<Key>(), Err(ParseKeyError), "{text}");
        }
    }

    #[test]
    fn parents_stand_before_their_children() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            let parent = kind.parent();
            assert!(parent.is_none_or(|parent| Kind::ALL[..at].contains(&parent)));
        }
    }

    #[test]
    fn an_id_has_48_bits() {
        assert!("00007c22a9e0015f".parse::<Id>().is_ok());
        assert_eq!("00017c22a9e0015f0".parse::<Id>(), Err(ParseIdError));
        assert_eq!("10007c22a9e0015f".parse::<Id>(), Err(ParseIdError));
    }
}
