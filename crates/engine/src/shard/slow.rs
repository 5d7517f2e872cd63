//! First packets, packets of an old epoch, and all that is not plain: the layers decide, then the decision is kept.

use alloc::sync::Arc;

use rackweave_types::Instant;

use super::packet::Packet;
use super::related::Related;
use super::{HandOver, Shard, Verdict, fast, keep};
use crate::counters::side;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::{FlowKey, Record};
use crate::frame::Frame;
use crate::nat::Ports;
use crate::program::Program;
use crate::walk::{Connection, Context, End, Path, Trace, walk};

/// What the layers decided about a packet, and what that means for the record that was there.
#[derive(Debug)]
pub(super) struct Evaluation<'p> {
    /// The packet's connection.
    pub(super) existing: Option<u32>,
    /// A record that has to go, and why.
    pub(super) discard: Option<(u32, Discard)>,
    /// The packet's way.
    pub(super) path: Path<'p>,
}

/// Why a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discard {
    /// Its time had run out.
    Expired,
    /// A new connection takes its place.
    Reopened,
    /// The rules forbid it, and the change asked to cut.
    Cut,
    /// Another connection needs its port.
    Evicted,
}

/// What is to be done with a packet, before any of it is done.
pub(super) enum Judgement<'p> {
    /// It is dropped without asking the layers.
    Refused(DropReason),
    /// It is another shard's.
    HandOver(HandOver),
    /// A current record serves it.
    Established(u32),
    /// It is an ICMP error about a connection.
    Error(Related<'p>),
    /// The layers have decided.
    Decided(Evaluation<'p>),
}

impl Shard {
    /// Fragments, ICMP errors, frames that are not IP, and packets that another shard handed over.
    #[cold]
    pub(super) fn process_special(
        &mut self,
        mut packet: Packet,
        handed: Option<HandOver>,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        let program = Arc::clone(&self.program);
        let judgement = self.judge(&program, &mut packet, handed, frame, now, None);
        let first_fragment = packet.parsed.fragment.is_some() && !packet.parsed.is_later_fragment();
        if first_fragment && self.fragment_home(&packet) == self.id.index() {
            let timeout = program.timeouts().fragments;
            self.fragments
                .remember(packet.direction, &packet.parsed, now, timeout);
        }
        self.finish(judgement, &packet, frame, now)
    }

    /// A plain packet that no current record serves: another shard's, or for the layers.
    #[cold]
    pub(super) fn process_slow(
        &mut self,
        packet: &Packet,
        key: (FlowKey, u64),
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        if self.id.count() > 1
            && let Some(elsewhere) = self.elsewhere(packet, frame)
        {
            return self.finish(Judgement::HandOver(elsewhere), packet, frame, now);
        }
        self.table.prefetch_vacant();
        let program = Arc::clone(&self.program);
        let evaluation = self.evaluate(&program, packet, Some(key), now, None);
        self.finish(Judgement::Decided(evaluation), packet, frame, now)
    }

    /// Finds out what is to be done with a packet of any kind; changes nothing but what the packet says of its ports,
    /// which only the first fragment of a datagram tells.
    pub(super) fn judge<'p>(
        &self,
        program: &'p Program,
        packet: &mut Packet,
        handed: Option<HandOver>,
        frame: &Frame,
        now: Instant,
        trace: Option<&mut Trace>,
    ) -> Judgement<'p> {
        if packet.parsed.fragment.is_some() {
            match self.identify_fragment(packet, handed, now) {
                Ok(None) => {}
                Ok(Some(home)) => return Judgement::HandOver(home),
                Err(reason) => return Judgement::Refused(reason),
            }
        }
        // A fragment that was handed over without its ports came to the shard that knows them, and may go on from here.
        let is_ours = handed
            .is_some_and(|handed| handed.fragment.is_some() || packet.parsed.fragment.is_none());
        if !is_ours && let Some(elsewhere) = self.elsewhere(packet, frame) {
            return Judgement::HandOver(elsewhere);
        }
        if packet.parsed.icmp_error && packet.parsed.is_ip() {
            return match self.evaluate_error(program, packet, frame, now, trace) {
                Ok(related) => Judgement::Error(related),
                Err(reason) => Judgement::Refused(reason),
            };
        }
        let key = (packet.parsed.is_ip() && !packet.parsed.tagged).then(|| packet.key());
        let key = key.map(|key| (key, self.hasher.hash(&key)));
        match key.and_then(|(key, hash)| self.table.lookup(&key, hash)) {
            Some(number) if self.is_current(number, packet, now) => Judgement::Established(number),
            _ => Judgement::Decided(self.evaluate(program, packet, key, now, trace)),
        }
    }

    /// Finds the ports of a fragment that is not the first, or the shard that remembers them.
    fn identify_fragment(
        &self,
        packet: &mut Packet,
        handed: Option<HandOver>,
        now: Instant,
    ) -> Result<Option<HandOver>, DropReason> {
        if let Some(ports) = handed.and_then(|handed| handed.fragment) {
            packet.set_ports(ports);
            return Ok(None);
        }
        let home = self.fragment_home(packet);
        if home != self.id.index() {
            return Ok(Some(HandOver {
                shard: home,
                fragment: None,
            }));
        }
        if packet.parsed.is_later_fragment() {
            let ports = self.fragments.recall(packet.direction, &packet.parsed, now);
            packet.set_ports(ports.ok_or(DropReason::FragmentUnknown)?);
        }
        Ok(None)
    }

    /// Does what a judgement says.
    fn finish(
        &mut self,
        judgement: Judgement<'_>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        let evaluation = match judgement {
            Judgement::Refused(reason) => return self.refused(packet.direction, reason),
            Judgement::HandOver(to) => {
                self.counters.handed_over[side(packet.direction)] += 1;
                return Verdict::HandOver(to);
            }
            Judgement::Established(number) => return self.established(number, packet, frame, now),
            Judgement::Error(related) => return self.forward_error(&related, packet, frame, now),
            Judgement::Decided(evaluation) => evaluation,
        };
        if let Some((number, why)) = evaluation.discard {
            self.discard(number, why);
        }
        self.count_rules(&evaluation.path);
        let path = &evaluation.path;
        match path.end {
            End::Forward => self.forward(packet, path, evaluation.existing, frame, now),
            End::Hairpin(responder) => self.hairpin(responder, packet, frame, now),
            End::Punt(queue) => self.punt(queue, packet, frame),
            End::Drop(reason, refusal) => {
                if let (Some(number), DropReason::RuleDenied) = (evaluation.existing, reason) {
                    self.forget_forbidden(number, packet.direction);
                }
                let refusal = self.told(refusal, evaluation.existing, packet, now);
                self.refuse(reason, refusal, packet, frame, now)
            }
        }
    }

    /// Asks the layers; changes nothing.
    pub(super) fn evaluate<'p>(
        &self,
        program: &'p Program,
        packet: &Packet,
        key: Option<(FlowKey, u64)>,
        now: Instant,
        trace: Option<&mut Trace>,
    ) -> Evaluation<'p> {
        let mut existing = key.and_then(|(key, hash)| self.table.lookup(&key, hash));
        let mut discard = None;
        if let Some(number) = existing
            && let Some(why) = self.outlived(program, number, packet, now)
        {
            discard = Some((number, why));
            existing = None;
        }
        let record = existing.map(|number| self.table.get(number));
        let connection = record.map(|record| Connection {
            flow: &record.compiled,
            forth: record.compiled.began(packet.direction),
            related: false,
        });
        let cut = record.is_some_and(|record| self.predates_cut(record));
        let entropy = key.map_or(0, |(_, hash)| hash);
        let path = walk(
            &self.context(program, connection, cut, entropy, now),
            packet.fields(),
            trace,
        );
        Evaluation {
            existing,
            discard,
            path,
        }
    }

    pub(super) fn context<'a, 'p>(
        &'a self,
        program: &'p Program,
        connection: Option<Connection<'a>>,
        cut: bool,
        entropy: u64,
        now: Instant,
    ) -> Context<'a, 'p> {
        let ports = Ports {
            table: &self.table,
            hasher: &self.hasher,
            shard: self.id,
            resting: self.resting.as_deref(),
        };
        Context {
            program,
            layers: &self.layers,
            connection,
            ports,
            entropy,
            now,
            cut,
        }
    }

    /// Whether a connection was last admitted before the last change that asked to cut.
    pub(super) fn predates_cut(&self, record: &Record) -> bool {
        let admitted = match record.compiled.direction() {
            Direction::Out => record.epoch_out,
            Direction::In => record.epoch_in,
        };
        admitted & !Record::STALE < self.cut_epoch
    }

    /// Why a record that was found does not serve the packet.
    fn outlived(
        &self,
        program: &Program,
        number: u32,
        packet: &Packet,
        now: Instant,
    ) -> Option<Discard> {
        let record = self.table.get(number);
        if self.table.is_expired(record, now) {
            return Some(Discard::Expired);
        }
        if fast::reopens(record, packet) {
            return Some(Discard::Reopened);
        }
        // An answer does not show whether the rules of now admit the connection: its first packet would.
        if !record.compiled.began(packet.direction) && self.predates_cut(record) {
            let connection = Connection {
                flow: &record.compiled,
                forth: true,
                related: false,
            };
            let context = self.context(program, Some(connection), true, 0, now);
            let path = walk(&context, self.first_fields(record), None);
            // Where its first packet came from may have moved since; only rules cut.
            return matches!(path.end, End::Drop(DropReason::RuleDenied, _))
                .then_some(Discard::Cut);
        }
        None
    }

    /// The fields of the packet with which a connection began, as far as its record tells.
    fn first_fields(&self, record: &Record) -> Fields {
        let flow = &record.compiled;
        let mut fields = flow.fields();
        if fields.direction == Direction::In {
            fields.outer_src = self.peers.get(flow.peer).copied().unwrap_or_default();
        }
        fields
    }

    /// A connection of which the layers denied a packet that goes the way it began is cut.
    fn forget_forbidden(&mut self, number: u32, direction: Direction) {
        if self.table.get(number).compiled.began(direction) {
            self.discard(number, Discard::Cut);
        }
    }

    /// Removes a record, if it is still there, and counts why.
    pub(super) fn discard(&mut self, number: u32, why: Discard) {
        if !self.table.get(number).is_used() {
            return;
        }
        keep::release(
            &mut self.templates,
            &mut self.peers,
            &self.table.get(number).compiled,
        );
        self.offload_gone(number);
        self.mark(number);
        self.table.remove(number);
        match why {
            Discard::Expired | Discard::Reopened => self.counters.flows_expired += 1,
            Discard::Cut => self.counters.flows_cut += 1,
            Discard::Evicted => self.counters.flows_evicted += 1,
        }
    }

    pub(super) fn count_rules(&mut self, path: &Path<'_>) {
        for counter in path.met.iter().take(path.met_len) {
            if let Some(hits) = usize::try_from(*counter)
                .ok()
                .and_then(|at| self.rule_hits.get_mut(at))
            {
                *hits += 1;
            }
        }
    }
}
