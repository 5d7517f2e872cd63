//! The life of a gateway: the loop on its thread, everything else on another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rackweave_api::http::Client;
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::http::{Limits, Place, Server};
use rackweave_daemon::listen::{admit, listen};
use rackweave_daemon::lock::Lock;
use rackweave_daemon::metrics::{self, Listener};
use rackweave_daemon::notify::{self, Watchdog};
use rackweave_linux::netlink::Netlink;
use rackweave_linux::{clock, random};
use rackweave_types::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, mpsc, watch};

use crate::config::Config;
use crate::data::Neighbours;
use crate::drive::{Drive, Handle};
use crate::gateway::Settings;
use crate::http::{State, api, run_selftest};
use crate::judge::Judge;
use crate::keys::Keys;
use crate::racks;
use crate::updates::Updates;

/// Orders that wait at most.
const ORDERS: usize = 16;
/// How long a gateway that has just started looks for service processors before it lets them prove isolation.
const FIRST_SELFTEST: Duration = Duration::from_secs(5);

/// Runs a gateway until SIGTERM or SIGINT.
///
/// # Errors
/// Why it cannot start. What goes wrong later is logged and mended.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let started = clock::now();
    config.check()?;
    let settings = settings(config)?;
    for dir in [&config.run_dir, &config.state_dir] {
        private_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let _lock = Lock::take(&config.run_dir, "mgs")?;
    let (drive, handle) = Drive::new(settings, &config.uplink, started)?;
    let looped = std::thread::Builder::new()
        .name("uplink".into())
        .spawn(move || drive.run())
        .context("cannot start the thread of the uplink")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lived = runtime.block_on(live(config, handle));
    // With the runtime goes the last one who could tell the loop anything, and so it ends.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match looped.join() {
        Ok(ended) => ended.context("the uplink cannot be waited for")?,
        Err(_) => {
            anyhow::bail!("the thread of the uplink broke off: this is a fault of the program")
        }
    }
    lived
}

/// What the machine is made of.
fn settings(config: &Config) -> anyhow::Result<Settings> {
    let racks = racks::read_all(&config.racks)?;
    let keys = match &config.keys {
        Some(path) => Keys::read(path)?,
        None => Keys::default(),
    };
    let links = Netlink::open().and_then(|netlink| netlink.links());
    let links = links.context("cannot list the interfaces")?;
    let uplink = links.into_iter().find(|link| link.name == config.uplink);
    let uplink = uplink.with_context(|| {
        format!(
            "uplink: no interface is called {}: `ip link` lists them",
            config.uplink
        )
    })?;
    let mac = uplink
        .mac
        .with_context(|| format!("uplink: {} is no Ethernet interface", config.uplink))?;
    Ok(Settings {
        mac,
        racks,
        keys,
        seed: u64::from_be_bytes(random::bytes()?),
        epoch: clock::unix_millis().saturating_mul(1_000_000),
    })
}

async fn live(config: &Config, handle: Handle) -> anyhow::Result<()> {
    let peer = config.peer().map(Client::new);
    let neighbours = config
        .data
        .clone()
        .map(|socket| Neighbours::new(socket, config.data_links.clone()));
    let (judge, judged) = Judge::open(handle.clone(), peer, neighbours, &config.state_dir)?;
    let updating = Updates::open(handle.clone(), &config.state_dir)?;
    let (overrides, overridden) = mpsc::channel(ORDERS);
    let (updates, orders) = mpsc::channel(ORDERS);
    let state = State {
        handle,
        judged,
        overrides,
        updates,
        selftest: watch::Sender::new(None),
        consoles: Arc::new(Mutex::new(BTreeMap::new())),
    };
    tokio::spawn(judge.run(overridden));
    tokio::spawn(updating.run(orders));
    if config.selftest_s > 0 {
        let every = Duration::from_secs(config.selftest_s);
        tokio::spawn(prove(state.clone(), every));
    }
    let group = config.control.group.as_deref();
    if let Some(group) = group {
        admit(&config.run_dir, group)?;
    }
    serve_metrics(config, &state).await?;
    let usual = [Place::Unix(config.socket())];
    let places: &[Place] = if config.listen.is_empty() {
        &usual
    } else {
        &config.listen
    };
    let mut listeners = Vec::new();
    for place in places {
        let opened = place.open(group).await;
        listeners.push(opened.with_context(|| format!("listen: cannot serve the API on {place}"))?);
    }
    let server = Server::new(api(state.clone()), Limits::default());
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tell(notify::ready("serves"));
    if let Some(watchdog) = Watchdog::from_env() {
        tokio::spawn(watch(state, watchdog));
    }
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell(notify::stopping("ends"));
    };
    server.serve(listeners, end).await;
    Ok(())
}

async fn serve_metrics(config: &Config, state: &State) -> anyhow::Result<()> {
    if let Some(address) = config.metrics.listen {
        let listener = Listener::tcp(address).await;
        let listener = listener.with_context(|| format!("cannot serve metrics on {address}"))?;
        tokio::spawn(metrics::serve(listener, state.clone()));
    }
    if let Some(path) = &config.metrics.unix {
        let listener = Listener::Unix(listen(path, config.control.group.as_deref())?);
        tokio::spawn(metrics::serve(listener, state.clone()));
    }
    Ok(())
}

/// Proves isolation every so often.
async fn prove(state: State, every: Duration) -> ! {
    tokio::time::sleep(FIRST_SELFTEST.min(every)).await;
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        if let Err(refused) = run_selftest(&state).await {
            tracing::warn!(problem = %refused.0, "isolation was not proven");
        }
    }
}

/// Tells the service manager that the gateway lives, as long as its loop does.
async fn watch(state: State, watchdog: Watchdog) -> ! {
    let mut before = Instant::START;
    loop {
        tokio::time::sleep(watchdog.every()).await;
        let at = state.handle.seen().at;
        if at > before {
            tell(watchdog.alive());
        }
        before = at;
    }
}

fn tell(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::debug!(%error, "the service manager is not told");
    }
}
