//! Speakers on one wire, in virtual time: connections are pipes that lose nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use rackweave_types::{Asn, Instant};

use crate::bgp::config::{Config, Marks, PeerConfig, RemoteAs};
use crate::bgp::policy::Policy;
use crate::bgp::{ConnId, Happening, Input, Output, PeerView, SessionState, Speaker, Way};
use crate::fabric::LinkId;

/// A speaker and what it did to the world.
pub(super) struct Node {
    pub(super) speaker: Speaker,
    pub(super) config: Config,
    pub(super) address: IpAddr,
    /// Whether it answers at all.
    pub(super) alive: bool,
    pub(super) kernel: BTreeMap<IpNet, Vec<Way>>,
    /// Whether the kernel answers.
    pub(super) kernel_answers: bool,
    unanswered: Vec<IpNet>,
    pub(super) told: Vec<(Happening, String)>,
    pub(super) watched: BTreeSet<(IpAddr, Option<LinkId>)>,
    pub(super) settled: usize,
    pub(super) sent: usize,
}

/// All of them.
pub(super) struct Net {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    /// Whose a connection is, and the number of its other end.
    conns: BTreeMap<ConnId, (usize, ConnId)>,
    next: u64,
    waiting: VecDeque<(usize, Input)>,
    /// Messages that are changed on the way.
    pub(super) spoil: Option<fn(&mut Vec<u8>)>,
}

pub(super) fn asn(number: u32) -> Asn {
    Asn::new(number).unwrap()
}

pub(super) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A peer that lets everything in and out.
pub(super) fn open_peer(address: IpAddr, remote: u32) -> PeerConfig {
    PeerConfig {
        address: Some(address),
        import: Policy::accept_all(),
        export: Policy::accept_all(),
        ..PeerConfig::new(RemoteAs::Number(asn(remote)))
    }
}

impl Net {
    /// Speakers of systems 65001, 65002 and so on, each with each other.
    pub(super) fn mesh(count: u8) -> Self {
        let address = |number: u8| IpAddr::from([10, 0, 0, number]);
        let mut net = Self {
            now: Instant::START.after(Duration::from_secs(1000)),
            nodes: Vec::new(),
            conns: BTreeMap::new(),
            next: 0,
            waiting: VecDeque::new(),
            spoil: None,
        };
        for own in 1..=count {
            let others = (1..=count).filter(|other| *other != own);
            let peers = others.map(|other| {
                let number = 65_000 + u32::from(other);
                (format!("n{other}"), open_peer(address(other), number))
            });
            let config = Config {
                asn: asn(65_000 + u32::from(own)),
                router_id: [10, 0, 0, own].into(),
                multipath: 4,
                restart_s: 120,
                peers: peers.collect(),
                statics: Vec::new(),
            };
            net.nodes
                .push(Node::new(net.now, config, address(own), false));
        }
        net
    }

