//! The life of a sled: doors open, what was kept comes back, everything serves, and all is kept again.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rackweave_api::sled::{PassedOver, UnderlayStatus};
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::follow::Follow;
use rackweave_daemon::lock::Lock;
use rackweave_daemon::notify;
use rackweave_linux::{clock, heap};
use rackweave_types::Instant;
use rackweave_types::state::HostState;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::agent::{self, AgentCounters, AgentState, Doors, Random};
use crate::capture::Captures;
use crate::config::Config;
use crate::control;
use crate::control::{AgentCounts, Info};
use crate::controller::{self, Sled};
use crate::host::{Host, HostCommand, HostSettings, MachineDevices, kept, serve};
use crate::journal::Keep;
use crate::queue::Queue;
use crate::queue::pipe::{self, Pipe};
use crate::underlay::Wire;
use crate::workers::{WorkerSettings, Workers};

/// Packets for the agent that wait at most, of all guests.
const PUNTS: usize = 4096;
/// Frames of the sled's own port that wait at most, in each direction.
const SYSTEM_FRAMES: usize = 1024;
/// Commands for the host task that wait at most.
const COMMANDS: usize = 16;

/// Runs a sled until it is told to end: SIGTERM, SIGINT, or over its control socket.
///
/// # Errors
/// Why it cannot start. What goes wrong later is logged and mended, or costs one guest alone.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let started = clock::now();
    heap::give_large_blocks_back();
    config.check()?;
    for dir in [&config.run_dir, &config.state_dir] {
        private_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let _lock = Lock::take(&config.run_dir, "sled")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (state, follow) = begin(config, &runtime)?;
    let mut wire = Wire::open(config, &state.underlay)?;
    tracing::info!(underlay = %wire.kind, passed_over = ?wire.passed_over, "underlay open");
    let (punts, inbox) = mpsc::channel(PUNTS);
    let workers = Workers::start(worker_settings(config, &state), Vec::new(), punts)?;
    let (publish, published) = watch::channel(None);
    let (system, system_end) = pipe::pair(SYSTEM_FRAMES)?;
    let mut host = open_host(config, workers.clone(), system, wire.take_queues(), publish)?;
    let applied = host.apply(state)?;
    tracing::info!(
        ports = applied.added,
        generation = applied.generation.get(),
        "host state applied"
    );
    let (commands, received) = mpsc::channel(COMMANDS);
    let thread = serve::spawn(host, received)?;
    let (agent_state, state) = watch::channel(Arc::default());
    let (counters, counted) = watch::channel(AgentCounters::default());
    let doors = Doors {
        inbox,
        injector: workers.clone(),
        system: system_end,
        state,
        counters,
        clock: clock::now,
        random: Random::from_kernel()?,
    };
    let context = control::Context {
        workers: workers.clone(),
        host: commands.clone(),
        info: Arc::new(info(config, &wire, started)),
        agent: AgentCounts::new(move || counted.borrow().named()),
        follows: follow.as_ref().map(Follow::status),
        stop: Arc::new(Notify::new()),
        captures: Captures::default(),
    };
    let served = runtime.block_on(async {
        tokio::spawn(agent::serve(doors));
        tokio::spawn(tell_agent(published, agent_state));
        control::open_doors(config, &context).await?;
        if let Some(follow) = follow {
            let host = commands.clone();
            tokio::spawn(follow.run(Sled { host }));
        }
        attend(commands, &context.stop).await
    });
    drop(context);
    drop(runtime);
    let host = thread.join();
    let host = host.map_err(|_| anyhow::anyhow!("the host task panicked"))??;
    drop(workers);
    host.stop();
    served
}

/// The state to begin with, and how it goes on where the sled follows controllers.
fn begin(
    config: &Config,
    runtime: &Runtime,
) -> anyhow::Result<(HostState, Option<Follow<HostState>>)> {
    if config.controller.is_used() {
        let begun = controller::begin(&config.controller, &config.state_dir);
        let (state, follow) = runtime.block_on(begun)?;
        return Ok((state, Some(follow)));
    }
    let (state, wrong) = kept::first(config.host_state.as_deref(), &config.state_dir)?;
    if let Some(wrong) = wrong {
        tracing::error!(errors = %wrong, "the last state that was applied is used instead");
    }
    Ok((state, None))
}

/// Tells the agent of each state that is applied.
async fn tell_agent(
    mut published: watch::Receiver<Option<Arc<HostState>>>,
    agent: watch::Sender<Arc<AgentState>>,
) {
    loop {
        let state = published.borrow_and_update().clone();
        if let Some(state) = state {
            agent.send_replace(Arc::new(AgentState::of(&state)));
        }
        if published.changed().await.is_err() {
            return;
        }
    }
}

/// Serves until it is told to end.
async fn attend(commands: mpsc::Sender<HostCommand>, stop: &Notify) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tell_manager(notify::ready("forwarding"));
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                tell_manager(notify::reloading("reading the host state"));
                reload(&commands).await;
                tell_manager(notify::ready("forwarding"));
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = stop.notified() => break,
        }
    }
    tell_manager(notify::stopping("freezing the ports"));
    tracing::info!("the sled ends; its ports are kept");
    Ok(())
}

/// The service manager may be gone; the sled goes on.
fn tell_manager(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager does not listen");
    }
}

/// What the control socket says of the sled all its life.
fn info(config: &Config, wire: &Wire, started: Instant) -> Info {
    let passed_over = wire.passed_over.iter().map(|(kind, why)| PassedOver {
        kind: kind.to_string(),
        why: why.clone(),
    });
    Info {
        program: rackweave_daemon::program(),
        started,
        underlay: UnderlayStatus {
            kind: wire.kind.to_string(),
            passed_over: passed_over.collect(),
        },
        cpus: config.cpus.clone(),
    }
}

/// Has the host-state file read again; the host task says what became of it.
async fn reload(commands: &mpsc::Sender<HostCommand>) {
    let (reply, done) = oneshot::channel();
    if commands.send(HostCommand::Reload { reply }).await.is_ok() {
        let _said = done.await;
    }
}

fn open_host(
    config: &Config,
    workers: Workers,
    system: Pipe,
    wire: Vec<Box<dyn Queue>>,
    publish: watch::Sender<Option<Arc<HostState>>>,
) -> anyhow::Result<Host> {
    let settings = HostSettings {
        keep: Keep::new(&config.run_dir).context("no place for journals")?,
        secret: kept::secret(&config.run_dir).context("no secret for flow hashes")?,
        state_dir: config.state_dir.clone(),
        file: config.host_state.clone().map(absolute),
    };
    let devices = MachineDevices::new(Box::new(system));
    Ok(Host::new(
        settings,
        workers,
        Box::new(devices),
        wire,
        publish,
    ))
}

/// The same file, wherever the process is.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn worker_settings(config: &Config, state: &HostState) -> WorkerSettings {
    WorkerSettings {
        count: config.workers,
        cpus: config.cpus.clone(),
        poll: config.poll,
        sled: state.underlay.sled,
    }
}
