//! The network of the scene with real workers, lines in memory, and no thread: whoever tests says whose turn it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rackweave_engine::{Frame, Port};
use rackweave_linux::poll::Events;
use rackweave_testkit::exchange::from_guest;
use rackweave_testkit::packet::{self, Ends};
use rackweave_testkit::vpc::{SECRET, Scene};
use rackweave_types::PortId;
use rackweave_types::state::PortConfig;
use tokio::sync::mpsc;

use super::{Mailbox, PortSlot, Totals, Worker};
use crate::queue::memory::Memory;
use crate::queue::{Queue, Sent};
use crate::workers::{PollMode, Punted, WorkerSettings};

/// Frames that a line holds.
pub(crate) const LINE: usize = 4096;

/// The guests' ends of their lines, by port and queue.
pub(crate) type Guests = BTreeMap<PortId, Vec<Memory>>;

/// One sled's queues to the wire.
pub(crate) type Wire = Vec<Box<dyn Queue>>;

/// One sled.
pub(super) struct Sled {
    pub(super) workers: Vec<Worker>,
    pub(super) guests: Guests,
    pub(super) punts: mpsc::Receiver<Punted>,
    events: Events,
}

/// The settings of sled 1 or 2 of the scene.
pub(crate) fn settings(scene: &Scene, sled: usize, count: u16, poll: PollMode) -> WorkerSettings {
    WorkerSettings {
        count,
        cpus: None,
        poll,
        sled: scene.sleds[sled].sled,
    }
}

/// The slots of a port for each worker, and the guest's ends; it has so many queues.
pub(crate) fn slots(
    scene: &Scene,
    port: &PortConfig,
    workers: u16,
    queues: usize,
    line: usize,
) -> (Vec<PortSlot>, Vec<Memory>) {
    let limits = scene.program(port).unwrap().limits;
    let program = scene.compile(port).unwrap();
    let whole = Port::new(workers, SECRET, limits, &program).unwrap();
    let mut ends = Vec::new();
    let slots = whole.into_shards().into_iter().enumerate();
    let slots = slots
        .map(|(index, shard)| {
            let guest = (index < queues).then(|| {
                let (ours, theirs) = Memory::line(line);
                ends.push(theirs);
                boxed(ours)
            });
            PortSlot {
                id: port.id,
                mac: port.mac,
                shard,
                guest,
                journal: None,
            }
        })
        .collect();
    (slots, ends)
}

fn boxed(end: Memory) -> Box<dyn Queue> {
    Box::new(end)
}

/// The lines between two sleds: one for each pair of workers.
pub(crate) fn wires(count: u16, line: usize) -> (Wire, Wire) {
    let pair = |_| {
        let (one, other) = Memory::line(line);
        (boxed(one), boxed(other))
    };
    (0..count).map(pair).unzip()
}

impl Sled {
    /// Sled `at` of the scene with these ports, each with so many queues.
    pub(super) fn new(
        scene: &Scene,
        at: usize,
        ports: &[&PortConfig],
        count: u16,
        queues: usize,
        wire: Vec<Box<dyn Queue>>,
    ) -> Self {
        let settings = settings(scene, at, count, PollMode::Block);
        let mailboxes: Arc<[Mailbox]> = (0..count).map(|_| Mailbox::new().unwrap()).collect();
        let (give, punts) = mpsc::channel(16);
        let mut wire = wire.into_iter();
        let worker = |index| {
            let (mailboxes, give) = (Arc::clone(&mailboxes), give.clone());
            Worker::new(index, &settings, mailboxes, wire.next(), give).unwrap()
        };
        let mut sled = Self {
            workers: (0..count).map(worker).collect(),
            guests: BTreeMap::new(),
            punts,
            events: Events::with_capacity(8),
        };
        for port in ports {
            let (slots, ends) = slots(scene, port, count, queues, LINE);
            sled.guests.insert(port.id, ends);
            for (worker, slot) in sled.workers.iter_mut().zip(slots) {
                worker.add_port(slot);
            }
        }
        sled
    }

    /// A guest sends a frame by its first queue.
    pub(super) fn send(&mut self, port: PortId, frame: &Frame) -> Sent {
        self.guests.get_mut(&port).unwrap()[0].send(frame)
    }

    /// What a guest has received by its first queue.
    pub(super) fn received(&self, port: PortId) -> Vec<Frame> {
        std::iter::from_fn(|| self.guests[&port][0].take()).collect()
    }

    /// One turn of each worker. Whether there was anything to do.
    pub(super) fn turn(&mut self) -> bool {
        let mut worked = false;
        for worker in &mut self.workers {
            worker.wait(&mut self.events, Some(Duration::ZERO));
            worked |= worker.round();
        }
        worked
    }

    /// What all workers counted together.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for worker in &self.workers {
            totals.add(&worker.status().totals);
        }
        totals
    }
}

/// Turns until nobody has anything to do.
pub(super) fn settle(sleds: &mut [&mut Sled]) {
    while sleds.iter_mut().fold(false, |any, sled| any | sled.turn()) {}
}

/// A datagram from a guest of the scene.
pub(crate) fn datagram(
    from: &PortConfig,
    to: &PortConfig,
    ports: (u16, u16),
    payload: &[u8],
) -> Frame {
    Frame::new(&packet::udp(&ends(from, to), ports, payload))
}

/// A frame's ends: first address to first address.
pub(crate) fn ends(from: &PortConfig, to: &PortConfig) -> Ends {
    let address = |port: &PortConfig| port.addresses[0].address.to_string();
    from_guest(from, &address(from), &address(to)).unwrap()
}
