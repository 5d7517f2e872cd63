//! What stands in the sections. Field numbers are for ever: a new field gets a new number and a default.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::code;
use crate::addr::Addr;
use crate::direction::Direction;

/// The shard, and the names that others refer to by place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Header {
    /// Which shard.
    #[n(0)]
    pub(crate) index: u16,
    /// Of how many.
    #[n(1)]
    pub(crate) count: u16,
    /// The program's layers, in order.
    #[n(2)]
    pub(crate) layers: Vec<String>,
}

/// Bits of [`Flow::flags`]; unknown ones are ignored.
pub(crate) mod flag {
    /// It began with a packet of the guest.
    pub(crate) const BEGAN_OUT: u32 = 1;
    /// Its source is translated to a port of a pool.
    pub(crate) const SOURCE_NAT: u32 = 2;
    /// Rules forbid it, and it was let go on.
    pub(crate) const KEPT: u32 = 4;
    /// The record was opened in the middle of the connection.
    pub(crate) const ADOPTED: u32 = 8;
    /// Inbound packets carried the EXTERNAL option.
    pub(crate) const EXTERNAL: u32 = 16;
    /// It was not looked at since a change that asked to cut what it forbids.
    pub(crate) const BEFORE_CUT: u32 = 32;
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Flow {
    /// Upper-layer protocol.
    #[n(0)]
    pub(crate) protocol: u8,
    /// The connection as the guest sees it.
    #[n(1)]
    pub(crate) guest: View,
    /// The connection inside the tunnel, where that is another.
    #[n(2)]
    pub(crate) wire: Option<View>,
    /// See [`flag`].
    #[n(3)]
    #[cbor(default)]
    pub(crate) flags: u32,
    /// How valuable: 0 opening, 1 closing, 2 answered, 3 established.
    #[n(4)]
    #[cbor(default)]
    pub(crate) class: u8,
    /// The number of the TCP state.
    #[n(5)]
    #[cbor(default)]
    pub(crate) tcp: u8,
    /// Packets out and in.
    #[n(6)]
    #[cbor(default)]
    pub(crate) packets: [u64; 2],
    /// Octets of IP packets out and in.
    #[n(7)]
    #[cbor(default)]
    pub(crate) bytes: [u64; 2],
    /// Nanoseconds since the first packet.
    #[n(8)]
    #[cbor(default)]
    pub(crate) age: u64,
    /// Nanoseconds since the last packet.
    #[n(9)]
    #[cbor(default)]
    pub(crate) idle: u64,
    /// Layers passed statefully: a bit each, by place in [`Header::layers`].
    #[n(10)]
    #[cbor(default)]
    pub(crate) stateful: u32,
    /// VNI of inbound packets, where one came.
    #[n(11)]
    pub(crate) vni: Option<u32>,
    /// The tunnel end point of inbound packets, where one came.
    #[n(12)]
    pub(crate) peer: Option<Addr>,
}

/// A connection seen from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct View {
    /// The guest's address.
    #[n(0)]
    pub(crate) local: Addr,
    /// The other end's address.
    #[n(1)]
    pub(crate) remote: Addr,
    /// The guest's port.
    #[n(2)]
    pub(crate) local_port: u16,
    /// The other end's port.
    #[n(3)]
    pub(crate) remote_port: u16,
    /// Ethernet address of the guest's end.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) local_mac: [u8; 6],
    /// Ethernet address of the other end.
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) remote_mac: [u8; 6],
}

/// Counters that stand alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Totals {
    #[n(0)]
    #[cbor(default)]
    pub(crate) received: [u64; 2],
    #[n(1)]
    #[cbor(default)]
    pub(crate) forwarded: [u64; 2],
    #[n(2)]
    #[cbor(default)]
    pub(crate) hairpinned: [u64; 2],
    #[n(3)]
    #[cbor(default)]
    pub(crate) punted: [u64; 2],
    #[n(4)]
    #[cbor(default)]
    pub(crate) handed_over: [u64; 2],
    #[n(5)]
    #[cbor(default)]
    pub(crate) refusals: u64,
    #[n(6)]
    #[cbor(default)]
    pub(crate) from_previous_host: u64,
    #[n(7)]
    #[cbor(default)]
    pub(crate) flows_created: u64,
    #[n(8)]
    #[cbor(default)]
    pub(crate) flows_expired: u64,
    #[n(9)]
    #[cbor(default)]
    pub(crate) flows_evicted: u64,
    #[n(10)]
    #[cbor(default)]
    pub(crate) flows_cut: u64,
}

/// Traffic of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Cell {
    #[n(0)]
    #[cbor(with = "code::direction")]
    pub(crate) direction: Direction,
    /// The longest frame of its class of length, in octets.
    #[n(1)]
    pub(crate) bound: u32,
    /// 0 unicast, 1 multicast, 2 broadcast.
    #[n(2)]
    pub(crate) cast: u8,
    /// 0 IPv4, 1 IPv6, 2 other.
    #[n(3)]
    pub(crate) network: u8,
    /// 0 TCP, 1 UDP, 2 ICMP, 3 other.
    #[n(4)]
    pub(crate) transport: u8,
    #[n(5)]
    pub(crate) packets: u64,
    #[n(6)]
    pub(crate) bytes: u64,
}

/// Drops for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Drops {
    #[n(0)]
    #[cbor(with = "code::direction")]
    pub(crate) direction: Direction,
    /// The reason's name; one that the reader does not know is skipped.
    #[n(1)]
    pub(crate) reason: String,
    #[n(2)]
    pub(crate) count: u64,
}

/// How often a rule was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Hits {
    /// Place of the layer in [`Header::layers`].
    #[n(0)]
    pub(crate) layer: u16,
    #[n(1)]
    #[cbor(with = "code::direction")]
    pub(crate) direction: Direction,
    /// The rule's number; `None` is the set's default.
    #[n(2)]
    pub(crate) rule: Option<u64>,
    #[n(3)]
    pub(crate) count: u64,
}

/// How far a meter is used up: by how many nanoseconds what has passed is ahead of its rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Meter {
    /// Place among the program's meters; `None` is the meter of the engine's own replies.
    #[n(0)]
    pub(crate) place: Option<u16>,
    #[n(1)]
    pub(crate) bytes_ahead: Option<u64>,
    #[n(2)]
    pub(crate) packets_ahead: Option<u64>,
}

/// A datagram whose later fragments are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Fragment {
    #[n(0)]
    #[cbor(with = "code::direction")]
    pub(crate) direction: Direction,
    #[n(1)]
    pub(crate) src: Addr,
    #[n(2)]
    pub(crate) dst: Addr,
    #[n(3)]
    pub(crate) protocol: u8,
    #[n(4)]
    pub(crate) id: u32,
    #[n(5)]
    pub(crate) src_port: u16,
    #[n(6)]
    pub(crate) dst_port: u16,
    #[n(7)]
    pub(crate) icmp_type: u8,
    #[n(8)]
    pub(crate) icmp_code: u8,
    /// Nanoseconds for which they are still awaited.
    #[n(9)]
    pub(crate) left: u64,
}

/// A packet that waits for the agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Punted {
    #[n(0)]
    pub(crate) queue: u8,
    #[n(1)]
    #[cbor(with = "code::direction")]
    pub(crate) direction: Direction,
    /// The inner Ethernet frame.
    #[n(2)]
    #[cbor(with = "code::octets")]
    pub(crate) bytes: Box<[u8]>,
}
