//! What every other crate agrees on: identifiers, addresses, units, and the state handed down to
//! nodes.
//!
//! Nothing here behaves: types carry their invariants (a [`Vni`] cannot hold 2^24) and say how
//! they are written.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod asn;
mod direction;
mod generation;
mod instant;
mod location;
mod mac;
mod mtu;
mod port_id;
mod port_range;
mod prefix;
mod rate;
pub mod reserved;
mod role;
pub mod state;
mod text;
mod vlan;
mod vni;

pub use asn::{Asn, AsnError};
pub use direction::Direction;
pub use generation::{Generation, ParseGenerationError};
pub use instant::Instant;
pub use location::{NodeNumber, NodeNumberError, RackNumber, RackNumberError};
pub use mac::{MacAddr, ParseMacError};
pub use mtu::{Mtu, MtuError};
pub use port_id::{ParsePortIdError, PortId};
pub use port_range::{PortRange, PortRangeError};
pub use prefix::{
    AzPrefix, BootstrapPrefix, NodePrefix, PrefixError, RackPrefix, ServiceError, ServicePrefix,
    ServiceRole,
};
pub use rate::{BytesPerSecond, PacketsPerSecond, ParseRateError};
pub use role::{ParseRoleError, Role};
pub use vlan::{Vlan, VlanError};
pub use vni::{ParseVniError, Vni, VniOutOfRange};
