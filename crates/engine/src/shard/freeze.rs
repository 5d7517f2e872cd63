//! What of a shard is frozen; the form is [`crate::freeze`]'s.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rackweave_types::Instant;

use super::Shard;
use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{CompiledFlow, FlowClass, Record, Side};
use crate::freeze::{
    Cell, Drops, Flow, Fragment, Header, Hits, Meter, Punted, Totals, View, Writer, flag,
};

impl Shard {
    /// All state of the shard as bytes; see [`freeze`](crate::freeze). The shard goes on as before: whoever moves a
    /// port stops its packets first, and calls offloaded flows back.
    #[must_use]
    pub fn freeze(&self, now: Instant) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.section(core::iter::once(self.header()));
        let flows = self.table.flows_from(0, u32::MAX);
        writer.section(
            flows.map(|(flow, record)| self.frozen_flow(record, self.set_ahead(flow.number), now)),
        );
        writer.section(core::iter::once(self.totals()));
        writer.section(self.cells());
        writer.section(self.drops());
        writer.section(self.hits());
        writer.section(self.fills(now));
        writer.section(self.awaited(now));
        writer.section(self.punts.iter().map(|punt| Punted {
            queue: punt.queue,
            direction: punt.direction,
            bytes: punt.bytes.clone(),
        }));
        writer.finish()
    }

    fn header(&self) -> Header {
        Header {
            index: self.id.index(),
            count: self.id.count(),
            layers: self.layers.names().map(String::from).collect(),
        }
    }

    fn frozen_flow(&self, record: &Record, ahead: u64, now: Instant) -> Flow {
        let flow = &record.compiled;
        let since = |nanos: u64| now.nanos().saturating_sub(nanos);
        let (guest, wire) = (view(&flow.guest), view(&flow.wire));
        let vni = flow
            .vni()
            .map(rackweave_types::Vni::get)
            .filter(|vni| *vni != 0);
        Flow {
            protocol: flow.protocol,
            guest,
            wire: (wire != guest).then_some(wire),
            flags: self.frozen_flags(record),
            class: class_number(record.class()),
            tcp: record.tcp,
            packets: record.packets,
            bytes: record.bytes,
            age: since(record.start),
            idle: since(record.last_use.saturating_sub(ahead)),
            stateful: u32::from(flow.stateful_layers),
            vni,
            peer: self
                .peers
                .get(flow.peer)
                .copied()
                .filter(|_| flow.peer != CompiledFlow::NONE),
        }
    }

    /// The flags of a record, as they are frozen.
    pub(super) fn frozen_flags(&self, record: &Record) -> u32 {
        let flags = record.compiled.flags;
        let named = FLAGS.iter().filter(|(bit, _)| flags & bit != 0);
        let flags = named.fold(0, |all, (_, frozen)| all | frozen);
        if self.predates_cut(record) {
            flags | flag::BEFORE_CUT
        } else {
            flags
        }
    }

    fn totals(&self) -> Totals {
        let counters = &self.counters;
        Totals {
            received: counters.received,
            forwarded: counters.forwarded,
            hairpinned: counters.hairpinned,
            punted: counters.punted,
            handed_over: counters.handed_over,
            refusals: counters.refusals,
            from_previous_host: counters.from_previous_host,
            flows_created: counters.flows_created,
            flows_expired: counters.flows_expired,
            flows_evicted: counters.flows_evicted,
            flows_cut: counters.flows_cut,
        }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        let both = DIRECTIONS.into_iter().zip(&self.counters.traffic);
        both.flat_map(|(direction, traffic)| {
            traffic
                .kinds()
                .map(move |((bound, [cast, network, transport]), tally)| Cell {
                    direction,
                    bound,
                    cast,
                    network,
                    transport,
                    packets: tally.packets,
                    bytes: tally.bytes,
                })
        })
    }

    fn drops(&self) -> impl Iterator<Item = Drops> {
        let all = DIRECTIONS.into_iter().flat_map(|direction| {
            DropReason::ALL
                .iter()
                .map(move |reason| (direction, *reason))
        });
        all.map(|(direction, reason)| Drops {
            direction,
            reason: reason.name().to_string(),
            count: self.counters.dropped(direction, reason),
        })
        .filter(|drops| drops.count > 0)
    }

    fn hits(&self) -> impl Iterator<Item = Hits> {
        self.program
            .counter_places()
            .filter_map(|(layer, direction, rule, place)| {
                let count = self
                    .rule_hits
                    .get(place)
                    .copied()
                    .filter(|hits| *hits > 0)?;
                let layer = u16::try_from(layer).ok()?;
                Some(Hits {
                    layer,
                    direction,
                    rule: rule.map(|rule| rule.0),
                    count,
                })
            })
    }

    fn fills(&self, now: Instant) -> impl Iterator<Item = Meter> {
        let programs = self.meters.iter().enumerate();
        let programs =
            programs.filter_map(|(place, meter)| Some((Some(u16::try_from(place).ok()?), meter)));
        let all = core::iter::once((None, &self.replies)).chain(programs);
        all.map(move |(place, meter)| {
            let [bytes_ahead, packets_ahead] = meter.ahead(now);
            Meter {
                place,
                bytes_ahead,
                packets_ahead,
            }
        })
    }

    fn awaited(&self, now: Instant) -> impl Iterator<Item = Fragment> {
        self.fragments
            .entries()
            .filter(move |(.., until)| *until > now)
            .map(move |(datagram, ports, until)| Fragment {
                direction: datagram.direction,
                src: datagram.src,
                dst: datagram.dst,
                protocol: datagram.protocol,
                id: datagram.id,
                src_port: ports.src_port,
                dst_port: ports.dst_port,
                icmp_type: ports.icmp_type,
                icmp_code: ports.icmp_code,
                left: until.nanos() - now.nanos(),
            })
    }
}

pub(super) const DIRECTIONS: [Direction; 2] = [Direction::Out, Direction::In];

/// The flags of a compiled flow that are state, and their frozen bits; the others follow from the rest.
pub(super) const FLAGS: [(u8, u32); 5] = [
    (CompiledFlow::FLAG_BEGAN_OUT, flag::BEGAN_OUT),
    (CompiledFlow::FLAG_SOURCE_NAT, flag::SOURCE_NAT),
    (CompiledFlow::FLAG_KEPT, flag::KEPT),
    (CompiledFlow::FLAG_ADOPTED, flag::ADOPTED),
    (CompiledFlow::FLAG_EXTERNAL, flag::EXTERNAL),
];

fn view(side: &Side) -> View {
    View {
        local: Addr::from_octets(side.local),
        remote: Addr::from_octets(side.remote),
        local_port: side.local_port,
        remote_port: side.remote_port,
        local_mac: side.local_mac,
        remote_mac: side.remote_mac,
    }
}

pub(super) const fn class_number(class: FlowClass) -> u8 {
    match class {
        FlowClass::Opening => 0,
        FlowClass::Closing => 1,
        FlowClass::Answered => 2,
        FlowClass::Established => 3,
    }
}
