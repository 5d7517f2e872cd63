//! First packets of new flows.

use std::time::Duration;

use anyhow::{Result, ensure};
use rackweave_engine::Direction;

use crate::clock;
use crate::established::{Bench, Established, How, Packets};
use crate::network;
use crate::rounds::Rounds;
use crate::traffic::{Kind, Part};

/// Flows that a table holds where nothing else is said.
pub const ROOM: u32 = 524_288;

/// New flows on a table with room: those of a round have ended before the next.
#[derive(Debug)]
pub struct Opening {
    bench: Bench,
    direction: Direction,
    flows: u32,
    packets: Packets,
}

impl Opening {
    /// A shard with room for `room` flows, and the first packets of `flows`. Its memory has been
    /// used before, as that of a shard that runs for a while.
    ///
    /// # Errors
    /// Where there is not enough memory, or a flow cannot be opened.
    pub fn new(kind: Kind, direction: Direction, flows: u32, room: u32) -> Result<Self> {
        let all: Vec<u32> = (0..flows).collect();
        let packets = Packets::of(&all, kind, direction, Part::First);
        let mut opening = Self {
            bench: Bench::new(network::shard(room)?),
            direction,
            flows,
            packets,
        };
        opening.send(How::Single)?;
        opening.end();
        Ok(opening)
    }

    /// Opens each flow.
    ///
    /// # Errors
    /// Where the engine did not let a packet pass.
    pub fn send(&mut self, how: How) -> Result<()> {
        self.bench.send(self.direction, &self.packets, how)
    }

    /// Lets all flows end.
    pub fn end(&mut self) {
        self.bench.wait(Duration::from_hours(1));
    }

    fn timed(&mut self, how: How) -> Result<Duration> {
        let mut sent = Ok(());
        let time = clock::time(|| sent = self.send(how));
        sent.map(|()| time)
    }
}

impl Rounds for Opening {
    fn each(&self) -> u32 {
        self.flows
    }

    fn round(&mut self) -> Result<[Duration; 2]> {
        let with = self.timed(How::Single)?;
        let open = self.bench.shard().flow_count();
        ensure!(
            open == self.flows,
            "{open} of {} flows are open",
            self.flows
        );
        self.end();
        Ok([with, self.timed(How::Copied)?])
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
}

impl Rounds for Crowding {
    fn each(&self) -> u32 {
        self.each
    }

    /// Opens flows that were never there.
    fn round(&mut self) -> Result<[Duration; 2]> {
        let flows: Vec<u32> = (self.next..self.next + self.each).collect();
        self.next += self.each;
        let packets = Packets::of(&flows, self.kind, Direction::Out, Part::First);
        let evicted = self.bench.shard().counters().flows_evicted;
        let mut timed = |how| {
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
}
