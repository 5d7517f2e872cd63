//! One guest: its queue, its rate, its connections.

use std::collections::VecDeque;
use std::net::IpAddr;

use rackweave_types::{Instant, PortId, reserved};
use rackweave_vpc::punt;

use super::bucket::Bucket;
use super::dns::{self, Client, Forwarder, Outcome, SubmitError, Unreadable, Zones};
use super::metadata::{self, Asker, Parsed, Tokens};
use super::packet::{Link, NoPacket, Packet, Transport, udp_room};
use super::stack::{Connection, Stack};
use super::turn::Turn;
use super::view::GuestView;
use crate::workers::Punted;

/// Packets of a guest that wait.
const MAX_QUEUE: usize = 128;
/// Packets that a guest may send to the services in a second, as at other clouds, and at once.
const PACKETS: (u32, u32) = (1024, 1024);
/// Queries of a guest that may go to resolvers in a second, and at once.
const FORWARDS: (u32, u32) = (100, 200);
/// Queries of one connection that may wait for resolvers.
const MAX_WAITING: usize = 16;
/// Octets of answers that a connection holds before more queries are read.
const MAX_OUTPUT: usize = 64 * 1024;

/// What a guest is answered with.
#[derive(Debug)]
pub(super) struct Services<'a> {
    /// The zones of its VPC.
    pub(super) zones: Option<&'a Zones>,
    /// Resolvers outside.
    pub(super) forwarder: &'a mut Forwarder,
    /// Tokens of the metadata service.
    pub(super) tokens: &'a Tokens,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Guest {
    port: PortId,
    queue: VecDeque<Punted>,
    packets: Bucket,
    forwards: Bucket,
    stack: Option<Box<Stack>>,
    next_connection: u64,
    frames: Vec<Box<[u8]>>,
}

/// What became of a query at once.
enum Resolved {
    /// This is the answer.
    Reply(Vec<u8>),
    /// A resolver is asked.
    Waiting,
    /// Nothing is said.
    Silent,
}

impl Guest {
    pub(super) fn new(port: PortId) -> Self {
        Self {
            port,
            queue: VecDeque::new(),
            packets: Bucket::new(PACKETS.0, PACKETS.1),
            forwards: Bucket::new(FORWARDS.0, FORWARDS.1),
            stack: None,
            next_connection: 0,
            frames: Vec::new(),
        }
    }

    /// Queues a packet; `false` where it was dropped, counted.
    pub(super) fn push(&mut self, punted: Punted, turn: &mut Turn<'_>) -> bool {
        if self.queue.len() >= MAX_QUEUE {
            turn.counters.dropped_queue_full += 1;
            return false;
        }
        if !self.packets.take(turn.now) {
            turn.counters.dropped_rate_limited += 1;
            return false;
        }
        self.queue.push_back(punted);
        true
    }

    /// Whether packets wait.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Connections that the guest holds.
    pub(super) fn connections(&self) -> usize {
        self.stack
            .as_ref()
            .map_or(0, |stack| stack.connections.len())
    }

    /// Ends everything that rests on how the guest was: its connections.
    pub(super) fn reset(&mut self) {
        self.stack = None;
    }

    /// Serves the next packet. `may_open` says whether there is room for another connection of anybody.
    pub(super) fn serve(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        may_open: bool,
        turn: &mut Turn<'_>,
    ) {
        let Some(punted) = self.queue.pop_front() else {
            return;
        };
        let packet = match Packet::parse(&punted.frame) {
            Ok(packet) => packet,
            Err(NoPacket::Fragment) => {
                turn.counters.dropped_fragment += 1;
                return;
            }
            Err(NoPacket::Malformed) => {
                turn.counters.dropped_malformed += 1;
                return;
            }
        };
        match packet.transport {
            Transport::Udp {
                src_port,
                dst_port: dns::PORT,
                payload,
            } if punted.queue == punt::DNS && view.dns.contains(&packet.dst) => {
                let ends = ((packet.src, src_port), packet.dst);
                self.query(view, services, ends, payload, turn);
            }
            Transport::Tcp {
                src_port,
                dst_port,
                opens,
            } if is_service(view, punted.queue, (packet.dst, dst_port)) => {
                let ends = ((packet.src, src_port), (packet.dst, dst_port));
                self.segment(view, services, &packet, ends, opens && may_open, turn);
                if opens && !may_open {
                    turn.counters.dropped_connection_limit += 1;
                }
            }
            _ => turn.counters.dropped_malformed += 1,
        }
    }

