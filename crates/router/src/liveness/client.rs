//! The router's end: finds the process or starts it, and tells the node's machine what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rackweave_api::local::{FromDaemon, LineDecoder, REPLY_MAX, Request, ToDaemon, encode};
use rackweave_routing::bfd::Settings;
use rackweave_routing::fabric::{Input, LinkId, Measured};
use rackweave_routing::probe::Estimate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::LivenessPorts;
use super::clients::hello;
use super::message::{self, Reply, SOCKET, SessionStatus, Target, Watch};
use crate::inbox::Inbox;

/// Commands that wait at most.
const COMMANDS: usize = 1024;
/// Between attempts to reach a process that was just started.
const RETRY: Duration = Duration::from_millis(10);
/// Between attempts to start one that does not stay.
const RESTART: Duration = Duration::from_secs(1);
/// When neighbours are held dead because no process can be had.
const PATIENCE: Duration = Duration::from_secs(1);
/// After this time what a router before us had watched, and we do not, is watched no longer.
const SWEEP: Duration = Duration::from_mins(1);

/// Where the process is, and how it is started.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The router's run directory.
    pub run_dir: PathBuf,
    /// The program that has `router liveness` as subcommand.
    pub program: PathBuf,
    /// The ports of liveness.
    pub ports: LivenessPorts,
    /// How BFD is run.
    pub bfd: Settings,
}

/// The router's end of the process. It lives as long as this value; the process lives on.
#[derive(Clone, Debug)]
pub struct Client(mpsc::Sender<Ask>);

#[derive(Debug)]
enum Ask {
    Watch(Target, [u8; 32]),
    Unwatch(Target),
    Sessions(oneshot::Sender<Vec<SessionStatus>>),
    Stop(oneshot::Sender<()>),
}

impl Client {
    /// Begins to look for the process, on the current runtime. What it says goes to `inbox`.
    #[must_use]
    pub fn start(settings: ClientSettings, inbox: Inbox) -> Self {
        let (sender, asks) = mpsc::channel(COMMANDS);
        let end = End {
            settings,
            inbox,
            asks,
            wanted: BTreeMap::new(),
            known: BTreeMap::new(),
            told: BTreeMap::new(),
            child: None,
            stopping: None,
            last_id: 0,
            sweep: Some(Instant::now() + SWEEP),
        };
        tokio::spawn(end.run());
        Self(sender)
    }

    /// Watches a neighbour from now on; with a new key where it changed.
    pub async fn watch(&self, link: LinkId, peer: Ipv6Addr, key: [u8; 32]) {
        self.ask(Ask::Watch(target(link, peer), key)).await;
    }

    /// Watches a neighbour no longer.
    pub async fn unwatch(&self, link: LinkId, peer: Ipv6Addr) {
        self.ask(Ask::Unwatch(target(link, peer))).await;
    }

    /// All neighbours that are watched, as the process last told.
    pub async fn sessions(&self) -> Vec<SessionStatus> {
        let (sender, receiver) = oneshot::channel();
        self.ask(Ask::Sessions(sender)).await;
        receiver.await.unwrap_or_default()
    }

    /// Has the process end, with a word to the neighbours.
    pub async fn stop(&self) {
        let (sender, receiver) = oneshot::channel();
        self.ask(Ask::Stop(sender)).await;
        // The answer is that nobody is left who could give one.
        let _ended = receiver.await;
    }

    async fn ask(&self, ask: Ask) {
        // The other end goes only with the node's machine, and then nothing matters any more.
        let _ended = self.0.send(ask).await;
    }
}

const fn target(link: LinkId, peer: Ipv6Addr) -> Target {
    Target { link: link.0, peer }
}

/// What the task holds.
struct End {
    settings: ClientSettings,
    inbox: Inbox,
    asks: mpsc::Receiver<Ask>,
    wanted: BTreeMap<Target, [u8; 32]>,
    known: BTreeMap<Target, SessionStatus>,
    /// What the machine was told last: whether it is up, and what was measured.
    told: BTreeMap<Target, (bool, Option<Estimate>)>,
    child: Option<Child>,
    /// Who waits for the process to be told to end.
    stopping: Option<oneshot::Sender<()>>,
    last_id: u64,
    sweep: Option<Instant>,
}

