//! VPCs and their parts.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_types::state::{ExistingConnections, RecordData};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A virtual private cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VpcSpec {
    /// Its blocks of IPv4 addresses.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["10.0.0.0/16"]))]
    pub ipv4: Vec<Ipv4Net>,
    /// Its /48 of unique local IPv6 addresses (RFC 4193); drawn where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ipv6: Option<Ipv6Net>,
    /// What becomes of connections that a change of its rules forbids: they go on (`keep`, where nothing is said), or are
    /// cut with their next packet (`cut`).
    #[serde(default, skip_serializing_if = "ExistingConnections::is_keep")]
    #[schema(value_type = String, example = "keep")]
    pub existing_connections: ExistingConnections,
}

/// A subnet: a prefix of each family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubnetSpec {
    /// Its IPv4 prefix, of at most 29 bits; it never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "10.0.1.0/24")]
    pub ipv4: Option<Ipv4Net>,
    /// Its IPv6 prefix, of 64 bits; the first free one of the VPC where none is named. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ipv6: Option<Ipv6Net>,
    /// The router of the VPC that is its own; the system's where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
}

/// A routing table that subnets name as theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterSpec {}

/// Where packets for a destination go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// Which packets.
    #[schema(value_type = String, example = "0.0.0.0/0")]
    pub destination: IpNet,
    /// Where they go.
    pub target: RouteTargetSpec,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteTargetSpec {
    /// To this instance, by its first address of the family in the VPC: an appliance.
    Instance(String),
    /// To who holds this address of the VPC.
    #[schema(value_type = String)]
    Ip(IpAddr),
    /// To who holds the destination in this subnet.
    Subnet(String),
    /// To who holds the destination in the peer of this peering.
    Peering(String),
    /// To the world outside, by this gateway.
    InternetGateway(String),
    /// Nowhere.
    Drop,
}

/// A way to the world outside, which routes name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InternetGatewaySpec {}

/// A wish to be joined with another VPC; they are joined while both wish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeeringSpec {
    /// The other VPC's project; its own where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The other VPC.
    pub vpc: String,
}

/// A DNS record of a user, in the zone of the VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsRecordSpec {
    /// The name, relative to the VPC's zone; the zone's own where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// What is said of it: `{"addresses": [...]}`, `{"alias": NAME}`, `{"text": TEXT}` or
    /// `{"service": {"priority": …, "weight": …, "port": …, "target": NAME}}`.
    #[schema(value_type = Object)]
    pub data: RecordData,
}
