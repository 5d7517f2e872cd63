//! The one thread of a simulation: frames and jobs in, frames out.

use std::fmt;
use std::time::Duration;

use rackweave_linux::clock;
use rackweave_linux::poll::{Events, PollError, Poller};
use rackweave_linux::wake::Wake;
use rackweave_types::Instant;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::wires::Wires;

/// How often missing interfaces are looked for.
const LOOK: Duration = Duration::from_millis(100);
/// Interfaces that are looked at in one round.
const EVENTS: usize = 128;
/// The token of jobs; those of interfaces are their numbers.
const JOBS: u64 = u64::MAX;

/// Frames that leave, each out of an interface by number.
#[derive(Debug, Default)]
pub(crate) struct Out(Vec<(usize, Vec<u8>)>);

impl Out {
    /// Sends a frame at the end of the round.
    pub(crate) fn send(&mut self, link: usize, frame: Vec<u8>) {
        self.0.push((link, frame));
    }
}

/// What is simulated.
pub(crate) trait Machine: Send + 'static {
    /// The names of its interfaces; their numbers are their places.
    fn links(&self) -> Vec<String>;
    /// A frame came in at an interface.
    fn receive(&mut self, now: Instant, link: usize, frame: &[u8], out: &mut Out);
    /// Does what is due.
    fn tick(&mut self, now: Instant, out: &mut Out);
    /// When something is due next.
    fn deadline(&self) -> Option<Instant>;
}

/// Something to do with the machine, on its thread.
#[expect(clippy::type_complexity, reason = "a job is what this type is for")]
pub(crate) struct Job<M>(Box<dyn FnOnce(&mut World<M>) + Send>);

impl<M> Job<M> {
    pub(crate) fn new(job: impl FnOnce(&mut World<M>) + Send + 'static) -> Self {
        Self(Box::new(job))
    }
}

impl<M> fmt::Debug for Job<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// A machine and its interfaces.
#[derive(Debug)]
pub(crate) struct World<M> {
    pub(crate) machine: M,
    pub(crate) wires: Wires,
    pub(crate) out: Out,
    pub(crate) now: Instant,
}

impl<M: Machine> World<M> {
    /// A machine whose interfaces are still to be opened.
    pub(crate) fn new(machine: M) -> Self {
        Self {
            wires: Wires::new(machine.links()),
            machine,
            out: Out::default(),
            now: clock::now(),
        }
    }

    /// Runs until nobody can send jobs any more. The bell rings when there are some, or when there will be none.
    pub(crate) fn run(
        mut self,
        mut jobs: mpsc::Receiver<Job<M>>,
        bell: &Wake,
    ) -> Result<(), PollError> {
        let (poller, mut events) = (Poller::new()?, Events::with_capacity(EVENTS));
        poller.add(bell, JOBS)?;
        let mut look = Some(self.now);
        loop {
            if look.is_some_and(|at| at <= self.now) {
                let missing = self.wires.open_missing(&poller)?;
                look = missing.then(|| self.now.after(LOOK));
            }
            self.machine.tick(self.now, &mut self.out);
            for (link, frame) in self.out.0.drain(..) {
                self.wires.send(link, &frame);
            }
            let due = self.machine.deadline().into_iter().chain(look).min();
            let patience = due.map(|at| at.since(clock::now()));
            poller.wait(&mut events, patience)?;
            self.now = clock::now();
            for token in events.tokens() {
                if token == JOBS {
                    bell.clear();
                    if !self.work(&mut jobs) {
                        return Ok(());
                    }
                } else if !self.receive(token) {
                    look = Some(self.now);
                }
            }
        }
    }

    /// Does the jobs that wait. Whether there can be more.
    fn work(&mut self, jobs: &mut mpsc::Receiver<Job<M>>) -> bool {
        loop {
            match jobs.try_recv() {
                Ok(Job(job)) => job(self),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Takes in frames of an interface. Whether it is still there.
    fn receive(&mut self, token: u64) -> bool {
        let Ok(link) = usize::try_from(token) else {
            return true;
        };
        let (machine, out, now) = (&mut self.machine, &mut self.out, self.now);
        self.wires
            .receive(link, |frame| machine.receive(now, link, frame, out))
    }
}
