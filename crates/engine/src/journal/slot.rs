//! One connection in a journal.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::ink;
use crate::addr::Addr;
use crate::flow::{Record, Side};
use crate::freeze::{Flow, View, flag};

/// A slot: all integers little-endian, 192 octets. The next version's may be longer.
///
/// What it says of a connection is what a frozen shard says ([`Flow`]), but for times, which are those of the clock.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(crate) struct Slot {
    /// Of all that follows, and of the slot's place; 0 where there is no connection.
    checksum: U64,
    /// Counts what was written to this journal.
    sequence: U64,
    /// The bits of [`flag`].
    flags: U16,
    /// Layers passed statefully, by bits as the header names them.
    stateful: U16,
    protocol: u8,
    class: u8,
    tcp: u8,
    reserved: u8,
    /// VNI of inbound packets; 0 where none came.
    vni: U32,
    /// A checksum of what tells the outside port alone, so that a damaged slot may still say which port it held.
    port_check: U32,
    guest: End,
    wire: End,
    /// The tunnel end point of inbound packets; zeros where none came.
    peer: [u8; 16],
    start: U64,
    last_use: U64,
    packets: [U64; 2],
    bytes: [U64; 2],
}

/// A connection seen from one side.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
struct End {
    local: [u8; 16],
    remote: [u8; 16],
    local_port: U16,
    remote_port: U16,
    local_mac: [u8; 6],
    remote_mac: [u8; 6],
}

/// A connection as a shard knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) record: &'a Record,
    /// Bits of [`flag`].
    pub(crate) flags: u32,
    /// The number of its class.
    pub(crate) class: u8,
    pub(crate) peer: Option<Addr>,
    /// When the last packet came.
    pub(crate) last_use: u64,
}

impl Slot {
    /// Octets of a slot of this version.
    pub(crate) const LEN: usize = size_of::<Self>();
    const CHECKSUM_LEN: usize = 8;

    /// A slot for a connection, without its checksum.
    pub(crate) fn new(entry: &Entry<'_>, sequence: u64) -> Self {
        let record = entry.record;
        let flow = &record.compiled;
        let [a, b, c] = flow.vni;
        Self {
            checksum: U64::ZERO,
            sequence: sequence.into(),
            flags: u16::try_from(entry.flags).unwrap_or(u16::MAX).into(),
            stateful: flow.stateful_layers.into(),
            protocol: flow.protocol,
            class: entry.class,
            tcp: record.tcp,
            reserved: 0,
            vni: u32::from_be_bytes([0, a, b, c]).into(),
            port_check: U32::ZERO,
            guest: End::of(&flow.guest),
            wire: End::of(&flow.wire),
            peer: entry.peer.map_or([0; 16], Addr::octets),
            start: record.start.into(),
            last_use: entry.last_use.into(),
            packets: record.packets.map(U64::new),
            bytes: record.bytes.map(U64::new),
        }
    }

    /// The slot with its checksums, for one place.
    pub(super) fn sealed(mut self, place: u32) -> Self {
        self.port_check = self.port_checksum(place).into();
        let covered = self.as_bytes().get(Self::CHECKSUM_LEN..).unwrap_or(&[]);
        self.checksum = ink::checksum(place.into(), covered).into();
        self
    }

    /// What stands in a slot's octets, which may be longer than a slot of this version.
    pub(super) fn read(place: u32, octets: &[u8]) -> Found {
        let Ok((slot, _)) = Self::read_from_prefix(octets) else {
            return Found::Damaged(Lost::Unknown);
        };
        if slot.checksum == U64::ZERO {
            return Found::Vacant;
        }
        let covered = octets.get(Self::CHECKSUM_LEN..).unwrap_or(&[]);
        if slot.checksum.get() == ink::checksum(place.into(), covered) {
            return Found::Whole(slot);
        }
        Found::Damaged(slot.lost(place))
    }

    /// What can still be told of the outside port.
    fn lost(&self, place: u32) -> Lost {
        if self.port_check.get() != self.port_checksum(place) {
            Lost::Unknown
        } else if u32::from(self.flags.get()) & flag::SOURCE_NAT != 0 {
            Lost::Port(self.wire.local_port.get())
        } else {
            Lost::NoPort
        }
    }

    fn port_checksum(&self, place: u32) -> u32 {
        let [a, b] = self.flags.to_bytes();
        let [c, d] = self.wire.local_port.to_bytes();
        let sum = ink::checksum(place.into(), &[a, b, c, d]).to_le_bytes();
        let [_, _, _, _, high @ ..] = sum;
        u32::from_le_bytes(high)
    }

    /// When it was written, among all that was written to the journal.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence.get()
    }

    /// The layers that were passed statefully.
    pub(super) const fn stateful(&self) -> u16 {
        self.stateful.get()
    }

    /// The connection as frozen shards hold it. Its age and idle time are not ages yet, but the times of the first
    /// and the last packet.
    pub(super) fn flow(&self) -> Flow {
        let (guest, wire) = (self.guest.view(), self.wire.view());
        Flow {
            protocol: self.protocol,
            guest,
            wire: (wire != guest).then_some(wire),
            flags: self.flags.get().into(),
            class: self.class,
            tcp: self.tcp,
            packets: self.packets.map(U64::get),
            bytes: self.bytes.map(U64::get),
            age: self.start.get(),
            idle: self.last_use.get(),
            stateful: self.stateful().into(),
            vni: Some(self.vni.get()).filter(|vni| *vni != 0),
            peer: (self.peer != [0; 16]).then(|| Addr::from_octets(self.peer)),
        }
    }
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No connection.
    Vacant,
    /// A connection.
    Whole(Slot),
    /// A connection that cannot be read.
    Damaged(Lost),
}

/// The outside port of a connection that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It cannot be told.
    Unknown,
    /// It had none: its source was not translated.
    NoPort,
    /// It had this one.
    Port(u16),
}

impl End {
    const fn of(side: &Side) -> Self {
        Self {
            local: side.local,
            remote: side.remote,
            local_port: U16::new(side.local_port),
            remote_port: U16::new(side.remote_port),
            local_mac: side.local_mac,
            remote_mac: side.remote_mac,
        }
    }

    const fn view(&self) -> View {
        View {
            local: Addr::from_octets(self.local),
            remote: Addr::from_octets(self.remote),
            local_port: self.local_port.get(),
            remote_port: self.remote_port.get(),
            local_mac: self.local_mac,
            remote_mac: self.remote_mac,
        }
    }
}
