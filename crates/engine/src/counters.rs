//! What a port counts: traffic by kind and size, ends of ways, drops by reason, flows.

use alloc::boxed::Box;
use alloc::vec;

use rackweave_types::MacAddr;

use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::parse::{Parsed, protocol};

/// Packets and octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets; a frame that will be cut is one.
    pub packets: u64,
    /// Octets of the Ethernet frames.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// Classes of frame length, by their upper bound in octets.
pub const SIZE_BOUNDS: [u32; 8] = [64, 127, 255, 511, 1023, 1518, 9216, u32::MAX];

/// Whom an Ethernet frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// One station.
    Unicast,
    /// A group.
    Multicast,
    /// Everybody.
    Broadcast,
}

/// The network protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Anything else, ARP included.
    Other,
}

/// The transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
    /// Anything else.
    Other,
}

const CELLS: usize = SIZE_BOUNDS.len() * 3 * 3 * 4;

/// Traffic of one direction, broken down as the seeds ask ("Physical Observability"): one cell for each combination,
/// so that a packet is counted once and every breakdown can be summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    cells: Box<[Tally]>,
}

impl Traffic {
    fn new() -> Self {
        Self {
            cells: vec![Tally::default(); CELLS].into_boxed_slice(),
        }
    }

    #[inline]
    fn count(&mut self, frame_len: u32, parsed: &Parsed) {
        let place = (size_class(frame_len) * 3 + cast(parsed.dst_mac)) * 12
            + network(parsed) * 4
            + transport(parsed);
        if let Some(cell) = self.cells.get_mut(place) {
            cell.add(Tally {
                packets: 1,
                bytes: u64::from(frame_len),
            });
        }
    }

    fn add(&mut self, other: &Self) {
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            cell.add(*more);
        }
    }

    fn sum(&self, wanted: impl Fn(usize) -> bool) -> Tally {
        let mut sum = Tally::default();
        self.cells
            .iter()
            .enumerate()
            .filter(|(place, _)| wanted(*place))
            .for_each(|(_, cell)| sum.add(*cell));
        sum
    }

    /// What was counted, by kind: upper bound of its class of length, places of receiver, network and transport.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = ((u32, [u8; 3]), Tally)> {
        let kinds = SIZE_BOUNDS.into_iter().flat_map(|bound| {
            let receivers = (0..3).flat_map(|cast| (0..3).map(move |network| (cast, network)));
            receivers.flat_map(move |(cast, network)| {
                (0..4).map(move |last| (bound, [cast, network, last]))
            })
        });
        kinds
            .zip(self.cells.iter().copied())
            .filter(|(_, tally)| *tally != Tally::default())
    }

    /// The count of one kind, as [`kinds`](Self::kinds) names it; a class of length that there is not belongs to the
    /// one around it.
    pub(crate) fn kind_mut(
        &mut self,
        bound: u32,
        [cast, network, transport]: [u8; 3],
    ) -> Option<&mut Tally> {
        if cast > 2 || network > 2 || transport > 3 {
            return None;
        }
        let [cast, network, transport] = [cast, network, transport].map(usize::from);
        self.cells
            .get_mut((size_class(bound) * 3 + cast) * 12 + network * 4 + transport)
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.sum(|_| true)
    }

    /// Frames of one class of length: place in [`SIZE_BOUNDS`].
    #[must_use]
    pub fn of_size(&self, class: usize) -> Tally {
        self.sum(|place| place / 36 == class)
    }

    /// Frames for one kind of receiver.
    #[must_use]
    pub fn of_cast(&self, cast: Cast) -> Tally {
        self.sum(|place| place / 12 % 3 == cast as usize)
    }

    /// Packets of one network protocol.
    #[must_use]
    pub fn of_network(&self, network: Network) -> Tally {
        self.sum(|place| place / 4 % 3 == network as usize)
    }

    /// Packets of one transport protocol.
    #[must_use]
    pub fn of_transport(&self, transport: Transport) -> Tally {
        self.sum(|place| place % 4 == transport as usize)
    }
}

#[inline]
pub(crate) fn size_class(len: u32) -> usize {
    SIZE_BOUNDS
        .iter()
        .take(SIZE_BOUNDS.len() - 1)
        .map(|bound| usize::from(len > *bound))
        .sum()
}

