//! A guest under its own flood, in virtual time: what is established stays, and names are still
//! found.
//!
//! The guest is the scene's `test`. It opens flows to random places outside as fast as it can, half
//! UDP and half TCP, through source translation and into a full table. Meanwhile it has connections,
//! half to `web` and half to the world outside, that carry a packet now and then, and it asks a
//! resolver outside, which answers a little later.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rackweave_engine::flow::TcpState;
use rackweave_engine::{Direction, FlowInfo, Frame, Port, Verdict};
use rackweave_types::{Instant, Vni};
use rackweave_wire::checksum;

use crate::exchange::{Fault, from_guest, from_outside};
use crate::packet::{self, Ends, flag};
use crate::random::Random;
use crate::vpc::{Scene, VPC};

const TEST: &str = "10.0.1.5";
const WEB: &str = "10.0.1.6";
const OUTSIDE: &str = "198.51.100.1";
const SERVER: &str = "192.0.2.80";
const RESOLVER: &str = "192.0.2.53";
const DNS: u16 = 53;
const SSH: u16 = 22;
/// The guest's port of the first connection.
const FIRST_PORT: u16 = 1_024;
/// The flood's packets come from these and higher ports.
const FLOOD_PORTS: u16 = 10_000;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack {
    /// How long it lasts, in milliseconds.
    pub millis: u64,
    /// Flows that the guest opens in each of them.
    pub flood: u32,
    /// Established connections.
    pub connections: u16,
    /// Milliseconds between two packets of a connection.
    pub pause: u64,
    /// Milliseconds between two questions to the resolver.
    pub question_every: u64,
    /// Milliseconds until it answers.
    pub answer_after: u64,
}

impl Attack {
    /// The attack that a port has to stand: for a minute a million flows a second, while 1,000
    /// connections carry a packet every 30 seconds and 100 questions a second are answered after
    /// 20 milliseconds.
    pub const MINUTE: Self = Self {
        millis: 60_000,
        flood: 1_000,
        connections: 1_000,
        pause: 30_000,
        question_every: 10,
        answer_after: 20,
    };

    /// The same attack for so many milliseconds. The connections' pause is shortened with it, so
    /// that each is used as often.
    #[must_use]
    pub const fn shortened(self, millis: u64) -> Self {
        Self {
            millis,
            pause: self.pause * millis / self.millis,
            ..self
        }
    }

    /// Runs the attack on the scene's `test`: the connections begin, the flood fills the table, and
    /// then time goes by.
    ///
    /// # Errors
    /// Where the attack cannot begin.
    pub fn run(&self, scene: &Scene) -> Result<Outcome, Box<dyn Error>> {
        let mut run = Run::new(*self, scene)?;
        run.connect(scene)?;
        run.fill()?;
        for at in 1..=self.millis {
            run.now = Instant::START.after(Duration::from_millis(at));
            run.flood();
            run.connections(at);
            run.questions(at);
            run.expire();
        }
        Ok(run.outcome())
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Connections that lost no packet and whose record is the one they began with.
    pub surviving: u32,
    /// Questions whose answer was due.
    pub questions: u32,
    /// Questions whose answer reached the guest.
    pub answered: u32,
    /// Flows of the flood that were opened.
    pub opened: u64,
    /// Flows that made room for others.
    pub evicted: u64,
    /// Flows that there were at the end.
    pub flows: u32,
}

impl Outcome {
    /// Questions that were answered, of a hundred.
    #[must_use]
    pub fn answered_percent(&self) -> f64 {
        f64::from(self.answered) * 100.0 / f64::from(self.questions.max(1))
    }
}

/// A connection: what either end sends, as it reaches the port.
#[derive(Debug)]
struct Connection {
    out: Vec<u8>,
    inbound: Vec<u8>,
    lost: bool,
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
struct Question {
    port: u16,
    /// The port that the resolver saw; `None` where the question never left.
    outside: Option<u16>,
}

#[derive(Debug)]
struct Run {
    attack: Attack,
    port: Port,
    now: Instant,
    random: Random,
    frame: Frame,
    /// A packet of the flood of each kind: UDP, TCP.
    flood: [Vec<u8>; 2],
    underlay: Underlay,
    connections: Vec<Connection>,
    ask: Ends,
    answer: Ends,
    asked: Vec<Question>,
    questions: u32,
    answered: u32,
    opened: u64,
}

/// Where the tunnels of inbound packets come from and go to.
#[derive(Clone, Copy, Debug)]
struct Underlay {
    boundary: Ipv6Addr,
    web: Ipv6Addr,
    test: Ipv6Addr,
}

impl Underlay {
    fn of_boundary(&self, inner: &[u8]) -> Vec<u8> {
        packet::geneve(
            self.boundary,
            self.test,
            Vni::BOUNDARY,
            &packet::EXTERNAL,
            inner,
        )
    }
}

impl Run {
    fn new(attack: Attack, scene: &Scene) -> Result<Self, Box<dyn Error>> {
        let ask = from_guest(&scene.test, TEST, RESOLVER)?;
        let group = scene.boundary.groups.first().ok_or("no boundary group")?;
        Ok(Self {
            attack,
            port: scene.start(&scene.test)?,
            now: Instant::START,
            random: Random::new(1),
            frame: Frame::new(&[]),
            flood: [
                packet::udp(&ask, (1, 1), b"flood"),
                packet::tcp(&ask, (1, 1), flag::SYN, b""),
            ],
            underlay: Underlay {
                boundary: group.address,
                web: scene.sled_of(&scene.web).sled.tunnel_endpoint(),
                test: scene.sled_of(&scene.test).sled.tunnel_endpoint(),
            },
            connections: Vec::new(),
            ask,
            answer: from_outside(&scene.test, RESOLVER, OUTSIDE)?,
            asked: Vec::new(),
            questions: 0,
            answered: 0,
            opened: 0,
        })
    }

