//! Many packets at once: their memory is asked for before it is needed.

use rackweave_types::Instant;

use super::packet::Packet;
use super::{Shard, Verdict};
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::frame::Frame;

/// Packets whose memory is asked for together.
pub(super) const STRIDE: usize = 32;

/// How many packets ahead of the one that is processed records are asked for.
const AHEAD: usize = 10;

/// A packet that was read and not yet processed.
#[derive(Clone, Debug)]
pub(super) struct Read {
    packet: Packet,
    outcome: Result<(), DropReason>,
    /// The hash of a plain packet's key.
    hash: u64,
}

impl Read {
    pub(super) const NOTHING: Self = Self {
        packet: Packet::NOTHING,
        outcome: Ok(()),
        hash: 0,
    };

    /// Whether the packet's connection can be looked up right away.
    #[inline]
    fn is_plain(&self) -> bool {
        self.outcome.is_ok() && self.packet.is_plain()
    }
}

impl Shard {
    /// Sends packets of one direction through the engine, each as [`Shard::process`] does, in order; `verdicts` gets
    /// one for each frame.
    pub fn process_batch(
        &mut self,
        direction: Direction,
        frames: &mut [Frame],
        now: Instant,
        verdicts: &mut [Verdict],
    ) {
        let mut batch = core::mem::take(&mut self.batch);
        for (frames, verdicts) in frames.chunks_mut(STRIDE).zip(verdicts.chunks_mut(STRIDE)) {
            for (read, frame) in batch.iter_mut().zip(&*frames) {
                self.receive_ahead(direction, frame, read);
            }
            let batch = batch.get(..frames.len()).unwrap_or_default();
            for read in batch.iter().take(AHEAD) {
                self.prefetch_record(read);
            }
            for (at, ((read, frame), verdict)) in batch.iter().zip(frames).zip(verdicts).enumerate()
            {
                if let Some(read) = batch.get(at + AHEAD) {
                    self.prefetch_record(read);
                }
                *verdict = match read.outcome {
                    Ok(()) if read.packet.is_plain() => {
                        self.process_plain(&read.packet, read.hash, frame, now)
                    }
                    Ok(()) => self.process_special(read.packet, None, frame, now),
                    Err(reason) => self.refused(direction, reason),
                };
            }
        }
        self.batch = batch;
    }

    /// Asks for the record that a packet most likely belongs to.
    #[inline(always)]
    fn prefetch_record(&self, read: &Read) {
        if read.is_plain() {
            self.table.prefetch_record(read.hash);
        }
    }

    /// Reads a frame and asks for its place in the index.
    #[inline]
    fn receive_ahead(&mut self, direction: Direction, frame: &Frame, read: &mut Read) {
        read.outcome = self.receive(direction, frame, &mut read.packet);
        if read.is_plain() {
            read.hash = self.hasher.hash(&read.packet.key());
            self.table.prefetch_index(read.hash);
        }
    }
}
