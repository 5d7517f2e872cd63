//! Items on their way, each way: numbered updates, in order, sent again until acknowledged.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rackweave_types::Instant;

use crate::ddm::item::Item;
use crate::ddm::message::{MAX_ITEMS, emit_item};

/// The most updates that are under way unacknowledged.
pub(super) const WINDOW: usize = 32;

/// What is waited for an acknowledgement at first, and at least.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// What is waited for an acknowledgement at most.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How long an acknowledgement waits for more to acknowledge, or for an update to go with.
const ACK_DELAY: Duration = Duration::from_millis(2);
/// The items that an update holds about; for how many more are worth pushing, it need not be exact.
const ITEMS_PER_UPDATE: usize = 12;

/// One update: its items as octets.
#[derive(Debug, Default)]
struct Chunk {
    items: Vec<u8>,
    sent: Option<Instant>,
    again: bool,
}

/// An update to send.
pub(super) struct Due<'a> {
    pub(super) number: u64,
    pub(super) items: &'a [u8],
    /// Whether it was sent before.
    pub(super) again: bool,
}

/// What this node says.
///
/// One timer watches the oldest update that is not acknowledged; the receiver keeps what comes early, so after a loss
/// only what is missing is sent again, one update for each acknowledgement that moves (as `NewReno`, RFC 6582).
#[derive(Debug)]
pub(super) struct Outgoing {
    /// All that is not acknowledged; the first has the number `acked`.
    chunks: VecDeque<Chunk>,
    acked: u64,
    /// How many of the chunks were sent.
    sent: usize,
    /// When the first is sent again.
    again_at: Option<Instant>,
    wait: Duration,
    /// One more than the highest number that was ever sent.
    highest: u64,
    /// Until all before this number is acknowledged, a loss is being mended.
    mending: u64,
    /// Whether the first is sent again because the acknowledgement stopped at it, and not for want of one.
    hole: bool,
    round_trip: Option<Duration>,
    /// Since when the first chunk waits for its acknowledgement.
    stuck: Option<Instant>,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            acked: 0,
            sent: 0,
            again_at: None,
            wait: FIRST_WAIT,
            highest: 0,
            mending: 0,
            hole: false,
            round_trip: None,
            stuck: None,
        }
    }

    pub(super) fn push(&mut self, item: &Item) {
        let open = self.chunks.len() > self.sent;
        let mut chunk = Chunk::default();
        if let Some(last) = self.chunks.back_mut().filter(|_| open) {
            let before = last.items.len();
            emit_item(&mut last.items, item);
            if last.items.len() <= MAX_ITEMS {
                return;
            }
            chunk.items = last.items.split_off(before);
        } else {
            emit_item(&mut chunk.items, item);
        }
        self.chunks.push_back(chunk);
    }

    /// How many more items are worth pushing.
    pub(super) fn window(&self) -> usize {
        WINDOW.saturating_sub(self.chunks.len()) * ITEMS_PER_UPDATE
    }

    /// The next update to send at this time, if any.
    pub(super) fn next(&mut self, now: Instant) -> Option<Due<'_>> {
        if self.again_at.is_some_and(|at| at <= now) {
            if !core::mem::take(&mut self.hole) {
                self.wait = self.wait.saturating_mul(2).min(LAST_WAIT);
                self.mending = self.number(self.sent);
            }
            self.again_at = Some(now.after(self.wait));
            let first = self.chunks.front_mut()?;
            first.again = true;
            return Some(Due {
                number: self.acked,
                items: &first.items,
                again: true,
            });
        }
        if self.sent >= WINDOW {
            return None;
        }
        let (at, number) = (self.sent, self.number(self.sent));
        let chunk = self.chunks.get_mut(at)?;
        chunk.sent = Some(now);
        self.sent += 1;
        self.highest = self.highest.max(number.saturating_add(1));
        if at == 0 {
            self.stuck = Some(now);
            self.again_at = Some(now.after(self.wait));
        }
        Some(Due {
            number,
            items: &chunk.items,
            again: chunk.again,
        })
    }

    /// The neighbour waits for the update of this number. False where it was never sent: the neighbour talks nonsense.
    pub(super) fn acknowledged(&mut self, now: Instant, ack: u64) -> bool {
        if ack > self.highest {
            return false;
        }
        let moved = usize::try_from(ack.saturating_sub(self.acked)).unwrap_or_default();
        if moved == 0 {
            return true;
        }
        for chunk in self.chunks.drain(..moved) {
            // Of an update that was sent twice nobody knows which one was acknowledged (Karn's algorithm).
            if let (Some(sent), false) = (chunk.sent, chunk.again) {
                let sample = now.since(sent);
                let before = self.round_trip.unwrap_or(sample);
                self.round_trip = Some((before * 7 + sample) / 8);
            }
        }
        self.acked = ack;
        self.sent = self.sent.saturating_sub(moved);
        self.wait = self
            .round_trip
            .map_or(FIRST_WAIT, |time| (time * 2).clamp(FIRST_WAIT, LAST_WAIT));
        self.stuck = (self.sent > 0).then_some(now);
        self.hole = self.sent > 0 && self.acked < self.mending;
        let wait = if self.hole { Duration::ZERO } else { self.wait };
        self.again_at = (self.sent > 0).then(|| now.after(wait));
        true
    }

    /// All that was not acknowledged is sent again: the session has new keys, under which the old updates are not taken.
    pub(super) fn rewind(&mut self) {
        for chunk in self.chunks.iter_mut().take(self.sent) {
            chunk.again = true;
        }
        self.sent = 0;
        self.again_at = None;
        self.hole = false;
        self.mending = 0;
        self.wait = FIRST_WAIT;
    }

    /// Since when the neighbour acknowledges nothing though there is something.
    pub(super) fn stuck(&self) -> Option<Instant> {
        self.stuck
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again_at
    }

    fn number(&self, at: usize) -> u64 {
        self.acked
            .saturating_add(u64::try_from(at).unwrap_or(u64::MAX))
    }
}

