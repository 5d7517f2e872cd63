//! All that people and collectors of this machine come through, opened together.

use anyhow::Context as _;
use rackweave_daemon::conversation::serve;
use rackweave_daemon::listen::{admit, listen};
use rackweave_daemon::metrics::{self, Listener};
use rackweave_daemon::notify::Watchdog;

use super::Context;
use crate::config::Config;

/// Opens the control socket and what the configuration says of metrics, and keeps the service manager's watchdog
/// quiet; all of it is served by tasks of the runtime that this is called in.
///
/// # Errors
/// Where a socket cannot be made.
pub async fn open_doors(config: &Config, context: &Context) -> anyhow::Result<()> {
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
    if let Some(watchdog) = Watchdog::from_env() {
        let context = context.clone();
        tokio::spawn(async move { watch(watchdog, context).await });
    }
    Ok(())
}

/// Tells the service manager that the sled lives, as long as its workers answer.
async fn watch(watchdog: Watchdog, context: Context) -> ! {
    let mut turn = tokio::time::interval(watchdog.every());
    loop {
        turn.tick().await;
        let workers = context.workers.clone();
        let asked = tokio::task::spawn_blocking(move || workers.run_on_all(|_| ())).await;
        if matches!(asked, Ok(Ok(_)))
            && let Err(error) = watchdog.alive()
        {
            tracing::warn!(%error, "the service manager does not listen");
        }
    }
}
