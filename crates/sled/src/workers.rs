//! The threads that move frames, and how everybody else reaches them.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rackweave_linux::poll::PollError;
use rackweave_linux::wake::WakeError;
use rackweave_types::{NodePrefix, PortId};
use tokio::sync::mpsc;

use crate::queue::Queue;
use crate::worker::{Drive, Job, Mailbox, Worker};

/// Jobs that wait for one worker at most; who brings another one waits.
const INBOX: usize = 64;

/// How a worker waits for frames.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum PollMode {
    /// Looks for a short while, as long as that pays, and then sleeps in the kernel.
    #[default]
    Adaptive,
    /// Never sleeps.
    Spin,
    /// Sleeps as soon as nothing is left.
    Block,
}

impl PollMode {
    /// As it is written in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Spin => "spin",
            Self::Block => "block",
        }
    }
}

/// What workers are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How many: a power of two.
    pub count: u16,
    /// The processors to run on, one worker each, in turn; anywhere without.
    pub cpus: Option<Vec<usize>>,
    /// How they wait for frames.
    pub poll: PollMode,
    /// The sled's own prefix, whose tunnel end point frames from the wire are for.
    pub sled: NodePrefix,
}

/// A packet of a guest's that the agent is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Punted {
    /// Whose it is.
    pub port: PortId,
    /// What kind of request it is: one of `rackweave_vpc::punt`.
    pub queue: u8,
    /// The guest's own Ethernet frame.
    pub frame: Box<[u8]>,
}

/// Why workers could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The count is not a power of two.
    #[error("{0} workers: the count must be a power of two, such as 1, 2 or 4")]
    Count(u16),
    /// More queues to the wire than workers.
    #[error("{queues} queues to the wire for {workers} workers: at most one each")]
    Wire {
        /// Queues there are.
        queues: usize,
        /// Workers there are.
        workers: u16,
    },
    /// A list of processors without one.
    #[error("the list of processors is empty: name one for each worker, or leave the list out")]
    NoCpu,
    /// No file descriptor to wake a worker with.
    #[error("worker {index} cannot be woken")]
    Wake {
        /// Which worker.
        index: usize,
        /// Why.
        source: WakeError,
    },
    /// No epoll instance, or it takes no file descriptor.
    #[error("worker {index} cannot wait")]
    Poll {
        /// Which worker.
        index: usize,
        /// Why.
        source: PollError,
    },
    /// The operating system gave no thread.
    #[error("worker {index} gets no thread")]
    Thread {
        /// Which worker.
        index: usize,
        /// Why.
        source: std::io::Error,
    },
}

/// The worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker {0} has ended: the sled is stopping")]
pub struct WorkerGone(pub u16);

/// All workers of a sled. Clones are handles of the same ones.
///
/// A worker that panics aborts the process: its ports' state can no longer be trusted, nor can frames in order be
/// promised. What was journalled is thawed by the next process.
#[derive(Clone)]
pub struct Workers {
    inner: Arc<Inner>,
}

struct Inner {
    inboxes: Vec<SyncSender<Job>>,
    mailboxes: Arc<[Mailbox]>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Workers find that nobody is left to ask for anything.
        self.inboxes.clear();
        for mailbox in &*self.mailboxes {
            mailbox.wake();
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("count", &self.count())
            .finish()
    }
}

