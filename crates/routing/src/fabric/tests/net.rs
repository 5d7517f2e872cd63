//! Nodes joined by wires, in virtual time: what the machines ask for is done as a kernel would.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_trust::Assignment;
use rackweave_types::{
    AzPrefix, BootstrapPrefix, Instant, MacAddr, NodeNumber, NodePrefix, RackNumber, RackPrefix,
    Role,
};

use crate::fabric::{
    Event, EventKind, Fabric, FibAnswer, Hop, Input, Installed, KernelRoute, LinkId, LinkState,
    Measured, Now, Output, Settings,
};

/// How long a datagram takes.
const DELAY: Duration = Duration::from_micros(100);
/// How long the kernel takes to change a filter.
const FILTERING: Duration = Duration::from_millis(15);
/// How long liveness takes to come up, and to find a silent death.
const LIVENESS: Duration = Duration::from_millis(2);
const DETECTION: Duration = Duration::from_millis(30);

/// A node of the test.
pub(super) struct Node {
    pub(super) fabric: Fabric,
    pub(super) settings: Settings,
    pub(super) kernel: BTreeMap<Ipv6Net, Installed>,
    pub(super) addresses: BTreeSet<Ipv6Addr>,
    pub(super) filters: BTreeMap<LinkId, Option<Vec<Ipv6Net>>>,
    pub(super) events: Vec<Event>,
    /// Prefixes that the kernel refuses.
    pub(super) refuses: BTreeSet<Ipv6Net>,
    pub(super) installs: usize,
    /// Whether its machine is told when filters are in force.
    pub(super) tells_filters: bool,
    watched: BTreeSet<(LinkId, Ipv6Addr)>,
    is_running: bool,
    starts: u8,
}

/// One end of a wire: a node, and its link.
type End = (usize, LinkId);

/// Nodes and wires.
pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    wires: BTreeMap<End, End>,
    /// Ends whose wire is cut, seen or unseen.
    cut: BTreeSet<End>,
    silent: BTreeSet<End>,
    queue: BTreeMap<(Instant, u64), (usize, Input)>,
    number: u64,
    pub(super) now: Instant,
    /// Datagrams sent in all.
    pub(super) sent: usize,
    /// What changes messages of the interior protocol before they leave a node.
    pub(super) tamper: Option<fn(usize, &mut Vec<u8>)>,
}

pub(super) fn az() -> AzPrefix {
    "fd00:1122:3344::/48".parse().unwrap()
}

pub(super) fn rack(number: u8) -> RackPrefix {
    RackPrefix::new(az(), RackNumber::new(number).unwrap())
}

pub(super) fn prefix(rack_number: u8, node: u8) -> NodePrefix {
    NodePrefix::new(rack(rack_number), NodeNumber::new(node).unwrap())
}

pub(super) fn address(mac: MacAddr, link: LinkId) -> Ipv6Addr {
    let [.., a, b, c] = mac.octets();
    let low = [a, b, c].map(u16::from);
    let link = u16::try_from(link.0).unwrap();
    Ipv6Addr::new(0xfe80, 0, 0, 0, low[0], low[1], low[2], link)
}

