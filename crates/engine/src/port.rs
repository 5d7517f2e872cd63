//! A port: one guest NIC, its shards together.
//!
//! Workers that share a port take its shards ([`Port::into_shards`]), one each, and pass on what
//! [`Verdict::HandOver`] says. Where one thread serves the port, [`Port::process`] does the same in place.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rackweave_types::Instant;

use crate::counters::Counters;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::TableError;
use crate::frame::Frame;
use crate::freeze::{self, ThawError};
use crate::journal::{self, Gathered, Recovery};
use crate::program::{Limits, Program};
use crate::shard::{self, Existing, Explanation, Settings, Shard, Verdict};
use crate::steer::{ShardError, ShardId};

/// How often a packet is handed over at most: a fragment goes to the shard that knows its datagram, and from there to
/// its flow's.
const MAX_HOPS: u8 = 2;

/// All shards of one guest NIC.
#[derive(Debug)]
pub struct Port {
    shards: Vec<Shard>,
}

/// Why a port cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortError {
    /// The count of shards is not a power of two.
    Shards(ShardError),
    /// A shard's flow table cannot be made.
    Table(TableError),
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shards(_) => f.write_str("port cannot be shared out"),
            Self::Table(_) => f.write_str("no flow table for the port"),
        }
    }
}

impl core::error::Error for PortError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Shards(error) => Some(error),
            Self::Table(error) => Some(error),
        }
    }
}

impl Port {
    /// A port of `shards` shards (a power of two) that share its limits evenly; `secret` is drawn once per boot.
    ///
    /// # Errors
    /// Where the count is not a power of two or a flow table cannot be made.
    pub fn new(
        shards: u16,
        secret: [u64; 2],
        limits: Limits,
        program: &Arc<Program>,
    ) -> Result<Self, PortError> {
        ShardId::new(0, shards).map_err(PortError::Shards)?;
        let shard = |index| {
            let shard = ShardId::new(index, shards).map_err(PortError::Shards)?;
            let settings = Settings {
                shard,
                secret,
                limits,
            };
            Shard::new(settings, Arc::clone(program)).map_err(PortError::Table)
        };
        Ok(Self {
            shards: (0..shards).map(shard).collect::<Result<_, _>>()?,
        })
    }

    /// A port made of all shards of a frozen one, of as many shards as wanted: connections go on in the shard that
    /// owns them now, what was counted goes on in the first. The program is the one of now; see
    /// [`freeze`](crate::freeze) for what that means. What goes beyond the new limits is counted as evicted (the least
    /// valuable connections) or dropped (packets for the agent).
    ///
    /// Times before `now`'s start are not told apart: a clock younger than the connections makes them younger.
    ///
    /// # Errors
    /// Where bytes cannot be read, are not all shards of one port, or the new port cannot be made.
    pub fn thaw(
        shards: u16,
        secret: [u64; 2],
        limits: Limits,
        program: &Arc<Program>,
        frozen: &[&[u8]],
        now: Instant,
    ) -> Result<Self, ThawError> {
        let read = |(part, bytes): (usize, &&[u8])| {
            freeze::read(bytes).map_err(|error| ThawError::Part { part, error })
        };
        let parts = frozen
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        let indices: BTreeSet<u16> = parts.iter().map(|part| part.header.index).collect();
        let alike = parts
            .iter()
            .all(|part| usize::from(part.header.count) == parts.len());
        if parts.is_empty() || !alike || indices.len() != parts.len() {
            return Err(ThawError::Incomplete { parts: parts.len() });
        }
        let mut port = Self::new(shards, secret, limits, program).map_err(ThawError::Port)?;
        shard::fill(&mut port.shards, parts, now);
        Ok(port)
    }

