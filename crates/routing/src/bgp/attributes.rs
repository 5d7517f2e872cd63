//! What is said of a route.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::Asn;
use serde::{Deserialize, Serialize};

use super::as_path::AsPath;
use super::community::{Community, LargeCommunity};

/// Where a route is from, the preferred first (RFC 4271, section 5.1.1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Of the system that originates it.
    #[default]
    Igp,
    /// Of the Exterior Gateway Protocol.
    Egp,
    /// Of something else.
    Incomplete,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "igp",
            Self::Egp => "egp",
            Self::Incomplete => "incomplete",
        })
    }
}

/// Whom to give packets to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHop {
    /// By IPv4.
    V4(Ipv4Addr),
    /// By IPv6 (RFC 2545, section 3; for IPv4 prefixes RFC 8950).
    V6 {
        /// The global address; unspecified where there is the other alone.
        global: Ipv6Addr,
        /// The address on the link that is shared with the receiver.
        link_local: Option<Ipv6Addr>,
    },
}

impl NextHop {
    /// The address that packets are given to: the one on the link, where there is one.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(address),
            Self::V6 { global, link_local } => IpAddr::V6(match link_local {
                Some(address) => address,
                None => global,
            }),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

/// Who made one route of many (RFC 4271, section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Aggregator {
    /// Its system.
    pub asn: Asn,
    /// Its identifier.
    pub id: Ipv4Addr,
}

/// An attribute that we do not know and that others are to have: optional and transitive (RFC 4271, section 5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unknown {
    /// Its type.
    pub kind: u8,
    /// Its octets.
    pub value: Vec<u8>,
}

/// All that is said of a route.
///
/// The order of the fields is the order in which two are compared to find out whether they are the same: what differs
/// most often comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attributes {
    /// The systems passed.
    pub as_path: AsPath,
    /// Whom to give packets to.
    pub next_hop: NextHop,
    /// Where it is from.
    pub origin: Origin,
    /// Which of several links between two systems is preferred: the lower (`MULTI_EXIT_DISC`).
    pub med: Option<u32>,
    /// How it is preferred inside the system: the higher.
    pub local_pref: Option<u32>,
    /// Marks, in order and each once.
    pub communities: Vec<Community>,
    /// Large marks, in order and each once.
    pub large_communities: Vec<LargeCommunity>,
    /// Extended marks (RFC 4360), passed on as they are.
    pub extended_communities: Vec<[u8; 8]>,
    /// Who made it of many.
    pub aggregator: Option<Aggregator>,
    /// Whether systems are missing from the path because it was made of many.
    pub atomic_aggregate: bool,
    /// Who brought it into the system, where a route reflector passed it on (RFC 4456).
    pub originator: Option<Ipv4Addr>,
    /// What is passed on unknown, by type.
    pub unknown: Vec<Unknown>,
}

impl Attributes {
    /// Nothing but a next hop: as a system's own routes are.
    #[must_use]
    pub const fn new(next_hop: NextHop) -> Self {
        Self {
            as_path: AsPath(Vec::new()),
            next_hop,
            origin: Origin::Igp,
            med: None,
            local_pref: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            extended_communities: Vec::new(),
            aggregator: None,
            atomic_aggregate: false,
            originator: None,
            unknown: Vec::new(),
        }
    }

    /// Whether it carries a mark.
    #[must_use]
    pub fn has(&self, community: Community) -> bool {
        self.communities.contains(&community)
    }
}
