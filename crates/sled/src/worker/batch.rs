//! The batch in hand: frames, what became of them, and which ports they are for.

use std::io;
use std::mem;

use rackweave_engine::parse::inner_destination;
use rackweave_engine::{Direction, Frame, HandOver, Verdict};
use rackweave_types::Instant;

use super::capture::{CapturePoint, Captured};
use super::exit::Exits;
use super::port::{Ports, Served};
use crate::queue::Queue;

/// Frames that are read from one queue in one round.
pub(super) const FRAMES: usize = 64;
/// Octets after which no more is read from one queue in one round: what was read should still be cached when it
/// leaves.
pub(super) const BYTES: usize = 256 * 1024;

/// Frames of the batch in hand.
#[derive(Debug)]
pub(super) struct Batch {
    frames: Vec<Frame>,
    verdicts: Vec<Verdict>,
    /// For tunnelled frames: the place of the port that each is for.
    places: Vec<Option<usize>>,
    /// Ports that frames of the batch were sorted to.
    touched: Vec<usize>,
    /// How long frames were of late, to guess how many make up [`BYTES`].
    usual_len: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            frames: (0..FRAMES)
                .map(|_| Frame::with_capacity(Frame::MIN_CAPACITY))
                .collect(),
            verdicts: Vec::new(),
            places: Vec::new(),
            touched: Vec::new(),
            usual_len: Frame::MIN_CAPACITY,
        }
    }

    /// Reads what a queue has, within a round's bounds; how many frames that are.
    fn read(&mut self, queue: &mut dyn Queue) -> io::Result<usize> {
        let (mut count, mut bytes) = (0, 0);
        while count < FRAMES && bytes < BYTES {
            let fits = (BYTES - bytes) / self.usual_len.max(1);
            let wanted = fits.clamp(1, FRAMES - count);
            let room = &mut self.frames[count..count + wanted];
            let read = queue.receive(room)?.min(wanted);
            let read_bytes: usize = room[..read].iter().map(Frame::len).sum();
            if let Some(usual) = read_bytes.checked_div(read) {
                self.usual_len = usual;
            }
            count += read;
            bytes += read_bytes;
            if read < wanted {
                break;
            }
        }
        Ok(count)
    }

    /// A guest's turn: what it sent goes through its port. How many frames that were.
    pub(super) fn take_from_guest(
        &mut self,
        served: &mut Served,
        exits: &mut Exits,
        now: Instant,
    ) -> io::Result<usize> {
        let Some(guest) = &mut served.slot.guest else {
            return Ok(0);
        };
        let count = self.read(&mut **guest)?;
        if count == 0 {
            return Ok(0);
        }
        for frame in &self.frames[..count] {
            exits.totals.guest_in.count(frame.len());
        }
        let Self {
            frames, verdicts, ..
        } = self;
        process(
            Direction::Out,
            served,
            exits,
            &mut frames[..count],
            verdicts,
            now,
        );
        Ok(count)
    }

    /// The wire's turn: what came goes to the ports it is for. How many frames that were.
    pub(super) fn take_from_wire(
        &mut self,
        ports: &mut Ports,
        exits: &mut Exits,
        now: Instant,
    ) -> io::Result<usize> {
        let Some(mut wire) = exits.wire.take() else {
            return Ok(0);
        };
        let read = self.read(&mut *wire);
        exits.wire = Some(wire);
        let count = read?;
        for frame in &self.frames[..count] {
            exits.totals.wire_in.count(frame.len());
        }
        let mut frames = mem::take(&mut self.frames);
        self.sort(ports, exits, &mut frames[..count], now);
        self.frames = frames;
        Ok(count)
    }

    /// What ports of this sled sent each other goes to whom it is for. How many frames that were.
    pub(super) fn take_local(
        &mut self,
        ports: &mut Ports,
        exits: &mut Exits,
        now: Instant,
    ) -> usize {
        let mut frames = mem::take(&mut exits.local);
        self.sort(ports, exits, &mut frames, now);
        let count = frames.len();
        for frame in frames.drain(..) {
            exits.keep(frame);
        }
        // Answers to them wait for the next turn.
        mem::swap(&mut frames, &mut exits.local);
        exits.local.append(&mut frames);
        count
    }

    /// Tunnelled frames go through the ports they are for: those of one port together, in their order.
    fn sort(&mut self, ports: &mut Ports, exits: &mut Exits, frames: &mut [Frame], now: Instant) {
        self.places.clear();
        for frame in &*frames {
            self.places.push(find(ports, exits, frame));
        }
        let Self {
            verdicts,
            places,
            touched,
            ..
        } = self;
        let Some(&first) = places.first() else {
            return;
        };
        if places.iter().all(|place| *place == first) {
            if let Some(served) = first.and_then(|place| ports.at(place)) {
                process(Direction::In, served, exits, frames, verdicts, now);
            }
            return;
        }
        for (frame, place) in frames.iter_mut().zip(&*places) {
            let Some((place, served)) = place.and_then(|place| Some((place, ports.at(place)?)))
            else {
                continue;
            };
            if served.inbound.is_empty() {
                touched.push(place);
            }
            served.inbound.push(exits.exchange(frame));
        }
        for place in touched.drain(..) {
            let Some(served) = ports.at(place) else {
                continue;
            };
            let mut inbound = mem::take(&mut served.inbound);
            process(Direction::In, served, exits, &mut inbound, verdicts, now);
            for frame in inbound.drain(..) {
                exits.keep(frame);
            }
            served.inbound = inbound;
        }
    }
}

