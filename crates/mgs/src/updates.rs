//! Updates that outlive the gateway: each image lies in the state directory until it runs, or does not. How much of it is
//! there, the service processor knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use rackweave_api::mgs::{UpdateStage, UpdateStatus};
use rackweave_linux::clock;
use rackweave_mgmt::sp::message::Image;
use rackweave_types::Instant;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::convert::to_update;
use crate::drive::{Command, Handle};
use crate::kept::{self, KeptError};
use crate::seen::{LinkSeen, Seen};

/// How long the gateway's loop may take to begin what it was told to.
const BEGIN: Duration = Duration::from_secs(2);

/// What is asked of updates.
#[derive(Debug)]
pub enum Order {
    /// Begin one, of the unit with this serial number.
    Begin {
        /// Whose.
        serial: String,
        /// What the image is called.
        image: String,
        /// All of it.
        octets: Bytes,
        /// Who waits.
        reply: oneshot::Sender<Result<UpdateStatus, NotBegun>>,
    },
    /// Forget one.
    Abort {
        /// Whose.
        serial: String,
        /// Who waits: whether there was one.
        reply: oneshot::Sender<bool>,
    },
    /// How far is it?
    Status {
        /// Whose.
        serial: String,
        /// Who waits.
        reply: oneshot::Sender<Option<UpdateStatus>>,
    },
}

/// Why an update was not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotBegun {
    /// The image is longer than any.
    #[error("the image is longer than 4 GiB")]
    TooLong,
    /// There is nothing in it.
    #[error("the image is empty")]
    Empty,
    /// It could not be kept.
    #[error(transparent)]
    Kept(#[from] KeptError),
}

/// An update, as it is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    serial: String,
    image: String,
    len: u32,
    hash: String,
    /// What came of it, once it is over.
    over: Option<UpdateStatus>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Updates {
    handle: Handle,
    dir: PathBuf,
    jobs: BTreeMap<String, Job>,
    /// When the loop was told to begin: what was seen before says nothing of it.
    begun: BTreeMap<String, Instant>,
}

