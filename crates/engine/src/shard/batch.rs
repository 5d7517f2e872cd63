//! Many packets at once: their memory is asked for before it is needed.

use rackweave_types::Instant;

use super::packet::Packet;
use super::{Shard, Verdict};
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::FlowKey;
use crate::frame::Frame;

/// Packets whose memory is asked for together.
const STRIDE: usize = 32;

type Read = Result<(Packet, Option<(FlowKey, u64)>), DropReason>;

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
        for (frames, verdicts) in frames.chunks_mut(STRIDE).zip(verdicts.chunks_mut(STRIDE)) {
            let mut read: [Read; STRIDE] = [const { Err(DropReason::Undecided) }; STRIDE];
            for (place, frame) in read.iter_mut().zip(&*frames) {
                *place = self.receive_keyed(direction, frame);
            }
            for (_, key) in read.iter().take(frames.len()).flatten() {
                if let Some((_, hash)) = key {
                    self.table.prefetch_record(*hash);
                }
            }
            for ((read, frame), verdict) in read.into_iter().zip(frames).zip(verdicts) {
                *verdict = match read {
                    Ok((packet, Some((key, hash)))) => self.process_plain(&packet, key, hash, frame, now),
                    Ok((packet, None)) => self.process_special(packet, None, frame, now),
                    Err(reason) => self.refused(direction, reason),
                };
            }
        }
    }

    /// Reads a frame and asks for its place in the index.
    #[inline]
    fn receive_keyed(&mut self, direction: Direction, frame: &Frame) -> Read {
        let packet = self.receive(direction, frame)?;
        if !packet.is_plain() {
            return Ok((packet, None));
        }
        let key = packet.key();
        let hash = self.hasher.hash(&key);
        self.table.prefetch_index(hash);
        Ok((packet, Some((key, hash))))
    }
}