    /// All are configured, and everything happens that follows.
    pub(super) fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            self.configure(node);
        }
    }

    pub(super) fn configure(&mut self, node: usize) {
        let config = self.nodes[node].config.clone();
        config.check().unwrap();
        self.tell(node, Input::Config(Box::new(config)));
    }

    /// A speaker is told something, and everything happens that follows at once.
    pub(super) fn tell(&mut self, node: usize, input: Input) {
        self.waiting.push_back((node, input));
        self.settle();
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        loop {
            self.settle();
            let alive = self.nodes.iter().filter(|node| node.alive);
            match alive.filter_map(|node| node.speaker.deadline()).min() {
                Some(due) if due <= end => {
                    self.now = self.now.max(due);
                    self.tick_due();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn tick_due(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            if node.alive && node.speaker.deadline().is_some_and(|due| due <= self.now) {
                self.tell(index, Input::Tick);
            }
        }
    }

    /// Everything that waits happens, and every step that is due at once.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            while let Some((node, input)) = self.waiting.pop_front() {
                self.one(node, input);
            }
            let at_once =
                |node: &Node| node.alive && node.speaker.deadline() == Some(Instant::START);
            let Some(node) = self.nodes.iter().position(at_once) else {
                return;
            };
            self.one(node, Input::Tick);
        }
        panic!("there is no end to what follows");
    }

    /// One input, and what it does to the world; what follows waits.
    pub(super) fn one(&mut self, index: usize, input: Input) {
        let node = &mut self.nodes[index];
        if !node.alive {
            return;
        }
        let mut out = Vec::new();
        node.speaker.handle(self.now, input, &mut out);
        for output in out {
            self.perform(index, output);
        }
    }

    fn perform(&mut self, index: usize, output: Output) {
        match output {
            Output::Connect { peer, target } => {
                let found = self
                    .nodes
                    .iter()
                    .position(|it| it.address == target.address);
                let input = match found.filter(|it| self.nodes[*it].alive) {
                    Some(other) => {
                        let (near, far) = (ConnId(self.next), ConnId(self.next + 1));
                        self.next += 2;
                        self.conns.insert(near, (index, far));
                        self.conns.insert(far, (other, near));
                        let (local, remote) = (self.nodes[index].address, target.address);
                        let accepted = Input::Accepted {
                            conn: far,
                            local: remote,
                            remote: local,
                            link: None,
                        };
                        self.waiting.push_back((other, accepted));
                        Input::Connected {
                            peer,
                            conn: near,
                            local,
                        }
                    }
                    None => Input::ConnectFailed {
                        peer,
                        why: "nobody is there".to_owned(),
                    },
                };
                self.waiting.push_back((index, input));
            }
            Output::Send { conn, mut bytes } => {
                self.nodes[index].sent += bytes.len();
                let octets = bytes.len();
                if let Some(spoil) = self.spoil {
                    spoil(&mut bytes);
                }
                if let Some((_, far)) = self.conns.get(&conn).copied()
                    && let Some((other, _)) = self.conns.get(&far).copied()
                {
                    self.waiting
                        .push_back((other, Input::Received { conn: far, bytes }));
                    self.waiting
                        .push_back((index, Input::Room { conn, octets }));
                }
            }
            Output::Close(conn) => self.cut(conn),
            Output::Install { prefix, ways } => {
                self.nodes[index].kernel.insert(prefix, ways.to_vec());
                self.answer(index, prefix);
            }
            Output::Remove(prefix) => {
                self.nodes[index].kernel.remove(&prefix);
                self.answer(index, prefix);
            }
            Output::Settled => self.nodes[index].settled += 1,
            Output::Watch { address, link } => {
                self.nodes[index].watched.insert((address, link));
            }
            Output::Unwatch { address, link } => {
                self.nodes[index].watched.remove(&(address, link));
            }
            Output::Told(told) => {
                let text = format!("{}: {}", told.peer, told.what);
                self.nodes[index].told.push((told.happening, text));
            }
            Output::Abandon(_) => {}
        }
    }

    fn answer(&mut self, index: usize, prefix: IpNet) {
        if self.nodes[index].kernel_answers {
            self.waiting
                .push_back((index, Input::Kernel(vec![(prefix, Ok(()))])));
        } else {
            self.nodes[index].unanswered.push(prefix);
        }
    }

    /// The kernel says to all that it was asked.
    pub(super) fn kernel(&mut self, index: usize) {
        let all = std::mem::take(&mut self.nodes[index].unanswered);
        let answers = all.into_iter().map(|prefix| (prefix, Ok(()))).collect();
        self.tell(index, Input::Kernel(answers));
    }

    /// A connection's other end hears that it is closed.
    fn cut(&mut self, conn: ConnId) {
        if let Some((_, far)) = self.conns.remove(&conn)
            && let Some((other, _)) = self.conns.remove(&far)
        {
            let why = "the other side closed the connection".to_owned();
            self.waiting
                .push_back((other, Input::Closed { conn: far, why }));
        }
    }

    /// The program is killed: its connections close, the kernel keeps its routes.
    pub(super) fn kill(&mut self, index: usize) {
        self.nodes[index].alive = false;
        let mine: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, (owner, _))| *owner == index)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in mine {
            self.cut(conn);
        }
        self.settle();
    }

    /// The program starts again, and finds its routes in the kernel.
    pub(super) fn revive(&mut self, index: usize) {
        let old = &self.nodes[index];
        let mut node = Node::new(self.now, old.config.clone(), old.address, true);
        node.kernel.clone_from(&old.kernel);
        self.nodes[index] = node;
        self.configure(index);
    }

    pub(super) fn originate(&mut self, node: usize, prefix: &str) {
        self.tell(
            node,
            Input::Originate {
                prefix: net(prefix),
                marks: Marks::default(),
                ready: true,
            },
        );
    }

    pub(super) fn peer(&self, node: usize, name: &str) -> PeerView {
        self.nodes[node]
            .speaker
            .peers()
            .find(|peer| &*peer.name == name)
            .unwrap()
    }

    pub(super) fn is_up(&self, node: usize, name: &str) -> bool {
        self.peer(node, name).state == SessionState::Established
    }

    /// Whether two hold the routes in their kernels that they have from each other.
    pub(super) fn has(&self, node: usize, prefix: &str) -> bool {
        self.nodes[node].kernel.contains_key(&net(prefix))
    }
}

impl Node {
    fn new(now: Instant, config: Config, address: IpAddr, restarting: bool) -> Self {
        let chance = u64::from(u32::from(config.router_id));
        Self {
            speaker: Speaker::new(now, config.asn, config.router_id, restarting, chance),
            config,
            address,
            alive: true,
            kernel: BTreeMap::new(),
            kernel_answers: true,
            unanswered: Vec::new(),
            told: Vec::new(),
            watched: BTreeSet::new(),
            settled: 0,
            sent: 0,
        }
    }

    /// How often something was told.
    pub(super) fn count(&self, happening: Happening) -> usize {
        self.told
            .iter()
            .filter(|(own, _)| *own == happening)
            .count()
    }

    pub(super) fn peer(&mut self, name: &str) -> &mut PeerConfig {
        self.config.peers.get_mut(name).unwrap()
    }
}
