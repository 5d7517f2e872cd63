//! A topology that runs, in virtual time and from a seed.
//!
//! Every node runs the machine that the router runs. What stands around the machine in a real node is simple here:
//! the kernel takes every route and answers after [`FIB_DELAY`]; liveness is up after [`LIVENESS_UP`] once both ends of a
//! cable that passes frames watch each other, and down [`LIVENESS_DOWN`] after frames began to vanish; the delay of a
//! cable is measured as it is. Frames take the cable's delay and jitter, and some are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_routing::ddm::item::Scope;
use rackweave_routing::fabric::{
    Asker, Event, Fabric, FibAnswer, Input, LinkId, LinkState, Measured, Now, Output, Settings,
};
use rackweave_trust::Assignment;
use rackweave_types::{Instant, ServicePrefix};

use crate::cable::{CableState, Watch};
use crate::fault::{Fault, Manner, Part};
use crate::node::Node;
use crate::queue::Queue;
use crate::random::Random;
use crate::tape::Tape;
use crate::topology::{CableIx, End, NodeIx, NodeSpec, Topology};

/// How long the kernel takes to answer.
pub const FIB_DELAY: Duration = Duration::from_micros(50);
/// How long the kernel takes to change a filter.
const FILTER_DELAY: Duration = Duration::from_millis(15);
/// From the moment that both ends watch a cable that passes frames to liveness.
pub const LIVENESS_UP: Duration = Duration::from_millis(5);
/// From the moment that frames vanish to the end of liveness: three times 10 ms.
pub const LIVENESS_DOWN: Duration = Duration::from_millis(30);
/// How long a lost carrier takes to be known.
pub const CARRIER: Duration = Duration::from_micros(500);
/// The date at the beginning, in seconds since 1970.
const DATE: u64 = 1_800_000_000;
/// Nodes start within this time of each other.
const SPREAD: Duration = Duration::from_millis(50);

/// Changes messages on their way: where faults are planted.
pub type Mangle = Box<dyn FnMut(&Topology, NodeIx, Vec<u8>) -> Vec<u8>>;

/// A topology that runs.
pub struct World {
    /// What runs.
    pub topology: Topology,
    /// Its nodes, in the topology's order.
    pub nodes: Vec<Node>,
    pub(crate) cables: Vec<CableState>,
    queue: Queue<Happening>,
    random: Random,
    now: Instant,
    changed: Instant,
    failed: BTreeSet<Fault>,
    served: Vec<(NodeIx, ServicePrefix)>,
    mangle: Option<Mangle>,
    tapes: BTreeMap<NodeIx, Tape>,
    outputs: Vec<Output>,
    log: Vec<(NodeIx, Event)>,
    /// How many events are kept.
    pub log_limit: usize,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("World");
        debug.field("now", &self.now).field("failed", &self.failed);
        debug.finish_non_exhaustive()
    }
}

/// What is under way.
#[derive(Debug)]
enum Happening {
    Start(NodeIx),
    Wake(NodeIx),
    /// A frame comes out of a cable, which it went into in this state of the cable.
    Arrive(CableIx, usize, u32, Frame),
    /// For a node, in this life of it.
    Tell(NodeIx, u32, Box<Input>),
    /// Both ends of a cable are looked at, in this state of it.
    Judge(CableIx, u32),
}

#[derive(Debug)]
enum Frame {
    Solicitation,
    Advertisement(Ipv6Addr),
    Datagram(Ipv6Addr, Vec<u8>),
}

impl World {
    /// All nodes are off, and start within 50 ms once time passes.
    #[must_use]
    pub fn new(topology: Topology, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut queue = Queue::new();
        let nodes = topology.nodes.iter().map(|_| Node::new()).collect();
        let cables = topology
            .cables
            .iter()
            .map(|_| CableState::default())
            .collect();
        let spread = u64::try_from(SPREAD.as_nanos()).unwrap_or(0);
        for (ix, _) in topology.all() {
            let at = Instant::from_nanos(random.below(spread));
            queue.push(at, Happening::Start(ix));
        }
        Self {
            topology,
            nodes,
            cables,
            queue,
            random,
            now: Instant::START,
            changed: Instant::START,
            failed: BTreeSet::new(),
            served: Vec::new(),
            mangle: None,
            tapes: BTreeMap::new(),
            outputs: Vec::new(),
            log: Vec::new(),
            log_limit: 0,
        }
    }

