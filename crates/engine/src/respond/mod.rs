//! Packets that the engine makes itself: answers in the name of the network, and refusals.
//!
//! Each responder takes the request's frame and leaves the answer in its place. The frame starts at
//! the inner Ethernet header; the answer goes back the way the request came. Guests are hostile:
//! what is malformed gets no answer, and a frame that gets none is left as it was.

mod arp;
mod dhcp4;
mod dhcp6;
mod echo;
mod name;
mod neighbor;
mod packet;
mod refuse;
mod router;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod validate;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use rackweave_types::MacAddr;
use rackweave_wire::dhcpv4::Dhcpv4Error;
use rackweave_wire::dhcpv6::Dhcpv6Error;
use serde::{Deserialize, Serialize};

use crate::drop_reason::DropReason;
use crate::frame::Frame;
use crate::parse::Parsed;

pub use refuse::{reject, tcp_reset, time_exceeded, too_big, unreachable};
pub use validate::ResponderError;

/// Who answers, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Responder {
    /// ARP requests (RFC 826): the target is at this address.
    Arp {
        /// The link-layer address to tell.
        mac: MacAddr,
    },
    /// Neighbour solicitations (RFC 4861, section 7.2.4): the target is at this address.
    Neighbor {
        /// The link-layer address to tell.
        mac: MacAddr,
        /// Whether the target is a router (the R flag): a host that hears its router deny this
        /// drops its default route (RFC 4861, section 7.2.5).
        router: bool,
    },
    /// Router solicitations (RFC 4861, section 6.2.6).
    Router(RouterAdvert),
    /// Echo requests of either family (RFC 792; RFC 4443, section 4.2).
    Echo,
    /// DHCPv4 (RFC 2131).
    Dhcp4(Dhcp4),
    /// DHCPv6 (RFC 8415).
    Dhcp6(Dhcp6),
}

/// Why a request gets no answer; the frame is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The packet is no request of this kind, or asks somebody else.
    NotForUs,
    /// The request is malformed; this names the field.
    Malformed(&'static str),
    /// The DHCPv4 request is malformed.
    Dhcpv4(Dhcpv4Error),
    /// The DHCPv6 request is malformed.
    Dhcpv6(Dhcpv6Error),
    /// What must be said does not fit into what the asker takes.
    NoRoom,
    /// The packet is well-formed, and its protocol lets nobody answer it.
    NothingToSay,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForUs => f.write_str("the request is not for this responder"),
            Self::Malformed(field) => write!(f, "the request's {field} is malformed"),
            Self::Dhcpv4(_) => f.write_str("the dhcpv4 request is malformed"),
            Self::Dhcpv6(_) => f.write_str("the dhcpv6 request is malformed"),
            Self::NoRoom => f.write_str("the answer does not fit into what the asker takes"),
            Self::NothingToSay => f.write_str("such a packet is never answered"),
        }
    }
}

