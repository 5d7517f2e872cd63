//! The ports that a worker serves, and where they are found.

use std::collections::BTreeMap;
use std::fmt;

use hashbrown::HashMap;
use rackweave_engine::{Frame, Shard};
use rackweave_types::{Instant, MacAddr, PortId};

use super::capture::CaptureSink;
use super::journal::JournalWriter;
use crate::queue::{Losses, Queue};

/// One port's part for one worker.
#[derive(Debug)]
pub struct PortSlot {
    /// Which port.
    pub id: PortId,
    /// The guest's Ethernet address: frames from the wire find the port by it.
    pub mac: MacAddr,
    /// The port's state for this worker: the shard of the worker's own index.
    pub shard: Shard,
    /// The guest's queue pair of the worker's own index, where there is one.
    pub guest: Option<Box<dyn Queue>>,
    /// Where the shard's changes are written down.
    pub journal: Option<Box<dyn JournalWriter>>,
}

/// A port as the worker holds it.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) slot: PortSlot,
    pub(super) capture: Option<CaptureSink>,
    /// Frames from the wire or another port, while a batch is sorted by ports.
    pub(super) inbound: Vec<Frame>,
    /// Whether the guest's queue is looked at each round; else its file descriptors tell.
    pub(super) active: bool,
    /// When the guest last sent something.
    pub(super) last_sent: Instant,
}

/// All ports of a worker: at fixed places as long as they are served, found by id and by Ethernet address.
#[derive(Default)]
pub(super) struct Ports {
    places: Vec<Option<Served>>,
    free: Vec<usize>,
    by_id: BTreeMap<PortId, usize>,
    by_mac: HashMap<MacAddr, usize>,
    /// What guests' queues lost that are gone.
    pub(super) past_losses: Losses,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.by_id).finish()
    }
}

impl Ports {
    /// Serves a port that is not there yet.
    pub(super) fn add(&mut self, slot: PortSlot) {
        let (id, mac) = (slot.id, slot.mac);
        let served = Some(Served {
            slot,
            capture: None,
            inbound: Vec::new(),
            active: false,
            last_sent: Instant::START,
        });
        let place = if let Some(place) = self.free.pop() {
            self.places[place] = served;
            place
        } else {
            self.places.push(served);
            self.places.len() - 1
        };
        self.by_id.insert(id, place);
        self.by_mac.insert(mac, place);
    }

    /// Ends serving a port.
    pub(super) fn remove(&mut self, id: PortId) -> Option<Served> {
        let place = self.by_id.remove(&id)?;
        let served = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        // Another port may have taken the address over.
        if self.by_mac.get(&served.slot.mac) == Some(&place) {
            self.by_mac.remove(&served.slot.mac);
        }
        Some(served)
    }

    pub(super) fn place_of(&self, id: PortId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    #[inline]
    pub(super) fn place_of_mac(&self, mac: MacAddr) -> Option<usize> {
        self.by_mac.get(&mac).copied()
    }

    #[inline]
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Served> {
        self.places.get_mut(place)?.as_mut()
    }

    pub(super) fn get(&self, id: PortId) -> Option<&Served> {
        self.places.get(self.place_of(id)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: PortId) -> Option<&mut Served> {
        let place = self.place_of(id)?;
        self.at(place)
    }

    pub(super) fn ids(&self) -> Vec<PortId> {
        self.by_id.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.places.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Served> {
        self.places.iter_mut().flatten()
    }
}
