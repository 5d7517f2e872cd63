//! Lookups in rule sets and routing tables of all sizes.
#![forbid(unsafe_code)]

use std::time::Duration;

use anyhow::Result;
use criterion::{BenchmarkId, Criterion};
use rackweave_bench::lookup::{Lookups, Set};
use rackweave_bench::rounds::Rounds;

fn main() -> Result<()> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (set, name) in [(Set::Rules, "rules"), (Set::Routes, "routes")] {
        let mut group = criterion.benchmark_group(format!("lookup_{name}"));
        for size in [10, 1_000, 10_000, 100_000] {
            let mut lookups = Lookups::new(set, size);
            lookups.check()?;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter_custom(|count| measure(&mut lookups, count));
            });
        }
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}

#[expect(
    clippy::expect_used,
    reason = "criterion takes no errors; a lookup has none"
)]
fn measure(lookups: &mut Lookups, count: u64) -> Duration {
    lookups.time(count).expect("lookups do not fail")
}
