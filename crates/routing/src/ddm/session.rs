//! A session with one neighbour: who it is, and items both ways, each once and in order.
//!
//! One for each link and neighbour's address. The caller hands in what came ([`Session::receive`]), pushes what the
//! neighbour is to know ([`Session::push`]), and after each of these and when [`Session::deadline`] has come calls
//! [`Session::transmit`] and sends the datagrams.

mod own;
mod refused;

use rackweave_types::Instant;

use crate::ddm::item::Item;
use crate::fabric::Now;

pub use own::{Own, Peer};
pub use refused::{Refusals, Refused, RefusedKind};

/// What happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A session began from nothing: all items are to be pushed, and what the neighbour said in the session before holds
    /// until [`Item::EndOfRib`] at most.
    Established {
        /// Who it is with.
        peer: Peer,
        /// Whether the neighbour's process is another one than in the session before.
        restarted: bool,
        /// What only the two know, for beacons.
        key: [u8; 32],
    },
    /// The session goes on, items and all, under new keys or with news of the neighbour.
    Rekeyed {
        /// Who it is with.
        peer: Peer,
        /// What only the two know, for beacons.
        key: [u8; 32],
    },
    /// The neighbour said something.
    Item(Item),
    /// The neighbour said that it is about to be started anew.
    Restarting,
    /// The session is over: the neighbour's control is dead, whether it forwards or not.
    ControlDead {
        /// Why, for people.
        reason: String,
    },
}

/// A session with one neighbour.
#[derive(Debug)]
pub struct Session {
    peer: Option<Peer>,
    refusals: Refusals,
}

impl Session {
    /// A session that says hello at once; `seed` is 32 octets of chance, never used twice.
    #[must_use]
    pub fn new(own: &Own, seed: [u8; 32], now: Now) -> Self {
        let _ = (own, seed, now);
        Self {
            peer: None,
            refusals: Refusals::default(),
        }
    }

    /// Takes in a message.
    ///
    /// # Errors
    ///
    /// [`Refused`] where it is none that this session accepts: it changed nothing, and is counted.
    pub fn receive(
        &mut self,
        now: Now,
        bytes: &[u8],
        own: &Own,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        let _ = (now, bytes, own, events);
        let refused = Refused::new(RefusedKind::Malformed, "nothing is understood yet");
        self.refusals.count(refused.kind);
        Err(refused)
    }

    /// Queues an item; it reaches the neighbour once and in order, or the session ends.
    pub fn push(&mut self, item: &Item) {
        let _ = item;
    }

    /// How many more items are worth pushing now: what is pushed cannot be taken back, so better push what is true later.
    #[must_use]
    pub fn window(&self) -> usize {
        0
    }

    /// Says once that this process is about to be started anew.
    pub fn restarting(&mut self) {}

    /// Does what is due at this time, and puts the datagrams to send into `out`.
    pub fn transmit(
        &mut self,
        now: Now,
        own: &Own,
        events: &mut Vec<SessionEvent>,
        out: &mut Vec<Vec<u8>>,
    ) {
        let _ = (now, own, events, out);
    }

    /// When [`Session::transmit`] is to be called though nothing happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The neighbour, while a session stands.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// How many messages were refused.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }
}
