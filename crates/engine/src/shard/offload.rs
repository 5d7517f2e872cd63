//! Connections that run elsewhere: announcing, calling back, taking reports; see [`crate::offload`].
//!
//! A record marked [`CompiledFlow::FLAG_WATCHED`] is looked at here with every packet that the shard sees of it; that
//! mark, in a line that the established path reads anyway, is all that offloading costs where it is off. While a
//! connection is away, its record's last use is set ahead by the lag, so that what the executor has not reported yet
//! cannot make it expire.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rackweave_types::Instant;
use zerocopy::{FromZeros, IntoBytes};

use super::Shard;
use crate::addr::Addr;
use crate::counters::SIZE_BOUNDS;
use crate::direction::Direction;
use crate::flow::{CompiledFlow, FlowClass, Record, TcpState};
use crate::offload::{
    Due, Ledger, News, OffloadEntry, OffloadEvent, OffloadId, OffloadPolicy, OffloadReport, Stage,
};
use crate::parse::protocol;
use crate::transform::OuterTemplate;

/// TCP flags that change a connection's state.
const STATE_FLAGS: u8 = 0x01 | 0x02 | 0x04;

impl Shard {
    /// Announces connections to an executor from now on (`None`: no more). What is out under the policy of before is
    /// called back. Looks at every connection once.
    pub fn set_offload(&mut self, policy: Option<OffloadPolicy>) {
        let Some(policy) = policy else {
            if let Some(ledger) = &mut self.offload {
                ledger.close();
            }
            return;
        };
        if let Some(ledger) = &mut self.offload {
            ledger.reopen(policy);
        } else {
            let ledger = Ledger::new(policy, self.offload_rounds, self.hasher);
            self.offload = Some(Box::new(ledger));
        }
        let numbers: Vec<u32> = self
            .table
            .flows_from(0, u32::MAX)
            .map(|(flow, _)| flow.number)
            .collect();
        for number in numbers {
            self.table
                .get_mut(number)
                .compiled
                .set_flag(CompiledFlow::FLAG_WATCHED, true);
        }
    }

    /// The next thing to tell the executor, to be carried out before the next packet. Bounded work; `None` where
    /// there is nothing to tell.
    pub fn pop_offload(&mut self, now: Instant) -> Option<OffloadEvent> {
        while let Some(id) = self.offload.as_mut()?.overdue(now) {
            self.end_stay(id);
        }
        loop {
            match self.offload.as_mut()?.next(now) {
                None => break,
                Some(Due::Revoke(id)) => return Some(OffloadEvent::Revoke { id }),
                Some(Due::Announce(id) | Due::Renew(id)) => {
                    if let Some(entry) = self.announce(id) {
                        return Some(OffloadEvent::Install { id, entry });
                    }
                }
            }
        }
        if let Some(ledger) = self.offload.take_if(|ledger| ledger.is_done()) {
            self.offload_rounds = ledger.round();
        }
        None
    }

    /// The entry for a connection that waits to be announced; where it is no longer one to announce, it stays here
    /// or is called back.
    fn announce(&mut self, id: OffloadId) -> Option<OffloadEntry> {
        let number = self.offload.as_ref()?.record(id)?;
        let ahead = self.set_ahead(number);
        let entry = self.entry(number, ahead);
        let ledger = self.offload.as_mut()?;
        let Some(entry) = entry else {
            ledger.revoke(number);
            return None;
        };
        ledger.announced(id, print(&self.hasher, &entry));
        if ahead == 0 {
            let ahead = ledger.ahead(number);
            let record = self.table.get_mut(number);
            record.last_use = record.last_use.saturating_add(ahead);
        }
        Some(entry)
    }

    /// Takes what the executor says; `false` where it says nothing new (repeated, overtaken, or of a stay that is
    /// over).
    pub fn offload_report(&mut self, report: &OffloadReport, now: Instant) -> bool {
        let Some(ledger) = &mut self.offload else {
            return false;
        };
        let Some(news) = ledger.read(report) else {
            return false;
        };
        let number = ledger.record(report.id);
        self.credit(&news);
        if let Some(number) = number {
            self.credit_flow(number, &news, report.last_use.min(now));
        }
        if report.last {
            self.end_stay(report.id);
        }
        true
    }

    /// Counts at the port what was executed.
    fn credit(&mut self, news: &News) {
        let [network, transport] = news.kind;
        for (side, counts) in news.counts.iter().enumerate() {
            for (size, bound) in counts.sizes.iter().zip(SIZE_BOUNDS) {
                self.counters.received[side] += size.frames;
                self.counters.forwarded[side] += size.frames;
                // Only frames for one station are tracked as connections.
                if let Some(tally) =
                    self.counters.traffic[side].kind_mut(bound, [0, network, transport])
                {
                    tally.packets += size.frames;
                    tally.bytes += size.bytes;
                }
            }
        }
    }

    /// Counts at the connection what was executed, and notes how it stands.
    fn credit_flow(&mut self, number: u32, news: &News, last_use: Instant) {
        let ahead = self.set_ahead(number);
        let record = self.table.get_mut(number);
        for (side, counts) in news.counts.iter().enumerate() {
            record.packets[side] += counts.packets;
            record.bytes[side] += counts.bytes;
        }
        record.last_use = record.last_use.max(last_use.nanos().saturating_add(ahead));
        for (direction, flags) in [Direction::Out, Direction::In]
            .into_iter()
            .zip(news.tcp_flags)
        {
            let record = self.table.get_mut(number);
            if record.compiled.protocol != protocol::TCP || flags & STATE_FLAGS == 0 {
                continue;
            }
            let next = record.tcp_state().next(direction, flags);
            if next != record.tcp_state() {
                record.tcp = next.number();
                self.table.reclass(number, next.class());
                self.mark(number);
            }
        }
        if self.entry(number, ahead).is_none()
            && let Some(ledger) = &mut self.offload
        {
            ledger.revoke(number);
        }
    }

