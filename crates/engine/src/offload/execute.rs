//! The executor in its plainest form: what every other one must do, packet by packet.

use rackweave_types::Instant;

use super::OffloadEntry;
use crate::direction::Direction;
use crate::flow::CompiledFlow;
use crate::frame::Frame;
use crate::parse::protocol;
use crate::shard::Packet;
use crate::transform;

/// TCP flags that change a connection's state.
const STATE_FLAGS: u8 = 0x01 | 0x02 | 0x04;

/// What an executed packet adds to the counts of its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Packets into which the frame will be cut.
    pub packets: u64,
    /// Octets of the IP packet.
    pub bytes: u64,
    /// Octets of the inner Ethernet frame as it came.
    pub frame_len: u32,
    /// Its TCP flags; 0 for other protocols.
    pub tcp_flags: u8,
}

/// Does to a frame what the shard would do to it, or nothing: `None` hands it back to the shard as it was.
///
/// `epoch` is the shard's epoch now, `last_use` when the executor or the shard last saw a packet of the connection.
#[must_use]
pub fn execute(
    entry: &OffloadEntry,
    direction: Direction,
    frame: &mut Frame,
    epoch: u32,
    last_use: Instant,
    now: Instant,
) -> Option<Executed> {
    let idle = now.nanos().saturating_sub(last_use.nanos());
    if entry.epoch != epoch || !entry.has(direction) || idle >= entry.idle_timeout {
        return None;
    }
    let packet = Packet::of(direction, frame, entry.guest_mtu).ok()?;
    if !packet.is_plain() || !entry.flow.matches(&packet.key()) || !holds(entry, &packet) {
        return None;
    }
    let tcp_flags = if packet.parsed.protocol == protocol::TCP {
        packet.parsed.tcp_flags
    } else {
        0
    };
    if tcp_flags & STATE_FLAGS != 0 {
        return None;
    }
    // What goes wrong half-way must come back whole.
    let mut done = frame.clone();
    match &packet.outer {
        Some(outer) => {
            transform::unwrap(&mut done, outer, &packet.parsed, entry.guest_mtu);
            transform::inbound(&entry.flow, outer, &packet.parsed, &mut done).ok()?;
        }
        None => {
            transform::outbound(&entry.flow, &entry.template, &packet.parsed, &mut done).ok()?;
        }
    }
    *frame = done;
    Some(Executed {
        packets: packet.segments,
        bytes: u64::from(packet.parsed.ip_len()),
        frame_len: packet.frame_len,
        tcp_flags,
    })
}

/// Whether the packet is as those for which the entry was compiled: what the shard compares on its own fast path.
fn holds(entry: &OffloadEntry, packet: &Packet) -> bool {
    let flow = &entry.flow;
    let hops = packet.parsed.ttl > 1;
    if let Some(outer) = &packet.outer {
        let [a, b, c] = flow.vni;
        return outer.vni.get() == u32::from_be_bytes([0, a, b, c])
            && outer.external == (flow.flags & CompiledFlow::FLAG_EXTERNAL != 0)
            && outer.src.octets() == entry.peer
            && (hops || flow.hop & CompiledFlow::HOP_IN == 0);
    }
    let mtu = entry.template.mtu();
    flow.guest.local_mac == packet.parsed.src_mac.octets()
        && flow.guest.remote_mac == packet.parsed.dst_mac.octets()
        && (hops || flow.hop & CompiledFlow::HOP_OUT == 0)
        && (mtu == 0 || packet.segment_len <= u32::from(mtu))
}
