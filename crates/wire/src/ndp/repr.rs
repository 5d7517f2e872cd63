//! Messages as values.

use core::net::Ipv6Addr;

use zerocopy::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    ADDRESS_LEN, Milliseconds, NdpError, NdpOption, NdpView, RouterLifetime, RouterPreference,
};
use crate::error::{BufferTooSmall, Truncated};
use crate::icmpv6::{self, Icmpv6Type};
use crate::options::Options;
use crate::raw;

const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum NdpRepr<'a> {
    /// Router solicitation (RFC 4861 section 4.1).
    RouterSolicitation {
        /// Options.
        options: Options<'a, NdpOption<'a>>,
    },
    /// Router advertisement (RFC 4861 section 4.2).
    RouterAdvertisement {
        /// What the router says of itself.
        router: RouterAdvertisement,
        /// Options.
        options: Options<'a, NdpOption<'a>>,
    },
    /// Neighbour solicitation (RFC 4861 section 4.3).
    NeighborSolicitation {
        /// Whose link-layer address is wanted.
        target: Ipv6Addr,
        /// Options.
        options: Options<'a, NdpOption<'a>>,
    },
    /// Neighbour advertisement (RFC 4861 section 4.4).
    NeighborAdvertisement {
        /// Whose link-layer address is told.
        target: Ipv6Addr,
        /// Whether the sender is a router (R).
        is_router: bool,
        /// Whether it answers a solicitation (S).
        solicited: bool,
        /// Whether it replaces what is cached (O).
        overrides: bool,
        /// Options.
        options: Options<'a, NdpOption<'a>>,
    },
    /// Redirect (RFC 4861 section 4.5).
    Redirect {
        /// The better first hop.
        target: Ipv6Addr,
        /// For which destination.
        destination: Ipv6Addr,
        /// Options.
        options: Options<'a, NdpOption<'a>>,
    },
}

/// What a router says of itself and its link (RFC 4861 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// Hop limit that hosts should use; zero where the router says nothing.
    pub hop_limit: u8,
    /// Whether addresses come by DHCPv6 (M).
    pub managed: bool,
    /// Whether other configuration comes by DHCPv6 (O).
    pub other: bool,
    /// How much it is preferred to other default routers (RFC 4191 section 2.2).
    pub preference: RouterPreference,
    /// For how long it is a default router.
    pub lifetime: RouterLifetime,
    /// For how long a neighbour counts as reachable.
    pub reachable: Milliseconds,
    /// Between two solicitations.
    pub retransmit: Milliseconds,
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawTimers {
    reachable: U32,
    retransmit: U32,
}

impl RouterAdvertisement {
    fn parse(view: &NdpView<'_>) -> Result<Self, Truncated> {
        let [hop_limit, flags, high, low] = view.icmp.rest_of_header();
        let (timers, _) = raw::split::<RawTimers>("router advertisement", view.fixed)?;
        Ok(Self {
            hop_limit,
            managed: flags & MANAGED != 0,
            other: flags & OTHER != 0,
            // RFC 4191 section 2.2: the reserved preference is treated as medium.
            preference: RouterPreference::of_octet(flags).unwrap_or_default(),
            lifetime: RouterLifetime::from_secs(u16::from_be_bytes([high, low])),
            reachable: Milliseconds::new(timers.reachable.get()),
            retransmit: Milliseconds::new(timers.retransmit.get()),
        })
    }

    const fn rest_of_header(&self) -> [u8; 4] {
        let managed = if self.managed { MANAGED } else { 0 };
        let other = if self.other { OTHER } else { 0 };
        let [high, low] = self.lifetime.as_secs().to_be_bytes();
        [
            self.hop_limit,
            managed | other | self.preference.octet(),
            high,
            low,
        ]
    }

    fn timers(&self) -> RawTimers {
        RawTimers {
            reachable: self.reachable.get().into(),
            retransmit: self.retransmit.get().into(),
        }
    }
}

