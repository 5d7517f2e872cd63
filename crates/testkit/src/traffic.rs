//! Random traffic: connections that talk both ways, and everything else that a wire may bring.
//!
//! What was said before decides what is said next: replies, errors and repetitions are about frames that left the
//! engine, so each engine under test has a [`Traffic`] of its own. Those that are fed from the same bytes say the
//! same as long as their engines do.

mod shape;
mod special;
mod talk;

use std::collections::VecDeque;
use std::time::Duration;

use rackweave_engine::frame::Offload;
use rackweave_engine::program::Encapsulate;
use rackweave_engine::{Direction, Existing, Frame, Verdict};

use crate::packet::{self, IcmpError, icmp_error};
use crate::program::world::{GATEWAY_MAC, GUEST_MAC, SLEDS, VNIS, vni};
use crate::source::Source;
pub(crate) use shape::finished;
pub(crate) use special::request;
pub use talk::Talk;
pub(crate) use talk::inner_at;

/// What traffic may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Frames of any bytes, frames with flipped bits, wrong link-layer addresses.
    pub hostile: bool,
    /// Waits are so short that nothing runs out, or so long that everything does.
    pub clear_times: bool,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A frame comes.
    Packet(Direction, Frame),
    /// Time passes.
    Wait(Duration),
    /// The program changes.
    Change(Existing),
}

/// How many connections and frames are remembered.
const MEMORY: usize = 12;

/// Traffic of one port.
#[derive(Clone, Debug)]
pub struct Traffic {
    manner: Manner,
    talks: VecDeque<Talk>,
    left: VecDeque<(Direction, Vec<u8>)>,
    queue: VecDeque<(Direction, Frame)>,
    identification: u16,
}

impl Traffic {
    /// Traffic that has not begun.
    #[must_use]
    pub const fn new(manner: Manner) -> Self {
        Self {
            manner,
            talks: VecDeque::new(),
            left: VecDeque::new(),
            queue: VecDeque::new(),
            identification: 0,
        }
    }

    /// What happens next.
    pub fn next(&mut self, source: &mut Source<'_>) -> Event {
        if let Some((direction, frame)) = self.queue.pop_front() {
            return Event::Packet(direction, frame);
        }
        match source.below(32) {
            0..9 => self.known_talk(source),
            9..15 => self.fresh_talk(source),
            15..21 => self.reply(source),
            21..24 => self.error(source),
            24 | 25 => self.fragments(source),
            26 | 27 => special::draw(source),
            28 => self.wait(source),
            29 => Event::Change(source.pick(&[Existing::Keep, Existing::Cut])),
            _ if self.manner.hostile => self.hostile(source),
            _ => self.known_talk(source),
        }
    }

    /// Remembers a frame that an engine let pass.
    pub fn passed(&mut self, direction: Direction, verdict: Verdict, frame: &Frame) {
        if verdict == Verdict::Forward {
            remember(&mut self.left, (direction, finished(frame)));
        }
    }

    /// Forgets who talked: nobody goes on, and nobody replies.
    pub fn forget(&mut self) {
        self.talks.clear();
        self.left.clear();
    }

    fn fresh_talk(&mut self, source: &mut Source<'_>) -> Event {
        let talk = Talk::draw(source);
        remember(&mut self.talks, talk);
        self.say(source, talk)
    }

    fn known_talk(&mut self, source: &mut Source<'_>) -> Event {
        let place = source.below(self.talks.len());
        match self.talks.get(place).copied() {
            Some(talk) => self.say(source, talk),
            None => self.fresh_talk(source),
        }
    }

    /// What an end says that heard something.
    fn reply(&mut self, source: &mut Source<'_>) -> Event {
        let place = source.below(self.left.len());
        let heard = self.left.get(place);
        match heard.and_then(|(direction, frame)| Talk::answer(*direction, frame)) {
            Some(talk) => {
                remember(&mut self.talks, talk);
                self.say(source, talk)
            }
            None => self.fresh_talk(source),
        }
    }

    fn say(&self, source: &mut Source<'_>, talk: Talk) -> Event {
        let (mut frame, offload) = talk.packet(source);
        if !matches!(offload, Offload { segment: None, .. }) {
            return Event::Packet(talk.direction, talk.carry(source, &frame, offload));
        }
        let plain = offload == Offload::default();
        match source.below(24) {
            0..18 => {}
            18 => shape::set_hops(&mut frame, source.pick(&[1, 0, 2, 255])),
            19 => shape::set_tos(&mut frame, source.octet()),
            20 if plain => shape::add_options(&mut frame, source),
            21 if plain => shape::add_tag(&mut frame, source.word()),
            22 => frame.resize(frame.len().max(60), 0),
            23 if self.manner.hostile => {
                shape::set_macs(&mut frame, source.octets(), source.octets());
            }
            _ => {}
        }
        Event::Packet(talk.direction, talk.carry(source, &frame, offload))
    }

