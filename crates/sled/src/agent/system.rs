//! The sled's own end of the system port: queries to resolvers leave here, and their answers come.
//!
//! Datagrams are made and read packet by packet; a TCP stack serves only the answers that do not fit into one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use rackweave_types::{Instant, reserved};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time;
use smoltcp::wire::{HardwareAddress, IpCidr};

use super::device::{IpLink, open_routes, our_time, stack_time};
use super::dns;
use super::packet::{Link, Packet, Transport};
use super::turn::Turn;
use super::view::SystemView;

/// Octets that a socket takes from a resolver before they are read.
const RECEIVE: usize = 8192;
/// A query with its length.
const SEND: usize = 1024;
/// Connections to resolvers at a time.
const MAX_CONNECTIONS: usize = 64;
/// How long a resolver may leave a segment without acknowledgment.
const SILENCE: time::Duration = time::Duration::from_secs(3);
/// The first port that connections leave from.
const FIRST_PORT: u16 = 1024;

/// A datagram that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) from: (IpAddr, u16),
    pub(super) to_port: u16,
    pub(super) payload: &'a [u8],
}

/// A connection that is done: the question it was for, and the answer; `None` where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) question: u64,
    pub(super) answer: Option<Vec<u8>>,
}

/// How far a connection has come.
enum Step {
    Waits,
    Answered(Vec<u8>),
    Failed,
}

#[derive(Debug)]
struct Connection {
    handle: SocketHandle,
    query: Vec<u8>,
    input: Vec<u8>,
}

