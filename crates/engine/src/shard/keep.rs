//! Keeping what the layers decided: a connection's record, its interned headers, its way out.

use rackweave_types::Instant;

use super::compile::{Compiled, far_key};
use super::packet::Packet;
use super::slow::Discard;
use super::{Shard, Verdict, fast};
use crate::addr::Addr;
use crate::counters::side;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{CompiledFlow, EndReason, FlowClass, FlowKey, InsertError, Record};
use crate::frame::Frame;
use crate::intern::Interner;
use crate::parse::protocol;
use crate::transform::OuterTemplate;
use crate::walk::Path;

/// The SYN flag of TCP.
const SYN: u8 = 0x02;

impl Shard {
    /// Lets a packet leave as the layers decided, and remembers it for the rest of its connection.
    pub(super) fn forward(
        &mut self,
        packet: &Packet,
        path: &Path<'_>,
        existing: Option<u32>,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        match self.try_forward(packet, path, existing, frame, now) {
            Ok(()) => {
                self.counters.forwarded[side(packet.direction)] += 1;
                Verdict::Forward
            }
            Err(reason) => self.refused(packet.direction, reason),
        }
    }

    fn try_forward(
        &mut self,
        packet: &Packet,
        path: &Path<'_>,
        existing: Option<u32>,
        frame: &mut Frame,
        now: Instant,
    ) -> Result<(), DropReason> {
        // The key on the other side is known now and needed soon.
        self.table.prefetch_new(self.hasher.hash(&far_key(path)));
        let before = existing.map(|number| self.table.get(number).compiled);
        let compiled = self.compile(packet, path, before.as_ref())?;
        let gives_way = path.binding.and_then(|binding| binding.evict);
        if packet.is_trackable() && self.conflicts(&compiled.flow, &[existing, gives_way], now) {
            return Err(DropReason::FlowConflict);
        }
        if let Some(meter) = path.meter
            && !self.meter_takes(meter, packet, now)
        {
            return Err(DropReason::Metered);
        }
        let guest_mtu = self.program.underlay().guest_mtu;
        fast::execute(
            &compiled.flow,
            compiled.template.as_ref(),
            packet,
            frame,
            guest_mtu,
        )?;
        self.counters.from_previous_host += u64::from(path.moved);
        if packet.is_trackable() {
            let number = self.keep(packet, path, compiled, existing, now)?;
            self.account(number, packet, now);
        }
        Ok(())
    }

    /// Whether a connection other than these already has one of the keys.
    pub(super) fn conflicts(
        &self,
        flow: &CompiledFlow,
        known: &[Option<u32>],
        now: Instant,
    ) -> bool {
        FlowKey::all(flow).into_iter().any(|key| {
            let holder = self.table.lookup(&key, self.hasher.hash(&key));
            holder.is_some_and(|number| {
                !known.contains(&Some(number))
                    && !self.table.is_expired(self.table.get(number), now)
            })
        })
    }

    /// Writes the connection's record.
    fn keep(
        &mut self,
        packet: &Packet,
        path: &Path<'_>,
        compiled: Compiled,
        existing: Option<u32>,
        now: Instant,
    ) -> Result<u32, DropReason> {
        if let Some(evict) = path.binding.and_then(|binding| binding.evict)
            && existing != Some(evict)
        {
            let has_ended = self.table.is_expired(self.table.get(evict), now);
            self.discard(
                evict,
                if has_ended {
                    Discard::Expired
                } else {
                    Discard::Evicted
                },
            );
        }
        let mut flow = compiled.flow;
        match packet.direction {
            Direction::Out => {
                if let Some(template) = compiled.template {
                    let fresh = self
                        .templates
                        .acquire(template)
                        .ok_or(DropReason::FlowTableFull)?;
                    self.templates.release(flow.template);
                    flow.template = fresh;
                }
            }
            // What comes from the old host of a mapping is looked at packet by packet until the move ends.
            Direction::In if path.moved => {}
            Direction::In => {
                let fresh = self
                    .peers
                    .acquire(fast::peer_of(packet))
                    .ok_or(DropReason::FlowTableFull)?;
                self.peers.release(flow.peer);
                flow.peer = fresh;
            }
        }
        match existing {
            Some(number) => self.update(number, flow, packet, path.moved, now),
            None => self.begin(flow, packet, path.moved, now),
        }
    }

