//! Who is at the other end of a link (IEEE 802.1AB).

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

/// A system at the other end of a link, as it described itself. Its texts are on one line and without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LldpNeighbor {
    /// The link's name.
    pub link: String,
    /// Whether the link is up now.
    pub link_up: bool,
    /// The Ethernet address that the last frame came from.
    pub from: MacAddr,
    /// The system.
    pub chassis: String,
    /// What `chassis` is made of: `mac`, `network`, `local`, …
    pub chassis_kind: String,
    /// Its port.
    pub port: String,
    /// What `port` is made of: `interface_name`, `mac`, `local`, …
    pub port_kind: String,
    /// Its port, for people.
    pub port_description: Option<String>,
    /// Its name.
    pub system_name: Option<String>,
    /// What it is, for people.
    pub system_description: Option<String>,
    /// What it could do: `bridge`, `router`, `station`, …
    pub capabilities: Option<Vec<String>>,
    /// What it does.
    pub enabled: Option<Vec<String>>,
    /// Where it can be managed.
    pub management: Vec<LldpManagement>,
    /// What its port runs as: a number of `dot3MauType` (RFC 4836).
    pub mau: Option<u16>,
    /// Whether its port agrees on a speed with ours.
    pub autonegotiates: Option<bool>,
    /// Octets of its port's longest frame.
    pub max_frame: Option<u16>,
    /// What else it said.
    pub unknown: Vec<LldpUnknown>,
    /// How long to believe it after each frame, in seconds.
    pub ttl: u16,
    /// For how long it has been known, in seconds.
    pub known_seconds: u64,
    /// How long ago it was heard, in seconds.
    pub heard_seconds: u64,
    /// How often it was heard.
    pub frames: u64,
}

/// Where a system can be managed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LldpManagement {
    /// The address; in hexadecimal octets with the number of its family first, where it is none of the Internet's.
    pub address: String,
    /// The number of its interface, where it said one.
    pub interface: Option<u32>,
}

/// An element that is passed on as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LldpUnknown {
    /// Its type; 127 for those of organisations.
    pub kind: u8,
    /// Whose it is: `00-80-c2`.
    pub organisation: Option<String>,
    /// What of that organisation's.
    pub subtype: Option<u8>,
    /// What follows.
    pub octets: Vec<u8>,
}
