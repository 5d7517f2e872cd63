//! A connection's record: what identifies it, what is done to its packets, and how it has fared.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::addr::Addr;
use crate::direction::Direction;

/// A compiled flow: the match keys of a connection in both directions and what turns the packets of one side into
/// those of the other. Plain data of a fixed size, native byte order unless said otherwise; any executor that runs
/// it together with its [`OuterTemplate`](crate::transform::OuterTemplate) gives the same bytes.
///
/// A connection is seen from two sides. The *guest* side is what the guest sends and receives; the *wire* side is
/// the inner packet inside Geneve. *Local* is the guest's end, *remote* the other. An outbound packet matches the
/// guest side and leaves with the fields of the wire side; an inbound packet the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CompiledFlow {
    /// The connection as the guest sees it.
    pub guest: Side,
    /// The connection as it is inside the tunnel.
    pub wire: Side,
    /// Upper-layer protocol.
    pub protocol: u8,
    /// Time to live is decremented: [`HOP_OUT`](Self::HOP_OUT), [`HOP_IN`](Self::HOP_IN).
    pub hop: u8,
    /// VNI that inbound packets must carry; outbound packets carry the template's.
    pub vni: [u8; 3],
    /// [`FLAG_V4`](Self::FLAG_V4) and its siblings.
    pub flags: u8,
    /// Outer UDP source port: the symmetric hash of the flow.
    pub entropy: u16,
    /// Number of the interned outer header template.
    pub template: u32,
    /// Number of the interned tunnel end point that inbound packets must come from.
    pub peer: u32,
    /// Difference of the address words, guest side to wire side, for the IPv4 header checksum and the pseudo header
    /// (RFC 1624); its complement serves the other direction.
    pub address_delta: u16,
    /// Difference of the port words.
    pub port_delta: u16,
    /// Layers that the connection passed statefully; which bit is which layer, the shard knows.
    pub stateful_layers: u16,
    /// One more than the index of the meter for each direction, 0 for none: out in the low byte, in in the high.
    pub meters: u16,
}

impl CompiledFlow {
    /// Bit of [`hop`](Self::hop): outbound packets.
    pub const HOP_OUT: u8 = 1;
    /// Bit of [`hop`](Self::hop): inbound packets.
    pub const HOP_IN: u8 = 2;
    /// The packets are IPv4.
    pub const FLAG_V4: u8 = 1;
    /// The connection began with an outbound packet.
    pub const FLAG_BEGAN_OUT: u8 = 2;
    /// The source is translated to a port of a NAT pool.
    pub const FLAG_SOURCE_NAT: u8 = 4;
    /// The connection is there although the rules of now forbid it (the change did not ask to cut).
    pub const FLAG_KEPT: u8 = 8;
    /// A segment adopted in the middle of its connection opened the record.
    pub const FLAG_ADOPTED: u8 = 16;
    /// Inbound packets carried the EXTERNAL option.
    pub const FLAG_EXTERNAL: u8 = 32;
    /// An address or a port differs between the sides.
    pub const FLAG_TRANSLATED: u8 = 64;
    /// The shard's own mark: the connection is, or may be, offloaded. Executors take no notice of it.
    pub(crate) const FLAG_WATCHED: u8 = 128;
}

/// One side's view of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Side {
    /// The guest's address, IPv4 mapped, network order.
    pub local: [u8; 16],
    /// The other end's address.
    pub remote: [u8; 16],
    /// The guest's port, host order; see [`Fields::src_port`](crate::fields::Fields) for ICMP.
    pub local_port: u16,
    /// The other end's port.
    pub remote_port: u16,
    /// Inner Ethernet address of the guest's end.
    pub local_mac: [u8; 6],
    /// Inner Ethernet address of the other end.
    pub remote_mac: [u8; 6],
}

/// The exact-match key of one direction of a connection, as a packet carries it. Where an inbound packet came from
/// (VNI, tunnel end point) is not part of it: that is compared with the record, and where it differs the layers judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// Which side's view this is: outbound packets carry the guest's, inbound ones the wire's.
    pub direction: Direction,
    /// The guest end's address on that side.
    pub local: Addr,
    /// The other end's address on that side.
    pub remote: Addr,
    /// The guest end's port.
    pub local_port: u16,
    /// The other end's port.
    pub remote_port: u16,
    /// Upper-layer protocol.
    pub protocol: u8,
}

/// How a connection stands, by how much its loss would hurt: the order of the variants is the order of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FlowClass {
    /// TCP whose handshake is not complete; UDP, ICMP and others that nobody has answered.
    Opening = 0,
    /// TCP after RST or both FINs.
    Closing = 1,
    /// UDP, ICMP and others with packets both ways.
    Answered = 2,
    /// TCP with a complete handshake.
    Established = 3,
}

/// A flow's place in the table: fixed-size, zero before its first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Record {
    /// What is matched and done.
    pub compiled: CompiledFlow,
    /// Epoch whose program last admitted outbound packets, 0 if none did, with [`Record::STALE`] where that half is to
    /// be compiled again all the same.
    pub epoch_out: u32,
    /// As `epoch_out`, for inbound packets.
    pub epoch_in: u32,
    /// Packets out and in; a frame that will be cut counts as its segments.
    pub packets: [u64; 2],
    /// Octets of IP packets, out and in.
    pub bytes: [u64; 2],
    /// When the first packet came, in nanoseconds.
    pub start: u64,
    /// When the last packet came, in nanoseconds.
    pub last_use: u64,
    /// Neighbours in the wheel's list.
    pub(crate) next: u32,
    pub(crate) prev: u32,
    /// Counts the lives of this place, so that an old handle does not meet a new flow; odd while in use.
    pub(crate) serial: u32,
    /// Which queue of the wheel the record waits in.
    pub(crate) queue: u8,
    /// TCP state ([`TcpState`](super::TcpState) as a number).
    pub tcp: u8,
    /// Part of the last use at the time when the record was put into its list: where it differs, the record was used
    /// since.
    pub(crate) stamp: u16,
}

impl Record {
    /// Bit of an epoch: the half is not compiled for the connection as it stands now. No shard's epoch has it.
    pub const STALE: u32 = 1 << 31;

    /// An empty record.
    pub(crate) fn empty() -> Self {
        Self::new_zeroed()
    }

    /// How valuable the connection is to its table.
    #[inline]
    #[must_use]
    pub fn class(&self) -> FlowClass {
        super::queue::class_of(self.queue)
    }

    /// Whether this is a connection and not a free place.
    #[inline]
    #[must_use]
    pub const fn is_used(&self) -> bool {
        self.serial & 1 == 1
    }
}
