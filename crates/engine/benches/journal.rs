//! What keeping a journal costs: for each new flow, and for each packet of an established one. Both with and without
//! are measured by turns, and the difference is told.
#![forbid(unsafe_code)]

use std::env;
use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use criterion::Criterion;
use rackweave_bench::clock;
use rackweave_bench::established::BATCH;
use rackweave_bench::network;
use rackweave_bench::rounds::Rounds;
use rackweave_bench::traffic::{self, Kind, Part};
use rackweave_engine::{Direction, Frame, Shard, Verdict};
use rackweave_types::Instant;

fn main() -> Result<()> {
    let tried = env::args().any(|argument| argument == "--test" || argument == "--list");
    let flows = if tried { 64 } else { 65_536 };
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("journal");
    for (part, name) in [(Part::First, "new_flow"), (Part::Data, "established")] {
        let mut journaling = Journaling::new(part, flows)?;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| measure(&mut journaling, count));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

#[expect(
    clippy::expect_used,
    reason = "criterion takes no errors; a wrong measurement ends here"
)]
fn measure(journaling: &mut Journaling, count: u64) -> Duration {
    // The fastest of some rounds: the difference of means is lost in what else the machine does.
    let nanos = journaling.nanos(5).expect("the engine does as planned");
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let time = Duration::from_secs_f64(nanos / 1e9 * f64::from(count));
    // What costs nothing may even seem to cost less, and criterion wants some time.
    time.max(Duration::from_nanos(1))
}

/// Packets of one kind through a shard, in batches, with a journal and without.
struct Journaling {
    shard: Shard,
    memory: Vec<u8>,
    packets: Vec<Vec<u8>>,
    part: Part,
    frames: Vec<Frame>,
    verdicts: Vec<Verdict>,
    now: Instant,
}

impl Journaling {
    fn new(part: Part, flows: u32) -> Result<Self> {
        let shard = network::shard(flows * 2)?;
        let packet = |part| move |flow| traffic::frame(Kind::ALL[0], flow, Direction::Out, part);
        let mut journaling = Self {
            memory: vec![0; shard.journal_len()],
            packets: (0..flows).map(packet(Part::First)).collect(),
            frames: vec![Frame::new(&[]); BATCH],
            verdicts: vec![Verdict::Forward; BATCH],
            now: Instant::from_nanos(1_000_000_000),
            part,
            shard,
        };
        journaling.begin()?;
        journaling.send(true)?;
        if part == Part::First {
            journaling.end()?;
        } else {
            journaling.packets = (0..flows).map(packet(part)).collect();
        }
        Ok(journaling)
    }

    fn begin(&mut self) -> Result<()> {
        Ok(self.shard.begin_journal(&mut self.memory, self.now)?)
    }

    /// Lets all flows end.
    fn end(&mut self) -> Result<()> {
        self.now = self.now.after(Duration::from_hours(1));
        while self.shard.expire(self.now, 1 << 16) > 0 {}
        self.begin()
    }

    fn send(&mut self, journal: bool) -> Result<Duration> {
        let before = self.shard.counters().forwarded[0];
        let mut total = Duration::ZERO;
        let mut written = Ok(0);
        for packets in self.packets.chunks(BATCH) {
            self.now = self.now.after(Duration::from_micros(3));
            let frames = &mut self.frames[..packets.len()];
            for (packet, frame) in packets.iter().zip(&mut *frames) {
                frame.fill(packet);
            }
            let (shard, memory, now) = (&mut self.shard, &mut self.memory, self.now);
            let verdicts = &mut self.verdicts[..packets.len()];
            total += clock::time(|| {
                shard.process_batch(Direction::Out, frames, now, verdicts);
                if journal {
                    written = shard.journal(memory, now);
                }
            });
            black_box(&mut *verdicts);
        }
        written?;
        let passed = self.shard.counters().forwarded[0] - before;
        ensure!(
            passed == u64::try_from(self.packets.len())?,
            "{passed} passed"
        );
        Ok(total)
    }
}

impl Rounds for Journaling {
    fn each(&self) -> u32 {
        u32::try_from(self.packets.len()).unwrap_or(u32::MAX)
    }

    fn round(&mut self) -> Result<[Duration; 2]> {
        let with = self.send(true)?;
        if self.part == Part::First {
            self.end()?;
        }
        self.shard.end_journal();
        let without = self.send(false)?;
        if self.part == Part::First {
            self.end()?;
        } else {
            self.begin()?;
        }
        Ok([with, without])
    }
}
