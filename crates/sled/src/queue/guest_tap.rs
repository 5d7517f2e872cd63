//! A guest behind a TAP device.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rackweave_engine::Frame;
use rackweave_guest::tap::TapQueue;
use rackweave_guest::{self as guest, Offloads};
use rackweave_wire::virtio_net::NetHeader;

use super::fit::send_fitting;
use super::read::read_frames;
use super::{Losses, Queue, Sent, offload};

/// One queue of a guest's TAP device.
#[derive(Debug)]
pub struct GuestTap {
    queue: TapQueue,
    takes: Offloads,
    scratch: Frame,
    losses: Losses,
}

impl GuestTap {
    /// A queue of a device whose kernel takes this unfinished.
    #[must_use]
    pub fn new(queue: TapQueue, takes: Offloads) -> Self {
        Self {
            queue,
            takes,
            scratch: Frame::with_capacity(0),
            losses: Losses::default(),
        }
    }
}

impl Queue for GuestTap {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        read_frames(
            frames,
            |header, room| self.queue.receive(header, room),
            |header| Some(offload::of_guest(header)),
        )
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        let queue = &self.queue;
        let put = &mut |header: &NetHeader, bytes: &[u8]| match queue.send(header, bytes) {
            Ok(guest::Sent::Taken) => Sent::Taken,
            Ok(guest::Sent::Unsendable) => Sent::Unsendable,
            // A device that is gone says so to who reads.
            Ok(guest::Sent::Full) | Err(_) => Sent::Full,
        };
        let sent = send_fitting(frame, self.takes, &mut self.scratch, put);
        self.losses.count(sent);
        sent
    }

    fn flush(&mut self) {}

    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>)) {
        wait(self.queue.as_fd());
    }

    fn losses(&self) -> Losses {
        self.losses.with_claims(&self.queue.claims())
    }
}
