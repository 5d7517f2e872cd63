//! A shard: the state of one port for one worker, and the engine's way of a packet through it.
//!
//! Call order: [`Shard::new`] with a compiled program, then [`Shard::process`] (or [`Shard::process_batch`]) for each
//! packet, [`Shard::expire`] every now and then, [`Shard::pop_punt`] for what the agent is to answer, and
//! [`Shard::install`] when the program changes. A packet meets exactly one program.

mod batch;
mod care;
mod compile;
mod explain;
mod fast;
mod freeze;
mod journal;
mod keep;
mod layers;
mod offload;
mod owner;
mod packet;
mod related;
mod reply;
mod report;
mod slow;
mod thaw;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use rackweave_types::Instant;

pub(crate) use care::take_care;
pub use explain::Explanation;
pub(crate) use layers::LayerBits;
pub(crate) use packet::Packet;
pub use report::{FlowInfo, ListedFlow, RuleHits};
pub(crate) use thaw::fill;

use crate::addr::Addr;
use crate::counters::{Counters, side};
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{FlowTable, Record, TableError};
use crate::fragment::Fragments;
use crate::frame::Frame;
use crate::hash::FlowHasher;
use crate::intern::Interner;
use crate::journal::Marks;
use crate::meter::Meter;
use crate::nat::Resting;
use crate::offload::Ledger;
use crate::program::{Limits, MeterSpec, Program};
use crate::punt::{Punt, PuntQueue};
use crate::steer::ShardId;
use crate::transform::OuterTemplate;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The frame has been transformed: send it to the wire (out) or give it to the guest (in).
    Forward,
    /// The frame now holds the engine's answer: send it back the way the request came.
    Hairpin,
    /// The agent will answer; the packet is in the queue.
    Punt,
    /// The packet was dropped.
    Drop(DropReason),
    /// The packet was dropped, and the frame now holds the refusal: send it back the way the packet came.
    Refuse(DropReason),
    /// The packet belongs to another shard of the port; the frame is as it was.
    HandOver(HandOver),
}

/// A packet for another shard, with what this one knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The shard it belongs to.
    pub shard: u16,
    pub(crate) fragment: Option<crate::fragment::Ports>,
}

/// What a shard is made with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which shard of its port.
    pub shard: ShardId,
    /// Secret words for hashing, drawn once per boot and the same for all shards of a port.
    pub secret: [u64; 2],
    /// The whole port's limits; a shard has an even share.
    pub limits: Limits,
}

/// The state of one port for one worker.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    secret: [u64; 2],
    hasher: FlowHasher,
    program: Arc<Program>,
    /// The bits that stand for the program's layers in records.
    layers: LayerBits,
    /// Counts programs; 0 is none, so that a record of epoch 0 is never current.
    epoch: u32,
    /// The last epoch whose change asked to cut what it forbids.
    cut_epoch: u32,
    table: FlowTable,
    templates: Interner<OuterTemplate>,
    peers: Interner<Addr>,
    fragments: Fragments,
    punts: PuntQueue,
    meters: Vec<Meter>,
    replies: Meter,
    counters: Counters,
    rule_hits: Vec<u64>,
    /// Packets of a batch between being read and being processed.
    batch: Vec<batch::Read>,
    /// Connections of a thawed port that live where their outside port says.
    strays: Option<Arc<thaw::Strays>>,
    /// Connections at another executor.
    offload: Option<Box<Ledger>>,
    /// Stays at executors so far, while there is no ledger that counts them: a report of long ago must not find a new
    /// stay under its id.
    offload_rounds: u32,
    /// What the journal does not hold yet, where one is kept.
    journal: Option<Box<Marks>>,
    /// Until when no TCP segment of an unknown connection is answered with a reset.
    careful_until: Instant,
    /// Outside ports of unknown owners.
    resting: Option<Box<Resting>>,
}

/// What happens to connections that a new program forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They go on; only new ones are refused.
    Keep,
    /// They are cut with their next packet.
    Cut,
}

impl Shard {
    /// A shard without a flow, with a program to run.
    ///
    /// # Errors
    /// Where the limit of flows is out of bounds or there is not enough memory.
    pub fn new(settings: Settings, program: Arc<Program>) -> Result<Self, TableError> {
        let count = u32::from(settings.shard.count());
        let share = |limit: u32| {
            usize::try_from(limit.div_ceil(count))
                .unwrap_or(usize::MAX)
                .max(1)
        };
        let hasher = FlowHasher::new(settings.secret);
        let flows = settings.limits.flows.div_ceil(count);
        // One more than there are connections: what a connection refers to is kept before another makes room for it.
        let shared = flows.saturating_add(1);
        let a_second = settings.limits.replies_per_second;
        let replies = MeterSpec {
            packets_per_second: Some(a_second),
            burst_packets: a_second.div_ceil(u64::from(count)).max(1),
            ..MeterSpec::default()
        };
        let mut shard = Self {
            id: settings.shard,
            secret: settings.secret,
            hasher,
            table: FlowTable::new(flows, program.timeouts(), hasher)?,
            templates: Interner::new(shared, hasher),
            peers: Interner::new(shared, hasher),
            fragments: Fragments::new(share(settings.limits.fragments), hasher),
            punts: PuntQueue::new(share(settings.limits.punts)),
            meters: Vec::new(),
            replies: Meter::new(&replies, u64::from(count)),
            counters: Counters::new(),
            rule_hits: vec![0; program.counters()],
            batch: vec![batch::Read::NOTHING; batch::STRIDE],
            strays: None,
            offload: None,
            offload_rounds: 0,
            journal: None,
            careful_until: Instant::START,
            resting: None,
            layers: LayerBits::new(&program),
            program,
            epoch: 1,
            cut_epoch: 0,
        };
        shard.meters = shard.fresh_meters();
        Ok(shard)
    }

