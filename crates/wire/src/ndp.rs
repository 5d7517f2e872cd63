//! Neighbour discovery (RFC 4861) with its options: those of RFC 4861 section 4.6, route
//! information (RFC 4191) and DNS (RFC 8106).
//!
//! [`NdpView::parse`] fails when the message is cut or of another type; [`NdpRepr::parse`] when its
//! code, an address or an option makes it invalid. Accessors cannot fail. What the IP header must
//! show (hop limit 255, which addresses; RFC 4861 sections 6.1, 7.1 and 8.1) and the checksum
//! ([`Icmpv6View::checksum_ok`]) are the caller's to check; whoever emits a message ends with
//! [`icmpv6::fill_checksum`](crate::icmpv6::fill_checksum).

mod options;
mod repr;
#[cfg(test)]
mod tests;
mod units;

use core::net::Ipv6Addr;

use thiserror::Error;

pub use self::options::{NdpOption, PrefixInformation, RouteInformation, RouterPreference};
pub use self::repr::{NdpRepr, RouterAdvertisement};
pub use self::units::{Lifetime, Milliseconds, RouterLifetime};
use crate::error::Truncated;
use crate::icmpv6::{Icmpv6Error, Icmpv6Type, Icmpv6View};
use crate::options::OptionIter;
use crate::raw;

/// The hop limit of every message: proof that no router forwarded it (RFC 4861 section 3.1).
pub const HOP_LIMIT: u8 = 255;

/// Bytes of a target or destination address.
const ADDRESS_LEN: usize = 16;

/// A message of one of the five types whose fixed part is whole.
#[derive(Clone, Copy, Debug)]
pub struct NdpView<'a> {
    icmp: Icmpv6View<'a>,
    /// What follows the ICMPv6 header's eight bytes, without options.
    fixed: &'a [u8],
    options: &'a [u8],
}

impl<'a> NdpView<'a> {
    /// Checks type and fixed part; `bytes` begin with the ICMPv6 header and end where the IP packet
    /// ends.
    ///
    /// # Errors
    /// Where the message is cut or of another type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NdpError> {
        Self::of_icmp(&Icmpv6View::parse(bytes)?)
    }

    /// Like [`Self::parse`] for a message whose ICMPv6 header was checked.
    ///
    /// # Errors
    /// Where the message is cut or of another type.
    pub fn of_icmp(icmp: &Icmpv6View<'a>) -> Result<Self, NdpError> {
        let fixed_len = match icmp.kind() {
            Icmpv6Type::ROUTER_SOLICITATION => 0,
            Icmpv6Type::ROUTER_ADVERTISEMENT => 8,
            Icmpv6Type::NEIGHBOR_SOLICITATION | Icmpv6Type::NEIGHBOR_ADVERTISEMENT => ADDRESS_LEN,
            Icmpv6Type::REDIRECT => 2 * ADDRESS_LEN,
            got => return Err(NdpError::Type { got }),
        };
        let payload = icmp.payload();
        let fixed = raw::prefix("neighbor discovery message", payload, fixed_len)?;
        let options = payload.get(fixed_len..).unwrap_or_default();
        Ok(Self {
            icmp: *icmp,
            fixed,
            options,
        })
    }

    /// The message as ICMPv6.
    pub const fn icmp(&self) -> Icmpv6View<'a> {
        self.icmp
    }

    /// Type, one of the five.
    pub const fn kind(&self) -> Icmpv6Type {
        self.icmp.kind()
    }

    /// Target address of a neighbour solicitation or advertisement and of a redirect.
    pub fn target(&self) -> Option<Ipv6Addr> {
        match self.kind() {
            Icmpv6Type::ROUTER_ADVERTISEMENT => None,
            _ => self
                .fixed
                .first_chunk::<ADDRESS_LEN>()
                .map(|octets| (*octets).into()),
        }
    }

    /// Destination address of a redirect.
    pub fn destination(&self) -> Option<Ipv6Addr> {
        let rest = self.fixed.get(ADDRESS_LEN..)?;
        rest.first_chunk::<ADDRESS_LEN>()
            .map(|octets| (*octets).into())
    }

    /// Options.
    pub fn options(&self) -> OptionIter<'a, NdpOption<'a>> {
        OptionIter::new(self.options)
    }
}

/// Why bytes are no neighbour discovery message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NdpError {
    /// The message is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// No ICMPv6 message at all.
    #[error(transparent)]
    Icmp(#[from] Icmpv6Error),
    /// An ICMPv6 message of another type.
    #[error("icmpv6 type at offset 0 is {got}, which is not neighbor discovery")]
    Type {
        /// The type.
        got: Icmpv6Type,
    },
    /// A code other than zero.
    #[error("{kind} code at offset 1 is {got}, expected 0")]
    Code {
        /// The type.
        kind: Icmpv6Type,
        /// The code.
        got: u8,
    },
    /// A target that is a multicast address.
    #[error("{kind} target at offset 8 is {got}, expected a unicast address")]
    Target {
        /// The type.
        kind: Icmpv6Type,
        /// The target.
        got: Ipv6Addr,
    },
    /// A redirect's destination that is a multicast address.
    #[error("redirect destination at offset 24 is {got}, expected a unicast address")]
    Destination {
        /// The destination.
        got: Ipv6Addr,
    },
    /// A redirect to what is neither a router on the link nor the destination itself.
    #[error(
        "redirect target at offset 8 is {got}, expected a link-local address or the destination"
    )]
    RedirectTarget {
        /// The target.
        got: Ipv6Addr,
    },
    /// An option is cut, or its length is zero.
    #[error(
        "neighbor discovery option {kind} at offset {offset} has length {got}, of {left} bytes left"
    )]
    OptionLength {
        /// The option's type.
        kind: u8,
        /// Bytes from the start of the options.
        offset: usize,
        /// Bytes of the option.
        got: usize,
        /// Bytes from the option to the end of the message.
        left: usize,
    },
    /// An option whose type has another length.
    #[error("neighbor discovery option {kind} has {got} bytes, which its type cannot have")]
    OptionData {
        /// The option's type.
        kind: u8,
        /// Bytes of the option.
        got: usize,
    },
    /// A prefix length above 128, or beyond the bytes that the option has for it.
    #[error("neighbor discovery option {kind} has prefix length {got} and no room for it")]
    PrefixLength {
        /// The option's type.
        kind: u8,
        /// The prefix length.
        got: u8,
    },
    /// Domain names that are cut or too long.
    #[error("neighbor discovery option {kind} has malformed domain names at offset {offset}")]
    Names {
        /// The option's type.
        kind: u8,
        /// Bytes from the start of the names.
        offset: usize,
    },
    /// The type has a variant of its own.
    #[error("neighbor discovery option type {kind} has a form of its own")]
    OptionKind {
        /// The option's type.
        kind: u8,
    },
    /// More options than a packet can hold.
    #[error("neighbor discovery options of {got} bytes, expected at most {max}")]
    OptionsTooLong {
        /// Bytes of all options.
        got: usize,
        /// Bytes that fit.
        max: usize,
    },
}