    /// Plants a fault: messages pass through this on their way.
    #[must_use]
    pub fn mangled(mut self, mangle: Mangle) -> Self {
        self.mangle = Some(mangle);
        self
    }

    /// Records what a node is told, from its next start on.
    pub fn record(&mut self, ix: NodeIx) {
        self.tapes.insert(ix, Tape::default());
    }

    /// What was recorded; nothing more is.
    pub fn take_tapes(&mut self) -> BTreeMap<NodeIx, Tape> {
        std::mem::take(&mut self.tapes)
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// When a route last took other ways.
    pub const fn changed(&self) -> Instant {
        self.changed
    }

    /// What the nodes told people last, the oldest first.
    pub fn log(&self) -> impl Iterator<Item = String> {
        let names = &self.topology.nodes;
        self.log.iter().map(|(node, event)| {
            let at = event.at.since(Instant::START);
            format!("{at:?} {}: {}", names[node.0].name, event.what)
        })
    }

    /// Whether a node is there.
    pub fn is_up(&self, node: NodeIx) -> bool {
        let faults = self.failed.iter();
        !faults
            .into_iter()
            .any(|fault| fault.part == Part::Node(node))
    }

    /// Whether frames pass a cable.
    pub fn passes(&self, cable: CableIx) -> bool {
        self.manner(cable).is_none()
    }

    /// How a cable fails: as itself, or with a node at one of its ends.
    fn manner(&self, cable: CableIx) -> Option<Manner> {
        let ends = self.topology.cables[cable.0].ends;
        let faults = self.failed.iter().filter(|fault| match fault.part {
            Part::Cable(failed) => failed == cable,
            Part::Node(node) => ends.iter().any(|end| end.node == node),
        });
        faults.map(|fault| fault.manner).min()
    }

    /// Lets time pass.
    pub fn run_until(&mut self, until: Instant) {
        while let Some((at, happening)) = self.queue.pop(until) {
            self.now = at;
            self.happen(happening);
        }
        self.now = self.now.max(until);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now.after(duration));
    }

    /// Lets time pass until no route took other ways for `calm`, at most for `limit`. Gives how long after now the last
    /// one did; nothing where there was no calm.
    pub fn settle(&mut self, calm: Duration, limit: Duration) -> Option<Duration> {
        let began = self.now;
        loop {
            let next = self.changed.max(began).after(calm);
            if next <= self.now {
                return Some(self.changed.since(began));
            }
            if self.now.since(began) >= limit {
                return None;
            }
            self.run_until(next);
        }
    }

    /// Has a part fail. A node that fails loses all that it knows.
    pub fn fail(&mut self, fault: Fault) {
        if !self.failed.insert(fault) {
            return;
        }
        if let Part::Node(ix) = fault.part {
            self.stop(ix);
            for cable in self.of(fault.part) {
                let ends = self.topology.cables[cable.0].ends;
                for (watch, end) in self.cables[cable.0].watches.iter_mut().zip(ends) {
                    if end.node == ix {
                        *watch = None;
                    }
                }
            }
        }
        for cable in self.of(fault.part) {
            self.recheck(cable);
        }
    }

    /// Has a part be whole again.
    pub fn heal(&mut self, fault: Fault) {
        if !self.failed.remove(&fault) {
            return;
        }
        if let Part::Node(ix) = fault.part
            && self.is_up(ix)
        {
            self.nodes[ix.0] = Node {
                life: self.nodes[ix.0].life + 1,
                counters: self.nodes[ix.0].counters,
                ..Node::new()
            };
            self.queue.push(self.now, Happening::Start(ix));
        }
        for cable in self.of(fault.part) {
            self.recheck(cable);
        }
    }

    /// Has every part be whole again.
    pub fn heal_all(&mut self) {
        for fault in self.failed.clone() {
            self.heal(fault);
        }
    }

    /// Kills a node's router: what its kernel holds, and its liveness, go on without it.
    pub fn stop(&mut self, ix: NodeIx) {
        let node = &mut self.nodes[ix.0];
        node.fabric = None;
        node.wake = None;
        node.life += 1;
    }

