//! The established path: one lookup, one compiled transform, no allocation, no decision.

use rackweave_types::Instant;

use super::packet::Packet;
use super::{Shard, Verdict};
use crate::addr::Addr;
use crate::counters::side;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{CompiledFlow, FlowClass, Record, TcpState};
use crate::frame::Frame;
use crate::parse::{Parsed, protocol};
use crate::transform::{self, OuterTemplate};

impl Shard {
    /// A packet whose connection can be looked up.
    #[inline(always)]
    pub(super) fn process_plain(
        &mut self,
        packet: &Packet,
        hash: u64,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        let key = packet.key();
        if let Some(number) = self.table.lookup(&key, hash)
            && self.is_current(number, packet, now)
        {
            return self.established(number, packet, frame, now);
        }
        self.process_slow(packet, (key, hash), frame, now)
    }

    /// Whether a connection's compiled half serves this packet as it is.
    #[inline(always)]
    pub(super) fn is_current(&self, number: u32, packet: &Packet, now: Instant) -> bool {
        let record = self.table.get(number);
        let flow = &record.compiled;
        let hops = packet.parsed.ttl > 1;
        let fits = match (packet.direction, &packet.outer) {
            (Direction::In, Some(outer)) => {
                let [a, b, c] = flow.vni;
                record.epoch_in == self.epoch
                    && outer.vni.get() == u32::from_be_bytes([0, a, b, c])
                    && outer.external == (flow.flags & CompiledFlow::FLAG_EXTERNAL != 0)
                    && self.peers.get(flow.peer) == Some(&outer.src)
                    && (hops || flow.hop & CompiledFlow::HOP_IN == 0)
                    && packet.segment_len <= self.program.inbound_mtu()
            }
            _ => {
                record.epoch_out == self.epoch
                    && flow.guest.local_mac == packet.parsed.src_mac.octets()
                    && flow.guest.remote_mac == packet.parsed.dst_mac.octets()
                    && (hops || flow.hop & CompiledFlow::HOP_OUT == 0)
                    && self.templates.get(flow.template).is_some_and(|template| {
                        template.mtu() == 0 || packet.segment_len <= u32::from(template.mtu())
                    })
            }
        };
        fits && is_of_one_kind(&packet.parsed)
            && !self.table.is_expired(record, now)
            && !reopens(record, packet)
    }

    /// Runs a current connection's compiled transform.
    #[inline(always)]
    pub(super) fn established(
        &mut self,
        number: u32,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        let record = self.table.get(number);
        let meter = meter_of(&record.compiled, packet.direction);
        if let Some(meter) = meter
            && !self.meter_takes(meter, packet, now)
        {
            return self.refused(packet.direction, DropReason::Metered);
        }
        let record = self.table.get(number);
        let template = self.templates.get(record.compiled.template);
        match execute(
            &record.compiled,
            template,
            packet,
            frame,
            self.program.underlay().guest_mtu,
        ) {
            Ok(()) => {
                self.account(number, packet, now);
                self.counters.forwarded[side(packet.direction)] += 1;
                Verdict::Forward
            }
            Err(reason) => self.refused(packet.direction, reason),
        }
    }

    /// Notes in a connection's record that a packet passed.
    #[inline(always)]
    pub(super) fn account(&mut self, number: u32, packet: &Packet, now: Instant) {
        let tcp = packet.parsed.protocol == protocol::TCP;
        let record = self.table.get_mut(number);
        let at = side(packet.direction);
        record.packets[at] += packet.segments;
        record.bytes[at] += u64::from(packet.parsed.ip_len());
        record.last_use = now.nanos();
        if tcp {
            let state = record.tcp_state();
            let next = state.next(packet.direction, packet.parsed.tcp_flags);
            if next != state {
                record.tcp = next.number();
                self.table.reclass(number, next.class());
                self.mark(number);
            }
        } else if record.class() == FlowClass::Opening && !record.compiled.began(packet.direction) {
            self.table.reclass(number, FlowClass::Answered);
            self.mark(number);
        }
        if self.table.get(number).compiled.flags & CompiledFlow::FLAG_WATCHED != 0 {
            self.watched(number, now);
        }
    }

    /// Counts a packet against a meter; says whether it may pass.
    #[inline(always)]
    pub(super) fn meter_takes(&mut self, meter: u16, packet: &Packet, now: Instant) -> bool {
        let bytes = u64::from(packet.parsed.ip_len());
        self.meters
            .get_mut(usize::from(meter))
            .is_none_or(|meter| meter.take(bytes, packet.segments, now))
    }
}

/// Whether all packets with this one's key look alike to rules. Type and code of ICMP are not part of the key: only
/// an echo's identifier, where it is not 0, tells which they are.
#[inline]
pub(super) const fn is_of_one_kind(parsed: &Parsed) -> bool {
    let echo = match parsed.protocol {
        protocol::ICMP if parsed.is_v4() => matches!(parsed.icmp_type, 0 | 8),
        protocol::ICMPV6 if !parsed.is_v4() => matches!(parsed.icmp_type, 128 | 129),
        _ => return true,
    };
    echo && parsed.icmp_code == 0 && parsed.src_port | parsed.dst_port != 0
}

/// Whether the packet opens a new connection where an old one has ended.
#[inline(always)]
pub(super) fn reopens(record: &Record, packet: &Packet) -> bool {
    packet.parsed.protocol == protocol::TCP
        && record.tcp_state() != TcpState::Established
        && record.tcp_state().reopened_by(packet.parsed.tcp_flags)
}

/// The meter of a connection's direction.
#[inline(always)]
pub(super) fn meter_of(flow: &CompiledFlow, direction: Direction) -> Option<u16> {
    let [out, inbound] = flow.meters.to_le_bytes();
    match direction {
        Direction::Out => u16::from(out).checked_sub(1),
        Direction::In => u16::from(inbound).checked_sub(1),
    }
}

/// Turns the frame into what leaves.
#[inline(always)]
pub(super) fn execute(
    flow: &CompiledFlow,
    template: Option<&OuterTemplate>,
    packet: &Packet,
    frame: &mut Frame,
    guest_mtu: u16,
) -> Result<(), DropReason> {
    match (&packet.outer, template) {
        (Some(outer), _) => {
            transform::unwrap(frame, outer, &packet.parsed, guest_mtu);
            transform::inbound(flow, outer, &packet.parsed, frame)
        }
        (None, Some(template)) => transform::outbound(flow, template, &packet.parsed, frame),
        (None, None) => Err(DropReason::Undecided),
    }
}

/// The address the packet's tunnel came from.
#[inline(always)]
pub(super) fn peer_of(packet: &Packet) -> Addr {
    packet.outer.map_or(Addr::NONE, |outer| outer.src)
}
