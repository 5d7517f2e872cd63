//! A guest's NIC.

use alloc::vec::Vec;
use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    Caps, DhcpSettings, ExternalAddress, NatBlock, PortLimits, RouterId, RuleSetId, StateVersion,
    SubnetId,
};
use crate::{Generation, MacAddr, Mtu, PortId, Vni};

/// All that makes one guest NIC different from the others of its VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortConfig {
    /// Version of the format.
    pub version: StateVersion,
    /// Counts the changes of this object.
    pub generation: Generation,
    /// Its number, unique in the AZ.
    pub id: PortId,
    /// Its Ethernet address, unique in the AZ.
    pub mac: MacAddr,
    /// Its place among the instance's NICs, which never changes.
    pub slot: u8,
    /// Its VPC: the identifier of a [`VpcState`](super::VpcState).
    pub vni: Vni,
    /// Its addresses; the first of each family is the primary one, which DHCPv4 gives out.
    pub addresses: Vec<PortAddress>,
    /// Sources the guest may send with, and destinations it receives, besides its addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transit: Vec<IpNet>,
    /// The router of its VPC that is in force for it.
    pub router: RouterId,
    /// The rule sets of its VPC that are in force for it.
    #[serde(default)]
    pub rule_sets: Vec<RuleSetId>,
    /// External addresses that it has for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<ExternalAddress>,
    /// Its share of external addresses that it has together with others, one for each family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nat: Vec<NatBlock>,
    /// How fast it may send and receive.
    #[serde(default)]
    pub caps: Caps,
    /// How much state it may hold.
    #[serde(default, skip_serializing_if = "PortLimits::is_default")]
    pub limits: PortLimits,
    /// The longest IP packet it may send and receives.
    pub mtu: Mtu,
    /// What it is told besides its addresses.
    #[serde(default)]
    pub dhcp: DhcpSettings,
}

/// An address of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortAddress {
    /// The address.
    pub address: IpAddr,
    /// The subnet of the VPC it lies in.
    pub subnet: SubnetId,
}
