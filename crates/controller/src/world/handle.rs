//! How the rest of the controller reaches the snapshot.

use std::fmt;
use std::time::Duration;

use rackweave_api::control::Applied;
use rackweave_api::http::Problem;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::{Answered, Applying, Asked, World};

/// Questions and changes that wait at most.
const JOBS: usize = 1024;
/// How long to wait where the store does not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// What the task is asked.
enum Job {
    Look(Box<dyn FnOnce(&mut World) + Send>),
    Change(Box<Asked>, oneshot::Sender<Result<Answered, Problem>>),
    Apply(Box<Applying>, oneshot::Sender<Result<Applied, Problem>>),
}

/// Asks the task that owns the snapshot.
#[derive(Clone)]
pub(crate) struct WorldHandle {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for WorldHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorldHandle")
    }
}

impl WorldHandle {
    /// Gives the snapshot to a task of its own, which ends with the last handle.
    pub(crate) fn start(world: World) -> Self {
        let (jobs, asked) = mpsc::channel(JOBS);
        tokio::spawn(serve(world, asked));
        Self { jobs }
    }

    /// What a look at the snapshot finds.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Look(Box::new(move |world| {
            // Whoever asked may have gone.
            let _gone = sender.send(look(world));
        }));
        self.jobs.send(job).await.map_err(|_| ending())?;
        receiver.await.map_err(|_| ending())
    }

    /// Makes a change, if it is decided so. It is made or refused also if whoever asked does not wait.
    pub(crate) async fn change(&self, asked: Asked) -> Result<Answered, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Change(Box::new(asked), sender);
        self.jobs.send(job).await.map_err(|_| ending())?;
        receiver.await.map_err(|_| ending())?
    }

    /// Makes a declaration come true, also if whoever asked does not wait.
    pub(crate) async fn apply(&self, applying: Applying) -> Result<Applied, Problem> {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Apply(Box::new(applying), sender);
        self.jobs.send(job).await.map_err(|_| ending())?;
        receiver.await.map_err(|_| ending())?
    }
}

fn ending() -> Problem {
    Problem::unavailable("the controller ends").next("try again")
}

async fn serve(mut world: World, mut asked: mpsc::Receiver<Job>) {
    loop {
        tokio::select! {
            job = asked.recv() => match job {
                Some(Job::Look(look)) => look(&mut world),
                Some(Job::Change(asked, answer)) => {
                    // Whoever asked may have gone.
                    let _gone = answer.send(world.change(*asked).await);
                }
                Some(Job::Apply(applying, answer)) => {
                    let _gone = answer.send(world.apply(&applying).await);
                }
                None => return,
            },
            event = world.feed.next() => {
                if let Err(error) = event.and_then(|event| world.hear(event)) {
                    tracing::warn!(%error, "the store cannot be followed");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}
