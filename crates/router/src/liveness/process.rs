//! The process: one thread, one round after the other.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rackweave_api::local::{ApiError, Code};
use rackweave_linux::poll::{Events, PollError, Poller};
use rackweave_linux::random::{self, RandomError};
use rackweave_linux::timer::{Timer, TimerError};
use rackweave_linux::{clock, thread};
use rackweave_types::Instant;

use super::LivenessPorts;
use super::clients::{Asker, Clients};
use super::message::{Reply, Request, SOCKET};
use super::watched::{Room, Watched};

const TIMER: u64 = 0;
const LISTENER: u64 = 1;
const DATAGRAMS: u64 = 2;
const FIRST_CLIENT: u64 = 16;

/// How long it lives with nobody to watch.
const IDLE: Duration = Duration::from_secs(30);
/// When it tries again to write to a client that reads slowly.
const WRITE_AGAIN: Duration = Duration::from_millis(10);

/// Why the process cannot begin, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ProcessError {
    /// There is no socket for the router.
    #[error("cannot listen on {}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Waiting fails.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// There is no timer.
    #[error(transparent)]
    Timer(#[from] TimerError),
    /// There is no chance.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Serves until it is told to end, or has had nobody to watch for a while.
pub(super) fn serve(run_dir: &Path, ports: LivenessPorts) -> Result<(), ProcessError> {
    let path = run_dir.join(SOCKET);
    let listener = listen(&path).map_err(|source| ProcessError::Listen {
        path: path.clone(),
        source,
    })?;
    let clients = Clients::new(listener, FIRST_CLIENT);
    let clients = clients.map_err(|source| ProcessError::Listen {
        path: path.clone(),
        source,
    })?;
    let process = Process {
        watched: Watched::new(ports, u64::from_ne_bytes(random::bytes()?))?,
        clients,
        poller: Poller::new()?,
        timer: Timer::new()?,
        attentive: false,
        idle_since: Some(clock::now()),
        stops: false,
    };
    preferred();
    let served = process.run();
    let _gone_already = std::fs::remove_file(&path);
    served
}

/// Runs before others as far as it may, and says how far.
fn preferred() {
    match thread::realtime() {
        Ok(()) => tracing::info!("runs in real time (SCHED_FIFO)"),
        Err(error) => match thread::prefer() {
            Ok(()) => tracing::warn!(%error, "runs preferred (nice -20) and not in real time"),
            Err(_) => {
                tracing::warn!(%error, "runs as any other thread: a busy machine may look like a dead link");
            }
        },
    }
}

/// Makes the socket, for its owner alone; it appears under its name with its final mode. The caller holds the lock.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("sock.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

/// Whether somebody answers there.
pub(super) fn answers(run_dir: &Path) -> bool {
    UnixStream::connect(run_dir.join(SOCKET)).is_ok()
}

struct Process {
    watched: Watched,
    clients: Clients,
    poller: Poller,
    timer: Timer,
    /// Whether every datagram wakes it.
    attentive: bool,
    idle_since: Option<Instant>,
    stops: bool,
}

impl Process {
    fn run(mut self) -> Result<(), ProcessError> {
        self.poller.add(&self.timer, TIMER)?;
        self.poller.add(self.clients.listener(), LISTENER)?;
        let (mut events, mut room) = (Events::with_capacity(32), Room::new());
        while !self.stops {
            self.poller.wait(&mut events, None)?;
            let now = clock::now();
            self.watched.read(now, &mut room)?;
            for token in events.tokens() {
                match token {
                    TIMER | DATAGRAMS => {}
                    LISTENER => self.clients.accept(&self.poller),
                    client => self.converse(now, client),
                }
            }
            self.watched.send(now);
            self.tell();
            self.rest(now)?;
        }
        self.farewell();
        Ok(())
    }

    fn converse(&mut self, now: Instant, client: u64) {
        for (asker, request) in self.clients.read(client) {
            self.answer(now, asker, request);
        }
    }

    fn answer(&mut self, now: Instant, asker: Asker, request: Request) {
        match request {
            Request::Watch(watch) => match self.watched.watch(now, &watch) {
                Ok(()) => self.clients.reply(asker, Reply::Done {}),
                Err(error) => {
                    let target = watch.target;
                    let what = format!("cannot watch {} on link {}", target.peer, target.link);
                    let refusal = ApiError::new(Code::Failed, what).cause(chain(&error));
                    self.clients.refuse(asker, refusal);
                }
            },
            Request::Unwatch(target) => {
                self.watched.unwatch(now, target);
                self.clients.reply(asker, Reply::Done {});
            }
            Request::List {} => {
                let list = Reply::Sessions(self.watched.list());
                self.clients.reply(asker, list);
            }
            Request::Follow {} => {
                for status in self.watched.list() {
                    self.clients.tell(asker, Reply::Session(status));
                }
                self.clients.follow(asker);
            }
            Request::Stop {} => {
                self.clients.reply(asker, Reply::Done {});
                self.stops = true;
            }
        }
    }

    /// Tells the news to those who follow.
    fn tell(&mut self) {
        let news = self.watched.news();
        if news.is_empty() {
            return;
        }
        for follower in self.clients.followers() {
            for (target, status) in &news {
                let status = status.clone();
                let told = status.map_or(Reply::Gone(*target), Reply::Session);
                self.clients.tell(follower, told);
            }
        }
    }

    /// Prepares the next wait.
    fn rest(&mut self, now: Instant) -> Result<(), ProcessError> {
        let waits = self.clients.flush();
        let attentive = !self.watched.all_up();
        if attentive != self.attentive {
            if attentive {
                self.poller.add(&self.watched, DATAGRAMS)?;
            } else {
                self.poller.remove(&self.watched)?;
            }
            self.attentive = attentive;
        }
        if !self.watched.is_empty() {
            self.idle_since = None;
        } else if now.since(*self.idle_since.get_or_insert(now)) >= IDLE {
            tracing::info!("ends: nobody is watched any more");
            self.stops = true;
        }
        let again = waits.then(|| now.after(WRITE_AGAIN));
        let end = self.idle_since.map(|since| since.after(IDLE));
        let next = [self.watched.deadline(), again, end];
        self.timer.set(next.into_iter().flatten().min())?;
        Ok(())
    }

    /// Says good-bye to neighbours: they need not find out.
    fn farewell(&mut self) {
        let now = clock::now();
        for status in self.watched.list() {
            self.watched.unwatch(now, status.target);
        }
        self.watched.send(now);
        self.tell();
        self.clients.flush();
        let refused = self.watched.refused();
        tracing::info!(
            not_sent = refused.sends,
            from_beyond_the_link = refused.far,
            not_ours = refused.unmatched,
            "ended"
        );
    }
}

/// The reasons of an error, one behind the other.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