    fn fresh_meters(&self) -> Vec<Meter> {
        let count = u64::from(self.id.count());
        self.program
            .meters()
            .iter()
            .map(|spec| Meter::new(spec, count))
            .collect()
    }

    /// Replaces the program: the next packet meets the new one. Flows stay and are checked against it with their next
    /// packet; counters of rules that are in both programs (same layer, direction and id) go on.
    pub fn install(&mut self, program: Arc<Program>, existing: Existing) {
        self.rule_hits = report::carry_over(&self.program, &self.rule_hits, &program);
        self.change_layers(&program);
        self.program = program;
        self.epoch = (self.epoch.wrapping_add(1) & !Record::STALE).max(1);
        if existing == Existing::Cut {
            self.cut_epoch = self.epoch;
        }
        let old = core::mem::take(&mut self.meters);
        self.meters = self.fresh_meters();
        for (new, old) in self.meters.iter_mut().zip(&old) {
            new.keep(old);
        }
        self.table.set_timeouts(self.program.timeouts());
        if let Some(ledger) = &mut self.offload {
            ledger.revoke_all();
        }
        if let Some(journal) = &mut self.journal {
            journal.program_changed(existing == Existing::Cut);
        }
    }

    /// Keeps each layer's bit, and takes bits that change hands from all flows. That walks the table, and happens only
    /// where a port has seen more than sixteen layers' names.
    fn change_layers(&mut self, program: &Program) {
        let stale = self.layers.change(program);
        if stale == 0 {
            return;
        }
        let numbers: Vec<u32> = self
            .table
            .flows_from(0, u32::MAX)
            .map(|(flow, _)| flow.number)
            .collect();
        for number in numbers {
            self.table.get_mut(number).compiled.stateful_layers &= !stale;
        }
    }

    /// Sends one packet through the engine. The frame starts at the guest's Ethernet header (out) or at the outer
    /// Ethernet header (in), and afterwards is what the [`Verdict`] says.
    pub fn process(&mut self, direction: Direction, frame: &mut Frame, now: Instant) -> Verdict {
        let mut packet = Packet::NOTHING;
        if let Err(reason) = self.receive(direction, frame, &mut packet) {
            return self.refused(direction, reason);
        }
        if packet.is_plain() {
            let hash = self.hasher.hash(&packet.key());
            self.process_plain(&packet, hash, frame, now)
        } else {
            self.process_special(packet, None, frame, now)
        }
    }

    /// Sends a packet through that another shard handed over.
    pub fn process_handed_over(
        &mut self,
        direction: Direction,
        handed: HandOver,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        let mut packet = Packet::NOTHING;
        match self.receive(direction, frame, &mut packet) {
            Ok(()) => self.process_special(packet, Some(handed), frame, now),
            Err(reason) => self.refused(direction, reason),
        }
    }

    /// Reads a frame and counts it.
    #[inline(always)]
    fn receive(
        &mut self,
        direction: Direction,
        frame: &Frame,
        packet: &mut Packet,
    ) -> Result<(), DropReason> {
        self.counters.received[side(direction)] += 1;
        packet.read(direction, frame, self.program.underlay().guest_mtu)?;
        self.counters
            .count_traffic(direction, packet.frame_len, &packet.parsed);
        Ok(())
    }

    #[cold]
    fn refused(&mut self, direction: Direction, reason: DropReason) -> Verdict {
        self.counters.count_drop(direction, reason);
        Verdict::Drop(reason)
    }

    /// The next packet for the agent.
    pub fn pop_punt(&mut self) -> Option<Punt> {
        self.punts.pop()
    }

    /// How many packets wait for the agent.
    #[must_use]
    pub fn punts_waiting(&self) -> usize {
        self.punts.len()
    }

    /// Forgets flows whose time has run out; `budget` bounds the work. Returns how many are gone.
    pub fn expire(&mut self, now: Instant, budget: u32) -> u32 {
        let Self {
            table,
            templates,
            peers,
            offload,
            journal,
            ..
        } = self;
        let gone = table.expire(now, budget, |ended| {
            if let Some(ledger) = offload {
                ledger.gone(ended.handle.number);
            }
            if let Some(journal) = journal {
                journal.mark(ended.handle.number);
            }
            keep::release(templates, peers, &ended.record.compiled);
        });
        self.counters.flows_expired += u64::from(gone);
        self.end_rest(now);
        gone
    }

    /// The program that runs.
    #[must_use]
    pub const fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Counts the programs that were installed; starts at 1.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What the shard has counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many connections there are.
    #[must_use]
    pub fn flow_count(&self) -> u32 {
        self.table.len()
    }

    /// How many different outer headers and tunnel end points the connections use; they are counted apart from the
    /// connections' own memory.
    #[must_use]
    pub fn interned(&self) -> (usize, usize) {
        (self.templates.len(), self.peers.len())
    }
}