/// Why the task ends, or a conversation did.
enum Over {
    /// Nobody asks any more, or the machine has ended.
    Router,
    /// The process is gone.
    Process,
}

impl End {
    async fn run(mut self) {
        // Only one that is there already, until somebody is to be watched.
        while let Ok(stream) = self.connect().await {
            if let Over::Router = self.converse(stream).await {
                return;
            }
            self.stopping = None;
            self.known.clear();
        }
    }

    /// Connects to the process; starts it where somebody is to be watched.
    async fn connect(&mut self) -> Result<UnixStream, Over> {
        let path = self.settings.run_dir.join(SOCKET);
        let begun = Instant::now();
        let mut started: Option<Instant> = None;
        loop {
            if let Ok(stream) = UnixStream::connect(&path).await {
                return Ok(stream);
            }
            if !self.wanted.is_empty() {
                if started.is_none_or(|at| at.elapsed() >= RESTART) {
                    started = Some(Instant::now());
                    self.start_process();
                }
                if begun.elapsed() >= PATIENCE {
                    self.hold_dead().await?;
                }
            }
            tokio::select! {
                ask = self.asks.recv() => {
                    let _nobody_to_tell = self.handle(ask.ok_or(Over::Router)?);
                    // There is none that would have to end.
                    self.stopping = None;
                }
                () = sleep(RETRY), if !self.wanted.is_empty() => {}
            }
        }
    }