    /// Starts a node's router, which finds what its kernel holds.
    pub fn start(&mut self, ix: NodeIx) {
        let spec = &self.topology.nodes[ix.0];
        let settings = settings(spec);
        let seed = self.random.seed();
        let now = self.time();
        if let Some(tape) = self.tapes.get_mut(&ix) {
            *tape = Tape {
                began: now,
                seed,
                inputs: Vec::new(),
            };
        }
        self.nodes[ix.0].fabric = Some(Fabric::new(settings, now, seed));
        let held = self.nodes[ix.0].fib.dump();
        self.tell(ix, Input::Kernel(held));
        for cable in self.topology.nodes[ix.0].cables.clone() {
            let (end, up) = (
                self.end_of(cable, ix),
                self.manner(cable) != Some(Manner::Loud),
            );
            self.tell(ix, Input::Link(link_state(&self.topology, end, up)));
        }
        self.originate(ix);
    }

    /// Has a node serve a prefix of the service rack, now and whenever it starts.
    pub fn serve(&mut self, ix: NodeIx, service: ServicePrefix) {
        self.served.push((ix, service));
        self.originate(ix);
    }

    /// Who serves which prefixes of the service rack.
    pub fn served(&self) -> impl Iterator<Item = (NodeIx, ServicePrefix)> {
        self.served.iter().copied()
    }

    fn originate(&mut self, ix: NodeIx) {
        let served = self.served.iter().filter(|(of, _)| *of == ix);
        let served: Vec<_> = served.map(|(_, service)| *service).collect();
        for service in served {
            self.nodes[ix.0].addresses.insert(service.address());
            let originate = Input::Originate {
                asker: Asker("service".into()),
                prefix: service.net(),
                scope: Scope::Service,
                ready: true,
            };
            self.tell(ix, originate);
        }
    }

    /// The cable behind a link, and who has the address at its other end.
    pub fn other_end(&self, ix: NodeIx, link: LinkId, via: Ipv6Addr) -> Option<(CableIx, NodeIx)> {
        let (cable, at) = self.cable_at(ix, link)?;
        let other = self.topology.cables[cable.0].ends[1 - at];
        (other.address == via).then_some((cable, other.node))
    }

    fn of(&self, part: Part) -> Vec<CableIx> {
        match part {
            Part::Cable(cable) => vec![cable],
            Part::Node(ix) => self.topology.nodes[ix.0].cables.clone(),
        }
    }

    /// A cable begins to pass frames, or ceases to, or begins or ceases to say so.
    fn recheck(&mut self, cable: CableIx) {
        let manner = self.manner(cable);
        let state = &mut self.cables[cable.0];
        if state.manner == manner {
            return;
        }
        let carrier = |manner| manner != Some(Manner::Loud);
        let told = carrier(state.manner) != carrier(manner);
        state.manner = manner;
        state.epoch += 1;
        let epoch = state.epoch;
        for end in self.topology.cables[cable.0].ends {
            if told {
                let up = carrier(manner);
                let link = link_state(&self.topology, end, up);
                self.tell_later(end.node, CARRIER, Input::Link(link));
            }
        }
        let wait = if manner.is_some() {
            LIVENESS_DOWN
        } else {
            LIVENESS_UP
        };
        self.queue
            .push(self.now.after(wait), Happening::Judge(cable, epoch));
    }

    /// Says to those at the ends of a cable whether it lives, where they do not know.
    fn judge(&mut self, cable: CableIx) {
        let ends = self.topology.cables[cable.0].ends;
        let watched = |at: usize, state: &CableState| {
            state.watches[at].is_some_and(|watch| watch.peer == ends[1 - at].address)
        };
        let state = &self.cables[cable.0];
        let lives = state.manner.is_none() && watched(0, state) && watched(1, state);
        let quality = self.topology.cables[cable.0].quality;
        for (at, end) in ends.into_iter().enumerate() {
            let Some(watch) = &mut self.cables[cable.0].watches[at] else {
                continue;
            };
            let peer = watch.peer;
            if watch.lives == lives {
                continue;
            }
            watch.lives = lives;
            let reason = if lives {
                ""
            } else {
                "no frames came for 30 ms"
            };
            if lives {
                let measured = Measured {
                    rtt_ns: u32::try_from((quality.delay * 2).as_nanos()).unwrap_or(u32::MAX),
                    loss_ppm: quality.loss_ppm,
                };
                let link = end.link;
                self.tell_later(
                    end.node,
                    Duration::ZERO,
                    Input::Measured {
                        link,
                        peer,
                        measured,
                    },
                );
            }
            let input = Input::Liveness {
                link: end.link,
                peer,
                up: lives,
                reason: reason.into(),
            };
            self.tell_later(end.node, Duration::ZERO, input);
        }
    }

