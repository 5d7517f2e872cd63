//! Sending in batches.

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, UdpSocket};

use super::PAYLOAD_MAX;
use super::headers::Headers;
use super::losses::UdpLosses;
use super::single::{Single, datagrams};

/// Room for queued payloads; what does not fit makes a flush.
const ROOM: usize = 512 << 10;
/// Datagrams of one segmented send: what every kernel with `UDP_SEGMENT` takes (newer ones 128).
const SEGMENTS_MAX: usize = 64;

/// Where a payload goes, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The other tunnel end point.
    pub to: Ipv6Addr,
    /// The outer source port that the flow would have; it chooses one of the queue's sockets, whose
    /// port the packet gets.
    pub source_port: u16,
    /// DSCP and ECN of the outer header.
    pub traffic_class: u8,
}

/// One message to the kernel: datagrams of one size, the last one possibly shorter, on one socket.
#[derive(Debug)]
pub(super) struct Message {
    socket: usize,
    pub(super) to: Ipv6Addr,
    pub(super) traffic_class: u8,
    /// Octets of each datagram but the last.
    pub(super) size: usize,
    pub(super) count: usize,
    len: usize,
    /// The last datagram is shorter: nothing can follow it.
    closed: bool,
    /// Where in the room the payload is: start and length, in order.
    pub(super) parts: Vec<(usize, usize)>,
}

#[derive(Debug)]
pub(super) struct Sender {
    sockets: Vec<UdpSocket>,
    room: Box<[u8]>,
    used: usize,
    /// The first `queued` are; the others keep their memory for later.
    messages: Vec<Message>,
    queued: usize,
    /// The last message of each socket, which may take more. Flows of one socket stay in order.
    last: Vec<Option<usize>>,
    headers: Headers,
    gathered: Vec<u8>,
    losses: UdpLosses,
}

impl Sender {
    pub(super) fn new(sockets: Vec<UdpSocket>) -> Self {
        Self {
            room: vec![0; ROOM].into(),
            used: 0,
            messages: Vec::new(),
            queued: 0,
            last: vec![None; sockets.len()],
            headers: Headers::default(),
            gathered: Vec::new(),
            losses: UdpLosses::default(),
            sockets,
        }
    }

    pub(super) fn reserve(
        &mut self,
        target: &Target,
        len: usize,
        segment: Option<u16>,
    ) -> Option<&mut [u8]> {
        let Some(size) = datagram_size(len, segment) else {
            self.losses.too_long += 1;
            return None;
        };
        if len > ROOM {
            self.losses.too_long += datagrams(len, size);
            return None;
        }
        if self.used + len > ROOM {
            self.flush();
        }
        let start = self.used;
        let end = start + len;
        let mut at = start;
        loop {
            let take = message_len(size).min(end - at);
            self.queue(target, size, at, take);
            at += take;
            if at == end {
                break;
            }
        }
        self.used = end;
        Some(&mut self.room[start..end])
    }

    /// Queues datagrams that are in the room, behind those of the socket's last message if it can take them.
    fn queue(&mut self, target: &Target, size: usize, start: usize, len: usize) {
        let socket = usize::from(target.source_port) % self.sockets.len();
        let count = len.div_ceil(size).max(1);
        if let Some(last) = self.last[socket] {
            let message = &mut self.messages[last];
            if message.takes(target, size, count, len) {
                message.push(start, len, count);
                return;
            }
        }
        if self.queued == self.messages.len() {
            self.messages.push(Message::empty());
        }
        let message = &mut self.messages[self.queued];
        message.begin(socket, target, size);
        message.push(start, len, count);
        self.last[socket] = Some(self.queued);
        self.queued += 1;
    }

    pub(super) fn flush(&mut self) {
        for socket in 0..self.sockets.len() {
            if self.last[socket].take().is_some() {
                self.flush_socket(socket);
            }
        }
        self.queued = 0;
        self.used = 0;
    }

