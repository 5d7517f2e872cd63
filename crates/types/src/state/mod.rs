//! The state handed down to nodes: what a controller plans and a data plane runs.
//!
//! A state is a set of objects. An object is planned and encoded once and goes to every node that
//! needs it, so nothing stands in two of them: a thousand ports of a VPC name its rule sets by
//! number, and a guest that moves changes one [`MappingState`], not its VPC's peers as well.
//!
//! | object | one for each | named by |
//! |---|---|---|
//! | [`PortConfig`] | guest NIC | [`PortId`](crate::PortId) |
//! | [`VpcState`] | VPC | [`Vni`](crate::Vni) |
//! | [`MappingState`] | VPC, and the external addresses of the AZ | [`Vni`](crate::Vni) |
//! | [`BoundaryState`] | AZ | – |
//! | [`SledUnderlay`] | sled | – |
//! | [`SystemState`] | sled | – |
//! | [`Attachment`] | guest NIC | [`PortId`](crate::PortId) |
//! | [`ZoneState`] | DNS zone of a VPC | [`Vni`](crate::Vni) and origin |
//! | [`InstanceState`] | instance | [`InstanceId`] |
//! | [`SwitchConfig`] | switch | – |
//! | [`NatState`] | AZ | – |
//!
//! [`HostState`] is the set of those that a sled needs, [`SwitchState`] that of a switch. On the way to it each is an object of its own
//! ([`StateObject`]), also the rule sets of a VPC, and [`StateDelta`] is what changes.
//!
//! Each object carries the [version](StateVersion) of its format and a
//! [generation](crate::Generation). People who write files count changes; a planner, whose states follow
//! from what was asked for alone, takes a digest of the object: generations differ where objects
//! do, and the greater one says nothing. [`from_file`] refuses fields it does not know, for people who
//! mistype one; [`from_stream`] ignores them, for a sender one release ahead. Types without an
//! invariant of their own (an address that should lie in a subnet) are checked by who runs them.

mod attachment;
mod boundary;
mod delta;
mod dhcp;
mod digest;
mod firewall;
mod host;
mod ids;
mod instance;
mod limits;
mod mapping;
mod name;
mod nat;
mod object;
mod port;
mod read;
mod route;
mod switch;
mod underlay;
mod version;
mod vpc;
mod zone;

pub use attachment::{
    Attachment, Device, InterfaceName, InterfaceNameError, TapDevice, VhostUserDevice,
};
pub use boundary::{BoundaryGroup, BoundaryState};
pub use delta::{DeltaError, MappingDelta, NatDelta, ObjectChange, StateDelta, ZoneDelta};
pub use dhcp::{DhcpSettings, LeaseTime, LeaseTimeError};
pub use digest::{ParseStateDigestError, StateDigest};
pub use firewall::{
    Filters, FirewallAction, FirewallRule, HostFilter, IcmpFilter, ProtocolFilter, RuleSet,
};
pub use host::{HostState, SystemState};
pub use ids::{FirewallRuleId, RouteId, RouterId, RuleSetId, SubnetId};
pub use instance::{InstanceId, InstanceState, ParseInstanceIdError};
pub use limits::{Cap, Caps, PortLimits};
pub use mapping::{MappingEntry, MappingState};
pub use name::{DomainName, DomainNameError};
pub use nat::{ExternalAddress, ExternalKind, NatBlock, PortBlock, PortBlockError};
pub use object::{ObjectName, StateObject};
pub use port::{PortAddress, PortConfig};
pub use read::{FileError, from_file, from_stream};
pub use route::{Route, RouteTarget, Router};
pub use switch::{
    BgpPeerConfig, BoundaryDevice, NatEntry, NatState, StaticRouteConfig, SwitchConfig,
    SwitchState, UplinkConfig,
};
pub use underlay::SledUnderlay;
pub use version::{StateVersion, UnreadableVersion};
pub use vpc::{ExistingConnections, Peer, Subnet, TransitHolder, VpcState};
pub use zone::{RecordData, ZoneRecord, ZoneState};
