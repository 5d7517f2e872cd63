//! From a packet's way through the layers to a compiled flow.

use super::Shard;
use super::packet::Packet;
use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::{CompiledFlow, FlowKey, Side};
use crate::hash;
use crate::transform::{OuterTemplate, combine};
use crate::walk::Path;

/// A flow as the layers decided it, with the outer header of an outbound packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compiled {
    pub(super) flow: CompiledFlow,
    pub(super) template: Option<OuterTemplate>,
}

impl Shard {
    /// Compiles what the layers decided about a packet, on top of what its connection's record has.
    pub(super) fn compile(
        &self,
        packet: &Packet,
        path: &Path<'_>,
        before: Option<&CompiledFlow>,
    ) -> Result<Compiled, DropReason> {
        let underlay = self.program.underlay();
        let template = match (path.encapsulate, path.target) {
            (Some(encapsulate), Some(target)) if packet.direction == Direction::Out => {
                let template = OuterTemplate::new(underlay, target.underlay, encapsulate, path.mtu);
                Some(template.map_err(|_| DropReason::EncapsulationTooLong)?)
            }
            _ => None,
        };
        let mut flow = before.copied().unwrap_or_else(|| empty(packet));
        set_sides(&mut flow, path, before.is_some());
        set_deltas(&mut flow);
        let meter = path
            .meter
            .and_then(|meter| u8::try_from(meter + 1).ok())
            .unwrap_or(0);
        let [out, inbound] = flow.meters.to_le_bytes();
        match packet.direction {
            Direction::Out => {
                flow.set_hop(CompiledFlow::HOP_OUT, path.routed);
                flow.meters = u16::from_le_bytes([meter, inbound]);
            }
            Direction::In => {
                flow.set_hop(CompiledFlow::HOP_IN, path.routed);
                flow.meters = u16::from_le_bytes([out, meter]);
                flow.set_flag(CompiledFlow::FLAG_EXTERNAL, path.first.external);
                if let Some(vni) = packet.vni() {
                    let [_, a, b, c] = vni.get().to_be_bytes();
                    flow.vni = [a, b, c];
                }
            }
        }
        if flow.began(packet.direction) {
            flow.stateful_layers = path.stateful;
            flow.set_flag(CompiledFlow::FLAG_SOURCE_NAT, path.binding.is_some());
            flow.set_flag(CompiledFlow::FLAG_KEPT, path.kept);
        }
        Ok(Compiled { flow, template })
    }
}

/// A flow that begins with this packet, before anything was decided.
fn empty(packet: &Packet) -> CompiledFlow {
    let mut flow = CompiledFlow::empty();
    flow.protocol = packet.parsed.protocol;
    flow.set_flag(CompiledFlow::FLAG_V4, packet.parsed.is_v4());
    flow.set_flag(
        CompiledFlow::FLAG_BEGAN_OUT,
        packet.direction == Direction::Out,
    );
    flow
}

/// The key that packets against this one's direction carry.
pub(super) fn far_key(path: &Path<'_>) -> FlowKey {
    let fields = &path.last;
    let side = side_of(fields);
    FlowKey {
        direction: fields.direction.reversed(),
        local: Addr::from_octets(side.local),
        remote: Addr::from_octets(side.remote),
        local_port: side.local_port,
        remote_port: side.remote_port,
        protocol: fields.protocol,
    }
}

/// Sets the sides that the packet's way has shown: what it was, and what it became.
fn set_sides(flow: &mut CompiledFlow, path: &Path<'_>, known: bool) {
    let (guest, wire) = match path.first.direction {
        Direction::Out => (&path.first, &path.last),
        Direction::In => (&path.last, &path.first),
    };
    // What a packet from the wire carries as Ethernet addresses is not what packets to the wire get: their way
    // decides that.
    let wire_macs = (flow.wire.local_mac, flow.wire.remote_mac);
    flow.guest = side_of(guest);
    flow.wire = side_of(wire);
    if known && path.first.direction == Direction::In {
        (flow.wire.local_mac, flow.wire.remote_mac) = wire_macs;
    }
    let key = FlowKey::of(flow, Direction::Out);
    flow.entropy = hash::entropy(&key);
}

/// A packet's fields as one side of its connection.
fn side_of(fields: &Fields) -> Side {
    let (local, remote, local_port, remote_port, local_mac, remote_mac) = match fields.direction {
        Direction::Out => (
            fields.src,
            fields.dst,
            fields.src_port,
            fields.dst_port,
            fields.src_mac,
            fields.dst_mac,
        ),
        Direction::In => (
            fields.dst,
            fields.src,
            fields.dst_port,
            fields.src_port,
            fields.dst_mac,
            fields.src_mac,
        ),
    };
    Side {
        local: local.octets(),
        remote: remote.octets(),
        local_port,
        remote_port,
        local_mac: local_mac.octets(),
        remote_mac: remote_mac.octets(),
    }
}

/// Sets the differences of the checksums, guest side to wire side.
pub(super) fn set_deltas(flow: &mut CompiledFlow) {
    let addresses = |side: &Side| combine(words(&side.local), words(&side.remote));
    flow.address_delta = combine(addresses(&flow.wire), !addresses(&flow.guest));
    let ports = |side: &Side| combine(side.local_port, side.remote_port);
    flow.port_delta = combine(ports(&flow.wire), !ports(&flow.guest));
    let differs = flow.guest.local != flow.wire.local
        || flow.guest.remote != flow.wire.remote
        || flow.guest.local_port != flow.wire.local_port
        || flow.guest.remote_port != flow.wire.remote_port;
    flow.set_flag(CompiledFlow::FLAG_TRANSLATED, differs);
}

/// The ones' complement sum of an address. The mapping prefix of IPv4 stands on both sides of a difference.
fn words(octets: &[u8; 16]) -> u16 {
    rackweave_wire::checksum::sum(octets)
}
