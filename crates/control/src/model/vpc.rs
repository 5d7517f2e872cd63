//! VPCs and their parts, but for routes and rules.

use ipnet::{Ipv4Net, Ipv6Net};
use rackweave_types::Vni;
use rackweave_types::state::{DomainName, ExistingConnections, RecordData, SubnetId};
use serde::{Deserialize, Serialize};

use crate::key::Id;
use crate::name::Name;

/// A virtual private cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcSpec {
    /// Its blocks of IPv4 addresses.
    #[serde(default)]
    pub ipv4: Vec<Ipv4Net>,
    /// Its /48 of unique local IPv6 addresses (RFC 4193); drawn where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
    /// What becomes of connections that a change of its rules forbids.
    #[serde(default, skip_serializing_if = "ExistingConnections::is_keep")]
    pub existing_connections: ExistingConnections,
}

/// What a VPC was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcGiven {
    /// Its network identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vni: Option<Vni>,
    /// Its block of IPv6 addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
    /// The last number given to a subnet, router, route, rule or rule set.
    #[serde(default)]
    pub last_number: u32,
}

/// A subnet: a prefix of each family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetSpec {
    /// Its IPv4 prefix, of at most 29 bits; it never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Net>,
    /// Its IPv6 prefix, of 64 bits; the first free one of the VPC where none is named. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
    /// The router of the VPC that is its own; the system's where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Name>,
}

/// What a subnet was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetGiven {
    /// Its number in the VPC.
    #[serde(default)]
    pub number: u32,
    /// Its IPv6 prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Net>,
}

impl SubnetGiven {
    /// The subnet's number.
    #[must_use]
    pub const fn id(&self) -> SubnetId {
        SubnetId::new(self.number)
    }
}

/// A way to the world outside, which routes name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGatewaySpec {}

/// A wish to be joined with another VPC; they are joined while both wish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringSpec {
    /// The other VPC's project; its own where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// The other VPC.
    pub vpc: Name,
}

/// What a peering was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringGiven {
    /// The other VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Id>,
}

/// A DNS record of a user, in the zone of the VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecordSpec {
    /// The name, relative to the VPC's zone; the zone's own where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<DomainName>,
    /// What is said of it.
    pub data: RecordData,
}
