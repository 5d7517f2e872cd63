//! Captures of ports: what goes into a port and what comes out of it, on both of its sides.
//!
//! Every port has two interfaces in a capture: `NAME/guest`, where it meets its guest, and
//! `NAME/wire`, where it meets the underlay. Directions are the port's own: what it takes is
//! inbound, what it gives is outbound. Every packet that goes in carries a comment with its verdict
//! and the rules behind it, so that Wireshark shows why the next one came out.

use std::net::IpAddr;

use rackweave_engine::{Direction, Explanation, Frame, LayerTrace, Port, Verdict};
use rackweave_types::Instant;
use rackweave_types::state::PortConfig;
use rackweave_vpc::RuleName;
use rackweave_wire::pcapng::{
    InterfaceId, Packet, PacketDirection, PcapngWriteError, PcapngWriter,
};

use crate::exchange::{self, Fault};

/// A capture that grows packet by packet.
#[derive(Clone, Debug)]
pub struct Capture {
    writer: PcapngWriter,
}

/// The two interfaces of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    guest: InterfaceId,
    wire: InterfaceId,
}

impl Tap {
    /// Where packets of this direction enter the port.
    const fn entry(self, direction: Direction) -> InterfaceId {
        match direction {
            Direction::Out => self.guest,
            Direction::In => self.wire,
        }
    }

    /// Where packets of this direction leave the port.
    const fn exit(self, direction: Direction) -> InterfaceId {
        match direction {
            Direction::Out => self.wire,
            Direction::In => self.guest,
        }
    }
}

impl Capture {
    /// A capture without packets.
    ///
    /// # Errors
    /// Never: the application's name is short.
    pub fn new() -> Result<Self, PcapngWriteError> {
        let writer = PcapngWriter::new("rackweave")?;
        Ok(Self { writer })
    }

    /// Taps both sides of a port, for which people say `name`.
    ///
    /// # Errors
    /// Where the name is too long.
    pub fn tap(&mut self, name: &str, config: &PortConfig) -> Result<Tap, PcapngWriteError> {
        let addresses: Vec<IpAddr> = config.addresses.iter().map(|own| own.address).collect();
        let who = format!("{name}, {} {addresses:?}", config.mac);
        let guest = format!("between the port and its guest: {who}");
        let wire = format!("between the port and the underlay: {who}");
        Ok(Tap {
            guest: self.writer.interface(&format!("{name}/guest"), &guest)?,
            wire: self.writer.interface(&format!("{name}/wire"), &wire)?,
        })
    }

    /// Sends a frame through a port as [`exchange::send`] does, and records it with all that comes
    /// of it.
    ///
    /// # Errors
    /// As [`exchange::send`], and where the capture takes no more; what went in is recorded.
    pub fn send(
        &mut self,
        tap: Tap,
        port: &mut Port,
        direction: Direction,
        bytes: &[u8],
        now: Instant,
    ) -> Result<(Verdict, Frame), Fault> {
        let explained = port.explain(direction, &Frame::new(bytes), now);
        let why = explained.as_ref().map(words).unwrap_or_default();
        self.taken(tap.entry(direction), bytes, &why, now)
            .map_err(|error| error.to_string())?;
        let (verdict, frame) = exchange::send(port, direction, bytes, now)?;
        let given = match verdict {
            Verdict::Forward => Some((tap.exit(direction), "forwarded")),
            Verdict::Hairpin => Some((tap.entry(direction), "answer of the engine")),
            Verdict::Refuse(_) => Some((tap.entry(direction), "refusal of the engine")),
            Verdict::Punt | Verdict::Drop(_) | Verdict::HandOver(_) => None,
        };
        if let Some((interface, comment)) = given {
            self.given(interface, frame.bytes(), comment, now)
                .map_err(|error| error.to_string())?;
        }
        Ok((verdict, frame))
    }

    /// Records what an agent gives to the guest past the engine: its answer to a punt.
    ///
    /// # Errors
    /// Where the capture takes no more.
    pub fn inject(&mut self, tap: Tap, frame: &[u8], now: Instant) -> Result<(), PcapngWriteError> {
        self.given(tap.guest, frame, "answer of the agent", now)
    }

    /// The capture so far, a whole file at any time.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    fn taken(
        &mut self,
        interface: InterfaceId,
        frame: &[u8],
        comment: &str,
        time: Instant,
    ) -> Result<(), PcapngWriteError> {
        let direction = Some(PacketDirection::Inbound);
        self.writer.packet(&Packet {
            interface,
            time,
            direction,
            frame,
            comment,
        })
    }

    fn given(
        &mut self,
        interface: InterfaceId,
        frame: &[u8],
        comment: &str,
        time: Instant,
    ) -> Result<(), PcapngWriteError> {
        let direction = Some(PacketDirection::Outbound);
        self.writer.packet(&Packet {
            interface,
            time,
            direction,
            frame,
            comment,
        })
    }
}

