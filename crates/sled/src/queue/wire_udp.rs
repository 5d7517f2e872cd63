//! The wire over UDP sockets: large frames are cut for the send and joined again on receipt.

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd};

use rackweave_engine::frame::Checksum;
use rackweave_engine::segment::{Cut, TunnelEnds, finish_checksum};
use rackweave_engine::{Direction, Frame};
use rackweave_linux::udp::{Target, UdpQueue};

use super::joined::Joined;
use super::{Losses, Queue, Sent};

/// Ethernet, IPv6 and UDP, which the sockets add and take off.
const CARRIER_LEN: usize = 14 + 40 + 8;

/// One worker's sockets.
#[derive(Debug)]
pub struct WireUdp {
    queue: UdpQueue,
    /// The own tunnel end point.
    own: Ipv6Addr,
    joined: Joined,
    /// What the sockets took in: how many, and which is next.
    batch: usize,
    next: usize,
    scratch: Frame,
    losses: Losses,
}

impl WireUdp {
    /// Sockets of this tunnel end point.
    #[must_use]
    pub fn new(queue: UdpQueue, own: Ipv6Addr) -> Self {
        Self {
            queue,
            own,
            joined: Joined::new(),
            batch: 0,
            next: 0,
            scratch: Frame::with_capacity(0),
            losses: Losses::default(),
        }
    }

    /// Joins the next of what the sockets took in.
    fn join_next(&mut self) {
        if let Some(received) = self.queue.received(self.next) {
            let ends = TunnelEnds {
                src: received.from,
                dst: self.own,
                src_port: received.source_port,
                tos: received.traffic_class,
            };
            let size = usize::from(received.segment);
            self.joined.join(|coalescer, sink| {
                coalescer.receive(&ends, received.bytes, size, sink);
            });
        }
        self.next += 1;
        if self.next == self.batch {
            self.joined.flush();
        }
    }

    /// Sends a frame in one piece.
    fn send_whole(&mut self, target: &Target, frame: &Frame) -> Sent {
        let mut frame = frame;
        if let Checksum::Partial { .. } = frame.offload.checksum {
            self.scratch.fill(frame.bytes());
            self.scratch.offload = frame.offload;
            if finish_checksum(Direction::Out, &mut self.scratch).is_err() {
                return Sent::Unsendable;
            }
            frame = &self.scratch;
        }
        let payload = frame.bytes().get(CARRIER_LEN..).unwrap_or_default();
        self.queue.send(target, payload, None);
        Sent::Taken
    }

    /// Cuts a large frame into the room of a segmented send.
    fn send_cut(&mut self, target: &Target, frame: &Frame) -> Sent {
        let Ok(mut cut) = Cut::new(Direction::Out, frame) else {
            return Sent::Unsendable;
        };
        let Ok(each) = u16::try_from(cut.segment_len()) else {
            return Sent::Unsendable;
        };
        match self.queue.reserve(target, cut.total_len(), Some(each)) {
            Some(room) => {
                cut.write(room, u16::MAX);
                Sent::Taken
            }
            None => Sent::Unsendable,
        }
    }
}

impl Queue for WireUdp {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        if self.joined.is_empty() && self.next == self.batch {
            self.next = 0;
            self.batch = 0;
            self.batch = self.queue.receive()?;
        }
        while self.joined.len() < frames.len() && self.next < self.batch {
            self.join_next();
        }
        Ok(self.joined.take(frames))
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        let sent = match target(frame.bytes()) {
            None => Sent::Unsendable,
            Some(target) if frame.offload.segment.is_some() => self.send_cut(&target, frame),
            Some(target) => self.send_whole(&target, frame),
        };
        self.losses.count(sent);
        sent
    }

    fn flush(&mut self) {
        self.queue.flush();
    }

    fn arm(&mut self) -> bool {
        !self.joined.is_empty() || self.next < self.batch
    }

    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>)) {
        wait(self.queue.as_fd());
    }

    fn losses(&self) -> Losses {
        let udp = self.queue.losses();
        Losses {
            full: self.losses.full + udp.full,
            unsendable: self.losses.unsendable + udp.too_long + udp.unreachable + udp.refused,
            malformed: self.losses.malformed,
            truncated: udp.truncated,
            overflow: udp.overflow,
        }
    }
}

/// Where a tunnelled frame goes, by its outer headers.
fn target(bytes: &[u8]) -> Option<Target> {
    let head: &[u8; CARRIER_LEN] = bytes.first_chunk()?;
    let to: [u8; 16] = *head.get(38..)?.first_chunk()?;
    Some(Target {
        to: Ipv6Addr::from(to),
        source_port: u16::from_be_bytes([head[54], head[55]]),
        traffic_class: head[14] << 4 | head[15] >> 4,
    })
}

#[cfg(test)]
mod tests {
    use rackweave_testkit::packet::Tunnel;

    use super::*;

    #[test]
    fn the_outer_headers_say_where_to() {
        let tunnel = Tunnel::new("fd52::1", "fd52::2", 4096)
            .src_port(50_123)
            .tos(0xb9);
        let frame = tunnel.wrap(&[0; 60]);
        let expected = Target {
            to: "fd52::2".parse().unwrap(),
            source_port: 50_123,
            traffic_class: 0xb9,
        };
        assert_eq!(target(&frame), Some(expected));
        assert_eq!(target(&frame[..CARRIER_LEN - 1]), None);
    }
}