    /// Updates a known connection's record for one direction. Where its keys are others now (the rules translate it
    /// to another address), it is found by the new ones from here on.
    fn update(
        &mut self,
        number: u32,
        flow: CompiledFlow,
        packet: &Packet,
        moved: bool,
        now: Instant,
    ) -> Result<u32, DropReason> {
        let before_cut = self.predates_cut(self.table.get(number));
        let record = self.table.get_mut(number);
        let before = &record.compiled;
        let same_keys = FlowKey::all(before) == FlowKey::all(&flow);
        // The other half was compiled for the sides and the stateful layers of before. Outbound packets are compared
        // with the guest's Ethernet addresses anyway.
        let same_way = same_keys && before.stateful_layers == flow.stateful_layers;
        match packet.direction {
            Direction::Out if !same_way || before.guest != flow.guest => {
                record.epoch_in |= Record::STALE;
            }
            Direction::In if !same_way => record.epoch_out |= Record::STALE,
            _ => {}
        }
        if same_keys {
            let changed = !is_kept_alike(&record.compiled, &flow);
            record.compiled = flow;
            if changed || before_cut {
                self.mark(number);
            }
            self.stamp(number, packet, moved);
            return Ok(number);
        }
        let record = Record {
            compiled: flow,
            ..*record
        };
        let class = record.class();
        self.offload_gone(number);
        self.mark(number);
        self.table.remove(number);
        self.insert(record, class, packet, moved, now)
    }

    /// Opens a record for a new connection.
    fn begin(
        &mut self,
        mut flow: CompiledFlow,
        packet: &Packet,
        moved: bool,
        now: Instant,
    ) -> Result<u32, DropReason> {
        if packet.parsed.protocol == protocol::TCP && packet.parsed.tcp_flags & SYN == 0 {
            flow.set_flag(CompiledFlow::FLAG_ADOPTED, true);
        }
        flow.set_flag(CompiledFlow::FLAG_WATCHED, self.offload.is_some());
        let record = Record {
            compiled: flow,
            start: now.nanos(),
            ..Record::empty()
        };
        self.counters.flows_created += 1;
        self.port_is_known(&record.compiled);
        self.insert(record, FlowClass::Opening, packet, moved, now)
    }

    /// Puts a record into the table; a full table makes room.
    fn insert(
        &mut self,
        record: Record,
        class: FlowClass,
        packet: &Packet,
        moved: bool,
        now: Instant,
    ) -> Result<u32, DropReason> {
        let Self {
            table,
            templates,
            peers,
            counters,
            offload,
            journal,
            ..
        } = self;
        let inserted = table.insert(record, class, now, |ended| {
            if let Some(ledger) = offload {
                ledger.gone(ended.handle.number);
            }
            if let Some(journal) = journal {
                journal.mark(ended.handle.number);
            }
            release(templates, peers, &ended.record.compiled);
            match ended.why {
                EndReason::Evicted => counters.flows_evicted += 1,
                EndReason::Expired => counters.flows_expired += 1,
            }
        });
        match inserted {
            Ok(handle) => {
                self.mark(handle.number);
                self.stamp(handle.number, packet, moved);
                Ok(handle.number)
            }
            Err(error) => {
                release(&mut self.templates, &mut self.peers, &record.compiled);
                Err(match error {
                    InsertError::KeyInUse { .. } => DropReason::FlowConflict,
                    InsertError::Full => DropReason::FlowTableFull,
                })
            }
        }
    }

    /// Marks one half of a record as compiled for the program of now, unless the next packet has to be looked at too.
    fn stamp(&mut self, number: u32, packet: &Packet, moved: bool) {
        let lasts = !moved && fast::is_of_one_kind(&packet.parsed);
        let epoch = if lasts {
            self.epoch
        } else {
            self.epoch | Record::STALE
        };
        let record = self.table.get_mut(number);
        match packet.direction {
            Direction::Out => record.epoch_out = epoch,
            Direction::In => record.epoch_in = epoch,
        }
    }
}

/// Whether nothing differs that outlives the program.
fn is_kept_alike(before: &CompiledFlow, after: &CompiledFlow) -> bool {
    before.guest == after.guest
        && before.wire == after.wire
        && before.vni == after.vni
        && before.peer == after.peer
        && before.flags == after.flags
        && before.stateful_layers == after.stateful_layers
}

/// Gives back what a flow that is gone had interned.
pub(super) fn release(
    templates: &mut Interner<OuterTemplate>,
    peers: &mut Interner<Addr>,
    flow: &CompiledFlow,
) {
    templates.release(flow.template);
    peers.release(flow.peer);
}