    /// An ICMP error about a frame that left.
    fn error(&mut self, source: &mut Source<'_>) -> Event {
        let place = source.below(self.left.len());
        let error = source.pick(&[
            IcmpError::PortUnreachable,
            IcmpError::TooBig { mtu: 1400 },
            IcmpError::TimeExceeded,
        ]);
        let Some((direction, frame)) = self.left.get(place) else {
            return self.fresh_talk(source);
        };
        let Some(answer) = Talk::answer(*direction, frame) else {
            return self.fresh_talk(source);
        };
        let at = inner_at(*direction, frame);
        let cause = frame.get(at..).unwrap_or_default();
        // All of it, or no more than the ports.
        let cause = match source.below(3) {
            0 => cause.get(..42).unwrap_or(cause),
            _ => cause,
        };
        let mut frame = icmp_error(answer.src, error, cause);
        let macs = match answer.direction {
            Direction::Out => (GUEST_MAC, GATEWAY_MAC),
            Direction::In => (GATEWAY_MAC, GUEST_MAC),
        };
        shape::set_macs(&mut frame, macs.0.octets(), macs.1.octets());
        let frame = answer.carry(source, &frame, Offload::default());
        Event::Packet(answer.direction, frame)
    }

    /// The fragments of a packet, mostly in order.
    fn fragments(&mut self, source: &mut Source<'_>) -> Event {
        self.identification = self.identification.wrapping_add(1);
        let talk = Talk {
            protocol: source.pick(&[17, 6, 1]),
            ..Talk::draw(source)
        }
        .sensible();
        let whole = talk.plain(source, 1000);
        let mut parts = shape::fragments(&whole, self.identification, 400);
        if source.one_in(4) {
            parts.reverse();
        }
        for part in parts {
            let frame = talk.carry(source, &part, Offload::default());
            self.queue.push_back((talk.direction, frame));
        }
        self.next(source)
    }

    fn wait(&self, source: &mut Source<'_>) -> Event {
        const HOURS: Duration = Duration::from_hours(3);
        let most = if self.manner.clear_times { 4 } else { 64 };
        let short = Duration::from_millis(u64::from(source.octet() % most));
        let some = Duration::from_millis(100 * u64::from(source.word()));
        Event::Wait(match source.below(8) {
            0 => HOURS,
            1..4 if !self.manner.clear_times => some,
            _ => short,
        })
    }

    /// Bytes that nobody made sense of.
    fn hostile(&mut self, source: &mut Source<'_>) -> Event {
        let place = source.below(self.talks.len());
        let Some(talk) = self.talks.get(place).copied() else {
            return self.fresh_talk(source);
        };
        let bytes = match source.below(4) {
            0 => source.take(128).to_vec(),
            1 => {
                let len = source.below(64);
                let garbage = source.take(len);
                let options = &packet::EXTERNAL[..source.pick(&[0, 4])];
                packet::geneve(SLEDS[1], SLEDS[0], vni(VNIS[0]), options, garbage)
            }
            _ => {
                let mut frame = nearly(source, talk);
                for _ in 0..=source.below(4) {
                    let at = source.below(frame.len().min(160));
                    if let Some(octet) = frame.bytes_mut().get_mut(at) {
                        *octet ^= 1 << (source.octet() % 8);
                    }
                }
                return Event::Packet(talk.direction, frame);
            }
        };
        let mut frame = Frame::new(&bytes);
        if source.one_in(4) {
            frame.offload = shape::any_offload(source);
        }
        Event::Packet(talk.direction, frame)
    }
}

/// A valid frame to be spoilt.
fn nearly(source: &mut Source<'_>, talk: Talk) -> Frame {
    if talk.direction == Direction::Out && source.one_in(3) {
        return Frame::new(&request(source));
    }
    let (mut frame, offload) = talk.packet(source);
    if offload == Offload::default() && source.one_in(3) {
        shape::add_options(&mut frame, source);
    }
    talk.carry(source, &frame, offload)
}

fn remember<T>(memory: &mut VecDeque<T>, item: T) {
    if memory.len() == MEMORY {
        memory.pop_front();
    }
    memory.push_back(item);
}

/// The options of a tunnel of the kind that programs make.
fn options(encapsulate: &Encapsulate) -> Vec<u8> {
    let mut options = Vec::new();
    if let Some(source) = encapsulate.source {
        options.extend([0xff, 0x52, 0x03, 2]);
        options.extend(source.to_be_bytes());
    }
    if encapsulate.external {
        options.extend(packet::EXTERNAL);
    }
    options
}
