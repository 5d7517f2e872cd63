//! Why packets are dropped: one list of names for counters, verdicts and explanations.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)+) => {
        /// Why a packet was dropped. Every drop has one of these names and is counted under it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as it stands in counters.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Place of the reason in [`DropReason::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                // The enum is `repr(u8)` and dense, so the discriminant is the place.
                self as usize
            }
        }
    };
}

drop_reasons! {
    /// Shorter than the header it should hold.
    Truncated => "truncated",
    /// An IPv4 header that is not one: version, header length or total length.
    Ipv4Header => "ipv4_header",
    /// The IPv4 header checksum is wrong.
    Ipv4Checksum => "ipv4_checksum",
    /// An IPv6 header that is not one: version, payload length, or an IPv4-mapped address.
    Ipv6Header => "ipv6_header",
    /// More or longer IPv6 extension headers than a packet may have, or malformed ones.
    ExtensionHeaders => "extension_headers",
    /// TCP header length wrong.
    TcpHeader => "tcp_header",
    /// UDP length wrong.
    UdpHeader => "udp_header",
    /// ICMP too short, or an error that embeds no usable packet.
    IcmpHeader => "icmp_header",
    /// ARP that is not Ethernet and IPv4.
    ArpHeader => "arp_header",
    /// Neighbour discovery malformed (RFC 4861, sections 6.1 and 7.1).
    NeighborDiscovery => "neighbor_discovery",
    /// The offload request does not fit the frame: checksum or segmentation out of its bounds.
    Offload => "offload",
    /// The packet from the wire is not Geneve over UDP over IPv6.
    NotGeneve => "not_geneve",
    /// Geneve version, length or protocol type unknown.
    GeneveHeader => "geneve_header",
    /// A Geneve option that must be understood is not.
    UnknownCriticalOption => "unknown_critical_option",
    /// The outer header says that congestion was met, the inner one does not support it (RFC 6040, section 4.2).
    EcnNotCapable => "ecn_not_capable",
    /// The wrapped packet would be longer than an IPv6 packet can be, or there is no headroom.
    EncapsulationTooLong => "encapsulation_too_long",
    /// A rule denied it.
    RuleDenied => "rule_denied",
    /// No mapping for the destination.
    NoMapping => "no_mapping",
    /// The packet did not come from the host that holds its source.
    SourceMismatch => "source_mismatch",
    /// TTL or hop limit used up.
    TtlExceeded => "ttl_exceeded",
    /// Longer than the path allows.
    TooBig => "too_big",
    /// Address translation asked for where it cannot be done: family, protocol or address does not fit.
    NatMismatch => "nat_mismatch",
    /// From outside, to a translated address, and no connection is known.
    NatNoConnection => "nat_no_connection",
    /// No port of the block is free and none may be evicted.
    NatPortsExhausted => "nat_ports_exhausted",
    /// No port of the block is free but such as rest: somebody unknown may still have them.
    NatPortsResting => "nat_ports_resting",
    /// The flow table is full and no flow may be evicted.
    FlowTableFull => "flow_table_full",
    /// Another connection already has the same addresses and ports on one side.
    FlowConflict => "flow_conflict",
    /// A fragment whose first one has not been seen.
    FragmentUnknown => "fragment_unknown",
    /// A fragment that is malformed: overlong, or too small to be a first one.
    FragmentMalformed => "fragment_malformed",
    /// An ICMP error about a packet of no known connection.
    IcmpErrorUnrelated => "icmp_error_unrelated",
    /// A meter has run dry.
    Metered => "metered",
    /// The agent's queue is full.
    PuntQueueFull => "punt_queue_full",
    /// The engine was to answer, and the request is malformed or not for it.
    NoAnswer => "no_answer",
    /// The engine was to answer, and its rate of replies is used up.
    ReplyMetered => "reply_metered",
    /// The last layer was passed and no action decided where the packet goes.
    Undecided => "undecided",
    /// The flow was cut by a change of rules.
    FlowCut => "flow_cut",
    /// The packet belongs to another shard and was not handed over.
    WrongShard => "wrong_shard",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
