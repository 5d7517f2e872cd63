//! Measures control for `cargo xtask figures control`: one figure, one JSON object a line.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rackweave_bench::control::{Fleet, Live, Place, Spread, StoreKind};
use rackweave_rig::figures::{Args, Value, known, print, program, row, say};

/// Names, units, and what they tell.
const FIGURES: [(&str, &str, &str); 19] = [
    (
        "plan_full_10k_ms",
        "ms",
        "Planning an AZ of 10,000 sleds, 200,000 ports and 2,000 VPCs from nothing",
    ),
    (
        "plan_full_10k_mb",
        "MB",
        "Memory of the program with that AZ and its plan",
    ),
    (
        "plan_port_add_10k_ms",
        "ms",
        "Planning one port more there, and writing what each sled is told; the slowest of 100",
    ),
    (
        "plan_rule_1000_ports_ms",
        "ms",
        "The same for a firewall rule that concerns 1,000 ports on as many sleds; the slowest of 20",
    ),
    (
        "propagate_p50_ms_redb_1",
        "ms",
        "From the request for a firewall rule until the one host has it in its ports' programs; store in a file",
    ),
    (
        "propagate_p99_ms_redb_1",
        "ms",
        "The same, of a hundred the slowest",
    ),
    (
        "propagate_p50_ms_redb_10",
        "ms",
        "The same with ten hosts, of which it concerns one or all",
    ),
    (
        "propagate_p99_ms_redb_10",
        "ms",
        "The same, of a hundred the slowest",
    ),
    (
        "propagate_p50_ms_redb_1000",
        "ms",
        "The same with a thousand hosts, of which it concerns one or ten",
    ),
    (
        "propagate_p99_ms_redb_1000",
        "ms",
        "The same, of a hundred the slowest",
    ),
    (
        "propagate_p50_ms_etcd_1",
        "ms",
        "One host; the store is three members of etcd",
    ),
    (
        "propagate_p99_ms_etcd_1",
        "ms",
        "The same, of a hundred the slowest",
    ),
    (
        "propagate_p50_ms_etcd_10",
        "ms",
        "Ten hosts, three members of etcd",
    ),
    (
        "propagate_p99_ms_etcd_10",
        "ms",
        "The same, of a hundred the slowest",
    ),
    (
        "propagate_p50_ms_etcd_1000",
        "ms",
        "A thousand hosts, three members of etcd",
    ),
    (
        "propagate_p99_ms_etcd_1000",
        "ms",
        "The same, of a hundred the slowest",
    ),
    (
        "propagate_all_1000_ms",
        "ms",
        "From the request for a rule that concerns all of a thousand hosts until the last one has said that it is in force; store in a file; the slowest",
    ),
    (
        "propagate_all_1000_etcd_ms",
        "ms",
        "The same with three members of etcd",
    ),
    (
        "controller_restart_catchup_ms",
        "ms",
        "From the kill of the controller of a thousand hosts, just after a change that concerns all of them, until the last one has it from the next controller; the slowest",
    ),
];

/// Sleds and VPCs of the plan in full, and of `--quick`.
const SIZES: [(u32, u32); 2] = [(10_000, 2_000), (2_000, 400)];
/// How many hosts follow a controller, as figures say it.
const HOSTS: [usize; 3] = [1, 10, 1_000];

/// How often things are measured, and with how many hosts where figures say a thousand.
#[derive(Clone, Copy, Debug)]
struct Scale {
    thousand: usize,
    changes: usize,
    changes_of_all: usize,
    restarts: usize,
}

const SCALES: [Scale; 2] = [
    Scale {
        thousand: 1_000,
        changes: 500,
        changes_of_all: 30,
        restarts: 5,
    },
    Scale {
        thousand: 100,
        changes: 100,
        changes_of_all: 5,
        restarts: 1,
    },
];

fn main() -> Result<()> {
    let args = Args::read(|_, _| Ok(false))?;
    if args.list {
        for (figure, unit, about) in FIGURES {
            print(&known(figure, unit, about));
        }
        return Ok(());
    }
    let report = Report { args: &args };
    plan(&report)?;
    for store in [StoreKind::Redb, StoreKind::Etcd] {
        for hosts in HOSTS {
            report.live(store, hosts);
        }
    }
    Ok(())
}

/// Tells what is wanted.
#[derive(Debug)]
struct Report<'a> {
    args: &'a Args,
}

