//! A collector's questions, answered from workers and host task.

use std::time::Duration;

use rackweave_daemon::metrics::{Counted, text};
use rackweave_linux::clock;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::families::{PREFIX, Seen, families};
use crate::control::Context;
use crate::control::gather::gather;
use crate::host::HostCommand;

/// How long workers may take to answer before the sled counts as ill.
const HEALTHY: Duration = Duration::from_secs(2);
const STOPPING: &str = "the sled is stopping";

impl Counted for Context {
    async fn scrape(&self) -> Result<String, &'static str> {
        let (reply, snapshot) = oneshot::channel();
        let asked = self.host.send(HostCommand::Snapshot { reply }).await;
        asked.map_err(|_| STOPPING)?;
        let snapshot = snapshot.await.map_err(|_| STOPPING)?;
        let context = self.clone();
        // Workers' jobs are waited for, and must not keep the agent from its guests.
        let told = tokio::task::spawn_blocking(move || {
            let follows = context
                .follows
                .as_ref()
                .map(|follows| follows.borrow().clone());
            let gathered = gather(&context.workers).ok()?;
            let families = families(Seen {
                info: &context.info,
                snapshot: &snapshot,
                gathered: &gathered,
                agent: &context.agent.get(),
                follows: follows.as_ref(),
                now: clock::now(),
            });
            text(PREFIX, families).ok()
        });
        told.await.ok().flatten().ok_or(STOPPING)
    }

    /// Whether the workers answer.
    async fn health(&self) -> Result<(), &'static str> {
        let workers = self.workers.clone();
        let asked = tokio::task::spawn_blocking(move || workers.run_on_all(|_| ()));
        match timeout(HEALTHY, asked).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(_) => Err("a worker has ended"),
            Err(_) => Err("a worker does not answer"),
        }
    }
}
