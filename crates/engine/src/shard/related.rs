//! ICMP errors: they belong to the connection of the packet they are about.

use rackweave_types::Instant;

use super::packet::Packet;
use super::{Shard, Verdict, fast};
use crate::counters::side;
use crate::drop_reason::DropReason;
use crate::flow::CompiledFlow;
use crate::frame::{Checksum, Frame};
use crate::parse::Embedded;
use crate::program::Program;
use crate::transform;
use crate::walk::{Connection, End, Path, Trace, walk};

/// What the layers decided about an ICMP error.
pub(super) struct Related<'p> {
    pub(super) path: Path<'p>,
    embedded: Embedded,
    flow: CompiledFlow,
}

impl Related<'_> {
    /// Whether the layers let the error pass.
    pub(super) const fn passes(&self) -> Result<(), DropReason> {
        match self.path.end {
            End::Forward => Ok(()),
            End::Drop(reason, _) => Err(reason),
            // A program that answers or queues errors would do so without knowing their connection.
            End::Hairpin(_) | End::Punt(_) => Err(DropReason::Undecided),
        }
    }
}

impl Shard {
    /// Lets an ICMP error pass to the end of its connection, embedded packet and all.
    pub(super) fn forward_error(
        &mut self,
        related: &Related<'_>,
        packet: &Packet,
        frame: &mut Frame,
        now: Instant,
    ) -> Verdict {
        self.count_rules(&related.path);
        if let Err(reason) = related.passes() {
            return self.refused(packet.direction, reason);
        }
        if let Some(meter) = related.path.meter
            && !self.meter_takes(meter, packet, now)
        {
            return self.refused(packet.direction, DropReason::Metered);
        }
        match self.relay_error(related, packet, frame) {
            Ok(()) => {
                self.counters.from_previous_host += u64::from(related.path.moved);
                self.counters.forwarded[side(packet.direction)] += 1;
                Verdict::Forward
            }
            Err(reason) => self.refused(packet.direction, reason),
        }
    }

    /// Asks the layers about an ICMP error; changes nothing.
    pub(super) fn evaluate_error<'p>(
        &self,
        program: &'p Program,
        packet: &Packet,
        frame: &Frame,
        now: Instant,
        trace: Option<&mut Trace>,
    ) -> Result<Related<'p>, DropReason> {
        let embedded = packet.embedded(frame).ok_or(DropReason::IcmpHeader)?;
        let key = embedded.key(packet.direction);
        let hash = self.hasher.hash(&key);
        let record = self
            .table
            .lookup(&key, hash)
            .map(|number| self.table.get(number))
            .filter(|record| !self.table.is_expired(record, now))
            .ok_or(DropReason::IcmpErrorUnrelated)?;
        let forth = record.compiled.began(packet.direction);
        let connection = Connection {
            flow: &record.compiled,
            forth,
            related: true,
        };
        let path = walk(
            &self.context(program, Some(connection), false, hash, now),
            packet.fields(),
            trace,
        );
        Ok(Related {
            path,
            embedded,
            flow: record.compiled,
        })
    }

    /// Translates an error that may pass, and sends it on.
    pub(super) fn relay_error(
        &self,
        related: &Related<'_>,
        packet: &Packet,
        frame: &mut Frame,
    ) -> Result<(), DropReason> {
        let compiled = self.compile(packet, &related.path, None)?;
        let partial = matches!(frame.offload.checksum, Checksum::Partial { .. });
        let at = packet.outer.map_or(0, |outer| usize::from(outer.len));
        let inner = frame
            .bytes_mut()
            .get_mut(at..)
            .ok_or(DropReason::Truncated)?;
        let (direction, parsed) = (packet.direction, &packet.parsed);
        transform::translate_embedded(
            &related.flow,
            direction,
            parsed,
            &related.embedded,
            partial,
            inner,
        )?;
        let guest_mtu = self.program.underlay().guest_mtu;
        fast::execute(
            &compiled.flow,
            compiled.template.as_ref(),
            packet,
            frame,
            guest_mtu,
        )
    }
}
