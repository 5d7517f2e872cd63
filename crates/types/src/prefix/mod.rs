//! Prefixes of the underlay: AZ /48, rack /56, node /64, and the service rack.
//!
//! ```text
//! fd00:1122:3344 : 01 : 0d :: 1
//! └── AZ, /48 ─┘   │    │     └ tunnel end point and own address of the node
//!                  │    └ node (/64): sleds from 01, switches fd and fe
//!                  └ rack (/56): 01 to fe; ff is the service rack
//! ```

mod az;
mod bootstrap;
mod node;
mod rack;
mod service;

pub use az::AzPrefix;
pub use bootstrap::BootstrapPrefix;
pub use node::NodePrefix;
pub use rack::RackPrefix;
pub use service::{ServiceError, ServicePrefix, ServiceRole};

use core::fmt;
use core::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// Why something is not a prefix of the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixError {
    /// The text is not an IPv6 prefix.
    NotAPrefix,
    /// The prefix has another length than this one.
    Length {
        /// The length that such a prefix has.
        expected: u8,
        /// The length that was found.
        found: u8,
    },
    /// Bits are set behind the prefix.
    HostBits,
    /// The prefix is not within `fd00::/8`, the locally assigned unicast space (RFC 4193).
    NotUla,
    /// The prefix would hold the metadata address of guests.
    HoldsMetadata,
    /// The rack octet is 00 or ff.
    Rack(u8),
    /// The node octet is 00 or ff.
    Node(u8),
    /// The prefix is not within `fdb0::/16`, the bootstrap network's.
    NotBootstrap,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPrefix => f.write_str("an ipv6 prefix is written as fd00:1:2::/48"),
            Self::Length { expected, found } => {
                write!(f, "the prefix length is {found} where {expected} is due")
            }
            Self::HostBits => f.write_str("bits are set behind the prefix"),
            Self::NotUla => f.write_str("the prefix is not within fd00::/8"),
            Self::HoldsMetadata => f.write_str("the prefix holds the metadata address of guests"),
            Self::Rack(number) => write!(f, "no rack has the number {number:02x}"),
            Self::Node(number) => write!(f, "no node has the number {number:02x}"),
            Self::NotBootstrap => f.write_str("the prefix is not within fdb0::/16"),
        }
    }
}

impl core::error::Error for PrefixError {}

/// The prefix that `text` is, of exactly this length.
fn parse_net(text: &str, expected: u8) -> Result<Ipv6Net, PrefixError> {
    text.parse()
        .map_err(|_| PrefixError::NotAPrefix)
        .and_then(|net| of_length(net, expected))
}

/// `net` where it has exactly this length, and no bit behind it.
fn of_length(net: Ipv6Net, expected: u8) -> Result<Ipv6Net, PrefixError> {
    if net.prefix_len() != expected {
        return Err(PrefixError::Length {
            expected,
            found: net.prefix_len(),
        });
    }
    if net.addr() == net.network() {
        Ok(net)
    } else {
        Err(PrefixError::HostBits)
    }
}

/// The address of the AZ with this rack, node and last octet.
fn address(az: AzPrefix, rack: u8, node: u8, last: u8) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets[..6].copy_from_slice(&az.octets());
    octets[6] = rack;
    octets[7] = node;
    octets[15] = last;
    Ipv6Addr::from(octets)
}

/// The AZ that the address is of, and the rack's and node's octets.
fn split(addr: Ipv6Addr) -> Result<(AzPrefix, u8, u8), PrefixError> {
    let octets = addr.octets();
    let mut az = [0; 6];
    az.copy_from_slice(&octets[..6]);
    Ok((AzPrefix::new(az)?, octets[6], octets[7]))
}

/// Implements the text form of a prefix by its `net()` and `TryFrom<Ipv6Net>`.
macro_rules! text_of_prefix {
    ($type:ty) => {
        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.net(), f)
            }
        }

        impl core::str::FromStr for $type {
            type Err = crate::prefix::PrefixError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::prefix::parse_net(text, Self::LENGTH)?.try_into()
            }
        }

        crate::text::serde_as_text!($type);
    };
}

use text_of_prefix;
