//! The gateway's loop: one thread that joins the machine with the uplink, the clock, and those who ask.
//!
//! ```text
//! handlers ── Command ──► loop ── frames ──► uplink
//!          ◄── oneshot ──      ◄── frames ──
//!          ◄── watch: Seen ──
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use rackweave_linux::clock;
use rackweave_linux::poll::{Events, PollError, Poller};
use rackweave_linux::tagged::{TAGGED_MAX, TaggedFrames};
use rackweave_linux::wake::{Wake, WakeError};
use rackweave_mgmt::port::SwitchPort;
use rackweave_mgmt::sp::message::{Image, Request};
use rackweave_types::Instant;
use tokio::sync::{mpsc, oneshot, watch};

use crate::gateway::console::ConsoleEvent;
use crate::gateway::selftest::Report;
use crate::gateway::{Answer, Event, Gateway, Settings, Ticket};
use crate::seen::Seen;

/// Commands that wait at most.
const COMMANDS: usize = 256;
/// Frames that are taken in before anything else is looked at.
const FRAMES_AT_ONCE: usize = 256;
/// How often what is seen is told though nothing changed.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// The same while an update goes on, which people watch.
const TELL_UPDATE_EVERY: Duration = Duration::from_millis(100);
/// How soon an uplink that is gone is looked for again.
const AGAIN: Duration = Duration::from_millis(100);
/// Pieces of a console that wait for its reader, before the service processor is held up.
const PIECES: usize = 64;
/// Who rang: the uplink, or somebody with a command.
const UPLINK: u64 = 0;
const BELL: u64 = 1;

/// What the loop is told to do.
#[derive(Debug)]
pub enum Command {
    /// Asks a service processor.
    Ask {
        /// Behind which port.
        port: SwitchPort,
        /// What.
        request: Request,
        /// How long it may take.
        within: Duration,
        /// Who waits.
        reply: oneshot::Sender<Answer>,
    },
    /// An operator takes a console.
    ConsoleOpen {
        /// Behind which port.
        port: SwitchPort,
        /// Who.
        operator: String,
        /// Whoever holds it loses it.
        force: bool,
        /// What comes out.
        output: mpsc::Sender<Bytes>,
        /// Who waits for it to be held.
        reply: oneshot::Sender<Result<Ticket, Answer>>,
        /// Who waits for why it is over.
        over: oneshot::Sender<Answer>,
    },
    /// The operator types.
    ConsoleType(Ticket, Bytes),
    /// The operator is done.
    ConsoleClose(Ticket),
    /// Updates a service processor.
    Update {
        /// Behind which port.
        port: SwitchPort,
        /// To what.
        image: Image,
        /// All of it.
        octets: Arc<[u8]>,
    },
    /// Forgets an update.
    UpdateAbort(SwitchPort),
    /// Proves isolation.
    Selftest {
        /// Drawn for this run.
        run: u32,
        /// Who waits.
        reply: oneshot::Sender<Report>,
    },
}

/// The loop, for those who ask.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    bell: Wake,
    seen: watch::Receiver<Arc<Seen>>,
}

/// The loop is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gateway is stopping")]
pub struct Stopping;

impl Handle {
    /// Hands a command over.
    ///
    /// # Errors
    /// Where the loop is over.
    pub async fn tell(&self, command: Command) -> Result<(), Stopping> {
        self.commands.send(command).await.map_err(|_| Stopping)?;
        self.bell.wake();
        Ok(())
    }

    /// Asks a service processor, and waits for the answer.
    ///
    /// # Errors
    /// Where the loop is over.
    pub async fn ask(
        &self,
        port: SwitchPort,
        request: Request,
        within: Duration,
    ) -> Result<Answer, Stopping> {
        let (reply, answered) = oneshot::channel();
        self.tell(Command::Ask {
            port,
            request,
            within,
            reply,
        })
        .await?;
        answered.await.map_err(|_| Stopping)
    }

    /// Proves isolation, and waits for the report.
    ///
    /// # Errors
    /// Where the loop is over.
    pub async fn selftest(&self, run: u32) -> Result<Report, Stopping> {
        let (reply, ended) = oneshot::channel();
        self.tell(Command::Selftest { run, reply }).await?;
        ended.await.map_err(|_| Stopping)
    }

    /// What the gateway sees now.
    #[must_use]
    pub fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen.borrow())
    }

    /// What it sees from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Seen>> {
        self.seen.clone()
    }

    /// What rings when a reader has caught up.
    #[must_use]
    pub fn bell(&self) -> Wake {
        self.bell.clone()
    }
}

