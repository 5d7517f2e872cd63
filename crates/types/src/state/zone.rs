//! DNS zones that guests of a VPC see.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{DomainName, StateVersion};
use crate::{Generation, Vni};

/// A zone of internal DNS as the guests of one VPC see it (seed 000, "Internal DNS").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneState {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object; also the serial number of the zone.
    pub generation: Generation,
    /// The VPC.
    pub vni: Vni,
    /// The zone's name; two zones of a VPC have different ones.
    pub origin: DomainName,
    /// How long an answer may be kept, in seconds.
    #[serde(default = "default_ttl")]
    pub ttl: u32,
    /// What it holds.
    #[serde(default)]
    pub records: Vec<ZoneRecord>,
}

/// What a zone says of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRecord {
    /// The name, relative to the zone's; the zone's own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<DomainName>,
    /// What is said.
    pub data: RecordData,
}

/// The data of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordData {
    /// Addresses of either family (types A and AAAA), with names found backwards (type PTR).
    Addresses(Vec<IpAddr>),
    /// Another name (type CNAME).
    Alias(DomainName),
    /// A text (type TXT).
    Text(String),
    /// Where a service is (type SRV, RFC 2782).
    Service {
        /// The lowest is tried first.
        priority: u16,
        /// Share among those of equal priority.
        weight: u16,
        /// Port number.
        port: u16,
        /// Host.
        target: DomainName,
    },
}

const fn default_ttl() -> u32 {
    5
}