/// What the neighbour says.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The number of the update that is waited for.
    next: u64,
    /// What came before its turn.
    early: BTreeMap<u64, Vec<u8>>,
    ack_at: Option<Instant>,
    unacked: usize,
}

impl Incoming {
    /// An update came. Its items, and those of updates that waited for it, are handed to `take` in order.
    pub(super) fn receive<E>(
        &mut self,
        now: Instant,
        number: u64,
        items: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let ahead = number.checked_sub(self.next);
        match ahead.and_then(|ahead| usize::try_from(ahead).ok()) {
            Some(0) => {
                self.next += 1;
                take(items)?;
                while let Some(items) = self.early.remove(&self.next) {
                    self.next += 1;
                    take(&items)?;
                }
                self.unacked += 1;
                let delay = if self.unacked * 2 < WINDOW && self.early.is_empty() {
                    ACK_DELAY
                } else {
                    Duration::ZERO
                };
                self.acknowledge_at(now.after(delay));
            }
            Some(ahead) if ahead < WINDOW => {
                self.early.entry(number).or_insert_with(|| items.to_vec());
                self.acknowledge_at(now);
            }
            // Too far ahead for any sender of ours.
            Some(_) => {}
            // It came before: the acknowledgement was lost, or is under way.
            None => self.acknowledge_at(now),
        }
        Ok(())
    }

    /// The number of the update that is waited for: what an acknowledgement says.
    pub(super) const fn ack(&self) -> u64 {
        self.next
    }

    /// An acknowledgement is due at this time, unless it was due before.
    pub(super) fn acknowledge_at(&mut self, at: Instant) {
        self.ack_at = Some(self.ack_at.map_or(at, |before| before.min(at)));
    }

    /// A message went out: the acknowledgement went with it.
    pub(super) fn acknowledged(&mut self) {
        self.ack_at = None;
        self.unacked = 0;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ack_at
    }
}
