//! A worker: the ports it serves and the queues it moves frames between. One thread drives it, and everybody else
//! speaks to it through jobs ([`Workers::run`](crate::workers::Workers::run)).

mod batch;
mod capture;
mod count;
mod drive;
mod exit;
mod journal;
mod mail;
mod port;
mod round;
mod spin;
mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rackweave_engine::{Existing, Program, Shard};
use rackweave_linux::clock;
use rackweave_linux::poll::{PollError, Poller};
use rackweave_types::{Instant, PortId};
use tokio::sync::mpsc;

pub use capture::{CapturePoint, CaptureSink, Captured};
pub use count::{OwnDrops, Tally, Totals};
pub(crate) use drive::Drive;
pub use journal::JournalWriter;
pub(crate) use mail::Mailbox;
pub use port::PortSlot;
pub use status::{Shares, WorkerStatus};

use crate::queue::Queue;
use crate::workers::{Punted, WorkerSettings};
use batch::Batch;
use exit::Exits;
use port::Ports;

/// Stands for the bell among the places of ports that the poller names.
const BELL: u64 = u64::MAX;
/// Stands for the wire.
const WIRE: u64 = u64::MAX - 1;

/// What a worker's thread is asked to do.
pub(crate) enum Job {
    Run(Box<dyn FnOnce(&mut Worker) + Send>),
    Stop(SyncSender<Box<Worker>>),
}

/// What one thread serves: a shard of each port, a queue pair of each guest, a queue to the wire.
pub struct Worker {
    ports: Ports,
    exits: Exits,
    poller: Poller,
    /// Places of the ports whose guests are looked at each round.
    active: Vec<usize>,
    batch: Box<Batch>,
    status: WorkerStatus,
    now: Instant,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.status.index)
            .field("ports", &self.ports)
            .field("exits", &self.exits)
            .finish_non_exhaustive()
    }
}

impl Worker {
    pub(crate) fn new(
        index: u16,
        settings: &WorkerSettings,
        mailboxes: Arc<[Mailbox]>,
        wire: Option<Box<dyn Queue>>,
        punts: mpsc::Sender<Punted>,
    ) -> Result<Self, PollError> {
        let poller = Poller::new()?;
        if let Some(wire) = &wire {
            watch(&poller, &**wire, WIRE)?;
        }
        if let Some(own) = mailboxes.get(usize::from(index)) {
            poller.add(own.bell(), BELL)?;
        }
        let own = settings.sled.tunnel_endpoint().octets();
        Ok(Self {
            ports: Ports::default(),
            exits: Exits::new(index, own, wire, mailboxes, punts),
            poller,
            active: Vec::new(),
            batch: Box::new(Batch::new()),
            status: WorkerStatus::new(index, settings.poll),
            now: clock::now(),
        })
    }

    /// Gives the worker its queue to the wire, where it was started without. What has arrived there waits until then.
    pub fn connect(&mut self, wire: Box<dyn Queue>) {
        if let Some(old) = self.exits.wire.take() {
            self.exits.past_losses.add(&old.losses());
            unwatch(&self.poller, &*old);
        }
        if let Err(error) = watch(&self.poller, &*wire, WIRE) {
            // It is served all the same, as long as something else wakes the worker.
            let error: &dyn Error = &error;
            tracing::error!(error, "cannot wait for the wire");
        }
        self.exits.wire = Some(wire);
    }

    /// Serves a port from now on; one of the same id makes way.
    pub fn add_port(&mut self, mut slot: PortSlot) {
        let (id, guest) = (slot.id, slot.guest.take());
        self.remove_port(id);
        // A thawed shard may bring packets for the agent; they came in with it.
        let brought = u64::try_from(slot.shard.punts_waiting()).unwrap_or(u64::MAX);
        self.exits.totals.thawed += brought;
        self.ports.add(slot);
        if let Some(guest) = guest {
            self.attach(id, guest);
        }
    }

    /// Ends serving a port. Its frames on their way between workers are lost, counted.
    pub fn remove_port(&mut self, id: PortId) -> Option<PortSlot> {
        let guest = self.detach(id);
        let mut slot = self.ports.remove(id)?.slot;
        slot.guest = guest;
        Some(slot)
    }