impl Net {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            wires: BTreeMap::new(),
            cut: BTreeSet::new(),
            silent: BTreeSet::new(),
            queue: BTreeMap::new(),
            number: 0,
            now: Instant::from_nanos(1_000_000_000),
            sent: 0,
            tamper: None,
        }
    }

    /// Adds a node, assigned to its place where it has one: rack and number.
    pub(super) fn node(&mut self, role: Role, place: Option<(u8, u8)>) -> usize {
        self.add(role, place, az())
    }

    /// Adds a node of another AZ.
    pub(super) fn node_of(&mut self, az: &str, role: Role, place: (u8, u8)) -> usize {
        self.add(role, Some(place), az.parse().unwrap())
    }

    fn add(&mut self, role: Role, place: Option<(u8, u8)>, az: AzPrefix) -> usize {
        let number = u8::try_from(self.nodes.len()).unwrap();
        let mac = MacAddr::new([2, 0, 0, 0, number, 1]);
        let mut settings = Settings::new(mac, role);
        settings.identity = format!("{role}{number}");
        settings.az = (role == Role::Spine).then_some(az);
        settings.assignment = place.map(|(r, n)| {
            let rack = RackPrefix::new(az, RackNumber::new(r).unwrap());
            let prefix = NodePrefix::new(rack, NodeNumber::new(n).unwrap());
            Assignment {
                prefix,
                ..Self::assignment(&settings, (r, n))
            }
        });
        self.nodes.push(Node {
            fabric: Fabric::new(settings.clone(), self.time(), [number; 32]),
            settings,
            kernel: BTreeMap::new(),
            addresses: BTreeSet::new(),
            filters: BTreeMap::new(),
            events: Vec::new(),
            refuses: BTreeSet::new(),
            installs: 0,
            tells_filters: true,
            watched: BTreeSet::new(),
            is_running: true,
            starts: 1,
        });
        self.nodes.len() - 1
    }

    pub(super) fn assignment(settings: &Settings, (r, n): (u8, u8)) -> Assignment {
        Assignment {
            identity: settings.identity.clone(),
            hardware: settings.hardware,
            role: settings.role,
            prefix: prefix(r, n),
            signature: Vec::new(),
        }
    }

    /// Joins two nodes by a wire; gives the link's number at the first.
    pub(super) fn wire(&mut self, a: usize, b: usize) -> LinkId {
        let count = |node: usize| self.wires.keys().filter(|(n, _)| *n == node).count();
        let [left, right] = [a, b].map(|node| LinkId(u32::try_from(count(node)).unwrap() + 1));
        self.wires.insert((a, left), (b, right));
        self.wires.insert((b, right), (a, left));
        self.set_link((a, left), true);
        self.set_link((b, right), true);
        left
    }

    /// The link of `a` that leads to `b`.
    pub(super) fn link(&self, a: usize, b: usize) -> LinkId {
        let mut wires = self
            .wires
            .iter()
            .filter(|(from, to)| from.0 == a && to.0 == b);
        wires.next().unwrap().0.1
    }

    fn state(&self, (node, link): End, up: bool) -> LinkState {
        let mac = self.nodes[node].settings.hardware;
        LinkState {
            link,
            name: format!("eth{}", link.0),
            mac,
            address: Some(address(mac, link)),
            up,
            mtu: None,
        }
    }

    fn set_link(&mut self, end: End, up: bool) {
        let state = self.state(end, up);
        self.input(end.0, Duration::ZERO, Input::Link(state));
    }

    fn time(&self) -> Now {
        Now {
            at: self.now,
            unix: 1_800_000_000,
        }
    }

    pub(super) fn input(&mut self, node: usize, after: Duration, input: Input) {
        self.number += 1;
        let at = (self.now.after(after), self.number);
        self.queue.insert(at, (node, input));
    }

    /// Cuts the wire between two nodes; both see their links go down.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        for end in self.ends(a, b) {
            self.cut.insert(end);
            self.set_link(end, false);
            self.liveness(end, DETECTION, false);
        }
    }

    pub(super) fn heal(&mut self, a: usize, b: usize) {
        for end in self.ends(a, b) {
            self.cut.remove(&end);
            self.silent.remove(&end);
            self.set_link(end, true);
            self.liveness(end, LIVENESS, true);
        }
    }

    /// Frames between two nodes vanish, and their links stay up.
    pub(super) fn silence(&mut self, a: usize, b: usize) {
        for end in self.ends(a, b) {
            self.silent.insert(end);
            self.liveness(end, DETECTION, false);
        }
    }

    /// Both ends of a wire measure this.
    pub(super) fn measure(&mut self, a: usize, b: usize, rtt_us: u32, loss_ppm: u32) {
        for end in self.ends(a, b) {
            let peer = self.peer(end);
            let measured = Measured {
                rtt_ns: rtt_us * 1_000,
                loss_ppm,
            };
            let link = end.1;
            let input = Input::Measured {
                link,
                peer,
                measured,
            };
            self.input(end.0, Duration::ZERO, input);
        }
    }

    /// The nodes to which a wire leads that passes frames.
    pub(super) fn wired(&self, node: usize) -> Vec<usize> {
        let passes = |end: &&End| !self.cut.contains(end) && !self.silent.contains(end);
        let ends = self.wires.keys().filter(|end| end.0 == node).filter(passes);
        ends.map(|end| self.wires[end].0).collect()
    }

    /// Every wire, by its nodes.
    pub(super) fn wires(&self) -> Vec<(usize, usize)> {
        let wires = self.wires.iter().map(|(a, b)| (a.0, b.0));
        wires.filter(|(a, b)| a < b).collect()
    }

    /// Racks of two switches each, with so many sleds; switches of different racks joined by a full mesh, or by spines.
    /// Gives the switches, two a rack; sleds come rack by rack before them.
    pub(super) fn racks(racks: u8, sleds: u8, spines: u8) -> (Self, Vec<usize>) {
        let mut net = Self::new();
        let mut switches = Vec::new();
        for rack in 1..=racks {
            let sleds: Vec<usize> = (1..=sleds)
                .map(|n| net.node(Role::Sled, Some((rack, n))))
                .collect();
            for number in [0xfd, 0xfe] {
                let switch = net.node(Role::Switch, Some((rack, number)));
                for sled in &sleds {
                    net.wire(*sled, switch);
                }
                switches.push(switch);
            }
        }
        if spines == 0 {
            for (at, a) in switches.iter().enumerate() {
                for b in &switches[(at / 2 + 1) * 2..] {
                    net.wire(*a, *b);
                }
            }
        }
        for _ in 0..spines {
            let spine = net.node(Role::Spine, None);
            for switch in &switches {
                net.wire(*switch, spine);
            }
        }
        (net, switches)
    }

    fn ends(&self, a: usize, b: usize) -> [End; 2] {
        [(a, self.link(a, b)), (b, self.link(b, a))]
    }

    fn peer(&self, end: End) -> Ipv6Addr {
        let (node, link) = self.wires[&end];
        address(self.nodes[node].settings.hardware, link)
    }

    /// What liveness says at one end, where it is watched.
    fn liveness(&mut self, end: End, after: Duration, up: bool) {
        let peer = self.peer(end);
        let is_earlier = |at: usize, input: &Input| matches!(input, Input::Liveness { link, .. } if (at, *link) == end);
        self.queue.retain(|_, (at, input)| !is_earlier(*at, input));
        if self.nodes[end.0].watched.contains(&(end.1, peer)) {
            let input = Input::Liveness {
                link: end.1,
                peer,
                up,
                reason: "silence for 30 ms".to_owned(),
            };
            self.input(end.0, after, input);
        }
    }

    /// The process of a node ends, without a word; its kernel goes on.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].is_running = false;
        self.queue.retain(|_, (at, _)| *at != node);
    }

    /// The process of a node is started, with what its kernel holds and its links.
    pub(super) fn start(&mut self, node: usize) {
        let now = self.time();
        let at = &mut self.nodes[node];
        at.starts += 1;
        at.is_running = true;
        let number = u8::try_from(node).unwrap();
        let mut seed = [number; 32];
        seed[0] = 0x80 + at.starts;
        at.fabric = Fabric::new(at.settings.clone(), now, seed);
        let held = at.kernel.values().map(|route| KernelRoute {
            prefix: route.prefix,
            source: route.source,
            hops: route.hops.clone(),
        });
        let held = Input::Kernel(held.collect());
        self.input(node, Duration::ZERO, held);
        let ends: Vec<End> = self
            .wires
            .keys()
            .copied()
            .filter(|end| end.0 == node)
            .collect();
        for end in ends {
            self.set_link(end, !self.cut.contains(&end));
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let until = self.now.after(duration);
        loop {
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let running = self.nodes.iter().enumerate().filter(|(_, n)| n.is_running);
            let due = running.filter_map(|(at, node)| Some((node.fabric.deadline()?, at)));
            let due = due.min();
            let next = match (queued, due) {
                (Some(queued), Some((due, _))) if queued <= due => queued,
                (_, Some((due, node))) => {
                    if due > until {
                        break;
                    }
                    self.now = self.now.max(due);
                    self.handle(node, Input::Tick);
                    continue;
                }
                (Some(queued), None) => queued,
                (None, None) => break,
            };
            if next > until {
                break;
            }
            self.now = next;
            if let Some((_, (node, input))) = self.queue.pop_first()
                && self.nodes[node].is_running
            {
                self.handle(node, input);
            }
        }
        self.now = until;
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    fn handle(&mut self, node: usize, input: Input) {
        let mut out = Vec::new();
        let now = self.time();
        self.nodes[node].fabric.handle(now, input, &mut out);
        for output in out {
            self.output(node, output);
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        match output {
            Output::Solicit { link } => {
                let from = address(self.nodes[node].settings.hardware, link);
                self.deliver((node, link), |link| Input::Solicited { link, from });
            }
            Output::Advertise { link, .. } => {
                let from = address(self.nodes[node].settings.hardware, link);
                self.deliver((node, link), |link| Input::Advertised { link, from });
            }
            Output::Send {
                link, mut bytes, ..
            } => {
                self.sent += 1;
                assert!(bytes.len() <= 1232, "a datagram of {} octets", bytes.len());
                if let Some(tamper) = self.tamper {
                    tamper(node, &mut bytes);
                }
                let from = address(self.nodes[node].settings.hardware, link);
                self.deliver((node, link), |link| Input::Datagram { link, from, bytes });
            }
            Output::Watch { link, peer, .. } => {
                let end = (node, link);
                let is_new = self.nodes[node].watched.insert((link, peer));
                let up = !self.cut.contains(&end) && !self.silent.contains(&end);
                if up {
                    let after = if is_new { LIVENESS } else { Duration::ZERO };
                    self.liveness(end, after, true);
                }
            }
            Output::Unwatch { link, peer } => {
                self.nodes[node].watched.remove(&(link, peer));
            }
            Output::Install(route) => {
                self.nodes[node].installs += 1;
                self.fib(node, route.prefix, Some(route));
            }
            Output::Remove(prefix) => self.fib(node, prefix, None),
            Output::AddAddress(address) => {
                self.nodes[node].addresses.insert(address);
            }
            Output::RemoveAddress(address) => {
                assert!(self.nodes[node].addresses.remove(&address));
            }
            Output::Filter { link, allowed, .. } => {
                self.nodes[node].filters.insert(link, allowed.clone());
                if self.nodes[node].tells_filters {
                    let done = Input::Filtered { link, allowed };
                    self.input(node, FILTERING, done);
                }
            }
            Output::Event(event) => self.nodes[node].events.push(event),
        }
    }

    fn fib(&mut self, node: usize, prefix: Ipv6Net, route: Option<Installed>) {
        let at = &mut self.nodes[node];
        let answer = if at.refuses.contains(&prefix) && route.is_some() {
            at.kernel.remove(&prefix);
            FibAnswer::Refused(12, "out of memory".to_owned())
        } else {
            match route {
                Some(route) => at.kernel.insert(prefix, route),
                None => at.kernel.remove(&prefix),
            };
            FibAnswer::Done
        };
        let after = Duration::from_micros(20);
        self.input(node, after, Input::Fib { prefix, answer });
    }

    fn deliver(&mut self, from: End, input: impl FnOnce(LinkId) -> Input) {
        if self.cut.contains(&from) || self.silent.contains(&from) {
            return;
        }
        let (node, link) = self.wires[&from];
        self.input(node, DELAY, input(link));
    }

    /// The first address of a node's /64.
    pub(super) fn own(&self, node: usize) -> Option<Ipv6Addr> {
        let addresses = self.nodes[node].addresses.iter();
        let mut own = addresses.filter(|a| BootstrapPrefix::of(**a).is_err());
        own.next().copied()
    }

    pub(super) fn bootstrap(&self, node: usize) -> Ipv6Addr {
        BootstrapPrefix::new(self.nodes[node].settings.hardware).address()
    }

    /// Follows packets by every way that kernels have: the most nodes passed.
    pub(super) fn walk(&self, from: usize, to: Ipv6Addr) -> Result<usize, String> {
        self.step(from, to, &mut vec![from])
    }

    fn step(&self, at: usize, to: Ipv6Addr, passed: &mut Vec<usize>) -> Result<usize, String> {
        let node = &self.nodes[at];
        if node.addresses.contains(&to) {
            return Ok(passed.len() - 1);
        }
        let served = node
            .kernel
            .values()
            .filter(|route| route.prefix.contains(&to));
        let Some(route) = served.max_by_key(|route| route.prefix.prefix_len()) else {
            return Err(format!("no route to {to} at {passed:?}"));
        };
        let is_up = |hop: &&Hop| !self.cut.contains(&(at, hop.link));
        let hops: Vec<&Hop> = route.hops.iter().filter(is_up).collect();
        if hops.is_empty() {
            return Err(format!(
                "{to} unreachable at {passed:?} by {}",
                route.prefix
            ));
        }
        let mut most = 0;
        for hop in hops {
            if self.silent.contains(&(at, hop.link)) {
                return Err(format!("{to} into silence at {passed:?}"));
            }
            let (next, link) = self.wires[&(at, hop.link)];
            let their = address(self.nodes[next].settings.hardware, link);
            assert_eq!(their, hop.via, "a way to nobody at {passed:?}");
            if passed.contains(&next) {
                return Err(format!("loop to {to}: {passed:?} then {next}"));
            }
            passed.push(next);
            most = most.max(self.step(next, to, passed)?);
            passed.pop();
        }
        Ok(most)
    }

    /// The ways that a node's kernel has to exactly this prefix, as neighbours' places with their weights.
    pub(super) fn ways(&self, node: usize, prefix: Ipv6Net) -> Option<Vec<(usize, u8)>> {
        let route = self.nodes[node].kernel.get(&prefix)?;
        let ways = route
            .hops
            .iter()
            .map(|hop| (self.wires[&(node, hop.link)].0, hop.weight));
        Some(ways.collect())
    }

    pub(super) fn events(&self, node: usize, kind: EventKind) -> Vec<&str> {
        let events = self.nodes[node].events.iter().filter(|e| e.kind == kind);
        events.map(|e| e.what.as_str()).collect()
    }
}
