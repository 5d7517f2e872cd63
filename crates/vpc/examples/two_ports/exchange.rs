//! The exchange itself: two ports, eight segments, and what became of each.

use std::error::Error;

use rackweave_engine::{Direction, Explanation, Frame, Port, RuleHits, Verdict};
use rackweave_testkit::capture::{Capture, Tap};
use rackweave_testkit::conversation::{Conversation, Speaker, View};
use rackweave_testkit::packet::flag;
use rackweave_testkit::state;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::PortConfig;
use rackweave_types::{Instant, reserved};

use crate::page::{Page, row};
use crate::{decision, headers};

/// Segments: who speaks, flags, what people call it, payload.
pub(crate) const SEGMENTS: [(Speaker, u8, &str, &[u8]); 8] = [
    (Speaker::Client, flag::SYN, "SYN", b""),
    (Speaker::Server, flag::SYN | flag::ACK, "SYN, ACK", b""),
    (Speaker::Client, flag::ACK, "ACK", b""),
    (
        Speaker::Client,
        flag::PSH | flag::ACK,
        "the request",
        b"GET /index.html HTTP/1.1\r\nHost: web\r\n\r\n",
    ),
    (
        Speaker::Server,
        flag::PSH | flag::ACK,
        "the response",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n",
    ),
    (Speaker::Client, flag::FIN | flag::ACK, "FIN, ACK", b""),
    (Speaker::Server, flag::FIN | flag::ACK, "FIN, ACK", b""),
    (Speaker::Client, flag::ACK, "ACK", b""),
];

/// Nanoseconds from one segment to the next.
const STEP: u64 = 250_000;

/// All that happened.
#[derive(Debug)]
pub(crate) struct Exchange {
    scene: Scene,
    test: Host,
    web: Host,
    pub(crate) steps: Vec<Step>,
    pub(crate) capture: Capture,
}

/// An instance's port.
#[derive(Debug)]
struct Host {
    name: &'static str,
    port: Port,
    tap: Tap,
}

/// One segment's way from guest to guest.
#[derive(Debug)]
pub(crate) struct Step {
    time: Instant,
    what: &'static str,
    from: &'static str,
    to: &'static str,
    sent: Vec<u8>,
    outward: Explanation,
    wire: Vec<u8>,
    inward: Explanation,
    received: Vec<u8>,
}