    /// Answers a query over UDP.
    fn query(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        (guest, server): ((IpAddr, u16), IpAddr),
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) {
        let client = Client::Udp { guest, server };
        let room = udp_room(server, view.mtu);
        let resolved = self.resolve(view, services, (client, room), payload, turn);
        if let Resolved::Reply(reply) = resolved {
            self.reply(view, (server, guest), &reply);
        }
    }

    /// Sends an answer over UDP.
    fn reply(&mut self, view: &GuestView, (server, guest): (IpAddr, (IpAddr, u16)), reply: &[u8]) {
        let frame = ethernet(view).udp((server, dns::PORT), guest, reply);
        self.frames.extend(frame);
    }

    /// Answers a query, or hands it to the forwarder. `room` is the longest answer that can be carried.
    fn resolve(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        (client, room): (Client, usize),
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Resolved {
        turn.counters.dns_queries += 1;
        let over_udp = matches!(client, Client::Udp { .. });
        turn.counters.dns_queries_tcp += u64::from(!over_udp);
        let request = match dns::read(payload) {
            Ok(request) => request,
            Err(Unreadable::Silent) => {
                turn.counters.dns_malformed += 1;
                return Resolved::Silent;
            }
            Err(Unreadable::Say(message)) => {
                turn.counters.dns_refused += 1;
                return Resolved::Reply(dns::encode(&message, room).0);
            }
        };
        let max = if over_udp {
            room.min(request.max_payload())
        } else {
            room
        };
        let (name, chain) = match dns::answer(services.zones, &view.dns, &request) {
            Outcome::Reply(answer) => {
                turn.counters.dns_answered += 1;
                let (reply, cut) = dns::encode(&dns::compose(&request, answer), max);
                turn.counters.dns_truncated += u64::from(cut);
                return Resolved::Reply(reply);
            }
            Outcome::Forward { name, chain } => (name, chain),
        };
        let spare = request.clone();
        let submitted = if self.forwards.take(turn.now) {
            let asker = (self.port, client);
            services
                .forwarder
                .submit(asker, request, (name, chain), turn)
        } else {
            Err(SubmitError)
        };
        if submitted.is_ok() {
            return Resolved::Waiting;
        }
        turn.counters.dns_overload += 1;
        let refused = dns::compose(&spare, dns::Answer::bare(dns::OVERLOAD));
        Resolved::Reply(dns::encode(&refused, max).0)
    }

    /// Gives a segment to the stack.
    fn segment(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        packet: &Packet<'_>,
        ends: ((IpAddr, u16), (IpAddr, u16)),
        opens: bool,
        turn: &mut Turn<'_>,
    ) {
        let stack = self
            .stack
            .get_or_insert_with(|| Box::new(Stack::new(view.mtu, turn.random.number(), turn.now)));
        let number = self.next_connection;
        self.next_connection += 1;
        match stack.receive(packet.ip, ends, opens.then_some(number), turn.now) {
            Ok(opened) => turn.counters.connections += u64::from(opened),
            Err(_) => turn.counters.dropped_connection_limit += 1,
        }
        self.work(view, services, turn);
    }

    /// A query that waited for a resolver is done.
    pub(super) fn done(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        done: dns::Done,
        turn: &mut Turn<'_>,
    ) {
        let max_payload = done.request.max_payload();
        let message = dns::compose(&done.request, done.answer);
        match done.client {
            Client::Udp { guest, server } => {
                let max = udp_room(server, view.mtu).min(max_payload);
                let (reply, cut) = dns::encode(&message, max);
                turn.counters.dns_truncated += u64::from(cut);
                self.reply(view, (server, guest), &reply);
            }
            Client::Tcp(number) => {
                let stack = self.stack.as_mut();
                let connection = stack.and_then(|stack| stack.connections.get_mut(&number));
                if let Some(connection) = connection {
                    connection.waiting = connection.waiting.saturating_sub(1);
                    connection.since = turn.now;
                    put_message(connection, &dns::encode(&message, dns::TCP_MAX).0);
                    self.work(view, services, turn);
                }
            }
        }
    }

    /// Moves connections on as far as they go.
    pub(super) fn work(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Some(mut stack) = self.stack.take() else {
            return;
        };
        stack.poll(turn.now);
        loop {
            let mut progress = false;
            for (number, connection) in &mut stack.connections {
                progress |= match connection.service {
                    dns::PORT => self.messages(view, services, (*number, connection), turn),
                    _ => self.requests(view, services, connection, turn),
                };
            }
            stack.flush(turn.now);
            if !progress {
                break;
            }
        }
        turn.counters.connections_timed_out += stack.expire(turn.now);
        while let Some(packet) = stack.pop() {
            self.frames.extend(ethernet(view).frame(&packet));
        }
        if !stack.connections.is_empty() {
            self.stack = Some(stack);
        }
    }

    /// Reads queries from a connection (RFC 7766). Whether there was one.
    fn messages(
        &mut self,
        view: &GuestView,
        services: &mut Services<'_>,
        (number, connection): (u64, &mut Connection),
        turn: &mut Turn<'_>,
    ) -> bool {
        let mut progress = false;
        while connection.waiting < MAX_WAITING && connection.output.len() < MAX_OUTPUT {
            let Some((len, rest)) = connection.input.split_first_chunk::<2>() else {
                break;
            };
            let len = usize::from(u16::from_be_bytes(*len));
            let Some(message) = rest.get(..len).map(<[u8]>::to_vec) else {
                break;
            };
            connection.input.drain(..len + 2);
            connection.since = turn.now;
            progress = true;
            let client = (Client::Tcp(number), dns::TCP_MAX);
            match self.resolve(view, services, client, &message, turn) {
                Resolved::Reply(reply) => put_message(connection, &reply),
                Resolved::Waiting => connection.waiting += 1,
                Resolved::Silent => connection.ending = true,
            }
        }
        progress
    }

    /// Reads requests from a connection. Whether there was one.
    fn requests(
        &self,
        view: &GuestView,
        services: &Services<'_>,
        connection: &mut Connection,
        turn: &mut Turn<'_>,
    ) -> bool {
        if connection.ending || !connection.output.is_empty() || connection.input.is_empty() {
            return false;
        }
        let response = match metadata::parse(&connection.input) {
            Parsed::Partial => return false,
            Parsed::Bad(response) => {
                turn.counters.metadata_requests += 1;
                turn.counters.metadata_refused += 1;
                connection.input.clear();
                response
            }
            Parsed::Request(request, len) => {
                connection.input.drain(..len);
                let asker = Asker {
                    port: self.port,
                    instance: view.instance.as_deref(),
                };
                metadata::respond(asker, &request, services.tokens, turn)
            }
        };
        connection.since = turn.now;
        connection.ending = !response.keep_alive;
        connection.output = response.encode();
        true
    }

    /// When there is something to do though no packet comes.
    pub(super) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        self.stack.as_mut()?.deadline(now)
    }

    /// The frames for the guest.
    pub(super) fn take_frames(&mut self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut self.frames)
    }
}

/// Whether an address and port are those of a service over TCP, which the packet was punted for.
fn is_service(view: &GuestView, queue: u8, (addr, port): (IpAddr, u16)) -> bool {
    let metadata = addr == reserved::METADATA_V4 || addr == reserved::METADATA_V6;
    match queue {
        punt::DNS => port == dns::PORT && view.dns.contains(&addr),
        punt::METADATA => port == metadata::PORT && metadata,
        _ => false,
    }
}

fn ethernet(view: &GuestView) -> Link {
    Link {
        src: reserved::GATEWAY_MAC,
        dst: view.mac,
    }
}

/// Adds a message with its length (RFC 1035, section 4.2.2).
fn put_message(connection: &mut Connection, message: &[u8]) {
    if let Ok(len) = u16::try_from(message.len()) {
        connection.output.extend_from_slice(&len.to_be_bytes());
        connection.output.extend_from_slice(message);
    }
}
