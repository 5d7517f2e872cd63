//! A guest behind a vhost-user device.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rackweave_engine::Frame;
use rackweave_guest::vhost_user::VhostQueue;
use rackweave_wire::virtio_net::NetHeader;

use super::fit::send_fitting;
use super::read::read_frames;
use super::{Losses, Queue, Sent, offload};

/// One queue pair of a guest's vhost-user device.
#[derive(Debug)]
pub struct GuestVhost {
    queue: VhostQueue,
    scratch: Frame,
    losses: Losses,
}

impl GuestVhost {
    /// A queue pair of a device.
    #[must_use]
    pub fn new(queue: VhostQueue) -> Self {
        Self {
            queue,
            scratch: Frame::with_capacity(0),
            losses: Losses::default(),
        }
    }
}

impl Queue for GuestVhost {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        read_frames(
            frames,
            |header, room| Ok(self.queue.receive(header, room)),
            |header| Some(offload::of_guest(header)),
        )
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        let takes = self.queue.offloads();
        let queue = &mut self.queue;
        let put = &mut |header: &NetHeader, bytes: &[u8]| queue.send(header, bytes).into();
        let sent = send_fitting(frame, takes, &mut self.scratch, put);
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