impl Exchange {
    /// Runs it.
    ///
    /// # Errors
    /// Where a packet does not arrive.
    pub(crate) fn run() -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        let mut capture = Capture::new()?;
        let mut host = |name, config: &PortConfig| -> Result<Host, Box<dyn Error>> {
            let (port, tap) = (scene.start(config)?, capture.tap(name, config)?);
            Ok(Host { name, port, tap })
        };
        let (mut test, mut web) = (host("test", &scene.test)?, host("web", &scene.web)?);
        let view = |config: &PortConfig, own: &str, other: &str| -> Result<View, Box<dyn Error>> {
            Ok(View {
                mac: config.mac,
                next_hop: reserved::GATEWAY_MAC,
                own: own.parse()?,
                other: other.parse()?,
            })
        };
        let mut conversation = Conversation::new(
            view(&scene.test, "10.0.1.5:40000", "10.0.1.6:80")?,
            view(&scene.web, "10.0.1.6:80", "10.0.1.5:40000")?,
        );
        let mut steps = Vec::new();
        for (number, (speaker, flags, what, payload)) in (0..).zip(SEGMENTS) {
            let sent = conversation.segment(speaker, flags, payload);
            let time = Instant::from_nanos(number * STEP);
            let (from, to) = match speaker {
                Speaker::Client => (&mut test, &mut web),
                Speaker::Server => (&mut web, &mut test),
            };
            let (outward, wire) = from.pass(&mut capture, Direction::Out, &sent, time)?;
            let (inward, received) = to.pass(&mut capture, Direction::In, &wire, time)?;
            steps.push(Step {
                time,
                what,
                from: from.name,
                to: to.name,
                sent,
                outward,
                wire,
                inward,
                received,
            });
        }
        Ok(Self {
            scene,
            test,
            web,
            steps,
            capture,
        })
    }

    /// Who takes part.
    pub(crate) fn introduce(&self, page: &mut Page) {
        page.title("Two instances, two engines, one network");
        page.line("Instance test fetches a page from instance web. Both are guests of one VPC, on");
        page.line(
            "different sleds. Each has a port with an engine; Geneve carries packets between.",
        );
        page.gap();
        let mut rows = vec![row([
            "instance",
            "address",
            "mac",
            "sled",
            "tunnel end point",
        ])];
        for (host, config, sled) in [
            (&self.test, &self.scene.test, "1"),
            (&self.web, &self.scene.web, "2"),
        ] {
            let address = config.addresses.first().map(|own| own.address.to_string());
            let end_point = self.scene.sled_of(config).sled.tunnel_endpoint();
            rows.push(row([
                host.name,
                &address.unwrap_or_default(),
                &config.mac.to_string(),
                sled,
                &end_point.to_string(),
            ]));
        }
        page.table(2, &rows);
        page.gap();
        page.line(&format!(
            "The VPC is VNI {}; its gateway is 10.0.1.1 at {}.",
            self.scene.vpc.vni,
            reserved::GATEWAY_MAC
        ));
        page.line(
            "Its firewall lets everything out (rule 1), and TCP to port 80 in to web (rule 5).",
        );
    }

    /// The segments, a row each.
    pub(crate) fn overview(&self, page: &mut Page) {
        page.title("The connection, 10.0.1.5:40000 to 10.0.1.6:80");
        page.line(
            "The first packet of each way asks the layers of both ports; what they decide becomes",
        );
        page.line("the connection's record, which serves all packets after them.");
        page.gap();
        let mut rows = vec![row([
            "packet",
            "time",
            "way",
            "segment",
            "octets",
            "on the wire",
            "sender's port",
            "receiver's port",
        ])];
        for (number, step) in (1..).zip(&self.steps) {
            rows.push(row([
                &number.to_string(),
                &state::time(step.time),
                &format!("{} -> {}", step.from, step.to),
                step.what,
                &step.sent.len().to_string(),
                &step.wire.len().to_string(),
                decided_by(&step.outward),
                decided_by(&step.inward),
            ]));
        }
        page.table(2, &rows);
    }

    /// What both ports remember and have counted.
    pub(crate) fn memory(&self, page: &mut Page) {
        page.title("What both ports remember");
        let mut rows = Vec::new();
        for host in [&self.test, &self.web] {
            for (number, cells) in (0..).zip(state::flows(&host.port)) {
                // Protocol, ends, state, packets and octets: nothing is translated here.
                let cells = cells.into_iter().enumerate();
                let kept = cells.filter(|(column, _)| matches!(column, 0..=2 | 4..=6));
                let name = if number == 0 { "port" } else { host.name };
                let named = [name.to_owned()].into_iter();
                let row: Vec<String> = named.chain(kept.map(|(_, cell)| cell)).collect();
                if rows.first() != Some(&row) {
                    rows.push(row);
                }
            }
        }
        page.table(2, &rows);
        page.title("What both ports counted");
        for host in [&self.test, &self.web] {
            let met = |hits: &RuleHits| hits.hits > 0 && hits.rule.is_some();
            for mut rows in [state::counters(&host.port), state::rules(&host.port, met)] {
                if let Some(heading) = rows.first_mut().and_then(|row| row.first_mut()) {
                    host.name.clone_into(heading);
                }
                page.table(2, &rows);
                page.gap();
            }
        }
        page.line("Rules count the packets that asked them: none that a record served.");
    }
}

fn decided_by(explanation: &Explanation) -> &'static str {
    if explanation.established {
        "record"
    } else {
        "layers"
    }
}

impl Host {
    /// Sends a frame through the port, and has it explained before.
    fn pass(
        &mut self,
        capture: &mut Capture,
        direction: Direction,
        bytes: &[u8],
        now: Instant,
    ) -> Result<(Explanation, Vec<u8>), Box<dyn Error>> {
        let frame = Frame::new(bytes);
        let explanation = self.port.explain(direction, &frame, now);
        let (verdict, frame) = capture.send(self.tap, &mut self.port, direction, bytes, now)?;
        match (verdict, explanation) {
            (Verdict::Forward, Some(explanation)) => Ok((explanation, frame.bytes().to_vec())),
            (verdict, _) => Err(format!("the port of {}: {verdict:?}", self.name).into()),
        }
    }
}

impl Step {
    /// The segment's way, station by station.
    pub(crate) fn tell(&self, page: &mut Page) {
        let Self { from, to, what, .. } = self;
        page.line(&format!(
            "{what}, {from} -> {to}, at {}",
            state::time(self.time)
        ));
        page.step(1, &format!("Guest {from} sends {} octets", self.sent.len()));
        frame(&self.sent, page);
        page.step(2, &format!("The port of {from} decides"));
        decision::tell(&self.outward, Direction::Out, page);
        let (len, inner) = (self.wire.len(), self.sent.len());
        let tunnel = len.saturating_sub(inner);
        page.step(
            3,
            &format!("On the wire are {len} octets, {tunnel} of them the tunnel's"),
        );
        frame(&self.wire, page);
        page.step(4, &format!("The port of {to} decides"));
        decision::tell(&self.inward, Direction::In, page);
        let len = self.received.len();
        page.step(5, &format!("Guest {to} receives {len} octets"));
        frame(&self.received, page);
    }
}

/// The headers of a frame, or what is wrong with it.
fn frame(bytes: &[u8], page: &mut Page) {
    match headers::of(bytes) {
        Ok(rows) => page.table(5, &rows),
        Err(error) => page.line(&format!("   {error}")),
    }
}
