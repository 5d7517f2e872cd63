//! The wire over a vhost-user device: a simulator or an intelligent NIC is the machine behind it. It knows no tunnels, so
//! large frames are cut before they leave.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rackweave_engine::segment::{Cut, finish_checksum};
use rackweave_engine::{Direction, Frame};
use rackweave_guest::vhost_user::VhostQueue;
use rackweave_wire::virtio_net::NetHeader;

use super::offload::Arrived;
use super::read::read_frames;
use super::{Losses, Queue, Sent, offload};

/// Ethernet, IPv6 and UDP: what the cutting leaves out.
const CARRIER_LEN: usize = 14 + 40 + UDP_LEN;
const UDP_LEN: usize = 8;

/// One worker's queue pair of the device that is the wire.
#[derive(Debug)]
pub struct WireVhost {
    queue: VhostQueue,
    scratch: Frame,
    losses: Losses,
}

impl WireVhost {
    /// A queue pair of a device.
    #[must_use]
    pub fn new(queue: VhostQueue) -> Self {
        Self {
            queue,
            scratch: Frame::with_capacity(0),
            losses: Losses::default(),
        }
    }

    /// Sends a frame that is one packet.
    fn send_packet(&mut self, frame: &Frame) -> Sent {
        let header = offload::for_wire(frame);
        if self.queue.offloads().allow(&header) {
            return self.queue.send(&header, frame.bytes()).into();
        }
        self.scratch.fill(frame.bytes());
        self.scratch.offload = frame.offload;
        if finish_checksum(Direction::Out, &mut self.scratch).is_err() {
            return Sent::Unsendable;
        }
        let header = NetHeader::default();
        self.queue.send(&header, self.scratch.bytes()).into()
    }

    /// Sends a large frame as its segments. The first that is not taken tells what became of it.
    fn send_segments(&mut self, frame: &Frame) -> Sent {
        let Self { queue, scratch, .. } = self;
        let Some(carrier) = frame.bytes().first_chunk::<CARRIER_LEN>() else {
            return Sent::Unsendable;
        };
        let Ok(mut cut) = Cut::new(Direction::Out, frame) else {
            return Sent::Unsendable;
        };
        let room = scratch.resize_for_overwrite(CARRIER_LEN + cut.segment_len());
        room[..CARRIER_LEN].copy_from_slice(carrier);
        let mut sent = Sent::Taken;
        loop {
            let len = cut.write(&mut room[CARRIER_LEN..], 1);
            if len == 0 {
                return sent;
            }
            // The UDP header counts in both lengths.
            let Ok(outer) = u16::try_from(UDP_LEN + len) else {
                return Sent::Unsendable;
            };
            room[18..20].copy_from_slice(&outer.to_be_bytes());
            room[58..60].copy_from_slice(&outer.to_be_bytes());
            let outcome = queue.send(&NetHeader::default(), &room[..CARRIER_LEN + len]);
            if sent == Sent::Taken {
                sent = outcome.into();
            }
        }
    }
}

impl Queue for WireVhost {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        let losses = &mut self.losses;
        read_frames(
            frames,
            |header, room| Ok(self.queue.receive(header, room)),
            |header| match offload::of_wire(header) {
                Arrived::Frame(offload) => Some(offload),
                // Nobody is told that we would take such frames.
                Arrived::Train(_) | Arrived::Foreign => {
                    losses.malformed += 1;
                    None
                }
            },
        )
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        let sent = if frame.offload.segment.is_some() {
            self.send_segments(frame)
        } else {
            self.send_packet(frame)
        };
        self.losses.count(sent);
        sent
    }

    fn flush(&mut self) {
        self.queue.flush();
    }

    fn arm(&mut self) -> bool {
        self.queue.arm()
    }

    fn disarm(&mut self) {
        self.queue.disarm();
    }

    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>)) {
        wait(self.queue.as_fd());
    }

    fn losses(&self) -> Losses {
        self.losses.with_claims(&self.queue.claims())
    }
}
