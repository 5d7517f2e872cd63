//! The namespaces of a lab, and the processes in them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rackweave_linux::netns::Netns;

use crate::clock;
use crate::place::Place;
use crate::step::StepError;
use crate::topology::Topology;

/// Where namespaces have names.
const NAMES: &str = "/run/netns";
/// How long the kernel may take to end a process that was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the namespaces of all nodes and of the cables; gives that of the cables.
///
/// # Errors
/// Where a name is taken, or this is not root.
pub fn create(place: &Place, topology: &Topology) -> Result<Netns, StepError> {
    for node in &topology.nodes {
        make(place, &place.space(&node.name))?;
    }
    make(place, &place.cables())
}

/// Makes a namespace.
///
/// # Errors
/// Where the name is taken, or this is not root.
pub(crate) fn make(place: &Place, name: &str) -> Result<Netns, StepError> {
    Netns::create(name).map_err(|error| cannot(place, name, &error))
}

fn cannot(place: &Place, name: &str, error: &dyn std::error::Error) -> StepError {
    let lab = place.lab();
    StepError::new(format!("cannot make the namespace {name}"))
        .because(error)
        .next(format!(
            "be root; of a lab that is left over: `rackweave lab down --name {lab}`"
        ))
}

/// The namespace of a node.
///
/// # Errors
/// Where it is gone.
pub fn node(place: &Place, node: &str) -> Result<Netns, StepError> {
    open(place, &place.space(node))
}

/// The namespace of cables.
///
/// # Errors
/// Where it is gone.
pub fn cables(place: &Place) -> Result<Netns, StepError> {
    open(place, &place.cables())
}

fn open(place: &Place, name: &str) -> Result<Netns, StepError> {
    Netns::open(&Path::new(NAMES).join(name)).map_err(|error| {
        let lab = place.lab();
        StepError::new(format!("the namespace {name} cannot be entered"))
            .because(&error)
            .next(format!(
                "be root; if it is gone, take the lab away: `rackweave lab down --name {lab}`"
            ))
    })
}

/// A process in a namespace of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// How it was called.
    pub words: Vec<String>,
}

impl Process {
    /// Whether it is gone, or waits for its parent alone (`proc_pid_stat(5)`: states Z and X). A thread that is still
    /// being taken apart may be the one that lets go of what the process held.
    fn has_ended(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid));
        threads.into_iter().flatten().flatten().all(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
            state.is_none_or(|state| state.starts_with(['Z', 'X']))
        })
    }

    /// Whether it is the program of ours that is called by these words.
    #[must_use]
    pub fn is(&self, called: &[&str]) -> bool {
        let rest = self.words.get(1..).unwrap_or_default();
        rest.len() >= called.len() && rest.iter().zip(called).all(|(word, called)| word == called)
    }
}

/// The processes in a namespace.
#[must_use]
pub fn processes(space: &str) -> Vec<Process> {
    within(&[space.to_owned()].into())
}

fn within(spaces: &BTreeSet<String>) -> Vec<Process> {
    let inode = |path: &Path| fs::metadata(path).ok().map(|found| found.ino());
    let wanted: BTreeSet<u64> = spaces
        .iter()
        .filter_map(|name| inode(&Path::new(NAMES).join(name)))
        .collect();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let inside =
            inode(&entry.path().join("ns/net")).is_some_and(|inode| wanted.contains(&inode));
        let words = inside.then(|| fs::read(entry.path().join("cmdline")).unwrap_or_default())?;
        let words = words.split(|byte| *byte == 0);
        let words = words.map(|word| String::from_utf8_lossy(word).into_owned());
        Some(Process {
            pid,
            words: words.collect(),
        })
    })
    .collect()
}

/// The names of the namespaces of a lab.
#[must_use]
pub fn of(place: &Place) -> BTreeSet<String> {
    let entries = fs::read_dir(NAMES).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| place.owns(name)).collect()
}

/// Ends all processes in the namespaces of a lab, and takes the namespaces away, with all that is in them.
///
/// # Errors
/// Where a process does not end.
pub fn remove(place: &Place) -> Result<(), StepError> {
    let names = of(place);
    if !end_all(|| within(&names)) {
        let pids: Vec<_> = within(&names)
            .iter()
            .map(|found| found.pid.to_string())
            .collect();
        return Err(
            StepError::new(format!("processes of {} do not end", place.lab()))
                .cause(format!("still there: {}", pids.join(", ")))
                .next("try again in a moment"),
        );
    }
    for name in names {
        if let Ok(netns) = Netns::open(&Path::new(NAMES).join(&name)) {
            netns.remove();
        }
    }
    // A name whose namespace was never bound, or is gone.
    for name in of(place) {
        let _gone = fs::remove_file(Path::new(NAMES).join(name));
    }
    Ok(())
}

/// Ends processes until `found` finds none, for those that others have started meanwhile. Whether it came to that.
pub(crate) fn end_all(found: impl Fn() -> Vec<Process>) -> bool {
    let ended = clock::wait(PATIENCE, || {
        let found = found();
        end(&found);
        found.is_empty().then_some(())
    });
    ended.is_some()
}

/// Ends processes without asking, and waits until the kernel has taken all that they held, such as locks. Whether it has.
pub(crate) fn end(processes: &[Process]) -> bool {
    for process in processes {
        // One that is gone has ended.
        let _ended = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
    let ended = || processes.iter().all(Process::has_ended);
    clock::wait(PATIENCE, || ended().then_some(())).is_some()
}
