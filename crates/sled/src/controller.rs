//! The sled as a node that follows its controllers.
//!
//! What it hears is applied by the host task, all of it or nothing, and reported when it is in force. Before the sled
//! forwards its first frame it asks what it missed; where no controller answers in time, the last state holds.

use std::path::Path;
use std::time::Duration;

use rackweave_api::control::ObjectError;
use rackweave_daemon::follow::{Change, ControllerConfig, Follow, Node};
use rackweave_linux::random;
use rackweave_types::state::HostState;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::control::told_errors;
use crate::host::{HostCommand, HostErrors, Snapshot, kept};

/// How long a sled that has a state waits for a newer one before it forwards.
const PATIENCE: Duration = Duration::from_secs(3);

/// The state to begin with, and how to go on: the newest one, if a controller tells it in time, else the last one
/// applied. A sled without one waits for a controller.
///
/// # Errors
/// Where the node's keys cannot be used.
pub async fn begin(
    config: &ControllerConfig,
    state_dir: &Path,
) -> anyhow::Result<(HostState, Follow<HostState>)> {
    let settings = config.settings()?;
    let kept = kept::of(state_dir, settings.node);
    let follow = Follow::new(settings, kept.clone(), drawn);
    let mut follow = follow.renewed_from(config.clone());
    let Some(kept) = kept else {
        tracing::info!("there is no state yet: a controller is waited for");
        loop {
            follow.catch_up().await;
            if let Some(told) = follow.state().cloned() {
                return Ok((told, follow));
            }
        }
    };
    let told = timeout(PATIENCE, follow.catch_up()).await;
    // What did not fit is gone from there, and asked for again.
    let newest = follow.state().filter(|_| told.is_ok()).cloned();
    Ok((newest.unwrap_or(kept), follow))
}

/// A number that nobody can foretell. Where the kernel gives none, pauses are all of full length.
fn drawn() -> u32 {
    random::bytes().map_or(u32::MAX, u32::from_le_bytes)
}

/// The sled, as whoever follows controllers sees it.
#[derive(Clone, Debug)]
pub struct Sled {
    /// The host task.
    pub host: mpsc::Sender<HostCommand>,
}

impl Node for Sled {
    type State = HostState;

    async fn apply(&mut self, state: &HostState, change: &Change) -> Vec<ObjectError> {
        if *change == Change::Nothing {
            return self.errors().await;
        }
        let state = Box::new(state.clone());
        match self.ask(|reply| HostCommand::Apply { state, reply }).await {
            Some(Ok(_)) => self.errors().await,
            Some(Err(refused)) => refusal(&refused),
            None => Vec::new(),
        }
    }

    async fn errors(&mut self) -> Vec<ObjectError> {
        let snapshot = self.ask(|reply| HostCommand::Snapshot { reply }).await;
        snapshot.as_ref().map_or_else(Vec::new, faults)
    }
}

impl Sled {
    /// Asks the host task; none where the sled is ending.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> HostCommand) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.host.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Why a state was not applied.
fn refusal(refused: &HostErrors) -> Vec<ObjectError> {
    let told = told_errors(refused).into_iter();
    told.map(|error| ObjectError {
        object: error.object,
        error: error.error,
    })
    .collect()
}

/// What of the state that holds is not in force, or why the one that should hold does not.
fn faults(snapshot: &Snapshot) -> Vec<ObjectError> {
    let refused = snapshot.refused.iter().flat_map(|errors| refusal(errors));
    let devices = snapshot.ports.iter().filter_map(|(id, port)| {
        Some(ObjectError {
            object: format!("attachment of port {id}"),
            error: port.fault.clone()?,
        })
    });
    refused.chain(devices).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use rackweave_types::PortId;

    use super::*;
    use crate::host::PortStatus;

    #[test]
    fn what_is_not_in_force_is_named() {
        let port = |fault: Option<&str>| PortStatus {
            restored: 0,
            attached: Some(fault.is_none()),
            fault: fault.map(str::to_owned),
        };
        let ports = [(1, port(None)), (2, port(Some("no such namespace")))];
        let ports = ports.map(|(id, port)| (PortId::new(id), port));
        let mut snapshot = Snapshot {
            state: None,
            ports: BTreeMap::from(ports),
            refused: None,
        };
        let found = faults(&snapshot);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].object, "attachment of port 0000000000000002");
        snapshot.refused = Some(Arc::new(HostErrors::whole("port 1: no room")));
        assert_eq!(faults(&snapshot)[0].error, "port 1: no room");
    }

    #[tokio::test]
    async fn a_state_is_in_force_once_the_host_task_says_so() {
        let (host, mut commands) = mpsc::channel(1);
        let mut sled = Sled { host };
        let state = crate::control::testing::state();
        let serve = async {
            let Some(HostCommand::Apply { state, reply }) = commands.recv().await else {
                return None;
            };
            let refused = HostErrors::whole("no");
            reply.send(Err(refused)).ok()?;
            Some(state.generation)
        };
        let apply = sled.apply(&state, &Change::Whole);
        let (errors, applied) = tokio::join!(apply, serve);
        assert_eq!(applied, Some(state.generation));
        assert_eq!(errors[0].error, "no");
        // A sled that ends has nothing to say.
        drop(commands);
        assert_eq!(sled.errors().await, Vec::new());
    }
}