    fn process(&mut self, direction: Direction, bytes: &[u8]) -> Verdict {
        self.frame.fill(bytes);
        self.port.process(direction, &mut self.frame, self.now)
    }

    /// Opens the connections, by turns to the world outside and to `web`.
    fn connect(&mut self, scene: &Scene) -> Result<(), Box<dyn Error>> {
        for port in (FIRST_PORT..).take(usize::from(self.attack.connections)) {
            let connection = if port % 2 == 0 {
                self.connect_outside(scene, port)?
            } else {
                self.connect_inside(scene, port)?
            };
            self.connections.push(connection);
        }
        Ok(())
    }

    fn connect_outside(&mut self, scene: &Scene, port: u16) -> Result<Connection, Box<dyn Error>> {
        let there = from_guest(&scene.test, TEST, SERVER)?;
        let back = from_outside(&scene.test, SERVER, OUTSIDE)?;
        // One server has fewer ports of the block than there are connections: each has its own.
        let remote = port;
        self.opens(
            &packet::tcp(&there, (port, remote), flag::SYN, b""),
            Direction::Out,
        )?;
        let outside = outside_port(self.frame.bytes()).ok_or("not translated")?;
        let segment = |flags| {
            let inner = packet::tcp(&back, (remote, outside), flags, b"");
            self.underlay.of_boundary(&inner)
        };
        let (answer, inbound) = (segment(flag::SYN | flag::ACK), segment(flag::ACK));
        self.opens(&answer, Direction::In)?;
        let out = packet::tcp(&there, (port, remote), flag::ACK, b"");
        self.opens(&out, Direction::Out)?;
        Ok(Connection {
            out,
            inbound,
            lost: false,
        })
    }

    fn connect_inside(&mut self, scene: &Scene, port: u16) -> Result<Connection, Box<dyn Error>> {
        let there = from_guest(&scene.test, TEST, WEB)?;
        let back = Ends {
            src_mac: scene.web.mac,
            dst_mac: scene.test.mac,
            ..there.reversed()
        };
        let vni = Vni::new(VPC)?;
        let Underlay { web, test, .. } = self.underlay;
        let segment = |flags| {
            let inner = packet::tcp(&back, (SSH, port), flags, b"");
            packet::geneve(web, test, vni, &[], &inner)
        };
        self.opens(
            &packet::tcp(&there, (port, SSH), flag::SYN, b""),
            Direction::Out,
        )?;
        self.opens(&segment(flag::SYN | flag::ACK), Direction::In)?;
        let out = packet::tcp(&there, (port, SSH), flag::ACK, b"");
        self.opens(&out, Direction::Out)?;
        Ok(Connection {
            out,
            inbound: segment(flag::ACK),
            lost: false,
        })
    }

    /// Sends a packet that a connection begins with.
    fn opens(&mut self, bytes: &[u8], direction: Direction) -> Result<(), Fault> {
        match self.process(direction, bytes) {
            Verdict::Forward => Ok(()),
            other => Err(format!("a connection does not begin: {other:?}")),
        }
    }

    /// Opens flows until the table is full.
    fn fill(&mut self) -> Result<(), Fault> {
        while self.port.counters().flows_evicted == 0 {
            let before = self.opened;
            self.flood();
            if self.opened == before {
                return Err("the flood opens no flow".to_owned());
            }
        }
        Ok(())
    }

    /// One millisecond of new flows.
    fn flood(&mut self) {
        for n in 0..self.attack.flood {
            let place = usize::from(n % 2 == 1);
            self.frame.fill(&self.flood[place]);
            redirect(self.frame.bytes_mut(), &mut self.random);
            let verdict = self.port.process(Direction::Out, &mut self.frame, self.now);
            self.opened += u64::from(verdict == Verdict::Forward);
        }
    }