impl Workers {
    /// Starts the threads. Queue *i* of `wire` goes to worker *i*; a worker without one sends through another's.
    ///
    /// # Errors
    /// Where the settings do not fit together, or the operating system refuses something.
    pub fn start(
        settings: WorkerSettings,
        wire: Vec<Box<dyn Queue>>,
        punts: mpsc::Sender<Punted>,
    ) -> Result<Self, StartError> {
        let count = settings.count;
        if !count.is_power_of_two() {
            return Err(StartError::Count(count));
        }
        if wire.len() > usize::from(count) {
            return Err(StartError::Wire {
                queues: wire.len(),
                workers: count,
            });
        }
        if settings.cpus.as_ref().is_some_and(Vec::is_empty) {
            return Err(StartError::NoCpu);
        }
        let mailbox = |index| Mailbox::new().map_err(|source| StartError::Wake { index, source });
        let mailboxes: Arc<[Mailbox]> = (0..usize::from(count))
            .map(mailbox)
            .collect::<Result<_, _>>()?;
        let mut wire = wire.into_iter();
        let mut inboxes = Vec::new();
        for index in 0..count {
            let (inbox, jobs) = sync_channel(INBOX);
            let worker = Worker::new(
                index,
                &settings,
                Arc::clone(&mailboxes),
                wire.next(),
                punts.clone(),
            )
            .map_err(|source| StartError::Poll {
                index: usize::from(index),
                source,
            })?;
            start_thread(&settings, index, worker, jobs)?;
            inboxes.push(inbox);
        }
        drop((settings, punts));
        let inner = Arc::new(Inner { inboxes, mailboxes });
        Ok(Self { inner })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.inner.inboxes.len()).unwrap_or(u16::MAX)
    }

    /// Runs a job on worker `index` between two batches, and waits until it is done. A worker must not wait for
    /// itself: jobs do not call this.
    ///
    /// # Errors
    /// Where the worker has ended or there is none of this index.
    pub fn run<T: Send + 'static>(
        &self,
        index: u16,
        job: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, WorkerGone> {
        self.begin(index, job)?
            .recv()
            .map_err(|_| WorkerGone(index))
    }

    /// Runs a job on every worker at once, and waits until all are done; the answers in the workers' order.
    ///
    /// # Errors
    /// Where a worker has ended; the job may have run on others.
    pub fn run_on_all<T: Send + 'static>(
        &self,
        job: impl Fn(&mut Worker) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, WorkerGone> {
        let begun: Vec<_> = (0..self.count())
            .map(|index| self.begin(index, job.clone()))
            .collect::<Result<_, _>>()?;
        let answers = (0..).zip(begun);
        answers
            .map(|(index, answer)| answer.recv().map_err(|_| WorkerGone(index)))
            .collect()
    }

    /// Ends the threads, and gives back the workers with all their ports and queues, in their order; those that had
    /// ended before are missing. Other handles find their workers gone.
    pub fn stop(self) -> Vec<Worker> {
        let asked: Vec<_> = self
            .inner
            .inboxes
            .iter()
            .zip(self.inner.mailboxes.iter())
            .filter_map(|(inbox, mailbox)| {
                let (give, take) = sync_channel(1);
                inbox.send(Job::Stop(give)).ok()?;
                mailbox.wake();
                Some(take)
            })
            .collect();
        asked
            .into_iter()
            .filter_map(|worker| worker.recv().ok())
            .map(|worker| *worker)
            .collect()
    }

    fn begin<T: Send + 'static>(
        &self,
        index: u16,
        job: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<Receiver<T>, WorkerGone> {
        let at = usize::from(index);
        let gone = || WorkerGone(index);
        let inbox = self.inner.inboxes.get(at).ok_or_else(gone)?;
        let (give, take) = sync_channel(1);
        let job = Job::Run(Box::new(move |worker: &mut Worker| {
            // Who asked may have gone; the job is done all the same.
            let _gone = give.send(job(worker));
        }));
        inbox.send(job).map_err(|_| gone())?;
        self.inner.mailboxes.get(at).ok_or_else(gone)?.wake();
        Ok(take)
    }
}

fn start_thread(
    settings: &WorkerSettings,
    index: u16,
    worker: Worker,
    jobs: Receiver<Job>,
) -> Result<(), StartError> {
    let at = usize::from(index);
    let cpu = settings
        .cpus
        .as_ref()
        .and_then(|cpus| cpus.get(at % cpus.len()).copied());
    let drive = Drive::new(worker, jobs, cpu);
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || drive.run())
        .map(drop)
        .map_err(|source| StartError::Thread { index: at, source })
}

#[cfg(test)]
mod tests;
