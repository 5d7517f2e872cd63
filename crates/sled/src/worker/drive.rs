//! The thread of a worker: rounds, jobs between them, and sleep when there is nothing.

use std::error::Error;
use std::fmt;
use std::process;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::thread::{panicking, yield_now};
use std::time::Duration;

use rackweave_linux::poll::Events;
use rackweave_linux::{clock, thread};
use rackweave_types::Instant;

use super::spin::SpinBudget;
use super::{Job, Worker};

/// How often connections that have ended are looked for while there is traffic.
const EXPIRE_AWAKE: Duration = Duration::from_millis(5);
/// And while there is none.
const EXPIRE_ASLEEP: Duration = Duration::from_millis(100);
/// How often guests that were silent are looked after while there is traffic.
const LISTEN_EVERY: Duration = Duration::from_micros(50);
/// File descriptors that one wait tells of.
const EVENTS: usize = 64;

/// A worker with all its thread needs.
pub(crate) struct Drive {
    worker: Box<Worker>,
    jobs: Receiver<Job>,
    events: Events,
    cpu: Option<usize>,
    spin: SpinBudget,
    /// What time is spent on since `since`.
    spent_on: Spent,
    since: Instant,
    last_work: Instant,
    last_listen: Instant,
    last_expiry: Instant,
    /// Whether there are connections that may end.
    flows: bool,
}

/// What a worker spends its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spent {
    Working,
    Spinning,
    Sleeping,
}

/// What the jobs that waited leave to do.
enum Next {
    /// Go on; whether there was one.
    Go(bool),
    /// Give the worker away and end.
    Stop(SyncSender<Box<Worker>>),
    /// Nobody is left who could ask for anything.
    Gone,
}

impl fmt::Debug for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive")
            .field("worker", &self.worker)
            .field("spin", &self.spin)
            .finish_non_exhaustive()
    }
}

impl Drive {
    pub(crate) fn new(worker: Worker, jobs: Receiver<Job>, cpu: Option<usize>) -> Self {
        let now = worker.now;
        Self {
            spin: SpinBudget::new(worker.status.mode),
            worker: Box::new(worker),
            jobs,
            events: Events::with_capacity(EVENTS),
            cpu,
            spent_on: Spent::Working,
            since: now,
            last_work: now,
            last_listen: now,
            last_expiry: now,
            flows: false,
        }
    }

    /// The thread: rounds, until it is told to stop or everybody who could tell is gone.
    pub(crate) fn run(mut self) {
        let _loud = AbortOnPanic;
        if let Some(cpu) = self.cpu
            && let Err(error) = thread::pin(cpu)
        {
            let error: &dyn Error = &error;
            tracing::warn!(error, "a worker runs unpinned");
        }
        loop {
            let next = match self.run_jobs() {
                Next::Go(_) => self.turn(),
                next => next,
            };
            match next {
                Next::Go(_) => {}
                Next::Stop(reply) => {
                    // Who asked may have gone.
                    let _gone = reply.send(self.worker);
                    return;
                }
                Next::Gone => return,
            }
        }
    }

    /// A round, and what follows from it.
    fn turn(&mut self) -> Next {
        let worked = self.worker.round();
        let now = self.worker.now;
        self.spend(now);
        self.spent_on = if worked {
            self.last_work = now;
            Spent::Working
        } else {
            Spent::Spinning
        };
        if now.since(self.last_expiry) >= EXPIRE_AWAKE {
            self.last_expiry = now;
            self.flows = self.worker.expire();
        }
        if !worked && now.since(self.last_work) >= self.spin.get() {
            return self.sleep();
        }
        if now.since(self.last_listen) >= LISTEN_EVERY {
            self.last_listen = now;
            self.worker.wait(&mut self.events, Some(Duration::ZERO));
        }
        if !worked {
            // Who waits for this processor may be who is to bring frames.
            yield_now();
        }
        Next::Go(worked)
    }

    /// Runs the jobs that wait.
    fn run_jobs(&mut self) -> Next {
        let mut ran = false;
        loop {
            match self.jobs.try_recv() {
                Ok(Job::Run(job)) => {
                    job(&mut self.worker);
                    ran = true;
                }
                Ok(Job::Stop(reply)) => return Next::Stop(reply),
                Err(TryRecvError::Empty) => return Next::Go(ran),
                Err(TryRecvError::Disconnected) => return Next::Gone,
            }
        }
    }

    /// Sleeps until there is something to do, unless there is already.
    fn sleep(&mut self) -> Next {
        let next = if self.worker.arm() {
            Next::Go(true)
        } else {
            // Whoever brings a job from now on wakes the worker.
            self.run_jobs()
        };
        if matches!(next, Next::Go(false)) {
            let began = clock::now();
            self.spend(began);
            self.spent_on = Spent::Sleeping;
            self.worker.status.sleeps += 1;
            let timeout = self.flows.then_some(EXPIRE_ASLEEP);
            self.worker.wait(&mut self.events, timeout);
            let woken = clock::now();
            self.spend(woken);
            self.spent_on = Spent::Working;
            self.spin.slept(woken.since(began));
            self.worker.status.spin_budget = self.spin.get();
            self.last_work = woken;
            self.last_listen = woken;
        }
        self.worker.disarm();
        next
    }

    /// Counts the time up to now for what it was spent on.
    fn spend(&mut self, now: Instant) {
        let shares = &mut self.worker.status.shares;
        let share = match self.spent_on {
            Spent::Working => &mut shares.working,
            Spent::Spinning => &mut shares.spinning,
            Spent::Sleeping => &mut shares.sleeping,
        };
        *share += now.since(self.since);
        self.since = now;
    }
}

/// Ends the process when a worker panics, after the panic was reported: half a worker would keep guests waiting for
/// ever, while a new process thaws what was journalled and goes on.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if panicking() {
            tracing::error!("a worker panicked: the sled ends, to be started again");
            process::abort();
        }
    }
}