    fn end_of(&self, cable: CableIx, node: NodeIx) -> End {
        let [a, b] = self.topology.cables[cable.0].ends;
        if a.node == node { a } else { b }
    }

    const fn time(&self) -> Now {
        Now {
            at: self.now,
            unix: DATE + self.now.nanos() / 1_000_000_000,
        }
    }

    fn tell_later(&mut self, ix: NodeIx, delay: Duration, input: Input) {
        let life = self.nodes[ix.0].life;
        let happening = Happening::Tell(ix, life, Box::new(input));
        self.queue.push(self.now.after(delay), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start(ix) => {
                if self.is_up(ix) && self.nodes[ix.0].fabric.is_none() {
                    self.start(ix);
                }
            }
            Happening::Wake(ix) => {
                let node = &mut self.nodes[ix.0];
                if node.wake == Some(self.now) {
                    node.wake = None;
                    let due = node.fabric.as_ref().and_then(Fabric::deadline);
                    if due.is_some_and(|due| due <= self.now) {
                        self.tell(ix, Input::Tick);
                    } else {
                        self.plan(ix);
                    }
                }
            }
            Happening::Tell(ix, life, input) => {
                if self.nodes[ix.0].life == life {
                    self.tell(ix, *input);
                }
            }
            Happening::Judge(cable, epoch) => {
                if self.cables[cable.0].epoch == epoch {
                    self.judge(cable);
                }
            }
            Happening::Arrive(cable, at, epoch, frame) => {
                if self.cables[cable.0].epoch == epoch {
                    self.arrive(cable, at, frame);
                }
            }
        }
    }

    fn arrive(&mut self, cable: CableIx, at: usize, frame: Frame) {
        let ends = self.topology.cables[cable.0].ends;
        let (to, from) = (ends[at], ends[1 - at].address);
        let link = to.link;
        let input = match frame {
            Frame::Solicitation => Input::Solicited { link, from },
            Frame::Advertisement(address) if address == to.address => {
                Input::Advertised { link, from }
            }
            Frame::Datagram(address, bytes) if address == to.address => {
                Input::Datagram { link, from, bytes }
            }
            Frame::Advertisement(_) | Frame::Datagram(..) => return,
        };
        self.tell(to.node, input);
    }

    /// Tells a node something, and does what it says.
    fn tell(&mut self, ix: NodeIx, input: Input) {
        let now = self.time();
        let mut outputs = std::mem::take(&mut self.outputs);
        if let Some(fabric) = &mut self.nodes[ix.0].fabric {
            if let Some(tape) = self.tapes.get_mut(&ix) {
                tape.inputs.push((now, input.clone()));
            }
            fabric.handle(now, input, &mut outputs);
        }
        for output in outputs.drain(..) {
            self.perform(ix, output);
        }
        self.outputs = outputs;
        self.plan(ix);
    }

    /// Has a node be woken when it wants to be.
    fn plan(&mut self, ix: NodeIx) {
        let node = &mut self.nodes[ix.0];
        let due = node.fabric.as_ref().and_then(Fabric::deadline);
        if let Some(due) = due.map(|due| due.max(self.now))
            && node.wake.is_none_or(|wake| wake > due)
        {
            node.wake = Some(due);
            self.queue.push(due, Happening::Wake(ix));
        }
    }

