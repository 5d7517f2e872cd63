//! What can be wrong with a configuration, and where.

use alloc::string::String;
use core::fmt;

use ipnet::IpNet;
use rackweave_types::state::{FirewallRuleId, RouterId, RuleSetId, SubnetId};
use rackweave_types::{PortId, Vni};

/// Why a configuration cannot be run: the object, the field in it, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The object.
    pub object: ConfigObject,
    /// The field's path, such as `routers[0].routes[3].target`.
    pub field: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// An object of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConfigObject {
    /// A port.
    Port(PortId),
    /// A VPC.
    Vpc(Vni),
    /// Boundary services.
    Boundary,
    /// The sled's underlay.
    Underlay,
}

/// What can be wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The port is of another VPC than the one given.
    WrongVpc(Vni),
    /// Not an Ethernet address that a guest may have.
    NotGuestMac,
    /// An Ethernet address of a group, or none.
    NotUnicastMac,
    /// A port needs an address.
    NoAddress,
    /// The VPC has no such subnet.
    NoSuchSubnet(SubnetId),
    /// The VPC has no such router.
    NoSuchRouter(RouterId),
    /// The VPC has no such rule set.
    NoSuchRuleSet(RuleSetId),
    /// Neither the VPC itself nor a peer of it.
    NoSuchVpc(Vni),
    /// The address does not lie in this subnet.
    NotInSubnet(SubnetId),
    /// The address is reserved in its subnet.
    ReservedAddress,
    /// More than this.
    TooMany {
        /// The most there may be.
        max: usize,
    },
    /// The same stands there before.
    Duplicate,
    /// The rule's number stands in another set as well.
    DuplicateRule(FirewallRuleId),
    /// The prefix has bits behind its length; this would be it.
    HostBits(IpNet),
    /// The prefix has not this length.
    PrefixLength(u8),
    /// The prefix is longer than this.
    PrefixTooLong(u8),
    /// The prefix or address is of no block of the VPC.
    OutsideVpc,
    /// The address or prefix of the world outside lies within a block of the VPC.
    InsideVpc,
    /// It overlaps this one.
    Overlap(IpNet),
    /// Not the address or prefix of a host: unspecified, loopback, link-local, multicast, mapped.
    NotUnicast,
    /// Not a block of unique local addresses (RFC 4193).
    NotUniqueLocal,
    /// It lies within the underlay.
    Underlay,
    /// A subnet needs a prefix.
    NoPrefix,
    /// A network identifier that a VPC cannot have: 0, or the boundary's.
    ReservedVni,
    /// A network identifier that is not the system's.
    NotSystemVni,
    /// Not one of the port's addresses.
    NotOwnAddress,
    /// Two addresses that must be of one family are not.
    FamilyMismatch,
    /// The port has no address of this family.
    NoAddressOfFamily,
    /// The inside address has an ephemeral address before.
    EphemeralTwice,
    /// There is a block of ports of this family before.
    NatTwice,
    /// No boundary group serves this address.
    NoBoundaryGroup,
    /// Not the address of a boundary group of the AZ.
    NotBoundaryGroup,
    /// The sled's prefix is a switch's.
    NotSled,
    /// Longer than the underlay can carry encapsulated.
    MtuTooLong {
        /// The greatest value.
        max: u16,
    },
    /// Shorter than every underlay must carry.
    MtuTooShort {
        /// The least value.
        min: u16,
    },
    /// Nothing would ever pass.
    Zero,
    /// A burst that the greatest frame does not fit into.
    BurstTooSmall {
        /// The least value.
        min: u64,
    },
    /// A destination that is not of the subnet or peer it leads to.
    OutsideTarget,
    /// Ports are asked for of a protocol without.
    PortsOfProtocol,
    /// No packet can match: its protocols are of the other family than its hosts.
    MatchesNothing,
    /// More combinations of hosts, protocols and ports than a rule may have.
    TooManyCombinations {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for ConfigObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(id) => write!(f, "port {id}"),
            Self::Vpc(vni) => write!(f, "vpc {vni}"),
            Self::Boundary => f.write_str("boundary"),
            Self::Underlay => f.write_str("underlay"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.problem)
    }
}

impl core::error::Error for ConfigError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongVpc(vni) => write!(f, "the vpc given has the vni {vni}"),
            Self::TooMany { max } => write!(f, "there may be at most {max}"),
            Self::NoSuchSubnet(id) => write!(f, "the vpc has no subnet {id}"),
            Self::NoSuchRouter(id) => write!(f, "the vpc has no router {id}"),
            Self::NoSuchRuleSet(id) => write!(f, "the vpc has no rule set {id}"),
            Self::NoSuchVpc(vni) => write!(f, "{vni} is neither the vpc nor a peer of it"),
            Self::NotInSubnet(id) => write!(f, "it is not of subnet {id}"),
            Self::DuplicateRule(id) => write!(f, "another set has a rule {id}"),
            Self::HostBits(net) => write!(f, "it has bits behind its length; is {net} meant?"),
            Self::PrefixLength(len) => write!(f, "its length must be {len}"),
            Self::PrefixTooLong(len) => write!(f, "its length may be at most {len}"),
            Self::Overlap(net) => write!(f, "it overlaps {net}"),
            Self::MtuTooLong { max } => write!(f, "the underlay carries at most {max} octets"),
            Self::MtuTooShort { min } => write!(f, "an underlay carries at least {min} octets"),
            Self::BurstTooSmall { min } => {
                write!(f, "the greatest frame needs a burst of at least {min}")
            }
            Self::TooManyCombinations { count } => {
                let max = crate::MAX_COMBINATIONS;
                write!(
                    f,
                    "{count} combinations of hosts, protocols and ports are above {max}"
                )
            }
            other => f.write_str(other.plain()),
        }
    }
}

impl Problem {
    /// The text of a problem that carries no detail.
    const fn plain(&self) -> &'static str {
        match self {
            Self::NotGuestMac => "not a guest's ethernet address",
            Self::NotUnicastMac => "not one station's ethernet address",
            Self::NoAddress => "a port needs an address",
            Self::ReservedAddress => "the address is reserved in its subnet",
            Self::Duplicate => "the same stands there before",
            Self::OutsideVpc => "it is not within a block of the vpc",
            Self::InsideVpc => "it is within a block of the vpc or of a peer",
            Self::NotUnicast => "not the address or prefix of a host",
            Self::NotUniqueLocal => "not a block of unique local addresses",
            Self::Underlay => "it is within the underlay",
            Self::NoPrefix => "a subnet needs a prefix of one family at least",
            Self::ReservedVni => "no vpc has this vni",
            Self::NotSystemVni => "the vni is not the system's",
            Self::NotOwnAddress => "the port does not have this address",
            Self::FamilyMismatch => "addresses of one family needed",
            Self::NoAddressOfFamily => "the port has no address of this family",
            Self::EphemeralTwice => "the inside address has an ephemeral address before",
            Self::NatTwice => "there is a block of ports of this family before",
            Self::NoBoundaryGroup => "no boundary group serves this address",
            Self::NotBoundaryGroup => "not the address of a boundary group of the az",
            Self::NotSled => "the prefix is a switch's",
            Self::Zero => "nothing would ever pass",
            Self::OutsideTarget => "the destination is not within what the target holds",
            Self::PortsOfProtocol => "only tcp and udp have ports",
            Self::MatchesNothing => "no packet can match",
            _ => "invalid",
        }
    }
}