impl core::error::Error for NoAnswer {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Dhcpv4(error) => Some(error),
            Self::Dhcpv6(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Dhcpv4Error> for NoAnswer {
    fn from(error: Dhcpv4Error) -> Self {
        Self::Dhcpv4(error)
    }
}

impl From<NoAnswer> for DropReason {
    fn from(_: NoAnswer) -> Self {
        Self::NoAnswer
    }
}

impl From<Dhcpv6Error> for NoAnswer {
    fn from(error: Dhcpv6Error) -> Self {
        Self::Dhcpv6(error)
    }
}

/// Answers a request: `frame` holds it, starting at its Ethernet header, and afterwards the answer.
///
/// `parsed` is what [`Parsed::parse`] read from the frame. The answer's checksums are complete and
/// its offloads are reset. An 802.1Q tag of the request stands in the answer too.
///
/// # Errors
/// Why there is no answer; the frame is as it was.
pub fn answer(responder: &Responder, frame: &mut Frame, parsed: &Parsed) -> Result<(), NoAnswer> {
    match responder {
        Responder::Arp { mac } => arp::answer(*mac, frame, parsed),
        Responder::Neighbor { mac, router } => neighbor::answer(*mac, *router, frame, parsed),
        Responder::Echo => echo::answer(frame, parsed),
        Responder::Router(advert) => router::answer(advert, frame, parsed),
        Responder::Dhcp4(server) => dhcp4::answer(server, frame, parsed),
        Responder::Dhcp6(server) => dhcp6::answer(server, frame, parsed),
    }
}

/// What a router says of itself and its link (RFC 4861, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterAdvert {
    /// The router's link-layer address.
    pub mac: MacAddr,
    /// The router's link-local address, source of the advertisement.
    pub router: Ipv6Addr,
    /// Seconds for which the router is a default router, and its name servers and search list hold.
    pub lifetime: u16,
    /// Whether addresses come by DHCPv6 (M).
    pub managed: bool,
    /// Whether other configuration comes by DHCPv6 (O).
    pub other: bool,
    /// Link MTU in octets.
    pub mtu: u16,
    /// Prefixes of the link.
    pub prefixes: Vec<AdvertisedPrefix>,
    /// Recursive DNS servers (RFC 8106, section 5.1).
    pub dns: Vec<Ipv6Addr>,
    /// DNS search list (RFC 8106, section 5.2).
    pub search: Vec<String>,
}

impl RouterAdvert {
    /// Makes the advertisement that is sent now and then without a request, to all nodes of the
    /// link: hosts ask once, when their interface comes up, and let the default route go at the end
    /// of its [`lifetime`](Self::lifetime).
    ///
    /// # Errors
    /// Where there is more to say than a packet holds.
    pub fn unsolicited(&self, frame: &mut Frame) -> Result<(), NoAnswer> {
        router::unsolicited(self, frame)
    }
}

/// A prefix information option (RFC 4861, section 4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvertisedPrefix {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Whether addresses within are on the link (L).
    pub on_link: bool,
    /// Whether hosts may make an address from it (A, SLAAC).
    pub autonomous: bool,
    /// Seconds of valid and preferred lifetime.
    pub lifetime: u32,
}

/// A DHCPv4 server with one lease (RFC 2131).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dhcp4 {
    /// The server's link-layer address.
    pub mac: MacAddr,
    /// The server's address and identifier: the gateway.
    pub server: Ipv4Addr,
    /// The client that is served: any other is not answered.
    pub client: MacAddr,
    /// The client's address.
    pub address: Ipv4Addr,
    /// Length of the subnet mask that is told; 32 makes the gateway off-subnet.
    pub prefix_len: u8,
    /// Default gateway.
    pub gateway: Ipv4Addr,
    /// Classless routes besides the default (RFC 3442): destination and gateway; the gateway
    /// 0.0.0.0 is on-link.
    pub routes: Vec<(Ipv4Net, Ipv4Addr)>,
    /// DNS servers.
    pub dns: Vec<Ipv4Addr>,
    /// Domain name.
    pub domain: Option<String>,
    /// Domain search list (RFC 3397).
    pub search: Vec<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Interface MTU in octets.
    pub mtu: u16,
    /// Lease time in seconds.
    pub lease: u32,
}

/// A DHCPv6 server with one client's addresses (RFC 8415).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dhcp6 {
    /// The server's link-layer address; its DUID-LL is made from it.
    pub mac: MacAddr,
    /// The server's link-local address.
    pub server: Ipv6Addr,
    /// The client that is served: any other is not answered.
    pub client: MacAddr,
    /// The client's addresses.
    pub addresses: Vec<Ipv6Addr>,
    /// DNS servers.
    pub dns: Vec<Ipv6Addr>,
    /// Domain search list (RFC 3646).
    pub search: Vec<String>,
    /// Valid and preferred lifetime in seconds.
    pub lease: u32,
}
