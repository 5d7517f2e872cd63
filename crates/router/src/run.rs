//! The life of a router: doors open, what was kept comes back, and everything serves until it is told to end.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rackweave_api::router::StopRequest;
use rackweave_daemon::conversation::serve;
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::listen::{admit, listen};
use rackweave_daemon::lock::Lock;
use rackweave_daemon::metrics::{self, Listener};
use rackweave_daemon::notify::{self, Watchdog};
use rackweave_linux::netlink::Netlink;
use rackweave_linux::{clock, random};
use rackweave_routing::fabric::{Event, EventKind, Fabric, Input};
use rackweave_types::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::control::{Context, Job};
use crate::counts::Counts;
use crate::doors::Doors;
use crate::fib::Fib;
use crate::history::History;
use crate::inbox::inbox;
use crate::originate::Originations;
use crate::rack;
use crate::record::Recorder;
use crate::renew;
use crate::uses::Uses;
use crate::verify::Verifying;
use crate::who::Who;
use crate::world::{Info, World, now};

/// Questions that wait for the run loop at most.
const QUESTIONS: usize = 64;
/// Inputs that are taken in before anything else is looked at.
const INPUTS_AT_ONCE: usize = 64;
/// How long the kernel may take to list its routes at the start.
const KERNEL: Duration = Duration::from_secs(10);

/// Runs a router until it is told to end: SIGTERM, SIGINT, or over its control socket. With `record`, all that its
/// machine is told is written to that file.
///
/// # Errors
/// Why it cannot start. What goes wrong later is logged and mended.
pub fn run(config: &Config, record: Option<&Path>) -> anyhow::Result<()> {
    let started = clock::now();
    config.check()?;
    for dir in [&config.run_dir, &config.state_dir] {
        private_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let _lock = Lock::take(&config.run_dir, "router")?;
    let links = Netlink::open().and_then(|netlink| netlink.links());
    let who = Who::find(config, &links.context("cannot list the links")?)?;
    let info = Info {
        program: rackweave_daemon::program(),
        started,
        who,
        state_dir: config.state_dir.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let record = record.map(Path::to_owned);
    runtime.block_on(live(config, Arc::new(info), record))
}

async fn live(config: &Config, info: Arc<Info>, record: Option<PathBuf>) -> anyhow::Result<()> {
    let (inbox, mut inputs) = inbox();
    let fib = Fib::start(inbox.clone())?;
    // The machine adopts what a router before it gave the kernel, before it hears of anything else.
    let held = timeout(KERNEL, inputs.recv()).await;
    let held = held
        .ok()
        .flatten()
        .context("the kernel does not list its routes")?;
    let (settings, seed, begin) = (info.who.settings(config), random::bytes()?, now());
    let recorder = record.map(|path| {
        let recorder = Recorder::begin(&path, &settings, begin, seed);
        recorder.with_context(|| format!("cannot record to {}", path.display()))
    });
    let prefix = info.who.assignment.as_ref().map(|of| of.prefix);
    let (doors, heard) = Doors::open(config, fib, info.who.describe(prefix), &inbox)?;
    let mut world = World {
        info: Arc::clone(&info),
        fabric: Fabric::new(settings, begin, seed),
        doors,
        history: History::open(&config.run_dir),
        originations: Originations::default(),
        uses: Uses::default(),
        verifying: Verifying::start(config.ports.verify),
        counts: Counts::default(),
        links: BTreeMap::new(),
        recorder: recorder.transpose()?,
        outputs: Vec::new(),
    };
    tell(&mut world, "the router started");
    world.handle(held);
    let (jobs, questions) = mpsc::channel(QUESTIONS);
    let (stop, stopped) = mpsc::channel(1);
    let rack = rack::open(config, &info, jobs.clone())?;
    tokio::spawn(rack.clone().run());
    let context = Context {
        jobs,
        info,
        stop,
        rack,
    };
    let told = renew::told().context("cannot listen to SIGHUP")?;
    tokio::spawn(renew::renew(told, config.clone(), context.clone()));
    open_sockets(config, &context).await?;
    let end = attend(&mut world, inputs, questions, heard, stopped).await?;
    if end.all {
        tell(&mut world, "the router takes this node out of the fabric");
    } else {
        world.handle(Input::Restarting);
        tell(&mut world, "the router ends; its routes stay");
    }
    world.doors.close(end.all).await;
    Ok(())
}

/// Opens the control socket and what the configuration says of metrics.
async fn open_sockets(config: &Config, context: &Context) -> anyhow::Result<()> {
    let group = config.control.group.as_deref();
    if let Some(group) = group {
        admit(&config.run_dir, group)?;
    }
    let control = listen(&config.control_socket(), group)?;
    tokio::spawn(serve(control, context.clone()));
    if let Some(address) = config.metrics.listen {
        let listener = Listener::tcp(address).await;
        let listener = listener.with_context(|| format!("cannot serve metrics on {address}"))?;
        tokio::spawn(metrics::serve(listener, context.clone()));
    }
    if let Some(path) = &config.metrics.unix {
        let listener = Listener::Unix(listen(path, group)?);
        tokio::spawn(metrics::serve(listener, context.clone()));
    }
    Ok(())
}

/// Takes in what comes until the router is told to end.
async fn attend(
    world: &mut World,
    mut inputs: mpsc::Receiver<Input>,
    mut questions: mpsc::Receiver<Job>,
    mut heard: mpsc::Receiver<Event>,
    mut stopped: mpsc::Receiver<StopRequest>,
) -> anyhow::Result<StopRequest> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let watchdog = Watchdog::from_env();
    let mut alive = watchdog.map(|watchdog| tokio::time::interval(watchdog.every()));
    tell_manager(notify::ready("routing"));
    let end = loop {
        let due = world.deadline();
        tokio::select! {
            Some(input) = inputs.recv() => {
                world.handle(input);
                for _ in 1..INPUTS_AT_ONCE {
                    let Ok(input) = inputs.try_recv() else { break };
                    world.handle(input);
                }
            }
            () = until(due) => world.tick(),
            Some(job) = questions.recv() => job.run(world),
            Some(event) = heard.recv() => world.tell(&event),
            () = tick(&mut alive) => {
                if let Some(watchdog) = watchdog {
                    tell_manager(watchdog.alive());
                }
            }
            Some(stop) = stopped.recv() => break stop,
            _ = terminate.recv() => break StopRequest::default(),
            _ = interrupt.recv() => break StopRequest::default(),
        }
    };
    tell_manager(notify::stopping("telling neighbors"));
    Ok(end)
}

/// Waits until then; for ever where there is no then.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep(at.since(clock::now())).await,
        None => pending().await,
    }
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => pending().await,
    }
}

/// Something of the router itself happened.
fn tell(world: &mut World, what: &str) {
    world.tell(&Event {
        at: clock::now(),
        kind: EventKind::Node,
        what: what.to_owned(),
    });
}

/// The service manager may be gone; the router goes on.
fn tell_manager(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager does not listen");
    }
}
