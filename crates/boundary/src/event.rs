//! What may become of a packet, as it is counted.

use std::fmt;

macro_rules! events {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)+) => {
        /// What became of a packet. The order is that of the program's counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Event {
            $($(#[doc = $doc])* $name,)+
        }

        impl Event {
            /// All of them, in the order of the program's counters.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$name),+];

            /// Its name in tables and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

events! {
    /// Inbound: went to the holder's sled.
    InForwarded = "in_forwarded",
    /// Inbound, dropped: nobody holds this address of ours.
    InUnmapped = "in_unmapped",
    /// Inbound, dropped: nobody holds this port of a shared address.
    InNoBlock = "in_no_block",
    /// Inbound, dropped: to a shared address, and nothing tells a port.
    InNoPort = "in_no_port",
    /// Inbound, dropped: a later fragment to a shared address, which tells no port.
    InFragment = "in_fragment",
    /// Inbound, dropped: no IP packet.
    InMalformed = "in_malformed",
    /// Inbound, dropped: from an address that no packet comes from.
    InSource = "in_source",
    /// Inbound, left to the kernel, which answers: its hops are used up.
    InHopLimit = "in_hop_limit",
    /// Inbound, left to the kernel, which answers: too long for the underlay.
    InTooLong = "in_too_long",
    /// Inbound, dropped: no room for the tunnel headers.
    InNoRoom = "in_no_room",
    /// Outbound: went on towards the customer.
    OutForwarded = "out_forwarded",
    /// Outbound, dropped: no IP packet in the tunnel, or cut.
    OutMalformed = "out_malformed",
    /// Outbound, dropped: no Geneve header that we know.
    OutGeneve = "out_geneve",
    /// Outbound, dropped: of another network than the boundary's.
    OutVni = "out_vni",
    /// Outbound, dropped: a critical option that we do not know, or a malformed one.
    OutOption = "out_option",
    /// Outbound, dropped: not from a sled of the AZ, or from an address inside that no packet comes from.
    OutSource = "out_source",
    /// Outbound, dropped: the inner frame is for somebody else.
    OutMac = "out_mac",
    /// Outbound, dropped: congestion to be told to a transport that does not understand it.
    OutEcn = "out_ecn",
    /// Outbound, dropped: several datagrams of a tunnel as one.
    OutAggregate = "out_aggregate",
    /// Outbound, dropped: the tunnel headers could not be taken off.
    OutNoRoom = "out_no_room",
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
