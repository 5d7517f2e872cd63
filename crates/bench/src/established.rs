//! Packets of flows that are established: how long the engine takes for each.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use rackweave_engine::{Direction, Frame, Shard, Verdict};
use rackweave_testkit::random::Random;
use rackweave_types::Instant;

use crate::clock;
use crate::network;
use crate::rounds::Rounds;
use crate::traffic::{self, Kind, Part};

/// Packets that go through the engine together, where they do.
pub const BATCH: usize = 32;

/// Fewest packets in a round.
const ROUND_MIN: usize = 4_096;

/// How packets go through the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Not at all: they are only copied into their frames.
    Copied,
    /// One by one.
    Single,
    /// 32 at a time.
    Batch,
}

/// Packets of equal length, one after the other in memory.
#[derive(Clone, Debug)]
pub struct Packets {
    bytes: Vec<u8>,
    each: usize,
}

impl Packets {
    /// One packet of each of these flows, in this order.
    #[must_use]
    pub fn of(flows: &[u32], kind: Kind, direction: Direction, part: Part) -> Self {
        let each = traffic::frame(kind, 0, direction, part).len();
        let mut bytes = Vec::with_capacity(each * flows.len());
        for flow in flows {
            bytes.extend(traffic::frame(kind, *flow, direction, part));
        }
        Self { bytes, each }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.each
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All of them in groups of at most 32.
    fn groups(&self) -> impl Iterator<Item = std::slice::ChunksExact<'_, u8>> {
        self.bytes
            .chunks(BATCH * self.each)
            .map(|group| group.chunks_exact(self.each))
    }
}

/// A shard, with frames to send packets through it.
#[derive(Debug)]
pub struct Bench {
    shard: Shard,
    frames: Vec<Frame>,
    verdicts: Vec<Verdict>,
    now: Instant,
}

impl Bench {
    /// A bench for this shard.
    #[must_use]
    pub fn new(shard: Shard) -> Self {
        Self {
            shard,
            frames: vec![Frame::new(&[]); BATCH],
            verdicts: vec![Verdict::Forward; BATCH],
            now: Instant::from_nanos(1_000_000_000),
        }
    }

    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Lets time pass, and forgets the flows that end by it.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
        while self.shard.expire(self.now, 1 << 16) > 0 {}
    }

    /// Sends each packet once; the engine is to let each pass.
    ///
    /// # Errors
    /// Where it did not: the measurement would be of something else.
    pub fn send(&mut self, direction: Direction, packets: &Packets, how: How) -> Result<()> {
        let place = usize::from(direction == Direction::In);
        let before = self.shard.counters().forwarded[place];
        for group in packets.groups() {
            self.now = self.now.after(Duration::from_nanos(100));
            let count = self.fill(group);
            match how {
                How::Copied => {}
                How::Single => self.send_singly(direction, count),
                How::Batch => self.send_together(direction, count),
            }
        }
        let passed = self.shard.counters().forwarded[place] - before;
        let expected = if how == How::Copied {
            0
        } else {
            u64::try_from(packets.len())?
        };
        ensure!(
            passed == expected,
            "{passed} of {expected} packets passed: {:?}",
            self.drops()
        );
        Ok(())
    }

    /// Copies packets into the frames; says how many there are.
    fn fill<'a>(&mut self, group: impl ExactSizeIterator<Item = &'a [u8]>) -> usize {
        let count = group.len();
        for (packet, frame) in group.zip(&mut self.frames) {
            frame.fill(packet);
        }
        black_box(&mut self.frames);
        count
    }

    fn send_singly(&mut self, direction: Direction, count: usize) {
        for frame in self.frames.iter_mut().take(count) {
            black_box(self.shard.process(direction, frame, self.now));
        }
    }

    fn send_together(&mut self, direction: Direction, count: usize) {
        let (frames, verdicts) = (&mut self.frames[..count], &mut self.verdicts[..count]);
        self.shard
            .process_batch(direction, frames, self.now, verdicts);
        black_box(verdicts);
    }

    fn drops(&self) -> Vec<(&'static str, u64)> {
        let counters = self.shard.counters();
        let of = |reason: &rackweave_engine::DropReason| {
            let both = [Direction::Out, Direction::In].map(|way| counters.dropped(way, *reason));
            (reason.name(), both.iter().sum())
        };
        rackweave_engine::DropReason::ALL
            .iter()
            .map(of)
            .filter(|(_, drops)| *drops > 0)
            .collect()
    }
}