    /// A port made of the journals of one whose process ended, of as many shards as wanted; see
    /// [`journal`](crate::journal). It is for a port that was there before: with no journal at all, nothing is known
    /// of its connections. Where a journal says with which `secret` the port hashed, that one is used again.
    ///
    /// Bytes that cannot be read are no error, but told in the [`Recovery`]. For 120 s the port heeds that there may
    /// be connections it does not know. TCP segments that open none are adopted where the rules allow it, and where
    /// they do not, no reset answers them. Where state was lost, outside ports whose owner is unknown are given to no
    /// new connection ([`DropReason::NatPortsResting`]).
    ///
    /// Counters and rates begin anew. Then each shard [begins a journal](Shard::begin_journal), in other memory.
    ///
    /// # Errors
    /// Where the new port cannot be made.
    pub fn recover(
        shards: u16,
        secret: [u64; 2],
        limits: Limits,
        program: &Arc<Program>,
        journals: &[&[u8]],
        now: Instant,
    ) -> Result<(Self, Recovery), PortError> {
        let Gathered {
            parts,
            secret: before,
            resting,
            mut recovery,
        } = journal::gather(journals, program, now);
        let mut port = Self::new(shards, before.unwrap_or(secret), limits, program)?;
        shard::fill(&mut port.shards, parts, now);
        shard::take_care(&mut port.shards, now.after(journal::CARE), resting.as_ref());
        recovery.connections = port.flow_count();
        Ok((port, recovery))
    }

    /// All state of the port as bytes, a string for each shard; see [`Shard::freeze`].
    #[must_use]
    pub fn freeze(&self, now: Instant) -> Vec<Vec<u8>> {
        self.shards.iter().map(|shard| shard.freeze(now)).collect()
    }

    /// The shards, for workers of their own.
    #[must_use]
    pub fn into_shards(self) -> Vec<Shard> {
        self.shards
    }

    /// The shards.
    #[must_use]
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The shards, to take their punts or expire their flows.
    pub fn shards_mut(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// Sends one packet through the shard it belongs to; see [`Shard::process`].
    pub fn process(&mut self, direction: Direction, frame: &mut Frame, now: Instant) -> Verdict {
        let mut verdict = match self.at(direction, frame) {
            Some(shard) => shard.process(direction, frame, now),
            None => Verdict::Drop(DropReason::WrongShard),
        };
        for _ in 0..MAX_HOPS {
            let Verdict::HandOver(to) = verdict else {
                return verdict;
            };
            let Some(shard) = self.shards.get_mut(usize::from(to.shard)) else {
                break;
            };
            verdict = shard.process_handed_over(direction, to, frame, now);
        }
        match verdict {
            Verdict::HandOver(_) => Verdict::Drop(DropReason::WrongShard),
            verdict => verdict,
        }
    }

    /// The shard for a frame; the first one also counts what is malformed.
    fn at(&mut self, direction: Direction, frame: &Frame) -> Option<&mut Shard> {
        let owner = self.shards.first()?.owner(direction, frame).unwrap_or(0);
        self.shards.get_mut(usize::from(owner))
    }

    /// What would become of a packet now, in the shard it belongs to; see [`Shard::explain`].
    #[must_use]
    pub fn explain(
        &self,
        direction: Direction,
        frame: &Frame,
        now: Instant,
    ) -> Option<Explanation> {
        let owner = self.shards.first()?.owner(direction, frame).unwrap_or(0);
        let mut explanation = self
            .shards
            .get(usize::from(owner))?
            .explain(direction, frame, now);
        for _ in 0..MAX_HOPS {
            let Verdict::HandOver(to) = explanation.verdict else {
                break;
            };
            let shard = self.shards.get(usize::from(to.shard))?;
            explanation = shard.explain_handed_over(direction, to, frame, now);
        }
        Some(explanation)
    }

    /// Replaces the program of all shards; see [`Shard::install`].
    pub fn install(&mut self, program: &Arc<Program>, existing: Existing) {
        for shard in &mut self.shards {
            shard.install(Arc::clone(program), existing);
        }
    }

    /// What all shards have counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::new();
        for shard in &self.shards {
            sum.add(shard.counters());
        }
        sum
    }

    /// How many connections there are.
    #[must_use]
    pub fn flow_count(&self) -> u32 {
        self.shards.iter().map(Shard::flow_count).sum()
    }
}
