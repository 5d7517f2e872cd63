//! What takes time, in a lab.

use std::time::Duration;

use anyhow::{Context, Result};
use rackweave_rig::figures::{Value, median_of, now, pause, say};
use rackweave_rig::wait_until;

use crate::Bench;

const GATEWAYS: [&str; 2] = ["mgs-a", "mgs-b"];
/// How long a gateway may take to name a fault before the run counts as failed.
const NAMED: Duration = Duration::from_secs(20);
/// How long a gateway is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// All programs end and start.
pub(crate) fn cold(bench: &Bench) -> Result<Value> {
    runs(bench, "cold start", |_| bench.lab.cycle(None))
}

/// One gateway ends and starts.
pub(crate) fn restart(bench: &Bench) -> Result<Value> {
    runs(bench, "restart", |run| {
        bench.lab.cycle(Some(GATEWAYS[run % GATEWAYS.len()]))
    })
}

/// The same, where frames vanish.
pub(crate) fn lossy(bench: &Bench) -> Result<Value> {
    let lab = bench.lab.lab();
    lab.lab(&["lossy", "units", "20%"])?;
    let value = runs(bench, "restart with loss", |run| {
        bench.lab.cycle(Some(GATEWAYS[run % GATEWAYS.len()]))
    });
    lab.lab(&["heal", "all"])?;
    value
}

fn runs(bench: &Bench, what: &str, mut run: impl FnMut(usize) -> Result<f64>) -> Result<Value> {
    let mut times = Vec::new();
    while times.len() < bench.runs && (times.is_empty() || bench.args.has_time()) {
        let ms = run(times.len())?;
        say(&format!("{what}: {ms} ms"));
        times.push(ms);
    }
    median_of("", times)
}

/// Cables of neighbouring cubbies, swapped at one switch and the other in turn.
pub(crate) fn swap_named(bench: &Bench) -> Result<Value> {
    let lab = bench.lab.lab();
    let mut worst = 0.0_f64;
    let mut made = 0;
    while made < bench.runs && (made == 0 || bench.args.has_time()) {
        let connector = made % 2 + 1;
        let [one, two] = [made, made + 1].map(|cubby| format!("c{cubby:02}-{connector}"));
        let words = format!(
            "the cables of cubby {made} and cubby {} are swapped",
            made + 1
        );
        wait_findings(bench, <[String]>::is_empty)?;
        lab.lab(&["swap", &one, &two])?;
        let start = now();
        wait_findings(bench, |findings| {
            findings.iter().any(|finding| finding.contains(&words))
        })?;
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        say(&format!("{one} and {two} swapped: named after {ms:.0} ms"));
        worst = worst.max(ms);
        lab.lab(&["heal", &one])?;
        made += 1;
    }
    wait_findings(bench, <[String]>::is_empty)?;
    Ok(Value {
        number: worst,
        note: format!("worst of {made} runs"),
    })
}

/// Waits until what both gateways find is as it should be.
fn wait_findings(bench: &Bench, wanted: impl Fn(&[String]) -> bool) -> Result<()> {
    wait_until(NAMED, "the gateways name what is wrong with cables", || {
        for gateway in GATEWAYS {
            if !wanted(&bench.lab.findings(gateway)?) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Processor time of a gateway that does nothing but look.
pub(crate) fn cpu(bench: &Bench) -> Result<Value> {
    let before = bench.lab.usage("mgs-a")?.cpu;
    let start = now();
    pause(WATCHED);
    let used = bench.lab.usage("mgs-a")?.cpu.saturating_sub(before);
    let passed = start.elapsed();
    Ok(Value {
        number: used.as_secs_f64() / passed.as_secs_f64() * 100.0,
        note: format!("over {:.0} s", passed.as_secs_f64()),
    })
}

/// Memory of the same.
pub(crate) fn memory(bench: &Bench) -> Result<Value> {
    let octets = bench.lab.usage("mgs-a")?.resident;
    let kib = u32::try_from(octets / 1024).context("a gateway holds less than a terabyte")?;
    Ok(Value {
        number: f64::from(kib) / 1024.0,
        note: "resident".to_owned(),
    })
}