    /// Gives a port its guest's queue; one that it had is closed.
    pub fn attach(&mut self, id: PortId, guest: Box<dyn Queue>) {
        self.detach(id);
        let Some(place) = self.ports.place_of(id) else {
            return;
        };
        if let Err(error) = watch(&self.poller, &*guest, place_token(place)) {
            // It is served all the same, as long as something else wakes the worker.
            let error: &dyn Error = &error;
            tracing::error!(port = %id, error, "cannot wait for a guest");
        }
        if let Some(served) = self.ports.at(place) {
            served.slot.guest = Some(guest);
            served.active = true;
            served.last_sent = self.now;
            self.active.push(place);
        }
    }

    /// Takes a port's guest's queue away; the port goes on without.
    pub fn detach(&mut self, id: PortId) -> Option<Box<dyn Queue>> {
        let place = self.ports.place_of(id)?;
        let served = self.ports.at(place)?;
        let guest = served.slot.guest.take()?;
        served.active = false;
        self.active.retain(|active| *active != place);
        self.ports.past_losses.add(&guest.losses());
        unwatch(&self.poller, &*guest);
        Some(guest)
    }

    /// Replaces a port's program; its next packet meets the new one.
    pub fn install(&mut self, id: PortId, program: &Arc<Program>, existing: Existing) {
        if let Some(served) = self.ports.get_mut(id) {
            served.slot.shard.install(Arc::clone(program), existing);
        }
    }

    /// The state of a port.
    #[must_use]
    pub fn shard(&self, id: PortId) -> Option<&Shard> {
        Some(&self.ports.get(id)?.slot.shard)
    }

    /// The state of a port, to be changed.
    pub fn shard_mut(&mut self, id: PortId) -> Option<&mut Shard> {
        Some(&mut self.ports.get_mut(id)?.slot.shard)
    }

    /// All ports served, ascending.
    #[must_use]
    pub fn port_ids(&self) -> Vec<PortId> {
        self.ports.ids()
    }

    /// Gives Ethernet frames straight to a port's guest, past the engine: the agent's answers.
    pub fn inject(&mut self, id: PortId, frames: &[Box<[u8]>]) {
        for bytes in frames {
            self.exits.totals.injected.count(bytes.len());
            let mut frame = self.exits.spare_frame();
            frame.fill(bytes);
            let now = self.now;
            let served = self.ports.get_mut(id);
            self.exits.give(served, id, &mut frame, now);
            self.exits.keep(frame);
        }
        if let Some(guest) = self
            .ports
            .get_mut(id)
            .and_then(|served| served.slot.guest.as_mut())
        {
            guest.flush();
        }
        self.exits.wake_others();
    }

    /// Gives copies of a port's frames to `sink` from now on; to nobody without one.
    pub fn set_capture(&mut self, id: PortId, sink: Option<CaptureSink>) {
        if let Some(served) = self.ports.get_mut(id) {
            served.capture = sink;
        }
    }

    /// How the worker fares.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        let mut guest_losses = self.ports.past_losses;
        for served in self.ports.iter() {
            if let Some(guest) = &served.slot.guest {
                guest_losses.add(&guest.losses());
            }
        }
        WorkerStatus {
            ports: self.ports.len(),
            totals: self.exits.totals,
            guest_losses,
            wire_losses: self.exits.wire_losses(),
            ..self.status
        }
    }

    /// The time of the batch that is processed, or of the last one: since the machine booted.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }
}

/// The poller's name for a port's guest.
fn place_token(place: usize) -> u64 {
    u64::try_from(place).unwrap_or(WIRE)
}

/// Waits for a queue's file descriptors from now on.
fn watch(poller: &Poller, queue: &dyn Queue, token: u64) -> Result<(), PollError> {
    let mut outcome = Ok(());
    queue.wait_on(&mut |fd: BorrowedFd<'_>| {
        if outcome.is_ok() {
            outcome = poller.add(fd, token);
        }
    });
    outcome
}

/// Waits for a queue's file descriptors no longer.
fn unwatch(poller: &Poller, queue: &dyn Queue) {
    queue.wait_on(&mut |fd: BorrowedFd<'_>| {
        // A descriptor that was closed has left already.
        let _left = poller.remove(fd);
    });
}