/// Flows that are established, and a packet of each in random order.
#[derive(Debug)]
pub struct Established {
    bench: Bench,
    kind: Kind,
    /// The flows in the order in which packets come, each at least once.
    order: Vec<u32>,
    ready: Option<(Direction, Packets)>,
}

impl Established {
    /// A shard that is full with this many flows, opened by the guest and answered.
    ///
    /// # Errors
    /// Where there is not enough memory, or a flow cannot be opened.
    pub fn open(kind: Kind, flows: u32) -> Result<Self> {
        Self::open_on(
            network::shard(flows)?,
            kind,
            &(0..flows).collect::<Vec<_>>(),
        )
    }

    /// As [`open`](Self::open), on a shard that these flows belong to.
    ///
    /// # Errors
    /// Where a flow cannot be opened.
    pub fn open_on(shard: Shard, kind: Kind, flows: &[u32]) -> Result<Self> {
        let mut bench = Bench::new(shard);
        open(&mut bench, kind, flows)?;
        let mut order = flows.to_vec();
        while order.len() < ROUND_MIN {
            order.extend_from_within(..);
        }
        Random::new(1).shuffle(&mut order);
        Ok(Self {
            bench,
            kind,
            order,
            ready: None,
        })
    }

    /// How many packets a round has.
    #[must_use]
    pub fn round(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }

    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> &Shard {
        &self.bench.shard
    }

    /// What sent the packets, to send others.
    #[must_use]
    pub(crate) fn into_bench(self) -> Bench {
        self.bench
    }

    /// Builds the packets of this direction, unless they are those of the last round.
    pub fn prepare(&mut self, direction: Direction) {
        if self
            .ready
            .as_ref()
            .is_none_or(|(ready, _)| *ready != direction)
        {
            self.ready = None;
            let packets = Packets::of(&self.order, self.kind, direction, Part::Data);
            self.ready = Some((direction, packets));
        }
    }

    /// Sends a packet of each flow, as they were prepared.
    ///
    /// # Errors
    /// Where the engine did not let one pass.
    pub fn send(&mut self, how: How) -> Result<()> {
        match &self.ready {
            Some((direction, packets)) => self.bench.send(*direction, packets, how),
            None => Ok(()),
        }
    }

    /// As [`send`](Self::send); says how long it took.
    ///
    /// # Errors
    /// Where the engine did not let one pass, or asked the layers about one.
    pub fn timed(&mut self, how: How) -> Result<Duration> {
        let asked = asked(&self.bench.shard);
        let mut sent = Ok(());
        let time = clock::time(|| sent = self.send(how));
        sent?;
        ensure!(
            asked == self::asked(&self.bench.shard),
            "packets of no established flow"
        );
        Ok(time)
    }

    /// Packets of one direction, to be measured.
    pub fn hits(&mut self, direction: Direction, how: How) -> Hits<'_> {
        self.prepare(direction);
        Hits { flows: self, how }
    }
}

/// Packets of established flows.
#[derive(Debug)]
pub struct Hits<'a> {
    flows: &'a mut Established,
    how: How,
}

impl Rounds for Hits<'_> {
    fn each(&self) -> u32 {
        self.flows.round()
    }

    fn round(&mut self) -> Result<[Duration; 2]> {
        Ok([self.flows.timed(self.how)?, self.flows.timed(How::Copied)?])
    }
}

/// Opens flows from the guest and answers them, a few at a time.
fn open(bench: &mut Bench, kind: Kind, flows: &[u32]) -> Result<()> {
    let steps = [
        (Direction::Out, Part::First),
        (Direction::In, Part::Answer),
        (Direction::Out, Part::Data),
    ];
    for flows in flows.chunks(1024) {
        for (direction, part) in steps {
            bench.send(
                direction,
                &Packets::of(flows, kind, direction, part),
                How::Single,
            )?;
        }
    }
    let open = bench.shard.flow_count();
    ensure!(
        usize::try_from(open)? == flows.len(),
        "{open} of {} flows are open",
        flows.len()
    );
    Ok(())
}

/// How often the layers were asked.
fn asked(shard: &Shard) -> u64 {
    shard.rule_hits().iter().map(|rule| rule.hits).sum()
}
