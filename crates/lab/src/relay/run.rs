//! The relay's process.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl::set_timerslack;
use nix::sys::time::TimeSpec;
use rackweave_linux::clock::now;
use rackweave_linux::frames::{FRAME_MAX, Frames, FramesError};
use rackweave_linux::random;
use rackweave_linux::tagged::TaggedFrames;

use super::queue::{Chance, Queue};
use super::{Orders, PATIENCE};

/// What the relay says when it does as it was told.
pub(super) const TAKEN: &str = "taken\n";
/// So many frames of one direction are taken before the other has its turn.
const TURN: usize = 64;

/// Where a relay is, and where it is told what to do.
#[derive(Debug, clap::Args)]
pub struct RelayArgs {
    /// The unix socket on which it is told what to do
    #[arg(long)]
    socket: PathBuf,
    /// Frames may have VLAN tags, and are never longer than what the cable carries
    #[arg(long)]
    tagged: bool,
    /// The two ends of the cable
    #[arg(num_args = 2, required = true)]
    ends: Vec<String>,
}

/// Relays frames until nothing is left to do.
///
/// # Errors
/// Where an end is not there, or the socket cannot be made.
pub fn run(args: &RelayArgs) -> anyhow::Result<()> {
    // One nanosecond: the delay is what this program is for.
    set_timerslack(1)?;
    let seed = u64::from_ne_bytes(random::bytes()?);
    let open = |name: &String| End::open(name, args.tagged);
    let ways = [open(&args.ends[0])?, open(&args.ends[1])?];
    let next = args.socket.with_extension("new");
    let listener = UnixListener::bind(&next)?;
    listener.set_nonblocking(true)?;
    std::fs::rename(&next, &args.socket)?;
    let mut relay = Relay {
        ends: ways,
        orders: None,
        queues: <[Queue; 2]>::default(),
        chance: Chance(seed),
        buffer: vec![0; FRAME_MAX],
    };
    while relay.has_work() {
        relay.wait(&listener)?;
        if let Ok((stream, _)) = listener.accept() {
            // Who asks and does not speak costs nobody else's frames more than its own patience.
            if let Ok(orders) = hear(stream) {
                relay.orders = Some(orders);
            }
        }
        relay.carry();
    }
    let [first, second] = &relay.queues;
    let overflowed = first.overflowed + second.overflowed;
    anyhow::ensure!(overflowed == 0, "there was no room for {overflowed} frames");
    Ok(())
}

fn hear(stream: UnixStream) -> io::Result<Orders> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line)?;
    let orders = serde_json::from_str(&line)?;
    reader.into_inner().write_all(TAKEN.as_bytes())?;
    Ok(orders)
}

/// An end of the cable.
#[derive(Debug)]
enum End {
    /// Of a kernel's own traffic: large sends are one frame.
    Whole(Frames),
    /// Of frames that may have tags.
    Tagged(TaggedFrames),
}

impl End {
    fn open(name: &str, tagged: bool) -> Result<Self, FramesError> {
        if tagged {
            TaggedFrames::open(name).map(Self::Tagged)
        } else {
            Frames::open(name).map(Self::Whole)
        }
    }

    fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        match self {
            Self::Whole(frames) => {
                let length = frames.receive(buffer)?;
                Ok(length.and_then(|length| buffer.get(..length)))
            }
            Self::Tagged(frames) => frames.receive(buffer),
        }
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        match self {
            Self::Whole(frames) => frames.send(frame),
            Self::Tagged(frames) => frames.send(frame),
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Whole(frames) => frames.as_fd(),
            Self::Tagged(frames) => frames.as_fd(),
        }
    }
}

#[derive(Debug)]
struct Relay {
    ends: [End; 2],
    /// `None` until it was told something.
    orders: Option<Orders>,
    /// Frames that came in at the end of the same place.
    queues: [Queue; 2],
    chance: Chance,
    buffer: Vec<u8>,
}

impl Relay {
    fn has_work(&self) -> bool {
        let waits = self.queues.iter().any(|queue| queue.due().is_some());
        let told = |orders: Orders| orders.ways.iter().any(Option::is_some);
        waits || self.orders.is_none_or(told)
    }

    /// Waits for a frame, a word, or the time of the next frame.
    fn wait(&self, listener: &UnixListener) -> io::Result<()> {
        let flags = PollFlags::POLLIN;
        let [first, second] = &self.ends;
        let mut fds = [
            PollFd::new(first.as_fd(), flags),
            PollFd::new(second.as_fd(), flags),
            PollFd::new(listener.as_fd(), flags),
        ];
        let due = self.queues.iter().filter_map(Queue::due).min();
        let timeout = due.map(|due| TimeSpec::from_duration(due.since(now())));
        match ppoll(&mut fds, timeout, None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes what came, and sends what is due.
    fn carry(&mut self) {
        for (from, end) in self.ends.iter().enumerate() {
            let order = self.orders.and_then(|orders| orders.ways[from]);
            for _ in 0..TURN {
                // A link that is off has no frames; it may be on again later.
                let Ok(Some(frame)) = end.receive(&mut self.buffer) else {
                    break;
                };
                let Some(order) = order else { continue };
                if !self.chance.happens(order.loss_ppm) {
                    let jitter = self.chance.up_to(order.jitter_us);
                    let delay = Duration::from_micros(u64::from(order.delay_us) + jitter);
                    self.queues[from].push(now(), delay, order.jitter_us == 0, frame.to_vec());
                }
            }
        }
        let now = now();
        for (from, queue) in self.queues.iter_mut().enumerate() {
            while let Some(frame) = queue.pop(now) {
                // The other end may be off, or its node too slow: frames are lost on cables.
                let _lost = self.ends[1 - from].send(&frame);
            }
        }
    }
}
