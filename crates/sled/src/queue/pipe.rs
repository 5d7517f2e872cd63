//! A queue without a device: frames between a worker and a task of this process, in bounded rings.
//!
//! The system port's guest is the sled itself: the worker's end ([`Pipe`]) is that port's queue, and the agent holds the
//! other one ([`PipeEnd`]).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use rackweave_engine::frame::Checksum;
use rackweave_engine::segment::finish_checksum;
use rackweave_engine::{Direction, Frame};
use rackweave_linux::wake::{Wake, WakeError};
use tokio::sync::Notify;

use super::{Losses, Queue, Sent};

/// What both ends share.
#[derive(Debug)]
struct Rings {
    to_task: ArrayQueue<Box<[u8]>>,
    to_worker: ArrayQueue<Box<[u8]>>,
    task: Notify,
    worker: Wake,
}

/// The worker's end.
#[derive(Debug)]
pub struct Pipe {
    rings: Arc<Rings>,
    losses: Losses,
    scratch: Frame,
}

/// The task's end.
#[derive(Debug)]
pub struct PipeEnd {
    rings: Arc<Rings>,
}

/// A pipe that holds up to `capacity` frames in each direction.
///
/// # Errors
/// Where the process has no file descriptor left.
pub fn pair(capacity: usize) -> Result<(Pipe, PipeEnd), WakeError> {
    let capacity = capacity.max(1);
    let rings = Arc::new(Rings {
        to_task: ArrayQueue::new(capacity),
        to_worker: ArrayQueue::new(capacity),
        task: Notify::new(),
        worker: Wake::new()?,
    });
    let end = PipeEnd {
        rings: Arc::clone(&rings),
    };
    let pipe = Pipe {
        rings,
        losses: Losses::default(),
        scratch: Frame::new(&[]),
    };
    Ok((pipe, end))
}

impl Queue for Pipe {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        let mut count = 0;
        while count < frames.len() {
            let Some(bytes) = self.rings.to_worker.pop() else {
                break;
            };
            frames[count].fill(&bytes);
            count += 1;
        }
        Ok(count)
    }

    fn send(&mut self, frame: &Frame) -> Sent {
        let bytes: Box<[u8]> = match frame.offload.checksum {
            Checksum::Partial { .. } => {
                self.scratch.fill(frame.bytes());
                self.scratch.offload = frame.offload;
                if finish_checksum(Direction::In, &mut self.scratch).is_err() {
                    self.losses.unsendable += 1;
                    return Sent::Unsendable;
                }
                self.scratch.bytes().into()
            }
            Checksum::Complete | Checksum::Verified => frame.bytes().into(),
        };
        // A frame that is to be cut stays whole: the other end takes packets of any length.
        if self.rings.to_task.push(bytes).is_err() {
            self.losses.full += 1;
            return Sent::Full;
        }
        Sent::Taken
    }

    fn flush(&mut self) {
        if !self.rings.to_task.is_empty() {
            self.rings.task.notify_one();
        }
    }

    fn arm(&mut self) -> bool {
        // The bell first: what comes after it has been stilled rings again.
        self.rings.worker.clear();
        !self.rings.to_worker.is_empty()
    }

    fn disarm(&mut self) {
        self.rings.worker.clear();
    }

    fn wait_on(&self, wait: &mut dyn FnMut(BorrowedFd<'_>)) {
        wait(self.rings.worker.as_fd());
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}

impl PipeEnd {
    /// Gives the worker frames; says how many it did not take.
    pub fn send(&self, frames: Vec<Box<[u8]>>) -> u64 {
        let mut lost = 0;
        for frame in frames {
            lost += u64::from(self.rings.to_worker.push(frame).is_err());
        }
        self.rings.worker.wake();
        lost
    }

    /// The next frame from the worker, its checksum complete.
    #[must_use]
    pub fn receive(&self) -> Option<Box<[u8]>> {
        self.rings.to_task.pop()
    }

    /// Waits until [`receive`](Self::receive) may have something.
    pub async fn readable(&self) {
        if self.rings.to_task.is_empty() {
            self.rings.task.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rackweave_testkit::packet::FrameBuilder;
    use rackweave_wire::ethernet::HEADER_LEN;
    use rackweave_wire::ipv4::Ipv4View;
    use rackweave_wire::udp::UdpView;

    use super::*;

    #[test]
    fn frames_pass_in_order_and_no_more_than_fit() {
        let (mut pipe, end) = pair(2).unwrap();
        let frames: Vec<Box<[u8]>> = vec![vec![1].into(), vec![2].into(), vec![3].into()];
        assert_eq!(end.send(frames), 1);
        assert!(pipe.arm());
        let mut got = [Frame::new(&[]), Frame::new(&[]), Frame::new(&[])];
        assert_eq!(pipe.receive(&mut got).unwrap(), 2);
        assert_eq!((got[0].bytes(), got[1].bytes()), (&[1][..], &[2][..]));
        assert!(!pipe.arm());
        let sent: Vec<Sent> = (0..3).map(|at| pipe.send(&Frame::new(&[at]))).collect();
        assert_eq!(sent, [Sent::Taken, Sent::Taken, Sent::Full]);
        assert_eq!(pipe.losses().full, 1);
        assert_eq!(end.receive().as_deref(), Some(&[0][..]));
        assert_eq!(end.receive().as_deref(), Some(&[1][..]));
        assert_eq!(end.receive(), None);
    }

    #[test]
    fn the_task_is_told() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (mut pipe, end) = pair(2).unwrap();
        runtime.block_on(async {
            let waiting = async {
                end.readable().await;
                end.receive()
            };
            let sending = async {
                pipe.send(&Frame::new(&[7]));
                pipe.flush();
            };
            let (got, ()) = tokio::join!(waiting, sending);
            assert_eq!(got.as_deref(), Some(&[7][..]));
        });
    }

    #[test]
    fn a_partial_checksum_is_completed() {
        let bytes = FrameBuilder::udp("10.0.0.1:53", "10.0.0.2:99")
            .payload(b"odd")
            .build();
        let mut frame = Frame::new(&bytes);
        let start = HEADER_LEN + 20;
        let view = Ipv4View::parse(&bytes[HEADER_LEN..]).unwrap();
        let len = u16::try_from(view.payload().len()).unwrap();
        let sum = view.pseudo_header(len);
        frame.bytes_mut()[start + 6..start + 8].copy_from_slice(&sum.to_be_bytes());
        frame.offload.checksum = Checksum::Partial {
            start: 34,
            offset: 6,
        };
        let (mut pipe, end) = pair(2).unwrap();
        assert_eq!(pipe.send(&frame), Sent::Taken);
        let got = end.receive().unwrap();
        let view = Ipv4View::parse(&got[HEADER_LEN..]).unwrap();
        let datagram = UdpView::parse(view.payload()).unwrap();
        assert!(datagram.checksum() != 0 && datagram.checksum_ok(sum));
        frame.offload.checksum = Checksum::Partial {
            start: 60_000,
            offset: 6,
        };
        assert_eq!(pipe.send(&frame), Sent::Unsendable);
    }
}