impl<'a> NdpRepr<'a> {
    /// The message that a view shows.
    ///
    /// # Errors
    /// Where its code, an address or an option makes it invalid.
    pub fn parse(view: &NdpView<'a>) -> Result<Self, NdpError> {
        let kind = view.kind();
        if view.icmp.code() != 0 {
            return Err(NdpError::Code {
                kind,
                got: view.icmp.code(),
            });
        }
        let options = Options::parse(view.options)?;
        let target = view.target().unwrap_or(Ipv6Addr::UNSPECIFIED);
        if target.is_multicast() {
            return Err(NdpError::Target { kind, got: target });
        }
        match kind {
            Icmpv6Type::ROUTER_SOLICITATION => Ok(Self::RouterSolicitation { options }),
            Icmpv6Type::ROUTER_ADVERTISEMENT => {
                let router = RouterAdvertisement::parse(view)?;
                Ok(Self::RouterAdvertisement { router, options })
            }
            Icmpv6Type::NEIGHBOR_SOLICITATION => Ok(Self::NeighborSolicitation { target, options }),
            Icmpv6Type::NEIGHBOR_ADVERTISEMENT => {
                let [flags, ..] = view.icmp.rest_of_header();
                Ok(Self::NeighborAdvertisement {
                    target,
                    is_router: flags & ROUTER != 0,
                    solicited: flags & SOLICITED != 0,
                    overrides: flags & OVERRIDE != 0,
                    options,
                })
            }
            Icmpv6Type::REDIRECT => redirect(target, view.destination(), options),
            got => Err(NdpError::Type { got }),
        }
    }

    /// The ICMPv6 type.
    #[must_use]
    pub const fn kind(&self) -> Icmpv6Type {
        match self {
            Self::RouterSolicitation { .. } => Icmpv6Type::ROUTER_SOLICITATION,
            Self::RouterAdvertisement { .. } => Icmpv6Type::ROUTER_ADVERTISEMENT,
            Self::NeighborSolicitation { .. } => Icmpv6Type::NEIGHBOR_SOLICITATION,
            Self::NeighborAdvertisement { .. } => Icmpv6Type::NEIGHBOR_ADVERTISEMENT,
            Self::Redirect { .. } => Icmpv6Type::REDIRECT,
        }
    }

    /// Options.
    #[must_use]
    pub const fn options(&self) -> Options<'a, NdpOption<'a>> {
        match *self {
            Self::RouterSolicitation { options }
            | Self::RouterAdvertisement { options, .. }
            | Self::NeighborSolicitation { options, .. }
            | Self::NeighborAdvertisement { options, .. }
            | Self::Redirect { options, .. } => options,
        }
    }

    /// Bytes of the message, ICMPv6 header included.
    pub fn buffer_len(&self) -> usize {
        let fixed = match self {
            Self::RouterSolicitation { .. } => 0,
            Self::RouterAdvertisement { .. } => size_of::<RawTimers>(),
            Self::NeighborSolicitation { .. } | Self::NeighborAdvertisement { .. } => ADDRESS_LEN,
            Self::Redirect { .. } => 2 * ADDRESS_LEN,
        };
        icmpv6::HEADER_LEN + fixed + self.options().buffer_len()
    }

    /// Writes the message, its checksum zero, to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let message = raw::room(buffer, self.buffer_len())?;
        let rest = match *self {
            Self::RouterAdvertisement { ref router, .. } => router.rest_of_header(),
            Self::NeighborAdvertisement {
                is_router,
                solicited,
                overrides,
                ..
            } => {
                let is_router = if is_router { ROUTER } else { 0 };
                let solicited = if solicited { SOLICITED } else { 0 };
                let overrides = if overrides { OVERRIDE } else { 0 };
                [is_router | solicited | overrides, 0, 0, 0]
            }
            _ => [0; 4],
        };
        let raw = icmpv6::Raw {
            kind: self.kind().get(),
            code: 0,
            checksum: 0.into(),
            rest,
        };
        let fixed = raw::put(&raw, message)?;
        let options = match self {
            Self::RouterSolicitation { .. } => fixed,
            Self::RouterAdvertisement { router, .. } => raw::put(&router.timers(), fixed)?,
            Self::NeighborSolicitation { target, .. }
            | Self::NeighborAdvertisement { target, .. } => {
                raw::put_bytes(&target.octets(), fixed)?
            }
            Self::Redirect {
                target,
                destination,
                ..
            } => raw::put_bytes(
                &destination.octets(),
                raw::put_bytes(&target.octets(), fixed)?,
            )?,
        };
        self.options().emit(options)
    }
}

/// RFC 4861 section 8.1.
fn redirect<'a>(
    target: Ipv6Addr,
    destination: Option<Ipv6Addr>,
    options: Options<'a, NdpOption<'a>>,
) -> Result<NdpRepr<'a>, NdpError> {
    let destination = destination.unwrap_or(Ipv6Addr::UNSPECIFIED);
    if destination.is_multicast() {
        return Err(NdpError::Destination { got: destination });
    }
    if !target.is_unicast_link_local() && target != destination {
        return Err(NdpError::RedirectTarget { got: target });
    }
    Ok(NdpRepr::Redirect {
        target,
        destination,
        options,
    })
}
