//! End-to-end probes: whether the paths in use are as slow as was announced.
//!
//! They verify and decide nothing: what [`Verify::results`] gives is shown beside the paths and counted. A thread of its
//! own asks (`rackweave_routing::probe::Paths`, at most 100 questions a second) and answers those of others, over UDP
//! between the nodes' own addresses. There is one socket for each of [`SOURCES`] source ports: the kernel's multipath
//! hash sends each on one of the paths to a destination, always the same one.

use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_linux::clock;
use rackweave_linux::poll::{Events, PollError, Poller};
use rackweave_linux::random::{self, RandomError};
use rackweave_linux::timer::{Timer, TimerError};
use rackweave_linux::timestamp::{Batch, Stamp, StampError, StampSettings, StampedSocket};
use rackweave_linux::wake::{Wake, WakeError};
use rackweave_routing::probe::question::answer;
use rackweave_routing::probe::{self, Aim, PathCounts, Paths, Verified};
use tokio::sync::watch;

mod shown;

pub(crate) use shown::{Verifying, families, verified};

/// Source ports, each its own path.
pub const SOURCES: usize = 8;

const TIMER: u64 = 1 << 32;
const WAKE: u64 = TIMER + 1;
const ANSWERS: u64 = TIMER + 2;
/// Answers of one wake at most; what is more waits, or is lost.
const ANSWERS_MAX: usize = 64;
/// A question that came so long ago is not answered.
const OLD: Duration = Duration::from_secs(1);
const HOP_LIMIT: u8 = 64;

