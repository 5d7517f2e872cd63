//! Packets that the engine makes itself: metered, and wrapped where they go to the wire.

use alloc::boxed::Box;
use core::net::IpAddr;

use rackweave_types::Instant;

use super::packet::Packet;
use super::{Shard, Verdict};
use crate::counters::side;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::frame::Frame;
use crate::hash;
use crate::meter::Meter;
use crate::parse::Parsed;
use crate::program::{Encapsulate, Program, Reject};
use crate::punt::Punt;
use crate::respond::{self, Responder};
use crate::segment;
use crate::transform::{self, OuterTemplate};
use crate::walk::Refusal;

/// What the engine makes of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply<'p> {
    /// The answer to a request.
    Answer(&'p Responder),
    /// The refusal of a packet that is dropped.
    Refusal(Refusal),
}

impl Shard {
    /// Answers a request in its frame.
    pub(super) fn hairpin(
        &mut self,
        responder: &Responder,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        match self.metered_reply(Reply::Answer(responder), packet, frame, now) {
            Ok(()) => {
                self.counters.hairpinned[side(packet.direction)] += 1;
                Verdict::Hairpin
            }
            Err(reason) => self.refused(packet.direction, reason),
        }
    }

    /// Drops a packet and, where the sender is to be told, leaves the refusal in its frame.
    pub(super) fn refuse(
        &mut self,
        reason: DropReason,
        refusal: Option<Refusal>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        let told = refusal.is_some_and(|refusal| {
            self.metered_reply(Reply::Refusal(refusal), packet, frame, now)
                .is_ok()
        });
        let verdict = self.refused(packet.direction, reason);
        if told {
            self.counters.refusals += 1;
            return Verdict::Refuse(reason);
        }
        verdict
    }

    fn metered_reply(
        &mut self,
        what: Reply<'_>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Result<(), DropReason> {
        self.replies = may_reply(&self.replies, now)?;
        make(&self.program, what, packet, frame)
    }

    /// Queues a packet for the agent.
    pub(super) fn punt(&mut self, queue: u8, packet: &Packet, frame: &Frame) -> Verdict {
        if self.punts.is_full() {
            return self.refused(packet.direction, DropReason::PuntQueueFull);
        }
        let mut bytes: Box<[u8]> = packet.inner(frame).into();
        // Nobody after the agent would.
        segment::finish(
            &mut bytes,
            packet.offload(frame, self.program.underlay().guest_mtu),
            &packet.parsed,
        );
        let room = self.punts.push(Punt {
            queue,
            direction: packet.direction,
            bytes,
        });
        debug_assert!(room, "it is not full");
        self.counters.punted[side(packet.direction)] += 1;
        Verdict::Punt
    }
}

/// The meter of replies after one more.
pub(super) fn may_reply(meter: &Meter, now: Instant) -> Result<Meter, DropReason> {
    meter.after(0, 1, now).ok_or(DropReason::ReplyMetered)
}

/// Makes a reply in the frame of what it replies to. The frame of the wire's packets comes with its tunnel and leaves
/// with another, back to where it came from; where there is no reply, it is as it was.
pub(super) fn make(
    program: &Program,
    what: Reply<'_>,
    packet: &Packet,
    frame: &mut Frame,
) -> Result<(), DropReason> {
    let taken = packet.outer.map_or(0, |outer| usize::from(outer.len));
    frame.pull_front(taken);
    let parsed = &packet.parsed;
    let made = match what {
        Reply::Answer(responder) => respond::answer(responder, frame, parsed),
        Reply::Refusal(Refusal::Reject(router)) => {
            respond::reject(frame, parsed, &speaker(router, packet))
        }
        Reply::Refusal(Refusal::TooBig(router, mtu)) => {
            let router = speaker(router, packet);
            respond::too_big(frame, parsed, mtu, router.router_v4, router.router_v6)
        }
        Reply::Refusal(Refusal::TimeExceeded(router)) => {
            let router = speaker(router, packet);
            respond::time_exceeded(frame, parsed, router.router_v4, router.router_v6)
        }
    };
    if made.is_err() {
        // The headers that were taken off are still there: give the frame back as it was.
        let restored = frame.push_front(taken).is_ok();
        debug_assert!(restored, "the room was there before");
        return Err(DropReason::NoAnswer);
    }
    wrap_back(program, packet, frame)
}

/// In whose name a refusal speaks: to the guest, the router's; to the wire, that of the address the packet was sent
/// to, which is all of the guest's network that its sender knows.
fn speaker(router: Reject, packet: &Packet) -> Reject {
    match (packet.direction, IpAddr::from(packet.parsed.dst)) {
        (Direction::In, IpAddr::V4(router_v4)) => Reject {
            router_v4,
            ..router
        },
        (Direction::In, IpAddr::V6(router_v6)) => Reject {
            router_v6,
            ..router
        },
        (Direction::Out, _) => router,
    }
}

/// Wraps a reply to a packet from the wire for the way back.
fn wrap_back(program: &Program, packet: &Packet, frame: &mut Frame) -> Result<(), DropReason> {
    let Some(outer) = packet.outer else {
        return Ok(());
    };
    let parsed = Parsed::parse(frame.bytes())?;
    let encapsulate = Encapsulate {
        vni: outer.vni,
        external: false,
        source: None,
    };
    let destination = core::net::Ipv6Addr::from_bits(outer.src.bits());
    let template = OuterTemplate::new(program.underlay(), destination, &encapsulate, 0)
        .map_err(|_| DropReason::EncapsulationTooLong)?;
    transform::wrap(&template, hash::entropy(&packet.key()), &parsed, frame)
}
