//! A program on a cable that makes frames come later: the kernel has no queue that could.
//!
//! It runs in the namespace of cables while a link has a delay, takes every frame that comes in at one end, whole large
//! sends included, and sends it out of the other when its time has come. It is told on a unix socket, with one line of
//! JSON, what each direction does; a direction that it no longer takes it still brings to the end. What it was told last
//! holds until it has neither direction nor frame, then it ends.

mod queue;
mod run;

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rackweave_linux::netns::Netns;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::fault::{Condition, Way};
use crate::management;
use crate::place::Place;
use crate::step::StepError;
use crate::topology::Link;

pub use run::{RelayArgs, run};

/// How long a relay may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a relay does: with frames that come in at the first end, and with those that come in at the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Orders {
    ways: [Option<Order>; 2],
}

/// What becomes of the frames of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Order {
    delay_us: u32,
    jitter_us: u32,
    loss_ppm: u32,
}

impl Orders {
    fn of(condition: &Condition) -> Self {
        Self {
            ways: condition.ways.map(|way| order(&way)),
        }
    }
}

fn order(way: &Way) -> Option<Order> {
    (way.is_delayed() && !way.silent).then_some(Order {
        delay_us: way.delay_us,
        jitter_us: way.jitter_us,
        loss_ppm: way.loss_ppm,
    })
}

/// Whether a link in this condition needs a relay.
pub(crate) fn is_wanted(condition: &Condition) -> bool {
    Orders::of(condition).ways.iter().any(Option::is_some)
}

/// Has the relay of a link, started where there is none, take the directions of `after`, and go on with those of
/// `before`.
///
/// # Errors
/// Where it cannot be started, or does not answer.
pub(crate) fn engage(
    place: &Place,
    cables: &Netns,
    link: &Link,
    before: &Condition,
    after: &Condition,
) -> Result<(), StepError> {
    let mut orders = Orders::of(after);
    for (order, kept) in orders.ways.iter_mut().zip(Orders::of(before).ways) {
        *order = order.or(kept);
    }
    if !is_wanted(before) || UnixStream::connect(place.relay(&link.name)).is_err() {
        start(place, cables, link)?;
    }
    tell(place, link, orders)
}

/// Has the relay of a link take the directions of `after` alone; where it is to take none, it ends.
///
/// # Errors
/// Where it does not answer.
pub(crate) fn settle(place: &Place, link: &Link, after: &Condition) -> Result<(), StepError> {
    let told = tell(place, link, Orders::of(after));
    // One that is gone takes no frames.
    if is_wanted(after) { told } else { Ok(()) }
}

fn failed(place: &Place, link: &Link) -> StepError {
    StepError::new(format!("cannot delay frames on {}", link.name))
        .log(&place.relay_log(&link.name))
}

fn start(place: &Place, cables: &Netns, link: &Link) -> Result<(), StepError> {
    let (socket, log) = (place.relay(&link.name), place.relay_log(&link.name));
    let step = || failed(place, link);
    let spawned = cables
        .run_in(|| {
            // What an earlier relay left; one that still brings frames to their end has no use for it any more.
            match fs::remove_file(&socket) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            spawn(&socket, &log, link)
        })
        .map_err(|error| step().because(&error))?;
    let mut child = spawned.map_err(|error| step().because(&error))?;
    clock::wait(PATIENCE, || {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(Err(step().cause(format!("the relay ended ({status})"))));
        }
        socket.exists().then_some(Ok(()))
    })
    .unwrap_or_else(|| Err(step().cause("the relay does not start")))
}

fn spawn(socket: &Path, log: &Path, link: &Link) -> io::Result<Child> {
    let log = fs::File::options().create(true).append(true).open(log)?;
    Command::new(std::env::current_exe()?)
        .args(["lab", "relay", "--socket"])
        .arg(socket)
        .args(management::carries(link).then_some("--tagged"))
        .args(link.ends.iter().map(|end| &end.middle))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C is for the command that started it.
        .process_group(0)
        .spawn()
}

fn tell(place: &Place, link: &Link, orders: Orders) -> Result<(), StepError> {
    let talk = || -> io::Result<String> {
        let mut stream = UnixStream::connect(place.relay(&link.name))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_string(&orders)?;
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    };
    let next = format!("heal the link: `rackweave lab heal {}`", link.name);
    match talk() {
        Ok(answer) if answer == run::TAKEN => Ok(()),
        Ok(answer) => Err(failed(place, link)
            .cause(format!("the relay said {answer:?}"))
            .next(next)),
        Err(error) => Err(failed(place, link).because(&error).next(next)),
    }
}