impl Updates {
    /// The updates that were left in a directory.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(handle: Handle, state_dir: &Path) -> anyhow::Result<Self> {
        let dir = state_dir.join("updates");
        rackweave_daemon::dir::private_dir(&dir)?;
        let mut jobs = BTreeMap::new();
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "json")
                && let Some(job) = kept::read::<Job>(&path)?
            {
                jobs.insert(job.serial.clone(), job);
            }
        }
        Ok(Self {
            handle,
            dir,
            jobs,
            begun: BTreeMap::new(),
        })
    }

    /// Sees to updates until the task is dropped, or nobody is left who could ask.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut seen = self.handle.watch();
        loop {
            self.see_to_all().await;
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { return },
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        // Who asked may be gone.
        match order {
            Order::Begin {
                serial,
                image,
                octets,
                reply,
            } => {
                let begun = self.begin(&serial, image, &octets).await;
                let _gone = reply.send(begun);
            }
            Order::Abort { serial, reply } => {
                let _gone = reply.send(self.abort(&serial).await);
            }
            Order::Status { serial, reply } => {
                let _gone = reply.send(self.status(&serial));
            }
        }
    }

    async fn begin(
        &mut self,
        serial: &str,
        image: String,
        octets: &Bytes,
    ) -> Result<UpdateStatus, NotBegun> {
        let len = u32::try_from(octets.len()).map_err(|_| NotBegun::TooLong)?;
        if len == 0 {
            return Err(NotBegun::Empty);
        }
        let job = Job {
            serial: serial.into(),
            image,
            len,
            hash: blake3::hash(octets).to_hex().to_string(),
            over: None,
        };
        kept::write_octets(&self.image(serial), octets)?;
        kept::write(&self.file(serial), &job)?;
        let waiting = UpdateStatus {
            image: job.image.clone(),
            len,
            sent: 0,
            stage: UpdateStage::Waiting,
            error: None,
        };
        // What is under way is no longer what is wanted.
        if let Some(link) = link(&self.handle.seen(), serial) {
            let _stopping = self.handle.tell(Command::UpdateAbort(link.port)).await;
            self.start(&job, link).await;
        }
        self.jobs.insert(serial.into(), job);
        Ok(waiting)
    }

    async fn abort(&mut self, serial: &str) -> bool {
        let Some(job) = self.jobs.remove(serial) else {
            return false;
        };
        for path in [self.file(serial), self.image(serial)] {
            if let Err(error) = kept::remove(&path) {
                tracing::warn!(%error, "what is left of an update is not removed");
            }
        }
        if let Some(link) = link(&self.handle.seen(), serial) {
            let _stopping = self.handle.tell(Command::UpdateAbort(link.port)).await;
        }
        job.over.is_none()
    }

    fn status(&self, serial: &str) -> Option<UpdateStatus> {
        let job = self.jobs.get(serial)?;
        if let Some(over) = &job.over {
            return Some(over.clone());
        }
        let seen = self.handle.seen();
        let progress = link(&seen, serial).and_then(|link| link.update.as_ref());
        Some(
            match progress.filter(|progress| is_of(job, &progress.image)) {
                Some(progress) => to_update(progress),
                None => UpdateStatus {
                    image: job.image.clone(),
                    len: job.len,
                    sent: 0,
                    stage: UpdateStage::Waiting,
                    error: None,
                },
            },
        )
    }

    /// Begins what is not begun, and writes down what is over.
    async fn see_to_all(&mut self) {
        let seen = self.handle.seen();
        let open: Vec<Job> = self
            .jobs
            .values()
            .filter(|job| job.over.is_none())
            .cloned()
            .collect();
        for job in open {
            let Some(link) = link(&seen, &job.serial) else {
                continue;
            };
            let begun = self.begun.get(&job.serial).copied();
            if begun.is_some_and(|begun| seen.at <= begun) {
                continue;
            }
            match link.update.as_ref().filter(|it| is_of(&job, &it.image)) {
                None if begun.is_some_and(|begun| seen.at.since(begun) < BEGIN) => {}
                None => self.start(&job, link).await,
                Some(progress) => {
                    let status = to_update(progress);
                    if matches!(status.stage, UpdateStage::Done | UpdateStage::Failed) {
                        self.end(job, status);
                    }
                }
            }
        }
    }

    async fn start(&mut self, job: &Job, link: &LinkSeen) {
        self.begun.insert(job.serial.clone(), clock::now());
        let octets = match std::fs::read(self.image(&job.serial)) {
            Ok(octets) => octets,
            Err(error) => {
                tracing::warn!(serial = %job.serial, %error, "the image of an update cannot be read");
                return;
            }
        };
        let image = Image {
            name: job.image.clone(),
            len: job.len,
            hash: *blake3::hash(&octets).as_bytes(),
        };
        let command = Command::Update {
            port: link.port,
            image,
            octets: Arc::from(octets),
        };
        let _stopping = self.handle.tell(command).await;
    }

    fn end(&mut self, mut job: Job, status: UpdateStatus) {
        job.over = Some(status);
        if let Err(error) = kept::write(&self.file(&job.serial), &job)
            .and_then(|()| kept::remove(&self.image(&job.serial)))
        {
            tracing::warn!(%error, "what came of an update is not kept");
        }
        self.jobs.insert(job.serial.clone(), job);
    }

    fn file(&self, serial: &str) -> PathBuf {
        self.dir.join(format!("{}.json", safe(serial)))
    }

    fn image(&self, serial: &str) -> PathBuf {
        self.dir.join(format!("{}.image", safe(serial)))
    }
}

fn link<'s>(seen: &'s Seen, serial: &str) -> Option<&'s LinkSeen> {
    let is = |link: &&LinkSeen| link.found.as_ref().is_some_and(|it| it.serial == serial);
    seen.links.iter().find(is)
}

fn is_of(job: &Job, image: &Image) -> bool {
    job.image == image.name && job.hash == blake3::Hash::from(image.hash).to_hex().as_str()
}

/// A serial number as it can stand in a file's name: what else is in it, a service processor says.
fn safe(serial: &str) -> String {
    let plain = serial
        .chars()
        .all(|it| it.is_ascii_alphanumeric() || it == '-');
    if plain && !serial.is_empty() {
        serial.to_owned()
    } else {
        blake3::hash(serial.as_bytes()).to_hex().to_string()
    }
}
