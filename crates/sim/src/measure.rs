//! What a router takes of memory: as many copies of it as show, in a process of their own.

use std::collections::BTreeMap;
use std::env::{current_exe, temp_dir};
use std::fs::{File, read_to_string, remove_file};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use rackweave_sim::scale::{SAMPLES, Shape};
use rackweave_sim::tape::Tape;
use rackweave_sim::topology::{NodeIx, Topology};

/// Copies of a router.
const COPIES: u64 = 8;

/// Builds copies of a router from what it was told, and says how many octets each takes.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// What the router was told.
    tape: PathBuf,
    /// The router's name.
    #[arg(long)]
    node: String,
    #[arg(long)]
    racks: usize,
    #[arg(long)]
    sleds: usize,
}

impl Measure {
    /// Octets of resident memory that a copy takes.
    pub(crate) fn run(&self) -> io::Result<u64> {
        let tape: Tape = serde_json::from_reader(BufReader::new(File::open(&self.tape)?))?;
        let topology = Topology::spines(self.racks, self.sleds);
        let spec = topology.all().find(|(_, spec)| spec.name == self.node);
        let (_, spec) = spec.ok_or_else(|| io::Error::other("no node has this name"))?;
        // The first one pays for what all share.
        let first = tape.play(spec);
        let before = resident()?;
        let copies: Vec<_> = (0..COPIES).map(|_| tape.play(spec)).collect();
        let octets = resident()?.saturating_sub(before) / COPIES;
        drop((first, copies));
        Ok(octets)
    }
}

/// Octets of memory by kind of router, each measured in a process of its own.
pub(crate) fn memory(
    shape: Shape,
    topology: &Topology,
    tapes: &BTreeMap<NodeIx, Tape>,
) -> io::Result<BTreeMap<String, u64>> {
    let mut memory = BTreeMap::new();
    for (kind, name) in SAMPLES {
        let Some(tape) = topology.find(name).and_then(|ix| tapes.get(&ix)) else {
            continue;
        };
        let path = temp_dir().join(format!("rackweave-sim-{}-{kind}.json", std::process::id()));
        let octets = in_child(shape, name, tape, &path);
        // What is not there need not go.
        let _gone = remove_file(&path);
        memory.insert(kind.to_owned(), octets?);
    }
    Ok(memory)
}

fn in_child(shape: Shape, name: &str, tape: &Tape, path: &Path) -> io::Result<u64> {
    serde_json::to_writer(BufWriter::new(File::create(path)?), tape)?;
    let mut child = Command::new(current_exe()?);
    child.arg("measure").arg(path).args(["--node", name]);
    child.args([
        "--racks",
        &shape.racks.to_string(),
        "--sleds",
        &shape.sleds.to_string(),
    ]);
    let said = child.output()?;
    let text = String::from_utf8_lossy(&said.stdout);
    text.trim().parse().map_err(io::Error::other)
}

/// Octets of memory that the process has resident.
fn resident() -> io::Result<u64> {
    let status = read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let number = kilobytes.map(|number| number.trim().parse::<u64>());
    match number {
        Some(Ok(number)) => Ok(number * 1024),
        _ => Err(io::Error::other("/proc/self/status has no VmRSS")),
    }
}
