//! One queue pair of a device, as its worker has it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::eventfd::EventFd;
use rackweave_wire::checksum;
use rackweave_wire::virtio_net::{Checksum, Form, NetHeader};

use super::copy::{Unwritten, read_chain, write_frame};
use super::ring::Ring;
use crate::{Claim, Claims, Offloads, Received, Sent};

/// Which ring of a pair, in the guest's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The guest receives: we write.
    Receive,
    /// The guest transmits: we read.
    Transmit,
}

/// What the driver and we have agreed upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Agreement {
    /// The header has the number of buffers.
    pub(super) long_header: bool,
    /// A frame may fill several chains.
    pub(super) mergeable: bool,
    pub(super) offloads: Offloads,
}

impl Agreement {
    #[inline]
    pub(super) fn form(self) -> Form {
        if self.long_header {
            Form::Mergeable
        } else {
            Form::Legacy
        }
    }
}

/// What the control thread wants of a worker; it waits for the answer.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) side: Side,
    /// The ring to run from now on; none where it is to stop.
    pub(super) ring: Option<(Ring, Agreement)>,
    pub(super) reply: SyncSender<Answer>,
}

/// What a worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Where the ring that ran until now stands.
    pub(super) index: Option<u16>,
    /// Whether the new one runs; it does not where nobody can wait for its kicks.
    pub(super) started: bool,
}

/// What the control thread and the worker of a queue share.
#[derive(Debug)]
pub(super) struct Bell {
    rung: AtomicBool,
    wake: EventFd,
}

impl Bell {
    pub(super) fn new(wake: EventFd) -> Self {
        Self {
            rung: AtomicBool::new(false),
            wake,
        }
    }

    /// Makes the worker look at its commands, awake or asleep.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        // A full counter has woken it already.
        let _woken = self.wake.write(1);
    }
}

#[derive(Debug)]
enum Slot {
    Off,
    On(Ring),
    /// The driver broke it; it stands here until the driver resets it.
    Broken(u16),
}

/// A queue pair: what the guest sends by it comes out, what is put in is for the guest. One worker owns it.
///
/// It exists as long as its device, whether a machine is connected or not; without one it receives nothing and takes
/// nothing. Its descriptor is readable when a guest that was [asked to](Self::arm) says that there is something, or
/// when the device has to be looked at; any call does that. After a batch, in either direction, comes
/// [`flush`](Self::flush).
#[derive(Debug)]
pub struct VhostQueue {
    receive: Slot,
    transmit: Slot,
    agreement: Agreement,
    bell: Arc<Bell>,
    commands: Receiver<Command>,
    epoll: Epoll,
    claims: Claims,
    /// Where a frame is finished for a guest that takes none unfinished.
    scratch: Vec<u8>,
}

