//! The control socket's way to the machine.

use rackweave_api::local::{ApiError, Code};
use rackweave_daemon::conversation::{Client, ClientGone, Outbox};
use rackweave_linux::wake::Wake;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::machine::{Job, World};

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct Context<M> {
    pub(crate) jobs: mpsc::Sender<Job<M>>,
    /// Rings when there is a job.
    pub(crate) bell: Wake,
    /// Told when somebody asks the program to end.
    pub(crate) stop: mpsc::Sender<()>,
    pub(crate) program: String,
}

impl<M> Clone for Context<M> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            bell: self.bell.clone(),
            stop: self.stop.clone(),
            program: self.program.clone(),
        }
    }
}

impl<M: 'static> Context<M> {
    /// Has the machine's thread do something, and gives what came of it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut World<M>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(move |world: &mut World<M>| {
            // Who asked may be gone.
            let _gone = reply.send(job(world));
        });
        let stopping = || ApiError::new(Code::Stopping, "the simulation ends");
        self.jobs.send(job).await.map_err(|_| stopping())?;
        self.bell.wake();
        answer.await.map_err(|_| stopping())
    }

    /// Ends the program, where the client may say so.
    pub(crate) async fn end(
        &self,
        client: Client,
        outbox: &Outbox,
        done: impl Serialize,
    ) -> Result<Result<(), ClientGone>, ApiError> {
        may_change(client)?;
        let sent = outbox.send(done, false).await;
        // Somebody may have asked before.
        let _asked = self.stop.try_send(());
        Ok(sent)
    }
}

/// Whether the client may change things.
pub(crate) fn may_change(client: Client) -> Result<(), ApiError> {
    if client.privileged {
        return Ok(());
    }
    Err(ApiError::new(Code::NotPermitted, "you may not do this")
        .cause("only root may")
        .next("run the command as root"))
}

/// Nothing is called so.
pub(crate) fn nothing_called(what: &str, name: &str, known: &[&str]) -> ApiError {
    ApiError::new(Code::NotFound, format!("no {what} is called `{name}`"))
        .next(format!("there are {}", known.join(", ")))
}
