//! The life of a controller: the store opens, what was asked for is read, and the API is served until it is told to end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::http::{Limits, Listener, Server};
use rackweave_daemon::listen::admit;
use rackweave_daemon::lock::Lock;
use rackweave_daemon::notify;
use rackweave_linux::clock;
use rackweave_store::{EmbeddedOptions, EtcdOptions, Store};
use rackweave_trust::Anchor;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::interval;

use crate::app::App;
use crate::config::Config;
use crate::http::api;
use crate::keys::Keys;
use crate::world::{World, WorldHandle, forget};

/// How often old answers are looked for.
const SWEEP: Duration = Duration::from_secs(600);
/// For how long answers are kept for whoever repeats a request, in milliseconds: a day.
const ANSWERS_MS: u64 = 24 * 60 * 60 * 1000;

/// Runs a controller until it is told to end by SIGTERM or SIGINT.
///
/// # Errors
/// Why it cannot start. What goes wrong later is logged and told to those who ask.
pub fn run(config: &Config) -> anyhow::Result<()> {
    config.check()?;
    for dir in [&config.run_dir, &config.state_dir] {
        private_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let _lock = Lock::take(&config.run_dir, "controller")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(live(config))
}

async fn live(config: &Config) -> anyhow::Result<()> {
    let store = open(config).await?;
    let group = config.control.group.as_deref();
    if let Some(group) = group {
        admit(&config.run_dir, group)?;
    }
    let keys = config.nodes.keys.as_deref().map(Keys::read).transpose()?;
    let mut listeners = Vec::new();
    for place in config.places() {
        listeners.push(place.open(group).await?);
    }
    if let Some(keys) = &keys {
        for address in &config.nodes.listen {
            let listener = Listener::tls(*address, keys.server_config()?).await;
            let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
            listeners.push(listener);
        }
    }
    let limits = Limits {
        connections: config.connections,
        ..Limits::default()
    };
    let end = Arc::new(Notify::new());
    tokio::spawn(signalled(Arc::clone(&end)));
    tell_manager(notify::ready("serving"));
    let anchor = keys.map(Keys::into_anchor);
    serve(store.clone(), anchor, listeners, limits, end.notified()).await?;
    tell_manager(notify::stopping("closing the store"));
    store.close().await;
    Ok(())
}

/// Serves the API over a store until `end`; nodes are believed where the anchor's roots state them.
///
/// # Errors
/// Where what is stored cannot be read.
pub async fn serve(
    store: Store,
    anchor: Option<Anchor>,
    listeners: Vec<Listener>,
    limits: Limits,
    end: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let world = World::open(store.clone()).await;
    let world = world.context("cannot read what is stored")?;
    let app = App::new(store.clone(), WorldHandle::start(world), anchor);
    let sweeping = tokio::spawn(sweep(store));
    Server::new(api(app), limits).serve(listeners, end).await;
    sweeping.abort();
    Ok(())
}

/// Forgets, from time to time, the answers that nobody can want any more.
async fn sweep(store: Store) {
    let mut due = interval(SWEEP);
    loop {
        due.tick().await;
        let before = clock::unix_millis().saturating_sub(ANSWERS_MS);
        match forget(&store, before).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "old answers are forgotten"),
            Err(problem) => tracing::warn!(%problem, "old answers cannot be forgotten"),
        }
    }
}

async fn open(config: &Config) -> anyhow::Result<Store> {
    if config.etcd.is_empty() {
        let file = config.store_file();
        let store = Store::embedded(&file, EmbeddedOptions::default());
        return store.with_context(|| format!("cannot open the store {}", file.display()));
    }
    let options = EtcdOptions::new(config.etcd.clone());
    Ok(Store::etcd(options).await?)
}

/// Tells when somebody wants the controller to end.
async fn signalled(end: Arc<Notify>) {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("cannot listen to signals: the controller must be killed");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    end.notify_one();
}

fn tell_manager(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
