//! Packets of established flows, and first packets of new ones: time by criterion, and instructions
//! by callgrind beside. What is measured is in `rackweave-bench`.
#![forbid(unsafe_code)]

use std::env;
use std::time::Duration;

use anyhow::Result;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use rackweave_bench::established::{Established, How};
use rackweave_bench::instructions::{self, Workload};
use rackweave_bench::opening::{Crowding, Opening, ROOM};
use rackweave_bench::rounds::Rounds;
use rackweave_bench::traffic::{Kind, name};
use rackweave_engine::Direction;

const TABLES: [u32; 4] = [16, 65_536, 524_288, 4_194_304];
const WAYS: [Direction; 2] = [Direction::Out, Direction::In];

fn main() -> Result<()> {
    let has = |wanted: &str| env::args().any(|argument| argument == wanted);
    if has(instructions::ARGUMENT) {
        return instructions::run_workloads();
    }
    // `cargo test --benches` looks whether they run, and has no time for large tables.
    let tried = has("--test") || has("--list");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for &flows in TABLES.iter().take(if tried { 1 } else { TABLES.len() }) {
        hits(&mut criterion, flows);
    }
    news(&mut criterion, if tried { 16 } else { 65_536 });
    if !tried {
        full(&mut criterion);
        count();
    }
    criterion.final_summary();
    Ok(())
}

fn hits(criterion: &mut Criterion, flows: u32) {
    let mut group = criterion.benchmark_group(format!("hit_{flows}"));
    for kind in Kind::ALL {
        let mut table = None;
        for direction in WAYS {
            for (how, told) in [(How::Single, "single"), (How::Batch, "batch")] {
                let id = BenchmarkId::new(told, name(kind, direction));
                let open = || Established::open(kind, flows);
                bench(&mut group, id, &mut table, open, |table, packets| {
                    table.hits(direction, how).time(packets)
                });
            }
        }
    }
    group.finish();
}

fn news(criterion: &mut Criterion, flows: u32) {
    let mut group = criterion.benchmark_group("new");
    for kind in Kind::ALL {
        for direction in WAYS {
            let id = BenchmarkId::new("single", name(kind, direction));
            let open = || Opening::new(kind, direction, flows, ROOM);
            bench(&mut group, id, &mut None, open, Rounds::time);
        }
    }
    group.finish();
}

fn full(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("new_on_full_table");
    for kind in Kind::ALL {
        let id = BenchmarkId::new("single", name(kind, Direction::Out));
        let open = || Crowding::new(kind, 65_536);
        bench(&mut group, id, &mut None, open, Rounds::time);
    }
    group.finish();
}

/// Measures something that is made when it is first needed: a filter may leave it out.
#[expect(
    clippy::expect_used,
    reason = "criterion takes no errors; a wrong measurement ends here"
)]
fn bench<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    made: &mut Option<T>,
    make: impl Fn() -> Result<T>,
    mut time: impl FnMut(&mut T, u64) -> Result<Duration>,
) {
    group.bench_function(id, |bencher| {
        let made = made.get_or_insert_with(|| make().expect("a table for the measurement"));
        bencher.iter_custom(|packets| time(made, packets).expect("the engine does as planned"));
    });
}

#[expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
fn count() {
    let counted = match instructions::count() {
        Ok(counted) => counted,
        Err(error) => return println!("no instruction counts: {error:#}"),
    };
    println!("\ninstructions for one packet");
    for (workload, instructions) in counted {
        let name = match workload {
            Workload::Hit(kind, way, how) => format!("hit_16/{how:?}/{}", name(kind, way)),
            Workload::New(kind, way) => format!("new/single/{}", name(kind, way)),
            Workload::Rules => "lookup in 10,000 rules".to_owned(),
        };
        println!("{name:<40} {instructions:>8.0}");
    }
}