/// Why nothing is verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A socket cannot be had.
    #[error("no socket for end-to-end probes")]
    Socket(#[from] StampError),
    /// Waiting fails.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// There is no timer.
    #[error(transparent)]
    Timer(#[from] TimerError),
    /// There is no bell.
    #[error(transparent)]
    Wake(#[from] WakeError),
    /// There is no chance.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// There is no thread.
    #[error("cannot start the thread of end-to-end probes")]
    Thread(#[source] io::Error),
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// By destination and source port.
    pub paths: Vec<Verified>,
    /// Since the start.
    pub counts: PathCounts,
}

/// The router's end of the thread, which ends with the last of these.
#[derive(Clone, Debug)]
pub struct Verify {
    aims: watch::Sender<Vec<Aim>>,
    results: watch::Receiver<Results>,
    /// Behind `aims`, so that the thread finds nobody when the last one's bell rings.
    bell: Bell,
}

/// Wakes the thread when it goes, too.
#[derive(Clone, Debug)]
struct Bell(Wake);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Verify {
    /// Begins, in the namespace of the calling thread: answers others, and asks nobody yet.
    ///
    /// # Errors
    /// Where the kernel refuses a socket or a thread.
    pub fn start(port: u16) -> Result<Self, VerifyError> {
        let (aims, aimed) = watch::channel(Vec::new());
        let (publish, results) = watch::channel(Results::default());
        let wake = Wake::new()?;
        let asker = Asker::open(port, aimed, publish, wake.clone())?;
        std::thread::Builder::new()
            .name("verify".to_owned())
            .spawn(move || {
                if let Err(error) = asker.run() {
                    tracing::error!(%error, "paths are no longer verified: restart the router");
                }
            })
            .map_err(VerifyError::Thread)?;
        Ok(Self {
            aims,
            results,
            bell: Bell(wake),
        })
    }

    /// These destinations are in use now; nothing happens where they are as before.
    pub fn aim(&self, aims: Vec<Aim>) {
        let changed = self.aims.send_if_modified(|now| {
            let changed = *now != aims;
            *now = aims;
            changed
        });
        if changed {
            self.bell.0.wake();
        }
    }

    /// What was found until now.
    #[must_use]
    pub fn results(&self) -> Results {
        self.results.borrow().clone()
    }
}

/// The thread.
struct Asker {
    paths: Paths,
    sources: Vec<StampedSocket>,
    answers: StampedSocket,
    port: u16,
    poller: Poller,
    timer: Timer,
    wake: Wake,
    aims: watch::Receiver<Vec<Aim>>,
    publish: watch::Sender<Results>,
    batch: Batch,
}

impl Asker {
    fn open(
        port: u16,
        aims: watch::Receiver<Vec<Aim>>,
        publish: watch::Sender<Results>,
        wake: Wake,
    ) -> Result<Self, VerifyError> {
        let settings = |port, departures| StampSettings {
            link: None,
            address: Ipv6Addr::UNSPECIFIED,
            port,
            hop_limit: HOP_LIMIT,
            departures,
        };
        let answers = StampedSocket::open(settings(port, false))?;
        let sources = (0..SOURCES).map(|_| StampedSocket::open(settings(0, true)));
        let sources: Vec<StampedSocket> = sources.collect::<Result<_, _>>()?;
        let (poller, timer) = (Poller::new()?, Timer::new()?);
        poller.add(&timer, TIMER)?;
        poller.add(&wake, WAKE)?;
        poller.add(&answers, ANSWERS)?;
        for (source, token) in sources.iter().zip(0..) {
            poller.add(source, token)?;
        }
        Ok(Self {
            paths: Paths::new(u64::from_ne_bytes(random::bytes()?), SOURCES),
            sources,
            answers,
            port,
            poller,
            timer,
            wake,
            aims,
            publish,
            batch: Batch::new(),
        })
    }

    fn run(mut self) -> Result<(), VerifyError> {
        let mut events = Events::with_capacity(SOURCES + 3);
        loop {
            self.poller.wait(&mut events, None)?;
            let now = clock::now();
            let mut heard = false;
            for token in events.tokens() {
                match token {
                    TIMER => {}
                    WAKE => {
                        self.wake.clear();
                        if self.aims.has_changed().is_err() {
                            return Ok(());
                        }
                        let aims = self.aims.borrow_and_update().clone();
                        self.paths.aim(now, aims);
                        heard = true;
                    }
                    ANSWERS => self.answer(),
                    source => heard |= self.listen(usize::try_from(source).unwrap_or(0)),
                }
            }
            if let Some(asked) = self.paths.transmit(now, probe::Stamp(Stamp::now().0))
                && let Some(source) = self.sources.get_mut(asked.port)
            {
                // What the kernel does not send is a question without an answer.
                let _unsent = source.send(asked.to, self.port, &asked.bytes, asked.seq.into());
            }
            if heard {
                self.publish.send_replace(Results {
                    paths: self.paths.verified(),
                    counts: self.paths.counts(),
                });
            }
            self.timer.set(self.paths.deadline())?;
        }
    }

    /// Answers the questions of others.
    fn answer(&mut self) {
        let mut answered = 0;
        while answered < ANSWERS_MAX
            && self
                .answers
                .receive(&mut self.batch)
                .is_ok_and(|got| got > 0)
        {
            for question in self.batch.arrivals() {
                answered += 1;
                let now = Stamp::now().0;
                let held = now.saturating_sub(question.at.map_or(now, |at| at.0));
                let held = u32::try_from(held).unwrap_or(u32::MAX);
                let answer = answer(question.bytes, held);
                if let Some(answer) = answer.filter(|_| u128::from(held) < OLD.as_nanos()) {
                    // The asker counts what it gets no answer to.
                    let _unsent = self.answers.send(question.from, question.port, &answer, 0);
                }
            }
        }
    }

    /// Reads what came to a source port. Whether there was an answer.
    fn listen(&mut self, source: usize) -> bool {
        let Some(socket) = self.sources.get(source) else {
            return false;
        };
        // What cannot be read now is reported again by the next wait.
        let _unknown = socket.departed(&mut self.batch);
        for departure in socket.departures(&self.batch) {
            let seq = u32::try_from(departure.tag).unwrap_or(0);
            self.paths.departed(seq, probe::Stamp(departure.at.0));
        }
        let mut heard = false;
        if socket.receive(&mut self.batch).is_ok() {
            for arrival in self.batch.arrivals() {
                let at = probe::Stamp(arrival.at.unwrap_or_else(Stamp::now).0);
                heard |= self.paths.receive(arrival.from, at, arrival.bytes);
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cable, ip, namespace, runtime, soon};

    #[test]
    fn a_path_is_compared_with_what_was_announced() {
        const TEST: &str = "a_path_is_compared_with_what_was_announced";
        let (Some(left), Some(right)) = (namespace(TEST), namespace(TEST)) else {
            return;
        };
        cable((&left, "e0"), (&right, "e0"));
        ip(&left, "addr add fd00:1::1/64 dev e0 nodad");
        ip(&right, "addr add fd00:1::2/64 dev e0 nodad");
        let asks = left.run_in(|| Verify::start(6092)).unwrap().unwrap();
        let _answers = right.run_in(|| Verify::start(6092)).unwrap().unwrap();
        let mut results = asks.results.clone();
        let mut found = |wanted: &dyn Fn(&Results) -> bool| {
            let found = soon(results.wait_for(|results| wanted(results)));
            runtime().block_on(async { found.await.unwrap().clone() })
        };
        let to = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2);
        let aim = |announced| Aim {
            to,
            announced: vec![announced],
        };
        // A cable takes microseconds: 100 ms announced are another path's.
        asks.aim(vec![aim(100_000_000)]);
        let all = |results: &Results| results.paths.len() == SOURCES;
        let results = found(&all);
        assert!(results.paths.iter().all(|path| path.differs), "{results:?}");
        assert!(results.counts.different > 0);
        asks.aim(vec![aim(1_000_000)]);
        found(&|results| all(results) && results.paths.iter().all(|path| !path.differs));
        asks.aim(Vec::new());
        found(&|results| results.paths.is_empty());
    }
}