    /// Ends a stay: the connection is here alone again.
    fn end_stay(&mut self, id: OffloadId) {
        let Some(ledger) = &mut self.offload else {
            return;
        };
        if let Some(number) = ledger.record(id) {
            let ahead = ledger.ahead(number);
            let record = self.table.get_mut(number);
            record.last_use = record.last_use.saturating_sub(ahead);
        }
        ledger.end(id);
    }

    /// A packet of a watched connection was processed here.
    #[cold]
    pub(super) fn watched(&mut self, number: u32, now: Instant) {
        let Some(ledger) = &self.offload else {
            self.table
                .get_mut(number)
                .compiled
                .set_flag(CompiledFlow::FLAG_WATCHED, false);
            return;
        };
        let ahead = ledger.ahead(number);
        match ledger.stage(number) {
            None => self.consider(number, now),
            Some(Stage::Waiting) => {}
            Some(stage) => {
                self.table.get_mut(number).last_use = now.nanos().saturating_add(ahead);
                if stage == Stage::Out {
                    self.review(number, ahead);
                }
            }
        }
    }

    /// Offers a connection that is worth it.
    fn consider(&mut self, number: u32, now: Instant) {
        let Some(ledger) = &mut self.offload else {
            return;
        };
        let record = self.table.get(number);
        let [out, inbound] = record.packets;
        if out.saturating_add(inbound) < ledger.after_packets() || !is_settled(record) {
            return;
        }
        if ledger.is_full() {
            if let Some((other, since)) = ledger.turn(now)
                && self
                    .table
                    .get(other)
                    .last_use
                    .saturating_sub(ledger.ahead(other))
                    < since.nanos()
            {
                ledger.revoke(other);
            }
            return;
        }
        let flow = self.table.handle(number);
        let network = u8::from(record.compiled.flags & CompiledFlow::FLAG_V4 == 0);
        let transport = u8::from(record.compiled.protocol != protocol::TCP);
        ledger.offer(flow, [network, transport]);
    }

    /// Looks whether what was announced of a connection is still so.
    fn review(&mut self, number: u32, ahead: u64) {
        let entry = self.entry(number, ahead);
        let Some(ledger) = &mut self.offload else {
            return;
        };
        match entry {
            Some(entry) => ledger.compare(number, print(&self.hasher, &entry)),
            None => ledger.revoke(number),
        }
    }

    /// What an executor needs of a connection; `None` where it is not to run elsewhere.
    fn entry(&self, number: u32, ahead: u64) -> Option<OffloadEntry> {
        let record = self.table.get(number);
        let flow = &record.compiled;
        let template = self
            .templates
            .get(flow.template)
            .filter(|_| record.epoch_out == self.epoch);
        let peer = self
            .peers
            .get(flow.peer)
            .filter(|_| record.epoch_in == self.epoch);
        let outbound = if template.is_some() {
            OffloadEntry::OUT
        } else {
            0
        };
        let inbound = if peer.is_some() { OffloadEntry::IN } else { 0 };
        let halves = outbound | inbound;
        if !is_settled(record) || halves == 0 {
            return None;
        }
        let timeouts = self.program.timeouts();
        let idle = match flow.protocol {
            protocol::TCP => timeouts.tcp_established,
            _ => timeouts.answered,
        };
        let mut entry = OffloadEntry {
            flow: *flow,
            template: template.copied().unwrap_or_else(OuterTemplate::new_zeroed),
            peer: peer.copied().unwrap_or(Addr::NONE).octets(),
            epoch: self.epoch,
            guest_mtu: self.program.underlay().guest_mtu,
            halves,
            reserved: [0; 5],
            idle_timeout: u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX),
            last_use: record.last_use.saturating_sub(ahead),
        };
        entry.flow.set_flag(CompiledFlow::FLAG_WATCHED, false);
        (entry.flow.template, entry.flow.peer) = (CompiledFlow::NONE, CompiledFlow::NONE);
        Some(entry)
    }

    /// By how much the last use of this record is set ahead because its connection is away, in nanoseconds.
    pub(super) fn set_ahead(&self, number: u32) -> u64 {
        self.offload
            .as_ref()
            .map_or(0, |ledger| ledger.ahead(number))
    }

    /// Whether the connection of this record is away.
    pub(super) fn is_offloaded(&self, number: u32) -> bool {
        let stage = self
            .offload
            .as_ref()
            .and_then(|ledger| ledger.stage(number));
        stage.is_some_and(|stage| stage != Stage::Waiting)
    }

    /// The connection of this record is about to go.
    pub(super) fn offload_gone(&mut self, number: u32) {
        if let Some(ledger) = &mut self.offload {
            ledger.gone(number);
        }
    }
}

/// Whether a connection is of a kind that may run elsewhere, and has got as far.
fn is_settled(record: &Record) -> bool {
    let flow = &record.compiled;
    let settled = match flow.protocol {
        protocol::TCP => record.tcp_state() == TcpState::Established,
        protocol::UDP => record.class() == FlowClass::Answered,
        _ => false,
    };
    settled && flow.meters == 0 && flow.flags & CompiledFlow::FLAG_KEPT == 0
}

/// A hash of an entry without its last use.
fn print(hasher: &crate::hash::FlowHasher, entry: &OffloadEntry) -> u64 {
    use core::hash::BuildHasher;
    hasher.hash_one(
        OffloadEntry {
            last_use: 0,
            ..*entry
        }
        .as_bytes(),
    )
}