    /// Starts the process; it takes itself out of our session, and finds out itself whether there is one.
    fn start_process(&mut self) {
        if let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(None))
        {
            return;
        }
        let settings = &self.settings;
        let spawned = Command::new(&settings.program)
            .args(["router", "liveness", "--run-dir"])
            .arg(&settings.run_dir)
            .args(["--bfd-port", &settings.ports.bfd.to_string()])
            .args(["--beacon-port", &settings.ports.beacons.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match spawned {
            Ok(child) => {
                tracing::info!(pid = child.id(), "the liveness process is started");
                self.child = Some(child);
            }
            Err(error) => {
                let program = settings.program.display();
                tracing::error!(%error, %program, "the liveness process cannot be started");
            }
        }
    }

    async fn converse(&mut self, mut stream: UnixStream) -> Over {
        let mut out = Vec::new();
        let mut lines = LineDecoder::new(REPLY_MAX);
        let mut buf = vec![0; 16 * 1024];
        say(&ToDaemon::<message::Request>::Hello(hello()), &mut out);
        self.request(message::Request::Follow {}, &mut out);
        for (target, key) in self.wanted.clone() {
            self.request_watch(target, key, &mut out);
        }
        loop {
            if stream.write_all(&out).await.is_err() {
                return Over::Process;
            }
            out.clear();
            let sweep = self.sweep;
            tokio::select! {
                ask = self.asks.recv() => {
                    let Some(ask) = ask else { return Over::Router };
                    if let Some(request) = self.handle(ask) {
                        self.request(request, &mut out);
                        if let Err(over) = self.forward().await {
                            return over;
                        }
                    }
                }
                read = stream.read(&mut buf) => match read {
                    Ok(0) => return Over::Process,
                    Ok(len) => {
                        lines.feed(&buf[..len]);
                        if let Err(over) = self.listen(&mut lines).await {
                            return over;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return Over::Process,
                },
                () = sleep_until(sweep.unwrap_or_else(Instant::now)), if sweep.is_some() => {
                    self.sweep = None;
                    let wanted = |target: &&Target| !self.wanted.contains_key(target);
                    let left: BTreeSet<Target> = self.known.keys().filter(wanted).copied().collect();
                    for target in left {
                        self.request(message::Request::Unwatch(target), &mut out);
                    }
                }
            }
        }
    }

    /// Notes what is asked; what the process is to be asked for it.
    fn handle(&mut self, ask: Ask) -> Option<message::Request> {
        match ask {
            Ask::Watch(target, key) => {
                self.wanted.insert(target, key);
                Some(self.watch_request(target, key))
            }
            Ask::Unwatch(target) => {
                self.wanted.remove(&target);
                self.told.remove(&target);
                Some(message::Request::Unwatch(target))
            }
            Ask::Sessions(to) => {
                // Who asked may have gone.
                let _gone = to.send(self.known.values().cloned().collect());
                None
            }
            Ask::Stop(to) => {
                self.wanted.clear();
                self.told.clear();
                self.stopping = Some(to);
                Some(message::Request::Stop {})
            }
        }
    }

    fn watch_request(&self, target: Target, key: [u8; 32]) -> message::Request {
        message::Request::Watch(Watch {
            target,
            key,
            bfd: self.settings.bfd,
        })
    }

    fn request_watch(&mut self, target: Target, key: [u8; 32], out: &mut Vec<u8>) {
        let request = self.watch_request(target, key);
        self.request(request, out);
    }

    fn request(&mut self, body: message::Request, out: &mut Vec<u8>) {
        self.last_id += 1;
        let id = self.last_id;
        say(&ToDaemon::Request(Request { id, body }), out);
    }

    /// Reads what the process said.
    async fn listen(&mut self, lines: &mut LineDecoder) -> Result<(), Over> {
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => serde_json::from_slice::<FromDaemon<Reply>>(line),
                Ok(None) => return self.forward().await,
                Err(_) => return Err(Over::Process),
            };
            match line {
                Ok(FromDaemon::Reply(reply)) => match reply.body {
                    Reply::Session(status) => {
                        self.known.insert(status.target, status);
                    }
                    Reply::Gone(target) => {
                        self.known.remove(&target);
                    }
                    Reply::Done {} | Reply::Sessions(_) => {}
                },
                Ok(FromDaemon::Hello(_)) => {}
                Ok(FromDaemon::Error(failure)) => {
                    tracing::warn!(error = %failure.error, "the liveness process refuses");
                }
                // Of a release that says more than we know.
                Err(error) => tracing::debug!(%error, "the liveness process is not understood"),
            }
        }
    }

    /// Tells the machine what is new of the neighbours that it wants to be watched.
    async fn forward(&mut self) -> Result<(), Over> {
        for status in self.known.values() {
            let (target, up) = (status.target, status.is_up());
            if !self.wanted.contains_key(&target) {
                continue;
            }
            let (was_up, before) = self.told.get(&target).copied().unwrap_or_default();
            let (link, peer) = (LinkId(target.link), target.peer);
            let estimate = status.estimate.filter(|_| up);
            if let Some(Estimate { rtt_ns, loss_ppm }) = estimate
                && before != estimate
            {
                let measured = Measured { rtt_ns, loss_ppm };
                let input = Input::Measured {
                    link,
                    peer,
                    measured,
                };
                tell(&self.inbox, input).await?;
            }
            if up != was_up {
                let reason = status.reason.clone();
                tell(&self.inbox, alive(target, up, reason)).await?;
            }
            self.told.insert(target, (up, estimate.or(before)));
        }
        Ok(())
    }

    /// Nobody watches: nobody is known to live.
    async fn hold_dead(&mut self) -> Result<(), Over> {
        for (target, told) in &mut self.told {
            if std::mem::take(&mut told.0) {
                let reason = "the liveness process does not run and cannot be started".to_owned();
                tell(&self.inbox, alive(*target, false, reason)).await?;
            }
        }
        Ok(())
    }
}

async fn tell(inbox: &Inbox, input: Input) -> Result<(), Over> {
    inbox.tell(input).await.map_err(|_| Over::Router)
}

const fn alive(target: Target, up: bool, reason: String) -> Input {
    Input::Liveness {
        link: LinkId(target.link),
        peer: target.peer,
        up,
        reason,
    }
}

fn say(line: &ToDaemon<message::Request>, out: &mut Vec<u8>) {
    // These have a form in JSON, always.
    let _encoded = encode(line, out);
}
