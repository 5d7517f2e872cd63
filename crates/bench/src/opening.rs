//! First packets of new flows.

use std::time::Duration;

use anyhow::{Result, ensure};
use rackweave_engine::Direction;

use crate::clock;
use crate::established::{Bench, Established, How, Packets};
use crate::network;
use crate::traffic::{Kind, Part};

/// Flows that a table holds.
pub const ROOM: u32 = 524_288;

/// New flows on a table with room: those of a round have ended before the next.
#[derive(Debug)]
pub struct Opening {
    bench: Bench,
    direction: Direction,
    packets: Packets,
}

impl Opening {
    /// A shard with room for [`ROOM`] flows, and the first packets of `flows`. Its memory has been
    /// used before, as that of a shard that runs for a while.
    ///
    /// # Errors
    /// Where there is not enough memory, or a flow cannot be opened.
    pub fn new(kind: Kind, direction: Direction, flows: u32) -> Result<Self> {
        let flows: Vec<u32> = (0..flows.min(ROOM)).collect();
        let packets = Packets::of(&flows, kind, direction, Part::First);
        let mut opening = Self {
            bench: Bench::new(network::shard(ROOM)?),
            direction,
            packets,
        };
        opening.round(How::Single)?;
        Ok(opening)
    }

    /// Opens each flow; says how long it took. Afterwards all of them end.
    ///
    /// # Errors
    /// Where one was not opened.
    pub fn round(&mut self, how: How) -> Result<Duration> {
        let mut sent = Ok(());
        let time = clock::time(|| sent = self.send(how));
        sent?;
        let expected = if how == How::Copied {
            0
        } else {
            self.packets.len()
        };
        let open = usize::try_from(self.bench.shard().flow_count())?;
        ensure!(open == expected, "{open} of {expected} flows are open");
        self.bench.wait(Duration::from_secs(3_600));
        Ok(time)
    }

    /// Opens each flow, and leaves them open.
    pub(crate) fn send(&mut self, how: How) -> Result<()> {
        self.bench.send(self.direction, &self.packets, how)
    }

    /// Nanoseconds for a new flow, measured as [`Established::nanos`] does.
    ///
    /// # Errors
    /// As [`round`](Self::round).
    pub fn nanos(&mut self, rounds: usize) -> Result<f64> {
        let (mut best, mut copied) = (Duration::MAX, Duration::MAX);
        for _ in 0..rounds {
            best = best.min(self.round(How::Single)?);
            copied = copied.min(self.round(How::Copied)?);
        }
        Ok(clock::nanos_each(
            best.saturating_sub(copied),
            u32::try_from(self.packets.len())?,
        ))
    }
}

/// New flows on a full table: each takes the place of another.
#[derive(Debug)]
pub struct Crowding {
    bench: Bench,
    kind: Kind,
    next: u32,
    each: u32,
}

impl Crowding {
    /// A shard that is full with [`ROOM`] established flows, and `each` new ones for a round.
    ///
    /// # Errors
    /// Where there is not enough memory, or a flow cannot be opened.
    pub fn new(kind: Kind, each: u32) -> Result<Self> {
        let bench = Established::open(kind, ROOM)?.into_bench();
        Ok(Self {
            bench,
            kind,
            next: ROOM,
            each,
        })
    }

    /// Opens flows that were never there; says how long it took, with and without the engine.
    ///
    /// # Errors
    /// Where one was not opened, or not in the place of another.
    pub fn round(&mut self) -> Result<[Duration; 2]> {
        let flows: Vec<u32> = (self.next..self.next + self.each).collect();
        self.next += self.each;
        let packets = Packets::of(&flows, self.kind, Direction::Out, Part::First);
        let evicted = self.bench.shard().counters().flows_evicted;
        let mut timed = |how| -> Result<Duration> {
            let mut sent = Ok(());
            let time = clock::time(|| sent = self.bench.send(Direction::Out, &packets, how));
            sent.map(|()| time)
        };
        let times = [timed(How::Single)?, timed(How::Copied)?];
        let evicted = self.bench.shard().counters().flows_evicted - evicted;
        ensure!(
            evicted == u64::from(self.each),
            "{evicted} flows gave way to {}",
            self.each
        );
        Ok(times)
    }

    /// Nanoseconds for a new flow, measured as [`Established::nanos`] does.
    ///
    /// # Errors
    /// As [`round`](Self::round).
    pub fn nanos(&mut self, rounds: usize) -> Result<f64> {
        let mut best = [Duration::MAX; 2];
        for _ in 0..rounds {
            let times = self.round()?;
            best = [best[0].min(times[0]), best[1].min(times[1])];
        }
        Ok(clock::nanos_each(
            best[0].saturating_sub(best[1]),
            self.each,
        ))
    }
}