    fn flush_socket(&mut self, socket: usize) {
        let queued = &self.messages[..self.queued];
        let mine = || queued.iter().filter(|message| message.socket == socket);
        self.headers.fill(mine(), &self.room);
        let mut sent = 0;
        for message in mine() {
            // Sends this one and those behind it, unless an earlier round did.
            if sent > 0 {
                sent -= 1;
                continue;
            }
            match self.headers.send_next(&self.sockets[socket]) {
                Ok(count) => sent = count - 1,
                Err(error) => {
                    self.headers.skip_next();
                    let gathered = &mut self.gathered;
                    gathered.clear();
                    for &(start, len) in &message.parts {
                        gathered.extend_from_slice(&self.room[start..start + len]);
                    }
                    let single = Single {
                        socket: &self.sockets[socket],
                        to: message.to,
                        traffic_class: message.traffic_class,
                        size: message.size,
                    };
                    single.send_refused(&error, gathered, &mut self.losses);
                }
            }
        }
    }

    pub(super) fn send_pieces(
        &mut self,
        target: &Target,
        pieces: &[IoSlice<'_>],
        segment: Option<u16>,
    ) {
        self.flush();
        let len = pieces.iter().map(|piece| piece.len()).sum();
        let Some(size) = datagram_size(len, segment) else {
            self.losses.too_long += 1;
            return;
        };
        let single = Single {
            socket: &self.sockets[usize::from(target.source_port) % self.sockets.len()],
            to: target.to,
            traffic_class: target.traffic_class,
            size,
        };
        if len <= message_len(size) {
            let Err(error) = single.send(pieces, len) else {
                return;
            };
            gather(&mut self.gathered, pieces);
            single.send_refused(&error, &self.gathered, &mut self.losses);
            return;
        }
        gather(&mut self.gathered, pieces);
        for message in self.gathered.chunks(message_len(size)) {
            if let Err(error) = single.send(&[IoSlice::new(message)], message.len()) {
                single.send_refused(&error, message, &mut self.losses);
            }
        }
    }

    pub(super) fn source_ports(&self) -> io::Result<Vec<u16>> {
        let port = |socket: &UdpSocket| socket.local_addr().map(|at| at.port());
        self.sockets.iter().map(port).collect()
    }

    pub(super) const fn losses(&self) -> UdpLosses {
        self.losses
    }
}

/// Puts the pieces together.
fn gather(gathered: &mut Vec<u8>, pieces: &[IoSlice<'_>]) {
    gathered.clear();
    for piece in pieces {
        gathered.extend_from_slice(piece);
    }
}

/// Octets of each datagram of a payload; `None` where one would be too long.
fn datagram_size(len: usize, segment: Option<u16>) -> Option<usize> {
    let size = match segment {
        Some(segment) if segment > 0 => usize::from(segment).min(len),
        _ => len,
    };
    (size <= PAYLOAD_MAX).then_some(size.max(1))
}

/// How much of datagrams of one size one message takes: whole datagrams.
const fn message_len(size: usize) -> usize {
    let fit = PAYLOAD_MAX / size;
    size * if fit < SEGMENTS_MAX {
        fit
    } else {
        SEGMENTS_MAX
    }
}

impl Message {
    const fn empty() -> Self {
        Self {
            socket: 0,
            to: Ipv6Addr::UNSPECIFIED,
            traffic_class: 0,
            size: 1,
            count: 0,
            len: 0,
            closed: false,
            parts: Vec::new(),
        }
    }

    fn begin(&mut self, socket: usize, target: &Target, size: usize) {
        self.socket = socket;
        self.to = target.to;
        self.traffic_class = target.traffic_class;
        self.size = size;
        self.count = 0;
        self.len = 0;
        self.closed = false;
        self.parts.clear();
    }

    /// Whether datagrams of this size can join: they are as long as those before, or one last shorter one.
    fn takes(&self, target: &Target, size: usize, count: usize, len: usize) -> bool {
        let fits = size == self.size || count == 1 && len < self.size;
        fits && !self.closed
            && self.to == target.to
            && self.traffic_class == target.traffic_class
            && self.count + count <= SEGMENTS_MAX
            && self.len + len <= PAYLOAD_MAX
            // An empty datagram cannot be a segment.
            && len > 0
            && self.len > 0
    }

    fn push(&mut self, start: usize, len: usize, count: usize) {
        self.count += count;
        self.len += len;
        self.closed = self.len != self.count * self.size;
        match self.parts.last_mut() {
            Some((at, last)) if *at + *last == start => *last += len,
            _ => self.parts.push((start, len)),
        }
    }
}