impl VhostQueue {
    pub(super) fn new(bell: Arc<Bell>, commands: Receiver<Command>) -> nix::Result<Self> {
        let epoll = Epoll::new(nix::sys::epoll::EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&bell.wake, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok(Self {
            receive: Slot::Off,
            transmit: Slot::Off,
            agreement: Agreement::default(),
            bell,
            commands,
            epoll,
            claims: Claims::default(),
            scratch: Vec::new(),
        })
    }

    /// What the guest takes unfinished, as it is agreed with its driver now.
    pub fn offloads(&self) -> Offloads {
        self.agreement.offloads
    }

    /// Whether a guest's driver runs both rings.
    pub fn is_running(&self) -> bool {
        matches!((&self.receive, &self.transmit), (Slot::On(_), Slot::On(_)))
    }

    /// What came that was no frame, or no ring.
    pub fn claims(&self) -> Claims {
        self.claims
    }

    /// Takes the next frame, with the header that says what is still to be done to it.
    #[inline]
    pub fn receive(&mut self, header: &mut NetHeader, buffer: &mut [u8]) -> Received {
        self.listen();
        let Slot::On(ring) = &mut self.transmit else {
            return Received::Empty;
        };
        let head = match ring.head(0) {
            Ok(Some(head)) => head,
            Ok(None) => {
                ring.publish();
                return Received::Empty;
            }
            Err(claim) => return self.break_ring(Side::Transmit, claim),
        };
        ring.prefetch();
        let read = read_chain(ring, head, self.agreement.form(), header, buffer);
        ring.set_used(0, head, 0);
        ring.give_back(1);
        match read {
            Ok(len) => Received::Frame { len },
            Err(claim) => {
                self.claims.count(claim);
                Received::Refused(claim)
            }
        }
    }

    /// Puts a frame into the guest's receive buffers; how many it fills is found here, whatever the header says.
    ///
    /// A checksum that the guest does not take unfinished is finished; a segment that it does not take is
    /// [`Sent::Unsendable`].
    #[inline]
    pub fn send(&mut self, header: &NetHeader, frame: &[u8]) -> Sent {
        self.listen();
        let mut header = *header;
        header.num_buffers = 1;
        if self.agreement.offloads.allow(&header) {
            if header.checksum == Checksum::Valid && !self.agreement.offloads.checksum {
                header.checksum = Checksum::None;
            }
            return self.put(&header, frame);
        }
        self.send_finished(&header, frame)
    }

    fn send_finished(&mut self, header: &NetHeader, frame: &[u8]) -> Sent {
        let (None, Checksum::Needed { start, offset }) = (header.gso, header.checksum) else {
            return Sent::Unsendable;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(frame);
        let sent = if finish_checksum(&mut scratch, start.into(), offset.into()) {
            let header = NetHeader {
                checksum: Checksum::None,
                ..*header
            };
            self.put(&header, &scratch)
        } else {
            Sent::Unsendable
        };
        self.scratch = scratch;
        sent
    }

    #[inline]
    fn put(&mut self, header: &NetHeader, frame: &[u8]) -> Sent {
        let Slot::On(ring) = &mut self.receive else {
            return Sent::Full;
        };
        match write_frame(ring, self.agreement, header, frame) {
            Ok(()) => Sent::Taken,
            Err(Unwritten::NoBuffers) => Sent::Full,
            Err(Unwritten::TooLarge) => Sent::Unsendable,
            Err(Unwritten::Chain(claim)) => {
                self.claims.count(claim);
                Sent::Unsendable
            }
            Err(Unwritten::Ring(claim)) => {
                self.break_ring(Side::Receive, claim);
                Sent::Full
            }
        }
    }

    /// Gives the guest what was done since the last time, and tells it once where it wants to be told.
    pub fn flush(&mut self) {
        self.listen();
        for side in [Side::Receive, Side::Transmit] {
            let Slot::On(ring) = self.slot(side) else {
                continue;
            };
            ring.publish();
            if ring.tables().memory().is_gone() {
                self.break_ring(side, Claim::MemoryGone);
            }
        }
    }

    /// Asks the guest to tell when it sends, because the worker is about to sleep. Whether there is something
    /// already: then it must not.
    pub fn arm(&mut self) -> bool {
        self.flush();
        match &mut self.transmit {
            Slot::On(ring) => ring.arm(),
            Slot::Off | Slot::Broken(_) => false,
        }
    }

    /// The worker is awake: the guest need not tell.
    #[inline]
    pub fn disarm(&mut self) {
        if let Slot::On(ring) = &mut self.transmit {
            ring.disarm();
        }
    }

    fn slot(&mut self, side: Side) -> &mut Slot {
        match side {
            Side::Receive => &mut self.receive,
            Side::Transmit => &mut self.transmit,
        }
    }

    /// Stops a ring that makes no sense any more.
    #[cold]
    fn break_ring(&mut self, side: Side, claim: Claim) -> Received {
        self.claims.count(claim);
        let index = self.take(side);
        *self.slot(side) = Slot::Broken(index.unwrap_or_default());
        Received::Refused(claim)
    }

    /// Takes a ring out of service; where it stands.
    fn take(&mut self, side: Side) -> Option<u16> {
        match std::mem::replace(self.slot(side), Slot::Off) {
            Slot::Off => None,
            Slot::Broken(index) => Some(index),
            Slot::On(mut ring) => {
                ring.publish();
                if side == Side::Transmit {
                    // The machine has the file too, so closing ours would not end the watch.
                    let _unwatched = self.epoll.delete(ring.kick());
                }
                Some(ring.index())
            }
        }
    }

    #[inline]
    fn listen(&mut self) {
        if self.bell.rung.load(Ordering::Relaxed) {
            self.obey();
        }
    }

    /// Does what the control thread waits for.
    #[cold]
    fn obey(&mut self) {
        self.bell.rung.store(false, Ordering::Relaxed);
        // What rings after this finds the commands read below, or rings again.
        std::sync::atomic::fence(Ordering::SeqCst);
        let _drained = self.bell.wake.read();
        while let Ok(command) = self.commands.try_recv() {
            let answer = self.obey_one(command.side, command.ring);
            // A control thread that no longer waits has given the machine up.
            let _heard = command.reply.try_send(answer);
        }
    }

    fn obey_one(&mut self, side: Side, ring: Option<(Ring, Agreement)>) -> Answer {
        let index = self.take(side);
        let Some((ring, agreement)) = ring else {
            return Answer {
                index,
                started: false,
            };
        };
        let watched = side == Side::Receive || {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, 1);
            self.epoll.add(ring.kick(), event).is_ok()
        };
        if watched {
            self.agreement = agreement;
            *self.slot(side) = Slot::On(ring);
        }
        Answer {
            index,
            started: watched,
        }
    }
}

impl AsFd for VhostQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Adds the rest of a transport checksum; false where it is not inside the frame.
fn finish_checksum(frame: &mut [u8], start: usize, offset: usize) -> bool {
    let Some(covered) = frame.get_mut(start..) else {
        return false;
    };
    // In one's complement 0 and 0xffff are the same number; 0 would mean "none" to UDP.
    let sum = checksum::finish_udp(checksum::sum(covered));
    match covered.get_mut(offset..).and_then(<[u8]>::first_chunk_mut) {
        Some(field) => {
            *field = sum.to_be_bytes();
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::finish_checksum;

    #[test]
    fn a_checksum_is_finished_over_the_rest_of_the_frame() {
        // The sum over a pseudo header of 0x0001 stands in the field.
        let mut frame = [9, 9, 0x12, 0x34, 0x00, 0x01, 0xff];
        assert!(finish_checksum(&mut frame, 2, 2));
        // !(0x1234 + 0x0001 + 0xff00)
        assert_eq!(frame, [9, 9, 0x12, 0x34, 0xee, 0xc9, 0xff]);
        assert!(!finish_checksum(&mut frame, 2, 4));
        assert!(!finish_checksum(&mut frame, 8, 0));
    }
}
