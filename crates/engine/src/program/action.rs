//! Actions: what a rule does to a packet.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::{MacAddr, Vni};
use serde::{Deserialize, Serialize};

use super::Tag;
use crate::respond::Responder;

/// What a rule does. The actions of a rule are done in order; each either changes the packet and lets the next
/// follow, or ends the packet's way through this layer ([`Allow`](Self::Allow),
/// [`AllowStateful`](Self::AllowStateful)) or through all of them ([`Deny`](Self::Deny), [`Hairpin`](Self::Hairpin),
/// [`Punt`](Self::Punt)). Exactly the last action of a rule ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Go on with the next layer.
    Allow,
    /// Go on, and let the rest of the connection pass this layer in both directions.
    AllowStateful,
    /// Drop, and say so to the sender where a reply is asked for.
    Deny {
        /// The answer to the sender; `None` drops silently.
        reply: Option<Reject>,
    },
    /// Answer in the name of the network; the packet goes no further.
    Hairpin(Box<Responder>),
    /// Put the packet into the bounded queue for the agent; it goes no further.
    Punt {
        /// Tells the agent what kind of request this is.
        queue: u8,
    },
    /// Mark the packet for later layers.
    Tag(Tag),
    /// Rewrite the Ethernet source.
    SetSrcMac(MacAddr),
    /// Rewrite the Ethernet destination.
    SetDstMac(MacAddr),
    /// Rewrite the IP source; the family must be the packet's.
    SetSrc(IpAddr),
    /// Rewrite the IP destination; the family must be the packet's.
    SetDst(IpAddr),
    /// Rewrite the source port of TCP or UDP.
    SetSrcPort(u16),
    /// Rewrite the destination port of TCP or UDP.
    SetDstPort(u16),
    /// Decrement TTL or hop limit as a router does; a packet that may go no further is answered with time exceeded,
    /// sent from this address of the router.
    Route {
        /// The router's IPv4 address.
        router_v4: Ipv4Addr,
        /// The router's IPv6 address.
        router_v6: Ipv6Addr,
    },
    /// Reach the destination by way of this one: its mapping is used.
    Via(IpAddr),
    /// Refuse packets that are longer than this with ICMP too-big; frames that will be cut count by their segments.
    Mtu {
        /// The longest IP packet in octets.
        mtu: u16,
        /// The router's IPv4 address.
        router_v4: Ipv4Addr,
        /// The router's IPv6 address.
        router_v6: Ipv6Addr,
    },
    /// One address for one: inside and outside are exchanged, ports and protocol stay (any IP protocol passes).
    /// Out: the source must be `inside`. In: the destination must be `outside`.
    OneToOne {
        /// The guest's own address.
        inside: IpAddr,
        /// The address the world sees.
        outside: IpAddr,
    },
    /// Translate the source to an address and a port from a pool (outbound) or back (inbound; only for a
    /// connection that exists). TCP, UDP and ICMP queries only.
    SourceNat {
        /// Index into [`ProgramSpec::pools`](super::ProgramSpec::pools).
        pool: u16,
    },
    /// Find who holds the destination and where that is; the packet's Ethernet destination becomes the holder's.
    Select(Select),
    /// Wrap into Geneve, towards what was selected.
    Encapsulate(Encapsulate),
    /// Unwrap.
    Decapsulate,
    /// Let the packet pass only if it came from the host that holds its source (or held it until a move ended).
    VerifySource {
        /// Index into the program's mapping tables.
        table: u16,
    },
    /// Count the packet against a meter; drop it where the meter has run dry.
    Meter {
        /// Index into [`ProgramSpec::meters`](super::ProgramSpec::meters).
        meter: u16,
    },
}

impl Action {
    /// Whether the packet's way through the layer ends here.
    #[must_use]
    pub const fn ends(&self) -> bool {
        matches!(
            self,
            Self::Allow
                | Self::AllowStateful
                | Self::Deny { .. }
                | Self::Hairpin(_)
                | Self::Punt { .. }
        )
    }
}

/// How a sender is told that its packet was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    /// The router's IPv4 address, source of the ICMP error.
    pub router_v4: Ipv4Addr,
    /// The router's IPv6 address, source of the ICMPv6 error.
    pub router_v6: Ipv6Addr,
}

/// How the destination on the underlay is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The holder of the destination (or of the next hop that a route named) in this mapping table.
    Mapping {
        /// Index into the program's mapping tables.
        table: u16,
    },
    /// One of these, by the hash of the flow: boundary services.
    Group(Vec<Target>),
    /// The holder of the destination where this mapping table has one, else one of these by the hash of the flow:
    /// an external address that a guest of the same AZ holds is reached without boundary services.
    MappingOrGroup {
        /// Index into the program's mapping tables.
        table: u16,
        /// Who is asked where the table has no holder; not empty.
        group: Vec<Target>,
    },
}

/// A place on the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The tunnel end point.
    pub underlay: Ipv6Addr,
    /// The inner Ethernet destination there.
    pub mac: MacAddr,
}

/// The Geneve header that a packet is wrapped into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encapsulate {
    /// The network identifier on the wire.
    pub vni: Vni,
    /// Whether the EXTERNAL option is added (design, contract "On the wire").
    #[serde(default)]
    pub external: bool,
    /// The port id of the SOURCE option, where it is sent.
    #[serde(default)]
    pub source: Option<u64>,
}