/// See the [module](self).
pub(super) struct System {
    view: SystemView,
    interface: Interface,
    sockets: SocketSet<'static>,
    link: IpLink,
    connections: BTreeMap<u64, Connection>,
    failed: Vec<u64>,
    frames: Vec<Box<[u8]>>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System")
            .field("view", &self.view)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl System {
    /// The end of this port.
    pub(super) fn new(view: SystemView, turn: &mut Turn<'_>) -> Self {
        let mut link = IpLink::new(view.mtu);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = turn.random.number();
        let mut interface = Interface::new(config, &mut link, stack_time(turn.now));
        interface.update_ip_addrs(|own| {
            let host =
                |addr: &IpAddr| IpCidr::new((*addr).into(), if addr.is_ipv4() { 32 } else { 128 });
            let room = own.capacity();
            own.extend(view.addresses.iter().map(host).take(room));
        });
        open_routes(&mut interface);
        Self {
            view,
            interface,
            sockets: SocketSet::new(Vec::new()),
            link,
            connections: BTreeMap::new(),
            failed: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// What it was made from.
    pub(super) fn view(&self) -> &SystemView {
        &self.view
    }

    /// The resolvers that the port can reach: it has an address of their family.
    pub(super) fn resolvers(&self) -> Vec<IpAddr> {
        let all = self.view.resolvers.iter().copied();
        all.filter(|to| self.own(*to).is_some()).collect()
    }

    /// The port's address of the same family.
    fn own(&self, to: IpAddr) -> Option<IpAddr> {
        let mut own = self.view.addresses.iter().copied();
        own.find(|own| own.is_ipv4() == to.is_ipv4())
    }

    fn ethernet(&self) -> Link {
        Link {
            src: self.view.mac,
            dst: reserved::GATEWAY_MAC,
        }
    }

    /// Sends a datagram to a resolver.
    pub(super) fn send(&mut self, from: u16, to: IpAddr, payload: &[u8]) {
        let frame = self
            .own(to)
            .and_then(|own| self.ethernet().udp((own, from), (to, dns::PORT), payload));
        self.frames.extend(frame);
    }

    /// Opens a connection to a resolver for a question.
    pub(super) fn open(&mut self, question: u64, to: IpAddr, payload: &[u8], turn: &mut Turn<'_>) {
        if !self.connect(question, to, payload, turn) {
            self.failed.push(question);
        }
    }

    fn connect(&mut self, question: u64, to: IpAddr, payload: &[u8], turn: &mut Turn<'_>) -> bool {
        let (Some(own), Ok(len)) = (self.own(to), u16::try_from(payload.len())) else {
            return false;
        };
        if self.connections.len() >= MAX_CONNECTIONS {
            return false;
        }
        let used: Vec<u16> = self
            .connections
            .values()
            .filter_map(|one| self.sockets.get::<Socket<'_>>(one.handle).local_endpoint())
            .map(|local| local.port)
            .collect();
        let port = loop {
            let port = turn.random.number16();
            if port >= FIRST_PORT && !used.contains(&port) {
                break port;
            }
        };
        let buffer = |len| SocketBuffer::new(vec![0; len]);
        let mut socket = Socket::new(buffer(RECEIVE), buffer(SEND));
        socket.set_timeout(Some(SILENCE));
        socket.set_nagle_enabled(false);
        let context = self.interface.context();
        if socket
            .connect(context, (to, dns::PORT), (own, port))
            .is_err()
        {
            return false;
        }
        let query = len.to_be_bytes().into_iter().chain(payload.iter().copied());
        let connection = Connection {
            handle: self.sockets.add(socket),
            query: query.collect(),
            input: Vec::new(),
        };
        self.connections.insert(question, connection);
        true
    }

    /// The connection for a question is not wanted any more.
    pub(super) fn close(&mut self, question: u64, now: Instant) {
        if let Some(connection) = self.connections.remove(&question) {
            self.sockets
                .get_mut::<Socket<'_>>(connection.handle)
                .abort();
            // What ends it leaves before the socket goes.
            self.interface
                .poll(stack_time(now), &mut self.link, &mut self.sockets);
            self.sockets.remove(connection.handle);
        }
    }

    /// Reads a frame that came; a datagram is given back, a segment is the stack's.
    pub(super) fn receive<'a>(&mut self, frame: &'a [u8]) -> Option<Datagram<'a>> {
        let packet = Packet::parse(frame).ok()?;
        if !self.view.addresses.contains(&packet.dst) {
            return None;
        }
        match packet.transport {
            Transport::Udp {
                src_port,
                dst_port,
                payload,
            } => Some(Datagram {
                from: (packet.src, src_port),
                to_port: dst_port,
                payload,
            }),
            Transport::Tcp { .. } => {
                self.link.push(packet.ip);
                None
            }
        }
    }

    /// Moves connections on. Returns those that are done.
    pub(super) fn poll(&mut self, now: Instant) -> Vec<Finished> {
        let time = stack_time(now);
        self.interface.poll(time, &mut self.link, &mut self.sockets);
        let failed = std::mem::take(&mut self.failed).into_iter();
        let mut finished: Vec<_> = failed
            .map(|question| Finished {
                question,
                answer: None,
            })
            .collect();
        for (question, connection) in &mut self.connections {
            let socket = self.sockets.get_mut::<Socket<'_>>(connection.handle);
            let answer = match connection.step(socket) {
                Step::Waits => continue,
                Step::Answered(answer) => Some(answer),
                Step::Failed => None,
            };
            finished.push(Finished {
                question: *question,
                answer,
            });
        }
        self.interface.poll(time, &mut self.link, &mut self.sockets);
        for done in &finished {
            self.close(done.question, now);
        }
        while let Some(packet) = self.link.pop() {
            self.frames.extend(self.ethernet().frame(&packet));
        }
        finished
    }

    /// When there is something to do though no packet comes.
    pub(super) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        self.interface
            .poll_at(stack_time(now), &self.sockets)
            .map(our_time)
    }

    /// The frames to send.
    pub(super) fn take_frames(&mut self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut self.frames)
    }
}

impl Connection {
    /// Sends the query and reads the answer.
    fn step(&mut self, socket: &mut Socket<'_>) -> Step {
        if !self.query.is_empty() && socket.can_send() {
            let sent = socket.send_slice(&self.query).unwrap_or(0);
            self.query.drain(..sent);
        }
        while socket.can_recv() {
            let read = socket.recv(|octets| {
                self.input.extend_from_slice(octets);
                (octets.len(), ())
            });
            if read.is_err() {
                break;
            }
        }
        if let Some((len, rest)) = self.input.split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes(*len));
            if let Some(message) = rest.get(..len) {
                return Step::Answered(message.to_vec());
            }
        }
        match socket.state() {
            // The resolver has closed, or never opened.
            State::Closed | State::CloseWait | State::TimeWait => Step::Failed,
            _ => Step::Waits,
        }
    }
}