/// The verdict on a packet and the rules behind it, in a line: all rules that let a packet pass, or
/// the one that ended its way.
#[must_use]
pub fn words(explanation: &Explanation) -> String {
    let verdict = verdict(explanation.verdict);
    let layers = &explanation.trace.layers;
    let rules: Vec<String> = match explanation.verdict {
        _ if explanation.established => vec!["the record of its connection".to_owned()],
        Verdict::Forward => layers
            .iter()
            .filter(|layer| layer.stateful || layer.rule.is_some())
            .map(rule)
            .collect(),
        _ => layers.last().map(rule).into_iter().collect(),
    };
    if rules.is_empty() {
        verdict
    } else {
        format!("{verdict} by {}", rules.join(", "))
    }
}

/// A verdict as people read it.
#[must_use]
pub fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Forward => "forward".to_owned(),
        Verdict::Hairpin => "answer".to_owned(),
        Verdict::Punt => "punt".to_owned(),
        Verdict::Drop(reason) => format!("drop ({reason})"),
        Verdict::Refuse(reason) => format!("refuse ({reason})"),
        Verdict::HandOver(to) => format!("hand over to shard {}", to.shard),
    }
}

/// The rule that a layer chose, under the name that people gave it.
#[must_use]
pub fn rule(layer: &LayerTrace) -> String {
    let name = layer.rule.map(RuleName::of);
    match name {
        Some(Some(name)) => name.to_string(),
        Some(None) => format!("{}: an unknown rule", layer.layer),
        None if layer.stateful => format!("{}: known connection", layer.layer),
        None => format!("{}: default", layer.layer),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use rackweave_engine::DropReason;
    use rackweave_wire::pcapng::{Block, Blocks, PacketBlock};

    use super::*;
    use crate::packet::{self, FrameBuilder};
    use crate::vpc::Scene;

    type TestResult = Result<(), Box<dyn Error>>;

    fn packets(capture: &Capture) -> Vec<PacketBlock<'_>> {
        let blocks = Blocks::new(capture.bytes()).map(Result::unwrap);
        let packet = |block| match block {
            Block::Packet(packet) => Some(packet),
            _ => None,
        };
        blocks.filter_map(packet).collect()
    }

    /// What a packet is: interface, direction, comment.
    fn summary<'a>(packet: &PacketBlock<'a>) -> (u32, bool, &'a str) {
        let taken = packet.direction == Some(PacketDirection::Inbound);
        (packet.interface, taken, packet.comment)
    }

    #[test]
    fn both_sides_are_recorded_with_the_reason() -> TestResult {
        let scene = Scene::new()?;
        let mut port = scene.start(&scene.test)?;
        let mut capture = Capture::new()?;
        let tap = capture.tap("test", &scene.test)?;
        let now = Instant::from_nanos(7);
        let syn = FrameBuilder::tcp("10.0.1.5:40000", "10.0.1.6:80")
            .syn()
            .build();
        let (verdict, frame) = capture.send(tap, &mut port, Direction::Out, &syn, now)?;
        assert_eq!(verdict, Verdict::Forward);
        capture.send(tap, &mut port, Direction::Out, &syn, now)?;
        let found = packets(&capture);
        let rules = "forward by guard: own address, firewall: rule 1, router: subnet 1, \
                     overlay: vpc";
        let expected = [
            (0, true, rules),
            (1, false, "forwarded"),
            (0, true, "forward by the record of its connection"),
            (1, false, "forwarded"),
        ];
        assert_eq!(found.iter().map(summary).collect::<Vec<_>>(), expected);
        assert_eq!((found[0].frame, found[1].frame), (&syn[..], frame.bytes()));
        assert!(found.iter().all(|packet| packet.time == now));
        Ok(())
    }

    #[test]
    fn an_answer_goes_back_and_a_drop_leaves_nothing() -> TestResult {
        let scene = Scene::new()?;
        let mut port = scene.start(&scene.test)?;
        let mut capture = Capture::new()?;
        let tap = capture.tap("test", &scene.test)?;
        let ask = |target: &str| -> Result<Vec<u8>, Box<dyn Error>> {
            let own = "10.0.1.5".parse()?;
            Ok(packet::arp_request(scene.test.mac, own, target.parse()?))
        };
        for target in ["10.0.1.1", "10.0.1.6"] {
            capture.send(
                tap,
                &mut port,
                Direction::Out,
                &ask(target)?,
                Instant::START,
            )?;
        }
        capture.inject(tap, &[0; 60], Instant::START)?;
        let expected = [
            (0, true, "answer by gateway: arp for the gateway"),
            (0, false, "answer of the engine"),
            (0, true, "drop (rule_denied) by gateway: arp for others"),
            (0, false, "answer of the agent"),
        ];
        let found = packets(&capture);
        assert_eq!(found.iter().map(summary).collect::<Vec<_>>(), expected);
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_has_its_reason_alone() -> TestResult {
        let scene = Scene::new()?;
        let mut port = scene.start(&scene.test)?;
        let mut capture = Capture::new()?;
        let tap = capture.tap("test", &scene.test)?;
        let (verdict, _) = capture.send(tap, &mut port, Direction::In, &[0; 20], Instant::START)?;
        assert_eq!(verdict, Verdict::Drop(DropReason::Truncated));
        let found = packets(&capture);
        assert_eq!(
            found.iter().map(summary).collect::<Vec<_>>(),
            [(1, true, "drop (truncated)")]
        );
        Ok(())
    }
}