impl Report<'_> {
    fn tell(&self, figure: &str, value: &Result<Value>) {
        let known = FIGURES.iter().find(|(name, ..)| *name == figure);
        if let Some((_, unit, _)) = known.filter(|_| self.args.wants(figure)) {
            print(&row(figure, unit, value, self.args.quick));
        }
    }

    /// Measures what needs a controller and hosts, where it is wanted.
    fn live(&self, store: StoreKind, hosts: usize) {
        let names = Names::new(store, hosts);
        if !names.all().any(|name| self.args.wants(name)) {
            return;
        }
        if let Err(error) = self.measure(store, hosts, &names) {
            for name in names.all() {
                let why = anyhow::anyhow!("{error:#}");
                self.tell(name, &Err(why));
            }
        }
    }

    fn measure(&self, store: StoreKind, hosts: usize, names: &Names) -> Result<()> {
        let args = self.args;
        if !args.has_time() {
            bail!("no time left");
        }
        let scale = SCALES[usize::from(args.quick)];
        let few = hosts.min(scale.thousand);
        say(&format!("{few} hosts on {store:?}"));
        let program = program()?;
        let mut live = Live::start(Place {
            program: Path::new(&program),
            hosts: few,
            store,
        })?;
        let hosts_note = format!("{few} hosts, ");
        if [&names.median, &names.slow]
            .iter()
            .any(|name| args.wants(name))
        {
            let (mut enforced, mut answered) = (Vec::new(), Vec::new());
            for number in 0..scale.changes {
                let spread = [Spread::One, Spread::Ten][number % 2];
                let came = live.propagate(spread)?;
                enforced.push(came.enforced.as_secs_f64() * 1e3);
                answered.push(came.answered.as_secs_f64() * 1e3);
                if number >= 20 && !args.has_time() {
                    break;
                }
            }
            for (name, share) in [(&names.median, 50), (&names.slow, 99)] {
                let number = percentile(&mut enforced, share)?;
                let stored = percentile(&mut answered, share)?;
                let runs = enforced.len();
                let note = format!("{hosts_note}{runs} changes; answered after {stored:.2}");
                self.tell(name, &Ok(Value { number, note }));
            }
        }
        if let Some(name) = names.all_hosts.filter(|name| args.wants(name)) {
            let took = repeat(args, scale.changes_of_all, || live.acknowledge());
            self.tell(name, &slowest(took, &hosts_note));
        }
        if let Some(name) = names.restart.filter(|name| args.wants(name)) {
            let mut whole = 0;
            let took = repeat(args, scale.restarts, || {
                let caught_up = live.restart()?;
                whole = whole.max(caught_up.whole);
                Ok(caught_up.all)
            });
            let note = format!("{hosts_note}up to {whole} of them told all of their state; ");
            self.tell(name, &slowest(took, &note));
        }
        Ok(())
    }
}

/// What is measured with one store and one number of hosts.
#[derive(Debug)]
struct Names {
    median: String,
    slow: String,
    all_hosts: Option<&'static str>,
    restart: Option<&'static str>,
}

impl Names {
    fn new(store: StoreKind, hosts: usize) -> Self {
        let kind = match store {
            StoreKind::Redb => "redb",
            StoreKind::Etcd => "etcd",
        };
        let (all_hosts, restart) = match (store, hosts) {
            (StoreKind::Redb, 1_000) => (
                Some("propagate_all_1000_ms"),
                Some("controller_restart_catchup_ms"),
            ),
            (StoreKind::Etcd, 1_000) => (Some("propagate_all_1000_etcd_ms"), None),
            _ => (None, None),
        };
        Self {
            median: format!("propagate_p50_ms_{kind}_{hosts}"),
            slow: format!("propagate_p99_ms_{kind}_{hosts}"),
            all_hosts,
            restart,
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let always = [self.median.as_str(), self.slow.as_str()];
        always.into_iter().chain(self.all_hosts).chain(self.restart)
    }
}

/// Measures so often, or until time is up; once at least.
fn repeat(
    args: &Args,
    times: usize,
    mut work: impl FnMut() -> Result<Duration>,
) -> Result<Vec<f64>> {
    let mut took = Vec::new();
    for number in 0..times {
        if number > 0 && !args.has_time() {
            break;
        }
        took.push(work()?.as_secs_f64() * 1e3);
    }
    Ok(took)
}

/// The slowest, with the median as a note.
fn slowest(took: Result<Vec<f64>>, note: &str) -> Result<Value> {
    let mut took = took?;
    let number = percentile(&mut took, 100)?;
    let median = percentile(&mut took, 50)?;
    let note = format!("{note}{} runs, median {median:.1}", took.len());
    Ok(Value { number, note })
}

/// The number that so many of a hundred do not exceed.
fn percentile(numbers: &mut [f64], share: usize) -> Result<f64> {
    numbers.sort_by(f64::total_cmp);
    let place = (numbers.len() * share).div_ceil(100).max(1) - 1;
    numbers.get(place).copied().context("nothing was measured")
}

fn plan(report: &Report<'_>) -> Result<()> {
    let args = report.args;
    let names = FIGURES.iter().map(|(name, ..)| name);
    let mut names = names.filter(|name| name.starts_with("plan_"));
    if !names.any(|name| args.wants(name)) {
        return Ok(());
    }
    let (sleds, vpcs) = SIZES[usize::from(args.quick)];
    let mut fleet = Fleet::new(sleds, vpcs)?;
    let note = format!("{sleds} sleds, {} ports", fleet.nics());
    let tell = |figure: &str, number: f64| {
        let note = note.clone();
        report.tell(figure, &Ok(Value { number, note }));
    };
    tell("plan_full_10k_ms", fleet.plan().as_secs_f64() * 1e3);
    tell("plan_full_10k_mb", resident_mb()?);
    let slowest = |times: u32, work: &mut dyn FnMut(u32) -> Result<Duration>| {
        let mut number = 0;
        let took = repeat(args, usize::try_from(times)?, || {
            number += 1;
            work(number)
        });
        slowest(took, &format!("{note}, "))
    };
    let port = slowest(100, &mut |number| fleet.add_port(number));
    report.tell("plan_port_add_10k_ms", &port);
    let rule = slowest(20, &mut |number| fleet.add_rule(number));
    report.tell("plan_rule_1000_ports_ms", &rule);
    Ok(())
}

/// The memory that this process has, in MB (`proc_pid_status(5)`, `VmRSS`).
fn resident_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: f64 = kilobytes.context("no VmRSS")?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
