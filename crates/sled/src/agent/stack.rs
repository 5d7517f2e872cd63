//! TCP towards one guest: connections that it opens to the DNS servers of its subnets and to the metadata service.
//!
//! A stack is made when a guest sends a segment and dropped when its last connection has ended. Its addresses are
//! whatever the segments that the engine punts are sent to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use rackweave_types::Instant;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time;
use smoltcp::wire::{HardwareAddress, IpEndpoint};

use super::device::{IpLink, open_routes, our_time, stack_time};

/// Connections of one guest at a time.
pub(super) const MAX_CONNECTIONS: usize = 16;
/// Octets that a socket takes from the guest before the agent has read them.
const RECEIVE: usize = 8192;
/// Octets that a socket holds until the guest has acknowledged them.
const SEND: usize = 16_384;
/// Octets read from a socket that wait for the rest of their message; more than any message of a guest's may have but
/// those of DNS, which are read as they come.
const MAX_INPUT: usize = 66 * 1024;
/// How long a guest may leave a segment without acknowledgment.
const SILENCE: time::Duration = time::Duration::from_secs(10);
/// How long a connection may be of no use: without a request, or in the middle of one.
const IDLE: Duration = Duration::from_secs(20);

/// A connection of a guest's.
#[derive(Debug)]
pub(super) struct Connection {
    handle: SocketHandle,
    /// The port of the service.
    pub(super) service: u16,
    /// What the guest sent and nobody has taken.
    pub(super) input: Vec<u8>,
    /// What the guest is to get and the socket has not taken.
    pub(super) output: Vec<u8>,
    /// Queries that wait for a resolver.
    pub(super) waiting: usize,
    /// Whether it ends when all output is sent.
    pub(super) ending: bool,
    /// Whether the guest has said all it has to say.
    guest_is_done: bool,
    /// When a request was taken or an answer went on last; octets of half a request do not count.
    pub(super) since: Instant,
}