    /// Sends a packet of each connection whose turn it is, by turns of either end.
    fn connections(&mut self, at: u64) {
        let (pause, round) = (self.attack.pause, at / self.attack.pause);
        let mut connections = std::mem::take(&mut self.connections);
        for (n, connection) in (0..).zip(&mut connections) {
            if at % pause != n % pause {
                continue;
            }
            let verdict = if (n / 2 + round).is_multiple_of(2) {
                self.process(Direction::Out, &connection.out)
            } else {
                self.process(Direction::In, &connection.inbound)
            };
            connection.lost |= verdict != Verdict::Forward;
        }
        self.connections = connections;
    }

    /// Asks the resolver, and has it answer what it was asked before.
    fn questions(&mut self, at: u64) {
        if !at.is_multiple_of(self.attack.question_every) {
            return;
        }
        let port = self.random.port(FLOOD_PORTS, u16::MAX);
        let verdict = self.process(
            Direction::Out,
            &packet::udp(&self.ask, (port, DNS), b"who?"),
        );
        let left = verdict == Verdict::Forward;
        let outside = left.then(|| outside_port(self.frame.bytes())).flatten();
        self.asked.push(Question { port, outside });
        let due = at.checked_sub(self.attack.answer_after);
        let due = due.and_then(|asked| (asked / self.attack.question_every).checked_sub(1));
        let due = due.and_then(|place| usize::try_from(place).ok());
        if let Some(question) = due.and_then(|place| self.asked.get(place)).copied() {
            self.questions += 1;
            self.answered += u32::from(self.answers(question));
        }
    }

    /// Whether the resolver's answer reaches who asked.
    fn answers(&mut self, question: Question) -> bool {
        let Some(outside) = question.outside else {
            return false;
        };
        let answer = packet::udp(&self.answer, (DNS, outside), b"me");
        let answer = self.underlay.of_boundary(&answer);
        self.process(Direction::In, &answer) == Verdict::Forward
            && self.frame.bytes().get(36..38) == Some(&question.port.to_be_bytes())
    }

    fn expire(&mut self) {
        for shard in self.port.shards_mut() {
            shard.expire(self.now, 64);
        }
    }

    fn outcome(&self) -> Outcome {
        let counters = self.port.counters();
        let began_at_first = |flow: &FlowInfo| {
            flow.tcp == Some(TcpState::Established) && flow.start == Instant::START
        };
        let there: BTreeSet<u16> = flows(&self.port)
            .filter(began_at_first)
            .map(|flow| flow.guest.local_port)
            .collect();
        let survives =
            |(port, connection): &(u16, &Connection)| !connection.lost && there.contains(port);
        let surviving = (FIRST_PORT..).zip(&self.connections).filter(survives);
        Outcome {
            surviving: u32::try_from(surviving.count()).unwrap_or(u32::MAX),
            questions: self.questions,
            answered: self.answered,
            opened: self.opened,
            evicted: counters.flows_evicted,
            flows: self.port.flow_count(),
        }
    }
}

/// Every connection of a port.
pub fn flows(port: &Port) -> impl Iterator<Item = FlowInfo> {
    port.shards()
        .iter()
        .flat_map(|shard| shard.flows(0, u32::MAX).0)
}

/// The source port of the packet inside the tunnel of a frame to the wire.
fn outside_port(frame: &[u8]) -> Option<u16> {
    let outer = rackweave_engine::parse::parse_outer(frame).ok()?;
    let at = usize::from(outer.len) + 34;
    Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?))
}

/// Sends an IPv4 packet, UDP or TCP, from another port to another place: any that is routed.
fn redirect(frame: &mut [u8], random: &mut Random) {
    let dst = Ipv4Addr::new(
        random.octet(11, 99),
        random.octet(0, 255),
        random.octet(0, 255),
        random.octet(1, 254),
    );
    let ports = (random.port(FLOOD_PORTS, u16::MAX), random.port(1, u16::MAX));
    frame[30..34].copy_from_slice(&dst.octets());
    frame[24..26].fill(0);
    let check = checksum::finish(checksum::sum(&frame[14..34]));
    frame[24..26].copy_from_slice(&check.to_be_bytes());
    frame[34..36].copy_from_slice(&ports.0.to_be_bytes());
    frame[36..38].copy_from_slice(&ports.1.to_be_bytes());
    let (protocol, place) = (frame[23], if frame[23] == 6 { 50 } else { 40 });
    frame[place..place + 2].fill(0);
    let src = Ipv4Addr::new(frame[26], frame[27], frame[28], frame[29]);
    let pseudo =
        packet::pseudo_header(IpAddr::V4(src), IpAddr::V4(dst), protocol, frame.len() - 34);
    let check = checksum::finish_udp(checksum::combine(pseudo, checksum::sum(&frame[34..])));
    frame[place..place + 2].copy_from_slice(&check.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::verify;

    #[test]
    fn packets_of_the_flood_are_valid() -> Result<(), Box<dyn Error>> {
        let run = Run::new(Attack::MINUTE, &Scene::new()?)?;
        let mut random = Random::new(7);
        for mut packet in run.flood {
            for _ in 0..1_000 {
                redirect(&mut packet, &mut random);
                verify(&packet)?;
            }
        }
        Ok(())
    }
}
