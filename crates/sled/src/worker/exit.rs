//! Where frames go once the engine has spoken: guests, the wire, the agent, other workers. Everything that becomes of a
//! frame is counted here.

use std::fmt;
use std::sync::Arc;

use rackweave_engine::{Direction, Frame, HandOver, Verdict};
use rackweave_types::{Instant, PortId};
use tokio::sync::mpsc;

use super::capture::{CapturePoint, Captured, words};
use super::count::Totals;
use super::mail::{Mail, Mailbox};
use super::port::Served;
use crate::queue::{Losses, Queue, Sent};
use crate::workers::Punted;

/// Frames in use by nobody that are kept at most.
const SPARE: usize = 512;
/// How often a frame is handed over at most: a fragment goes to the shard that knows its datagram, and from there to
/// its flow's.
const MAX_HOPS: u8 = 2;

/// The ways out of a worker.
pub(super) struct Exits {
    index: u16,
    /// The tunnel end point of the sled.
    own: [u8; 16],
    pub(super) wire: Option<Box<dyn Queue>>,
    mailboxes: Arc<[Mailbox]>,
    punts: mpsc::Sender<Punted>,
    pub(super) totals: Totals,
    /// Frames for ports of this sled, until the batch is done.
    pub(super) local: Vec<Frame>,
    spare: Vec<Frame>,
    /// Other workers that were given something in this batch.
    given: Vec<bool>,
    /// What queues to the wire lost that are gone.
    pub(super) past_losses: Losses,
}

impl fmt::Debug for Exits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exits")
            .field("wire", &self.wire)
            .field("totals", &self.totals)
            .finish_non_exhaustive()
    }
}

impl Exits {
    pub(super) fn new(
        index: u16,
        own: [u8; 16],
        wire: Option<Box<dyn Queue>>,
        mailboxes: Arc<[Mailbox]>,
        punts: mpsc::Sender<Punted>,
    ) -> Self {
        Self {
            index,
            own,
            wire,
            given: vec![false; mailboxes.len()],
            mailboxes,
            punts,
            totals: Totals::default(),
            local: Vec::new(),
            spare: Vec::new(),
            past_losses: Losses::default(),
        }
    }

    /// A frame to fill.
    pub(super) fn spare_frame(&mut self) -> Frame {
        let spare = self.spare.pop();
        spare
            .or_else(|| self.mailbox()?.take_back())
            .unwrap_or_else(|| Frame::with_capacity(Frame::MIN_CAPACITY))
    }

    /// Takes back a frame that nobody needs.
    pub(super) fn keep(&mut self, frame: Frame) {
        if self.spare.len() < SPARE {
            self.spare.push(frame);
        }
    }

    /// Gives a frame back to the worker that handed it over.
    pub(super) fn give_back(&mut self, to: u16, frame: Frame) {
        let back = match self.mailboxes.get(usize::from(to)) {
            Some(mailbox) => mailbox.give_back(frame),
            None => Err(frame),
        };
        if let Err(frame) = back {
            self.keep(frame);
        }
    }

    /// Whether a tunnelled frame is for this sled's end point.
    #[inline]
    pub(super) fn is_own(&self, frame: &Frame) -> bool {
        // Where the IPv6 destination is behind an Ethernet header.
        frame.bytes().get(38..54) == Some(&self.own)
    }

    /// What the queue to the wire lost.
    pub(super) fn wire_losses(&self) -> Losses {
        let mut losses = self.past_losses;
        if let Some(wire) = &self.wire {
            losses.add(&wire.losses());
        }
        losses
    }

    /// Does with a frame what the engine decided. `hops` says how often it was handed over.
    #[inline]
    pub(super) fn settle(
        &mut self,
        served: &mut Served,
        direction: Direction,
        verdict: Verdict,
        hops: u8,
        frame: &mut Frame,
        now: Instant,
    ) {
        match verdict {
            Verdict::Forward => self.forward(served, direction, frame, now),
            Verdict::Hairpin => self.answer(served, direction, frame, now),
            // Waits in the shard's queue; see `take_punts`.
            Verdict::Punt => {}
            Verdict::Drop(_) => self.totals.engine_drops += 1,
            Verdict::Refuse(_) => {
                self.totals.engine_drops += 1;
                self.totals.refusals += 1;
                self.answer(served, direction, frame, now);
            }
            Verdict::HandOver(to) => self.hand_over(served.slot.id, direction, to, hops, frame),
        }
    }

    #[inline]
    fn forward(
        &mut self,
        served: &mut Served,
        direction: Direction,
        frame: &mut Frame,
        now: Instant,
    ) {
        match direction {
            Direction::Out => self.leave(served, frame, now),
            Direction::In => {
                let id = served.slot.id;
                self.give(Some(served), id, frame, now);
            }
        }
    }

    /// The engine's answer goes back the way its request came.
    fn answer(
        &mut self,
        served: &mut Served,
        direction: Direction,
        frame: &mut Frame,
        now: Instant,
    ) {
        let back = match direction {
            Direction::Out => Direction::In,
            Direction::In => Direction::Out,
        };
        self.forward(served, back, frame, now);
    }