/// See the [module](self).
pub(super) struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    link: IpLink,
    /// By a number that no other connection of the guest ever had.
    pub(super) connections: BTreeMap<u64, Connection>,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// A segment that opens a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Stack {
    /// A stack towards a guest that takes packets of `mtu` octets. `seed` makes its sequence numbers.
    pub(super) fn new(mtu: u16, seed: u64, now: Instant) -> Self {
        let mut link = IpLink::new(mtu);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut link, stack_time(now));
        interface.set_any_ip(true);
        open_routes(&mut interface);
        Self {
            interface,
            sockets: SocketSet::new(Vec::new()),
            link,
            connections: BTreeMap::new(),
        }
    }

    /// Takes a packet with a segment from `remote` to `local`; `opening` is the number of the connection that it opens,
    /// where it asks for one.
    ///
    /// Returns whether a connection was opened.
    pub(super) fn receive(
        &mut self,
        packet: &[u8],
        (remote, local): ((IpAddr, u16), (IpAddr, u16)),
        opening: Option<u64>,
        now: Instant,
    ) -> Result<bool, TooMany> {
        let (remote, local) = (IpEndpoint::from(remote), IpEndpoint::from(local));
        let known = self.connections.values().any(|connection| {
            let socket = self.sockets.get::<Socket<'_>>(connection.handle);
            socket.remote_endpoint() == Some(remote) && socket.local_endpoint() == Some(local)
        });
        let opened = match opening.filter(|_| !known) {
            Some(number) => {
                self.listen(number, local, now)?;
                Some(number)
            }
            None => None,
        };
        self.link.push(packet);
        self.poll(now);
        // A segment that is malformed opened nothing.
        Ok(opened.is_some_and(|number| self.keep_opened(number)))
    }

    fn keep_opened(&mut self, number: u64) -> bool {
        let Some(connection) = self.connections.get(&number) else {
            return false;
        };
        let handle = connection.handle;
        let opened = !self.sockets.get::<Socket<'_>>(handle).is_listening();
        if !opened {
            self.sockets.remove(handle);
            self.connections.remove(&number);
        }
        opened
    }

    fn listen(&mut self, number: u64, local: IpEndpoint, now: Instant) -> Result<(), TooMany> {
        self.reap();
        if self.connections.len() >= MAX_CONNECTIONS && !self.drop_ended() {
            return Err(TooMany);
        }
        let buffer = |len| SocketBuffer::new(vec![0; len]);
        let mut socket = Socket::new(buffer(RECEIVE), buffer(SEND));
        socket.set_timeout(Some(SILENCE));
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.listen(local).map_err(|_| TooMany)?;
        let connection = Connection {
            handle: self.sockets.add(socket),
            service: local.port,
            input: Vec::new(),
            output: Vec::new(),
            waiting: 0,
            ending: false,
            guest_is_done: false,
            since: now,
        };
        self.connections.insert(number, connection);
        Ok(())
    }

    /// Makes room by dropping a connection that has ended and only waits for what may be late (RFC 9293, section
    /// 3.6.1). Whether there was one.
    fn drop_ended(&mut self) -> bool {
        let ended = self.connections.iter().find(|(_, connection)| {
            let state = self.sockets.get::<Socket<'_>>(connection.handle).state();
            matches!(state, State::TimeWait | State::Closed)
        });
        let Some(number) = ended.map(|(number, _)| *number) else {
            return false;
        };
        self.remove(number);
        true
    }

    fn remove(&mut self, number: u64) {
        if let Some(connection) = self.connections.remove(&number) {
            self.sockets.remove(connection.handle);
        }
    }

    /// Forgets the connections that are closed.
    fn reap(&mut self) {
        let closed: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                let socket = self.sockets.get::<Socket<'_>>(connection.handle);
                socket.state() == State::Closed
            })
            .map(|(number, _)| *number)
            .collect();
        for number in closed {
            self.remove(number);
        }
    }

    /// Takes packets in: connections have what the guest sent.
    pub(super) fn poll(&mut self, now: Instant) {
        self.interface
            .poll(stack_time(now), &mut self.link, &mut self.sockets);
        for connection in self.connections.values_mut() {
            connection.read(self.sockets.get_mut::<Socket<'_>>(connection.handle));
        }
    }

    /// Sends what connections have for the guest.
    pub(super) fn flush(&mut self, now: Instant) {
        for connection in self.connections.values_mut() {
            let socket = self.sockets.get_mut::<Socket<'_>>(connection.handle);
            connection.write(socket, now);
        }
        self.interface
            .poll(stack_time(now), &mut self.link, &mut self.sockets);
    }

    /// Ends what takes too long, and forgets what has ended. Says how many took too long.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        let mut late = 0;
        for connection in self.connections.values_mut() {
            if connection.waiting > 0 || now.since(connection.since) < IDLE {
                continue;
            }
            let socket = self.sockets.get_mut::<Socket<'_>>(connection.handle);
            late += u64::from(socket.state() != State::TimeWait);
            socket.abort();
        }
        if late > 0 {
            self.flush(now);
        }
        self.reap();
        late
    }

    /// When there is something to do though no packet comes.
    pub(super) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let stack = self.interface.poll_at(stack_time(now), &self.sockets);
        let idle = self
            .connections
            .values()
            .filter(|connection| connection.waiting == 0)
            .map(|connection| connection.since.after(IDLE));
        stack.map(our_time).into_iter().chain(idle).min()
    }

    /// The next packet for the guest.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.link.pop()
    }
}

impl Connection {
    fn read(&mut self, socket: &mut Socket<'_>) {
        while self.input.len() < MAX_INPUT && socket.can_recv() {
            let taken = socket.recv(|octets| {
                self.input.extend_from_slice(octets);
                (octets.len(), ())
            });
            if taken.is_err() {
                break;
            }
        }
        self.guest_is_done = socket.state() == State::CloseWait && !socket.can_recv();
    }

    fn write(&mut self, socket: &mut Socket<'_>, now: Instant) {
        while !self.output.is_empty() && socket.can_send() {
            let Ok(sent) = socket.send_slice(&self.output) else {
                break;
            };
            self.output.drain(..sent);
            self.since = now;
        }
        let ending = self.ending || (self.guest_is_done && self.waiting == 0);
        if ending && self.output.is_empty() && socket.may_send() {
            socket.close();
        }
    }
}