    fn perform(&mut self, ix: NodeIx, output: Output) {
        let counters = &mut self.nodes[ix.0].counters;
        match output {
            Output::Solicit { link } => {
                counters.discovery += 1;
                self.send(ix, link, Frame::Solicitation);
            }
            Output::Advertise { link, to } => {
                counters.discovery += 1;
                self.send(ix, link, Frame::Advertisement(to));
            }
            Output::Send { link, to, bytes } => {
                counters.messages += 1;
                counters.octets += u64::try_from(bytes.len()).unwrap_or(0);
                let bytes = match &mut self.mangle {
                    Some(mangle) => mangle(&self.topology, ix, bytes),
                    None => bytes,
                };
                self.send(ix, link, Frame::Datagram(to, bytes));
            }
            Output::Watch { link, peer, .. } => self.watch(ix, link, Some(peer)),
            Output::Unwatch { link, .. } => self.watch(ix, link, None),
            Output::Install(route) => {
                counters.installs += 1;
                let prefix = route.prefix;
                if self.nodes[ix.0].fib.install(route) {
                    self.changed = self.now;
                }
                let answer = FibAnswer::Done;
                self.tell_later(ix, FIB_DELAY, Input::Fib { prefix, answer });
            }
            Output::Remove(prefix) => {
                counters.removals += 1;
                if self.nodes[ix.0].fib.remove(prefix) {
                    self.changed = self.now;
                }
                let answer = FibAnswer::Done;
                self.tell_later(ix, FIB_DELAY, Input::Fib { prefix, answer });
            }
            Output::AddAddress(address) => {
                self.nodes[ix.0].addresses.insert(address);
            }
            Output::RemoveAddress(address) => {
                self.nodes[ix.0].addresses.remove(&address);
            }
            Output::Event(event) => {
                counters.events += 1;
                if self.log_limit > 0 {
                    if self.log.len() == self.log_limit {
                        self.log.remove(0);
                    }
                    self.log.push((ix, event));
                }
            }
            Output::Filter { link, allowed, .. } => {
                self.tell_later(ix, FILTER_DELAY, Input::Filtered { link, allowed });
            }
            _ => {}
        }
    }

    fn cable_at(&self, ix: NodeIx, link: LinkId) -> Option<(CableIx, usize)> {
        let place = usize::try_from(link.0).ok()?.checked_sub(1)?;
        let cable = *self.topology.nodes[ix.0].cables.get(place)?;
        let ends = self.topology.cables[cable.0].ends;
        Some((cable, usize::from(ends[0].node != ix)))
    }

    fn watch(&mut self, ix: NodeIx, link: LinkId, peer: Option<Ipv6Addr>) {
        let Some((cable, at)) = self.cable_at(ix, link) else {
            return;
        };
        let state = &mut self.cables[cable.0];
        let known = state.watches[at].map(|watch| watch.peer);
        // Who asks again, a router started anew, is told again.
        state.watches[at] = peer.map(|peer| Watch { peer, lives: false });
        let again = known.is_some() && known == peer;
        let epoch = state.epoch;
        let wait = match peer {
            _ if again => Duration::ZERO,
            Some(_) => LIVENESS_UP,
            None => LIVENESS_DOWN,
        };
        self.queue
            .push(self.now.after(wait), Happening::Judge(cable, epoch));
    }

    /// Puts a frame into a cable.
    fn send(&mut self, ix: NodeIx, link: LinkId, frame: Frame) {
        let Some((cable, at)) = self.cable_at(ix, link) else {
            return;
        };
        let quality = self.topology.cables[cable.0].quality;
        let state = &self.cables[cable.0];
        if state.manner.is_some() || self.random.happens(quality.loss_ppm) {
            return;
        }
        let jitter = u64::try_from(quality.jitter.as_nanos()).unwrap_or(0);
        let jitter = Duration::from_nanos(self.random.below(jitter + 1));
        let arrives = self.now.after(quality.delay + jitter);
        let epoch = state.epoch;
        self.queue
            .push(arrives, Happening::Arrive(cable, 1 - at, epoch, frame));
    }
}

fn link_state(topology: &Topology, end: End, up: bool) -> LinkState {
    let node = &topology.nodes[end.node.0];
    LinkState {
        link: end.link,
        name: format!("{}.{}", node.name, end.link.0),
        mac: end.mac,
        address: Some(end.address),
        up,
        mtu: None,
    }
}

/// What a node is told about itself before it meets anybody.
pub(crate) fn settings(spec: &NodeSpec) -> Settings {
    let mut settings = Settings::new(spec.hardware, spec.role);
    settings.identity.clone_from(&spec.name);
    settings.az = Some(spec.az);
    settings.assignment = spec.prefix.map(|prefix| Assignment {
        identity: spec.name.clone(),
        hardware: spec.hardware,
        role: spec.role,
        prefix,
        signature: Vec::new(),
    });
    settings
}