/// The port that a tunnelled frame is for; where there is none, the frame is counted as lost.
#[inline]
fn find(ports: &Ports, exits: &mut Exits, frame: &Frame) -> Option<usize> {
    if !exits.is_own(frame) {
        exits.totals.drops.wrong_outer_destination += 1;
        return None;
    }
    let Ok(mac) = inner_destination(frame.bytes()) else {
        exits.totals.drops.bad_tunnel += 1;
        return None;
    };
    let place = ports.place_of_mac(mac);
    if place.is_none() {
        exits.totals.drops.no_such_port += 1;
    }
    place
}

/// Sends frames of one direction through a port, writes down what changed, and lets them leave.
fn process(
    direction: Direction,
    served: &mut Served,
    exits: &mut Exits,
    frames: &mut [Frame],
    verdicts: &mut Vec<Verdict>,
    now: Instant,
) {
    let seen = before(direction, served, frames, now);
    verdicts.resize(frames.len().max(verdicts.len()), Verdict::Punt);
    let shard = &mut served.slot.shard;
    shard.process_batch(direction, frames, now, verdicts);
    if let Some(journal) = &mut served.slot.journal {
        journal.write(shard, now);
    }
    exits.show(served, seen, verdicts);
    for (frame, verdict) in frames.iter_mut().zip(&*verdicts) {
        exits.settle(served, direction, *verdict, 0, frame, now);
    }
    exits.take_punts(served);
    if let Some(guest) = &mut served.slot.guest {
        guest.flush();
    }
}

/// Copies of frames that the engine has not yet seen, where somebody watches the port.
fn before(direction: Direction, served: &Served, frames: &[Frame], now: Instant) -> Vec<Captured> {
    if served.capture.is_none() {
        return Vec::new();
    }
    let point = match direction {
        Direction::Out => CapturePoint::GuestOut,
        Direction::In => CapturePoint::WireIn,
    };
    let copy = |frame| Captured::of(point, now, frame);
    frames.iter().map(copy).collect()
}

/// Sends one frame through a port that another worker handed over.
pub(super) fn process_handed_over(
    direction: Direction,
    served: &mut Served,
    exits: &mut Exits,
    handed: (HandOver, u8),
    frame: &mut Frame,
    now: Instant,
) {
    let (to, hops) = handed;
    let seen = before(direction, served, std::slice::from_ref(frame), now);
    let shard = &mut served.slot.shard;
    let verdict = shard.process_handed_over(direction, to, frame, now);
    if let Some(journal) = &mut served.slot.journal {
        journal.write(shard, now);
    }
    exits.show(served, seen, &[verdict]);
    exits.settle(served, direction, verdict, hops, frame, now);
    exits.take_punts(served);
}
