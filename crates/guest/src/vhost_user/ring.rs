//! One split ring, as the device sees it: chains are taken in the driver's order and given back in the same order.
//!
//! So the used index alone says where the ring stands. A ring that is started goes on from the used index in the
//! guest's memory, whoever served it before: what was taken and not given back is taken again, nothing is lost, and no
//! table of chains in flight is needed (`VIRTIO_F_IN_ORDER`).

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::table::Tables;
use crate::Claim;

/// What the driver sets in the available ring's flags when it wants no call.
const NO_INTERRUPT: u16 = 1;
/// What we set in the used ring's flags when we want no kick.
const NO_NOTIFY: u16 = 1;
/// How far ahead descriptors are fetched.
const AHEAD: u16 = 4;

/// A ring that runs.
#[derive(Debug)]
pub(super) struct Ring {
    tables: Tables,
    /// The next chain to take; all before it are written into the used ring.
    next: u16,
    /// The used index that the driver knows.
    published: u16,
    /// The available index when it was last read.
    seen: u16,
    event_index: bool,
    /// Whether the driver is to kick.
    armed: bool,
    /// The region of the last address.
    pub(super) hint: usize,
    kick: Arc<File>,
    call: Option<Arc<File>>,
}

impl Ring {
    /// Goes on where the guest's memory says.
    pub(super) fn start(
        tables: Tables,
        event_index: bool,
        kick: Arc<File>,
        call: Option<Arc<File>>,
    ) -> Self {
        let next = tables.used_index();
        let mut ring = Self {
            tables,
            next,
            published: next,
            seen: next,
            event_index,
            armed: true,
            hint: 0,
            kick,
            call,
        };
        ring.disarm();
        // Whoever served the ring before may have stopped between giving back and telling; one call too many is
        // harmless.
        ring.call();
        ring
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Where the kicks come.
    pub(super) fn kick(&self) -> &Arc<File> {
        &self.kick
    }

    /// The index that the ring would go on from.
    pub(super) fn index(&self) -> u16 {
        self.next
    }

    /// The head of the chain `ahead` of the next one, where the driver has made it available.
    #[inline]
    pub(super) fn head(&mut self, ahead: u16) -> Result<Option<u16>, Claim> {
        let index = self.next.wrapping_add(ahead);
        if index == self.seen {
            self.seen = self.tables.available_index();
            if self.seen.wrapping_sub(self.next) > self.tables.size() {
                return Err(Claim::AvailableIndex);
            }
            if index == self.seen {
                return Ok(None);
            }
        }
        Ok(Some(self.tables.available_entry(index)))
    }

    /// Has the buffer fetched that will be asked for in a few frames, and then its descriptor.
    #[inline]
    pub(super) fn prefetch(&mut self) {
        if self.seen.wrapping_sub(self.next) <= AHEAD {
            return;
        }
        let head = self.tables.available_entry(self.next.wrapping_add(AHEAD));
        if let Some(descriptor) = self.tables.descriptor(head)
            && let Some(run) = self
                .tables
                .memory()
                .guest(descriptor.address, 1, &mut self.hint)
        {
            run.prefetch();
        }
    }

    /// Writes a chain into the used ring, `ahead` of those that were given back; it is the driver's when it is
    /// [given back](Self::give_back) and published.
    #[inline]
    pub(super) fn set_used(&self, ahead: u16, head: u16, len: u32) {
        self.tables
            .set_used(self.next.wrapping_add(ahead), head, len);
    }

    /// Gives back this many chains.
    #[inline]
    pub(super) fn give_back(&mut self, chains: u16) {
        self.next = self.next.wrapping_add(chains);
    }

    /// Tells the driver what was given back since the last time.
    #[inline]
    pub(super) fn publish(&mut self) {
        if self.published == self.next {
            return;
        }
        let old = self.published;
        self.tables.publish_used(self.next);
        self.published = self.next;
        // The driver sets its event, then looks at the used index; we publish the used index, then look at the event.
        fence(Ordering::SeqCst);
        let wanted = if self.event_index {
            let event = self.tables.used_event();
            self.next.wrapping_sub(event).wrapping_sub(1) < self.next.wrapping_sub(old)
        } else {
            self.tables.available_flags() & NO_INTERRUPT == 0
        };
        if wanted {
            self.call();
        }
    }

    /// Asks for a kick; whether there is a chain already.
    pub(super) fn arm(&mut self) -> bool {
        // Kicks that were answered by looking are not to wake anybody.
        let mut count = [0; 8];
        let _drained = (&*self.kick).read(&mut count);
        self.armed = true;
        if self.event_index {
            self.tables.set_available_event(self.next);
        } else {
            self.tables.set_used_flags(0);
        }
        // The driver publishes its index, then looks at our event; we set our event, then look at the index.
        fence(Ordering::SeqCst);
        self.tables.available_index() != self.next
    }

    /// Asks for no kicks. With the event index there is nothing to do: an event that is passed asks for none.
    #[inline]
    pub(super) fn disarm(&mut self) {
        if self.armed {
            self.armed = false;
            if !self.event_index {
                self.tables.set_used_flags(NO_NOTIFY);
            }
        }
    }

    /// Interrupts the guest. Nothing is done about failure: a full counter is a call that waits already.
    fn call(&self) {
        if let Some(call) = &self.call {
            let _told = (&**call).write(&1u64.to_ne_bytes());
        }
    }
}