#[inline]
fn cast(dst: MacAddr) -> usize {
    if !dst.is_multicast() {
        0
    } else if dst.is_broadcast() {
        2
    } else {
        1
    }
}

#[inline]
const fn network(parsed: &Parsed) -> usize {
    if parsed.is_v4() {
        0
    } else if parsed.is_ip() {
        1
    } else {
        2
    }
}

#[inline]
const fn transport(parsed: &Parsed) -> usize {
    if !parsed.is_ip() {
        return 3;
    }
    match parsed.protocol {
        protocol::TCP => 0,
        protocol::UDP => 1,
        protocol::ICMP | protocol::ICMPV6 => 2,
        _ => 3,
    }
}

/// What a shard counts; a port's counters are the sum over its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Well-formed packets by kind: out, in.
    pub traffic: [Traffic; 2],
    /// Frames handed to the engine: out, in.
    pub received: [u64; 2],
    /// Packets that left for the wire (out) or the guest (in).
    pub forwarded: [u64; 2],
    /// Requests answered by the engine.
    pub hairpinned: [u64; 2],
    /// Requests queued for the agent.
    pub punted: [u64; 2],
    /// Packets handed to another shard.
    pub handed_over: [u64; 2],
    /// Drops by direction and place in [`DropReason::ALL`].
    pub drops: [Box<[u64]>; 2],
    /// Refusals sent for packets dropped: resets and ICMP errors.
    pub refusals: u64,
    /// Packets that came from the old host of a mapping while it moved.
    pub from_previous_host: u64,
    /// Connections that began.
    pub flows_created: u64,
    /// Connections whose time ran out.
    pub flows_expired: u64,
    /// Connections that made room for others.
    pub flows_evicted: u64,
    /// Connections cut by a change of rules.
    pub flows_cut: u64,
}

/// Place of a direction in the counters.
#[inline]
pub(crate) const fn side(direction: Direction) -> usize {
    match direction {
        Direction::Out => 0,
        Direction::In => 1,
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        let drops = || vec![0; DropReason::ALL.len()].into_boxed_slice();
        Self {
            traffic: [Traffic::new(), Traffic::new()],
            received: [0; 2],
            forwarded: [0; 2],
            hairpinned: [0; 2],
            punted: [0; 2],
            handed_over: [0; 2],
            drops: [drops(), drops()],
            refusals: 0,
            from_previous_host: 0,
            flows_created: 0,
            flows_expired: 0,
            flows_evicted: 0,
            flows_cut: 0,
        }
    }

    #[inline]
    pub(crate) fn count_traffic(&mut self, direction: Direction, frame_len: u32, parsed: &Parsed) {
        self.traffic[side(direction)].count(frame_len, parsed);
    }

    pub(crate) fn count_drop(&mut self, direction: Direction, reason: DropReason) {
        if let Some(counter) = self.drops[side(direction)].get_mut(reason.index()) {
            *counter += 1;
        }
    }

    /// Adds what another shard of the port has counted.
    pub fn add(&mut self, other: &Self) {
        for direction in 0..2 {
            self.traffic[direction].add(&other.traffic[direction]);
            self.received[direction] += other.received[direction];
            self.forwarded[direction] += other.forwarded[direction];
            self.hairpinned[direction] += other.hairpinned[direction];
            self.punted[direction] += other.punted[direction];
            self.handed_over[direction] += other.handed_over[direction];
            for (drops, more) in self.drops[direction]
                .iter_mut()
                .zip(&other.drops[direction])
            {
                *drops += more;
            }
        }
        self.refusals += other.refusals;
        self.from_previous_host += other.from_previous_host;
        self.flows_created += other.flows_created;
        self.flows_expired += other.flows_expired;
        self.flows_evicted += other.flows_evicted;
        self.flows_cut += other.flows_cut;
    }

    /// How many packets of a direction were dropped for a reason.
    #[must_use]
    pub fn dropped(&self, direction: Direction, reason: DropReason) -> u64 {
        self.drops[side(direction)]
            .get(reason.index())
            .copied()
            .unwrap_or(0)
    }

    /// All drops of a direction.
    #[must_use]
    pub fn dropped_total(&self, direction: Direction) -> u64 {
        self.drops[side(direction)].iter().sum()
    }
}