/// Why there is no loop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// No bell.
    #[error(transparent)]
    Wake(#[from] WakeError),
    /// No poller.
    #[error(transparent)]
    Poll(#[from] PollError),
}

/// The loop.
#[derive(Debug)]
pub struct Drive {
    gateway: Gateway,
    started: Instant,
    uplink: String,
    frames: Option<TaggedFrames>,
    again: Instant,
    poller: Poller,
    bell: Wake,
    commands: mpsc::Receiver<Command>,
    waiting: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    consoles: BTreeMap<Ticket, Reader>,
    selftests: Vec<oneshot::Sender<Report>>,
    seen: watch::Sender<Arc<Seen>>,
    tell_at: Instant,
    unsent: u64,
    buffer: Vec<u8>,
}

/// Who reads a console.
#[derive(Debug)]
struct Reader {
    output: mpsc::Sender<Bytes>,
    /// What they have no room for yet.
    behind: VecDeque<Bytes>,
    opened: Option<oneshot::Sender<Result<Ticket, Answer>>>,
    over: oneshot::Sender<Answer>,
}

impl Drive {
    /// A loop on this interface, which begins when it is run.
    ///
    /// # Errors
    /// [`DriveError`].
    pub fn new(
        settings: Settings,
        uplink: &str,
        started: Instant,
    ) -> Result<(Self, Handle), DriveError> {
        let (poller, bell) = (Poller::new()?, Wake::new()?);
        poller.add(&bell, BELL)?;
        let gateway = Gateway::new(settings, started);
        let (seen, watched) = watch::channel(Arc::new(Seen::of(&gateway, started, started)));
        let (sender, commands) = mpsc::channel(COMMANDS);
        let handle = Handle {
            commands: sender,
            bell: bell.clone(),
            seen: watched,
        };
        let drive = Self {
            gateway,
            started,
            uplink: uplink.into(),
            frames: None,
            again: started,
            poller,
            bell,
            commands,
            waiting: BTreeMap::new(),
            consoles: BTreeMap::new(),
            selftests: Vec::new(),
            seen,
            tell_at: started,
            unsent: 0,
            buffer: vec![0; TAGGED_MAX],
        };
        Ok((drive, handle))
    }

    /// Runs until nobody is left who could ask.
    ///
    /// # Errors
    /// Where waiting itself fails.
    pub fn run(mut self) -> Result<(), PollError> {
        let mut rung = Events::with_capacity(4);
        loop {
            let now = clock::now();
            self.open(now);
            if self.take_commands(now).is_err() {
                return Ok(());
            }
            let more = self.receive(now);
            self.gateway.poll(now);
            let changed = self.events(now);
            self.catch_up(now);
            self.send();
            self.tell(now, changed);
            let timeout = if more { Duration::ZERO } else { self.timeout() };
            self.poller.wait(&mut rung, Some(timeout))?;
            self.bell.clear();
        }
    }

    fn timeout(&self) -> Duration {
        let mut next = self.gateway.deadline().min(self.tell_at);
        if self.frames.is_none() {
            next = next.min(self.again);
        }
        next.since(clock::now())
    }

    /// Opens the uplink, if it is not and may be there again.
    fn open(&mut self, now: Instant) {
        if self.frames.is_some() || now < self.again {
            return;
        }
        self.again = now.after(AGAIN);
        let opened = TaggedFrames::open(&self.uplink);
        if let Ok(frames) = opened
            && self.poller.add(&frames, UPLINK).is_ok()
        {
            self.frames = Some(frames);
        }
    }

    /// Takes frames in; whether more may wait.
    fn receive(&mut self, now: Instant) -> bool {
        let Some(frames) = &self.frames else {
            return false;
        };
        for _ in 0..FRAMES_AT_ONCE {
            match frames.receive(&mut self.buffer) {
                Ok(Some(frame)) => self.gateway.frame(now, frame),
                Ok(None) => return false,
                Err(error) => {
                    self.lose(&error);
                    return false;
                }
            }
        }
        true
    }

    /// The uplink is down or gone.
    fn lose(&mut self, error: &io::Error) {
        tracing::debug!(uplink = %self.uplink, %error, "the uplink is not there");
        // Closed, it leaves the poller by itself.
        self.frames = None;
    }

    fn send(&mut self) {
        while let Some(frame) = self.gateway.take_frame() {
            let sent = self.frames.as_ref().map(|frames| frames.send(&frame));
            if !matches!(sent, Some(Ok(()))) {
                self.unsent += 1;
            }
        }
    }

    fn take_commands(&mut self, now: Instant) -> Result<(), Stopping> {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(now, command),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(Stopping),
            }
        }
    }

    fn obey(&mut self, now: Instant, command: Command) {
        match command {
            Command::Ask {
                port,
                request,
                within,
                reply,
            } => {
                let ticket = self.gateway.ask(now, port, request, within);
                self.waiting.insert(ticket, reply);
            }
            Command::ConsoleOpen {
                port,
                operator,
                force,
                output,
                reply,
                over,
            } => {
                let ticket = self.gateway.console_open(now, port, &operator, force);
                let reader = Reader {
                    output,
                    behind: VecDeque::new(),
                    opened: Some(reply),
                    over,
                };
                self.consoles.insert(ticket, reader);
            }
            Command::ConsoleType(ticket, octets) => self.gateway.console_type(now, ticket, &octets),
            Command::ConsoleClose(ticket) => {
                self.consoles.remove(&ticket);
                self.gateway.console_close(now, ticket);
            }
            Command::Update {
                port,
                image,
                octets,
            } => {
                // A port that leads nowhere has no update: what is seen says so.
                let _absent = self.gateway.update_begin(now, port, image, octets);
                self.tell_at = now;
            }
            Command::UpdateAbort(port) => {
                self.gateway.update_abort(now, port);
                self.tell_at = now;
            }
            Command::Selftest { run, reply } => {
                self.selftests.push(reply);
                self.gateway.selftest(now, run);
            }
        }
    }

    /// Hands events to whom they concern; whether what is seen changed.
    fn events(&mut self, now: Instant) -> bool {
        let mut changed = false;
        while let Some(event) = self.gateway.take_event() {
            match event {
                Event::Answered(ticket, answer) => {
                    if let Some(reply) = self.waiting.remove(&ticket) {
                        // Who asked may be gone.
                        let _gone = reply.send(answer);
                    }
                }
                Event::Changed | Event::Update(..) => changed = true,
                Event::Console(ticket, event) => self.console(now, ticket, event),
                Event::Selftest(report) => {
                    for reply in self.selftests.drain(..) {
                        let _gone = reply.send(report.clone());
                    }
                }
            }
        }
        changed
    }

    fn console(&mut self, now: Instant, ticket: Ticket, event: ConsoleEvent) {
        let Some(reader) = self.consoles.get_mut(&ticket) else {
            return;
        };
        match event {
            ConsoleEvent::Attached => {
                let waits = reader.opened.take();
                // A reader that is gone lets go.
                if waits.is_some_and(|waits| waits.send(Ok(ticket)).is_err()) {
                    self.consoles.remove(&ticket);
                    self.gateway.console_close(now, ticket);
                }
            }
            ConsoleEvent::Output(octets) => {
                reader.behind.push_back(octets.into());
                if reader.behind.len() == PIECES {
                    self.gateway.console_hold(now, ticket, true);
                }
            }
            ConsoleEvent::Ended(answer) => {
                if let Some(reader) = self.consoles.remove(&ticket) {
                    let _gone = match reader.opened {
                        Some(waits) => waits.send(Err(answer)).is_err(),
                        None => reader.over.send(answer).is_err(),
                    };
                }
            }
        }
    }

    /// Gives readers what they have room for.
    fn catch_up(&mut self, now: Instant) {
        let mut over = Vec::new();
        for (ticket, reader) in &mut self.consoles {
            let was_behind = reader.behind.len() >= PIECES;
            while let Some(piece) = reader.behind.pop_front() {
                match reader.output.try_send(piece) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Full(piece)) => {
                        reader.behind.push_front(piece);
                        break;
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => {
                        over.push(*ticket);
                        break;
                    }
                }
            }
            if was_behind && reader.behind.len() < PIECES {
                self.gateway.console_hold(now, *ticket, false);
            }
        }
        for ticket in over {
            self.consoles.remove(&ticket);
            self.gateway.console_close(now, ticket);
        }
    }

    fn tell(&mut self, now: Instant, changed: bool) {
        if !changed && now < self.tell_at {
            return;
        }
        let every = if self.gateway.is_updating() {
            TELL_UPDATE_EVERY
        } else {
            TELL_EVERY
        };
        self.tell_at = now.after(every);
        let mut seen = Seen::of(&self.gateway, self.started, now);
        seen.unsent = self.unsent;
        seen.uplink = self.frames.is_some();
        self.seen.send_replace(Arc::new(seen));
    }
}
