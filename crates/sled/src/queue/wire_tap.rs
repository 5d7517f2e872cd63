//! The wire over a TAP of the underlay: large frames leave and arrive whole.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rackweave_engine::Frame;
use rackweave_engine::frame::Checksum;
use rackweave_engine::parse::parse_outer;
use rackweave_engine::segment::{TunnelEnds, finish_checksum};
use rackweave_linux::tap::{FRAME_MAX, TapQueue};
use rackweave_types::Direction;
use rackweave_wire::virtio_net::NetHeader;

use super::joined::Joined;
use super::offload::Arrived;
use super::{Losses, Queue, Sent, offload};

/// Ethernet, IPv6 and UDP.
const CARRIER_LEN: usize = 14 + 40 + 8;

/// One worker's queue of the underlay's TAP.
///
/// A sender without tunnel offload (UDP sockets) cuts large frames into datagrams; those are joined again here.
#[derive(Debug)]
pub struct WireTap {
    queue: TapQueue,
    joined: Joined,
    /// What the next frame is read into.
    room: Frame,
    /// Where a checksum is finished.
    scratch: Frame,
    losses: Losses,
}

impl WireTap {
    /// A queue of the underlay's TAP.
    #[must_use]
    pub fn new(queue: TapQueue) -> Self {
        Self {
            queue,
            joined: Joined::new(),
            room: Frame::with_capacity(FRAME_MAX),
            scratch: Frame::with_capacity(FRAME_MAX),
            losses: Losses::default(),
        }
    }

    /// Takes the frame that was read into the room, of this kind.
    fn take_in(&mut self, arrived: Arrived) {
        let Self { joined, room, .. } = self;
        match arrived {
            Arrived::Frame(offload) => {
                room.offload = offload;
                joined.join(|coalescer, sink| coalescer.frame(room, sink));
            }
            Arrived::Train(size) => {
                let bytes = room.bytes();
                let datagrams = bytes.get(CARRIER_LEN..).unwrap_or_default();
                match ends(bytes) {
                    Some(ends) => joined.join(|coalescer, sink| {
                        coalescer.receive(&ends, datagrams, usize::from(size.get()), sink);
                    }),
                    None => self.losses.malformed += 1,
                }
            }
            Arrived::Foreign => self.losses.malformed += 1,
        }
    }
}

impl Queue for WireTap {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        let mut header = NetHeader::default();
        while self.joined.len() < frames.len() {
            let room = self.room.resize_for_overwrite(FRAME_MAX);
            let Some(len) = self.queue.receive(&mut header, room)? else {
                self.joined.flush();
                break;
            };
            self.room.truncate(len);
            self.take_in(offload::of_wire(&header));
        }
        Ok(self.joined.take(frames))
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        let mut frame = frame;
        // A small frame reaches plain sockets as it is, and says nothing of a checksum that is not finished: only large
        // ones do, by their segment size.
        let unfinished = matches!(frame.offload.checksum, Checksum::Partial { .. });
        if unfinished && frame.offload.segment.is_none() {
            self.scratch.fill(frame.bytes());
            self.scratch.offload = frame.offload;
            if finish_checksum(Direction::Out, &mut self.scratch).is_err() {
                self.losses.unsendable += 1;
                return Sent::Unsendable;
            }
            frame = &self.scratch;
        }
        if self.queue.send(&offload::for_wire(frame), frame.bytes()) {
            Sent::Taken
        } else {
            Sent::Full
        }
    }

    fn flush(&mut self) {
        self.queue.flush();
    }

    fn arm(&mut self) -> bool {
        !self.joined.is_empty()
    }

    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>)) {
        wait(self.queue.as_fd());
    }

    fn losses(&self) -> Losses {
        let tap = self.queue.losses();
        Losses {
            full: tap.full + tap.down,
            unsendable: tap.refused + self.losses.unsendable,
            malformed: self.losses.malformed + tap.malformed,
            truncated: tap.truncated,
            overflow: 0,
        }
    }
}

/// What the headers say that all datagrams of a train share.
fn ends(bytes: &[u8]) -> Option<TunnelEnds> {
    let outer = parse_outer(bytes).ok()?;
    let port = bytes.get(54..)?.first_chunk().copied()?;
    Some(TunnelEnds {
        src: outer.src.octets().into(),
        dst: outer.dst.octets().into(),
        src_port: u16::from_be_bytes(port),
        tos: outer.tos,
    })
}

#[cfg(test)]
mod tests {
    use rackweave_testkit::packet::Tunnel;

    use super::*;

    #[test]
    fn a_train_has_the_ends_of_its_first_datagram() {
        let frame = Tunnel::new("fd52::1", "fd52::2", 4096)
            .tos(0x28)
            .wrap(&[0; 60]);
        let ends = ends(&frame).unwrap();
        assert_eq!(ends.src.to_string(), "fd52::1");
        assert_eq!(ends.dst.to_string(), "fd52::2");
        assert_eq!(ends.tos, 0x28);
        assert_eq!(ends.src_port.to_be_bytes(), frame[54..56]);
    }
}
