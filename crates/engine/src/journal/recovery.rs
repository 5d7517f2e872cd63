//! What became of a port's state when it was recovered from journals.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use rackweave_types::Instant;
use zerocopy::byteorder::little_endian::U64;

use super::error::{JournalError, Problem};
use super::read::{Sheet, read};
use crate::freeze::{Part, flag};
use crate::nat::Resting;
use crate::program::Program;
use crate::steer::ShardId;

/// For how long a recovered port takes care of what it does not know: outside ports of unknown owners rest (RFC 6888,
/// REQ-8), and TCP segments of unknown connections are never answered with a reset.
pub(crate) const CARE: Duration = Duration::from_mins(2);

/// What was found in the journals of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// How many connections came back.
    pub connections: u32,
    /// How many slots held a connection that cannot be read.
    pub damaged: u32,
    /// How many shards the port had; `None` where no journal says so.
    pub shards: Option<u16>,
    /// How many of them left no journal that can be read.
    pub missing: u16,
    /// The journals that cannot be read, and why.
    pub unreadable: Vec<Unreadable>,
    /// When the last of the journals was written last: since then nobody served the port.
    pub last: Option<Instant>,
    /// How many outside ports are not given to new connections for 120 s, because it is not known who has them.
    pub resting_ports: u32,
}

/// A journal that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place among those given.
    pub journal: usize,
    /// What is wrong with it.
    pub error: JournalError,
}

impl Recovery {
    /// Whether everything that the port knew came back.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.damaged == 0 && self.missing == 0 && self.shards.is_some()
    }
}

/// What the journals of a port hold.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) parts: Vec<Part>,
    /// The secret words of the port before.
    pub(crate) secret: Option<[u64; 2]>,
    pub(crate) resting: Option<Resting>,
    pub(crate) recovery: Recovery,
}

/// Reads the journals of a port.
pub(crate) fn gather(journals: &[&[u8]], program: &Program, now: Instant) -> Gathered {
    let mut sheets = Vec::new();
    let mut recovery = Recovery::default();
    for (journal, bytes) in journals.iter().enumerate() {
        match read(bytes, program, now) {
            Ok(sheet) => sheets.push(sheet),
            Err(problem) => recovery.unreadable.push(unreadable(journal, problem)),
        }
    }
    let known: BTreeSet<u16> = sheets
        .iter()
        .map(|sheet| sheet.header.index.get())
        .collect();
    recovery.shards = sheets.iter().map(|sheet| sheet.header.count.get()).max();
    recovery.last = sheets.iter().map(|sheet| sheet.last).max();
    recovery.damaged = sheets
        .iter()
        .fold(0, |all: u32, sheet| all.saturating_add(sheet.damaged));
    let missing: Vec<u16> = (0..recovery.shards.unwrap_or(0))
        .filter(|index| !known.contains(index))
        .collect();
    recovery.missing = u16::try_from(missing.len()).unwrap_or(u16::MAX);
    let resting = resting(&sheets, &missing, program, now);
    recovery.resting_ports = resting.as_ref().map_or(0, Resting::count);
    Gathered {
        secret: sheets
            .first()
            .map(|sheet| sheet.header.secret.map(U64::get)),
        parts: sheets.into_iter().map(|sheet| sheet.part).collect(),
        resting,
        recovery,
    }
}

const fn unreadable(journal: usize, problem: Problem) -> Unreadable {
    Unreadable {
        journal,
        error: JournalError::Unreadable(problem),
    }
}

/// The outside ports whose owner is not known: of the shards that left nothing, those of damaged slots, and those that
/// still rested when the process ended.
fn resting(sheets: &[Sheet], missing: &[u16], program: &Program, now: Instant) -> Option<Resting> {
    let count = sheets.iter().map(|sheet| sheet.header.count.get()).max();
    let mut resting = Resting::new(now.after(CARE));
    match count {
        None => resting.add_share(ShardId::ONLY, program),
        Some(count) => {
            for index in missing {
                resting.add_share_of(*index, count, program);
            }
        }
    }
    for sheet in sheets {
        let (index, count) = (sheet.header.index.get(), sheet.header.count.get());
        for port in &sheet.lost_ports {
            match port {
                Some(port) => resting.add(*port),
                None => resting.add_share_of(index, count, program),
            }
        }
        if now.nanos() < sheet.header.rest_until.get() {
            resting.add_share_of(index, count, program);
        }
    }
    let flows = sheets.iter().flat_map(|sheet| &sheet.part.flows);
    for flow in flows.filter(|flow| flow.flags & flag::SOURCE_NAT != 0) {
        resting.remove(flow.wire.unwrap_or(flow.guest).local_port);
    }
    (resting.count() > 0).then_some(resting)
}

impl Resting {
    fn add_share_of(&mut self, index: u16, count: u16, program: &Program) {
        if let Ok(shard) = ShardId::new(index, count) {
            self.add_share(shard, program);
        }
    }

    /// Lets a shard's ports of all pools rest.
    fn add_share(&mut self, shard: ShardId, program: &Program) {
        for (first, count) in program.pools().iter().filter_map(|pool| shard.share(pool)) {
            for at in 0..count {
                self.add(first.wrapping_add(at));
            }
        }
    }
}