    /// A tunnelled frame goes to the wire, or to a port of this sled.
    #[inline]
    fn leave(&mut self, served: &mut Served, frame: &mut Frame, now: Instant) {
        self.capture(served, CapturePoint::WireOut, frame, now);
        if self.is_own(frame) {
            self.totals.local.count(frame.len());
            let whole = self.exchange(frame);
            self.local.push(whole);
        } else {
            self.transmit(frame);
        }
    }

    /// A tunnelled frame goes to the wire, through this worker's queue or another's.
    #[inline]
    pub(super) fn transmit(&mut self, frame: &mut Frame) {
        let Some(wire) = &mut self.wire else {
            let whole = self.exchange(frame);
            self.pass_on(Mail::Transmit { frame: whole });
            return;
        };
        match wire.send(frame) {
            Sent::Taken => self.totals.wire_out.count(frame.len()),
            Sent::Full | Sent::Unsendable => self.totals.drops.wire_full += 1,
        }
    }

    /// A guest gets a frame, through this worker's queue or another's.
    #[inline]
    pub(super) fn give(
        &mut self,
        served: Option<&mut Served>,
        id: PortId,
        frame: &mut Frame,
        now: Instant,
    ) {
        let Some(served) = served else {
            self.totals.drops.no_such_port += 1;
            return;
        };
        if served.slot.guest.is_none() {
            let whole = self.exchange(frame);
            self.pass_on(Mail::Deliver {
                port: id,
                frame: whole,
            });
            return;
        }
        self.capture(served, CapturePoint::GuestIn, frame, now);
        let Some(guest) = &mut served.slot.guest else {
            return;
        };
        match guest.send(frame) {
            Sent::Taken => self.totals.guest_out.count(frame.len()),
            Sent::Full | Sent::Unsendable => self.totals.drops.guest_full += 1,
        }
    }

    /// Gives a frame to the worker that has the queue that this one lacks. Where there are fewer queues than workers,
    /// the first ones have them: each asks the one whose index lacks its own highest bit, the last of which is 0.
    #[cold]
    fn pass_on(&mut self, mail: Mail) {
        if self.index == 0 {
            match mail {
                Mail::Transmit { .. } => self.totals.drops.wire_absent += 1,
                Mail::Deliver { .. } | Mail::Process { .. } => self.totals.drops.guest_absent += 1,
            }
        } else {
            self.post(self.index ^ (1 << self.index.ilog2()), mail);
        }
    }

    fn hand_over(
        &mut self,
        port: PortId,
        direction: Direction,
        to: HandOver,
        hops: u8,
        frame: &mut Frame,
    ) {
        if hops >= MAX_HOPS {
            self.totals.drops.hand_over_loop += 1;
            return;
        }
        let mail = Mail::Process {
            port,
            direction,
            to,
            hops: hops + 1,
            frame: self.exchange(frame),
        };
        self.post(to.shard, mail);
    }

    fn post(&mut self, to: u16, mail: Mail) {
        let at = usize::from(to);
        match self
            .mailboxes
            .get(at)
            .map(|mailbox| mailbox.push(self.index, mail))
        {
            Some(Ok(())) => {
                self.totals.handed_out += 1;
                if let Some(given) = self.given.get_mut(at) {
                    *given = true;
                }
            }
            Some(Err(_)) | None => self.totals.drops.hand_over_full += 1,
        }
    }

    /// Wakes the workers that were given something.
    pub(super) fn wake_others(&mut self) {
        for (given, mailbox) in self.given.iter_mut().zip(self.mailboxes.iter()) {
            if std::mem::take(given) {
                mailbox.wake();
            }
        }
    }

    /// Takes a frame out of a batch and leaves a spare one.
    pub(super) fn exchange(&mut self, frame: &mut Frame) -> Frame {
        let spare = self.spare_frame();
        std::mem::replace(frame, spare)
    }

    /// Gives the agent what waits for it.
    pub(super) fn take_punts(&mut self, served: &mut Served) {
        while let Some(punt) = served.slot.shard.pop_punt() {
            let punted = Punted {
                port: served.slot.id,
                queue: punt.queue,
                frame: punt.bytes,
            };
            match self.punts.try_send(punted) {
                Ok(()) => self.totals.punted += 1,
                Err(_) => self.totals.drops.punt_channel_full += 1,
            }
        }
    }

    /// Shows a frame to who watches the port.
    #[inline]
    fn capture(&mut self, served: &Served, point: CapturePoint, frame: &Frame, now: Instant) {
        if let Some(sink) = &served.capture
            && !sink.offer(Captured::of(point, now, frame))
        {
            self.totals.capture_lost += 1;
        }
    }

    /// Shows frames as they were before the engine, with its verdicts, to who watches the port.
    pub(super) fn show(&mut self, served: &mut Served, seen: Vec<Captured>, verdicts: &[Verdict]) {
        let Some(sink) = &served.capture else {
            return;
        };
        for (mut captured, verdict) in seen.into_iter().zip(verdicts) {
            captured.verdict = Some(words(*verdict));
            if !sink.offer(captured) {
                self.totals.capture_lost += 1;
            }
        }
        if sink.is_closed() {
            served.capture = None;
        }
    }

    /// This worker's ring.
    pub(super) fn mailbox(&self) -> Option<&Mailbox> {
        self.mailboxes.get(usize::from(self.index))
    }
}
