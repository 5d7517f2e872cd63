//! What would become of a packet now, and why: the very code of the packet path, on a copy and without its effects.

use rackweave_types::Instant;

use super::packet::Packet;
use super::reply::{self, Reply};
use super::slow::{Evaluation, Judgement};
use super::{FlowInfo, HandOver, Shard, Verdict, fast};
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::frame::Frame;
use crate::parse::Parsed;
use crate::walk::{End, Refusal, Trace};

/// What would become of a packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// How the packet was read; `None` where it is malformed.
    pub parsed: Option<Parsed>,
    /// What [`Shard::process`] would say.
    pub verdict: Verdict,
    /// The frame as it would be left.
    pub frame: Frame,
    /// The connection that the packet belongs to, as it stands.
    pub flow: Option<FlowInfo>,
    /// Whether the connection's record serves the packet without asking the layers.
    pub established: bool,
    /// What each layer says of the packet now. For an established connection the layers are not asked when the packet
    /// comes; this is then what they would say.
    pub trace: Trace,
}

impl Shard {
    /// What each layer and rule would do to this packet now, and what [`process`](Self::process) would leave; nothing
    /// changes.
    #[must_use]
    pub fn explain(&self, direction: Direction, frame: &Frame, now: Instant) -> Explanation {
        self.explain_as(direction, None, frame, now)
    }

    /// As [`explain`](Self::explain), for a packet that another shard handed over.
    #[must_use]
    pub fn explain_handed_over(
        &self,
        direction: Direction,
        handed: HandOver,
        frame: &Frame,
        now: Instant,
    ) -> Explanation {
        self.explain_as(direction, Some(handed), frame, now)
    }

    fn explain_as(
        &self,
        direction: Direction,
        handed: Option<HandOver>,
        frame: &Frame,
        now: Instant,
    ) -> Explanation {
        let mut explanation = Explanation {
            parsed: None,
            verdict: Verdict::Drop(DropReason::Undecided),
            frame: frame.clone(),
            flow: None,
            established: false,
            trace: Trace::default(),
        };
        let mut packet = match Packet::of(direction, frame, self.program.underlay().guest_mtu) {
            Ok(packet) => packet,
            Err(reason) => {
                explanation.verdict = Verdict::Drop(reason);
                return explanation;
            }
        };
        let program = &self.program;
        let judgement = self.judge(
            program,
            &mut packet,
            handed,
            frame,
            now,
            Some(&mut explanation.trace),
        );
        explanation.parsed = Some(packet.parsed);
        let number = match &judgement {
            Judgement::Established(number) => {
                explanation.established = true;
                let key = packet.key();
                let key = Some((key, self.hasher.hash(&key)));
                // Only the trace is of interest: the record decides.
                self.evaluate(program, &packet, key, now, Some(&mut explanation.trace));
                Some(*number)
            }
            Judgement::Decided(evaluation) => evaluation.existing,
            _ => None,
        };
        explanation.flow = number.map(|number| self.flow_info(number));
        explanation.verdict = match self.preview(&judgement, &packet, &mut explanation.frame, now) {
            Ok(verdict) => verdict,
            Err(reason) => Verdict::Drop(reason),
        };
        explanation
    }

    /// What doing a judgement would come to.
    fn preview(
        &self,
        judgement: &Judgement<'_>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        let guest_mtu = self.program.underlay().guest_mtu;
        match judgement {
            Judgement::Refused(reason) => Err(*reason),
            Judgement::HandOver(to) => Ok(Verdict::HandOver(*to)),
            Judgement::Established(number) => {
                let flow = &self.table.get(*number).compiled;
                self.meter_would_take(fast::meter_of(flow, packet.direction), packet, now)?;
                let template = self.templates.get(flow.template);
                fast::execute(flow, template, packet, frame, guest_mtu)?;
                Ok(Verdict::Forward)
            }
            Judgement::Error(related) => {
                related.passes()?;
                self.meter_would_take(related.path.meter, packet, now)?;
                self.relay_error(related, packet, frame)?;
                Ok(Verdict::Forward)
            }
            Judgement::Decided(evaluation) => self.preview_decided(evaluation, packet, frame, now),
        }
    }

    fn preview_decided(
        &self,
        evaluation: &Evaluation<'_>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Result<Verdict, DropReason> {
        let path = &evaluation.path;
        match path.end {
            End::Forward => {
                let before = evaluation
                    .existing
                    .map(|number| self.table.get(number).compiled);
                let compiled = self.compile(packet, path, before.as_ref())?;
                let gives_way = path.binding.and_then(|binding| binding.evict);
                let gone = evaluation.discard.map(|(number, _)| number);
                let known = [evaluation.existing, gives_way, gone];
                if packet.is_trackable() && self.conflicts(&compiled.flow, &known, now) {
                    return Err(DropReason::FlowConflict);
                }
                self.meter_would_take(path.meter, packet, now)?;
                let guest_mtu = self.program.underlay().guest_mtu;
                fast::execute(
                    &compiled.flow,
                    compiled.template.as_ref(),
                    packet,
                    frame,
                    guest_mtu,
                )?;
                Ok(Verdict::Forward)
            }
            End::Hairpin(responder) => {
                self.preview_reply(Reply::Answer(responder), packet, frame, now)?;
                Ok(Verdict::Hairpin)
            }
            End::Punt(_) if self.punts.is_full() => Err(DropReason::PuntQueueFull),
            End::Punt(_) => Ok(Verdict::Punt),
            End::Drop(reason, refusal) => {
                let told = |refusal: Refusal| {
                    self.preview_reply(Reply::Refusal(refusal), packet, frame, now)
                        .is_ok()
                };
                let refusal = self.told(refusal, evaluation.existing, packet, now);
                let told = refusal.is_some_and(told);
                Ok(if told {
                    Verdict::Refuse(reason)
                } else {
                    Verdict::Drop(reason)
                })
            }
        }
    }

    fn preview_reply(
        &self,
        what: Reply<'_>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Result<(), DropReason> {
        reply::may_reply(&self.replies, now)?;
        reply::make(&self.program, what, packet, frame)
    }

    fn meter_would_take(
        &self,
        meter: Option<u16>,
        packet: &Packet,
        now: Instant,
    ) -> Result<(), DropReason> {
        let bytes = u64::from(packet.parsed.ip_len());
        let meter = meter.and_then(|meter| self.meters.get(usize::from(meter)));
        match meter.map(|meter| meter.after(bytes, packet.segments, now)) {
            Some(None) => Err(DropReason::Metered),
            _ => Ok(()),
        }
    }
}
