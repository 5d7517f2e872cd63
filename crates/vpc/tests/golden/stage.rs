//! Two ports of the scene, each with both sides recorded.

use std::net::SocketAddr;

use rackweave_engine::{Direction, Port, Verdict};
use rackweave_testkit::capture::{Capture, Tap};
use rackweave_testkit::conversation::View;
use rackweave_testkit::vpc::Scene;
use rackweave_testkit::{packet, state};
use rackweave_types::state::PortConfig;
use rackweave_types::{Instant, Vni, reserved};

use crate::compare;

/// One of the scene's instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// On sled 1, behind shared external addresses.
    Test,
    /// On sled 2, with floating addresses.
    Web,
}

/// Packets follow one another by a millisecond and a nanosecond: a capture that rounds shows.
const STEP: u64 = 1_000_001;

/// The scene at work.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    capture: Capture,
    hosts: [Host; 2],
    now: Instant,
}

#[derive(Debug)]
struct Host {
    name: &'static str,
    config: PortConfig,
    port: Port,
    /// `None` before its first packet: a port that takes no part is not in the capture.
    tap: Option<Tap>,
}

impl Stage {
    /// The scene as it is.
    pub(crate) fn new() -> Self {
        Self::of(Scene::new().unwrap())
    }

    /// The scene after a test has changed it.
    pub(crate) fn of(scene: Scene) -> Self {
        let host = |name, config: &PortConfig| Host {
            name,
            config: config.clone(),
            port: scene.start(config).unwrap(),
            tap: None,
        };
        Self {
            capture: Capture::new().unwrap(),
            hosts: [host("test", &scene.test), host("web", &scene.web)],
            now: Instant::START,
            scene,
        }
    }

    pub(crate) fn config(&self, who: Who) -> &PortConfig {
        &self.hosts[who as usize].config
    }

    /// A guest's view of a TCP connection: everything goes to the gateway.
    pub(crate) fn view(&self, who: Who, own: &str, other: &str) -> View {
        View {
            mac: self.config(who).mac,
            next_hop: reserved::GATEWAY_MAC,
            own: address(own),
            other: address(other),
        }
    }

    /// A guest sends a frame, and this becomes of it; the frame that the port leaves.
    pub(crate) fn sends(&mut self, who: Who, bytes: &[u8], expected: Verdict) -> Vec<u8> {
        self.pass(who, Direction::Out, bytes, expected)
    }

    /// A frame comes from the underlay, and this becomes of it; the frame that the port leaves.
    pub(crate) fn receives(&mut self, who: Who, bytes: &[u8], expected: Verdict) -> Vec<u8> {
        self.pass(who, Direction::In, bytes, expected)
    }

    /// A guest sends a frame that reaches the other one, as it reaches it.
    pub(crate) fn carries(&mut self, from: Who, to: Who, bytes: &[u8]) -> Vec<u8> {
        let outer = self.sends(from, bytes, Verdict::Forward);
        self.receives(to, &outer, Verdict::Forward)
    }

    /// A guest sends a frame to the world outside; the frame inside the tunnel.
    pub(crate) fn leaves(&mut self, who: Who, bytes: &[u8]) -> Vec<u8> {
        let outer = self.sends(who, bytes, Verdict::Forward);
        match rackweave_engine::parse::parse_outer(&outer) {
            Ok(tunnel) if tunnel.vni == Vni::BOUNDARY => outer[usize::from(tunnel.len)..].to_vec(),
            other => self.fail(&format!("a frame for boundary services left in {other:?}")),
        }
    }

    /// Boundary services send a frame to a guest.
    pub(crate) fn comes(&mut self, who: Who, inner: &[u8], expected: Verdict) -> Vec<u8> {
        let group = self.scene.boundary.groups[0].address;
        let sled = self.scene.sled_of(self.config(who)).sled;
        let (vni, external) = (Vni::BOUNDARY, &packet::EXTERNAL);
        let outer = packet::geneve(group, sled.tunnel_endpoint(), vni, external, inner);
        self.receives(who, &outer, expected)
    }

    /// A guest sends a request for the agent, which is to find the very frame in this queue.
    pub(crate) fn asks_agent(&mut self, who: Who, bytes: &[u8], queue: u8) {
        self.sends(who, bytes, Verdict::Punt);
        let punt = self.hosts[who as usize].port.shards_mut()[0].pop_punt();
        let found = punt.map(|punt| (punt.queue, punt.direction, punt.bytes.to_vec()));
        let wanted = Some((queue, Direction::Out, bytes.to_vec()));
        if found != wanted {
            self.fail(&format!("the agent finds {found:02x?}, not {wanted:02x?}"));
        }
    }

    /// The agent gives a frame to a guest.
    pub(crate) fn agent_answers(&mut self, who: Who, bytes: &[u8]) {
        let (tap, now) = (self.tap(who), self.tick());
        self.capture.inject(tap, bytes, now).unwrap();
    }

    /// Compares what was captured with what is known to be right.
    pub(crate) fn matches(&self, name: &str) {
        if let Err(difference) = compare::with_golden(name, self.capture.bytes()) {
            self.fail(&difference);
        }
    }

    fn pass(&mut self, who: Who, direction: Direction, bytes: &[u8], expected: Verdict) -> Vec<u8> {
        let (tap, now) = (self.tap(who), self.tick());
        let host = &mut self.hosts[who as usize];
        let sent = self
            .capture
            .send(tap, &mut host.port, direction, bytes, now);
        match sent {
            Ok((verdict, frame)) if verdict == expected => frame.bytes().to_vec(),
            Ok((verdict, _)) => self.fail(&format!(
                "{who:?} {direction:?}: {verdict:?}, not {expected:?}"
            )),
            Err(fault) => self.fail(&fault),
        }
    }

    fn tap(&mut self, who: Who) -> Tap {
        let host = &mut self.hosts[who as usize];
        let new = || self.capture.tap(host.name, &host.config).unwrap();
        *host.tap.get_or_insert_with(new)
    }

    fn tick(&mut self) -> Instant {
        self.now = Instant::from_nanos(self.now.nanos() + STEP);
        self.now
    }

    /// Ends the test with the whole state of both ports.
    fn fail(&self, what: &str) -> ! {
        let states = self.hosts.each_ref();
        let states = states.map(|host| state::whole(host.name, &host.port));
        panic!("{what}\n\n{}", states.join("\n"))
    }
}

/// An address with its port.
pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
