//! One round: what has come from other workers, from the wire and from guests goes through the engine and on.
//!
//! A round is bounded, whoever floods: each queue is read up to a number of frames and octets (`batch`), each guest
//! that has something has its turn in each round, and guests that have nothing cost nothing.

use std::error::Error;
use std::time::Duration;

use rackweave_linux::clock;
use rackweave_linux::poll::Events;
use rackweave_types::PortId;

use super::batch::process_handed_over;
use super::mail::Mail;
use super::{BELL, Mailbox, WIRE, Worker, unwatch};

/// Frames from other workers in one round.
const MAIL: usize = 256;
/// A guest that sent nothing for so long is waited for and no longer asked.
const ACTIVE: Duration = Duration::from_millis(1);
/// Connections of one port that are forgotten at once.
const EXPIRE_BUDGET: u32 = 512;

impl Worker {
    /// One round. Whether there was anything to do.
    pub(super) fn round(&mut self) -> bool {
        self.now = clock::now();
        let mut worked = self.read_mail();
        worked |= self.read_wire();
        worked |= self.read_guests();
        worked |= self
            .batch
            .take_local(&mut self.ports, &mut self.exits, self.now)
            > 0;
        if let Some(wire) = &mut self.exits.wire {
            wire.flush();
        }
        self.exits.wake_others();
        worked
    }

    /// What other workers gave this one.
    fn read_mail(&mut self) -> bool {
        let mut given: Vec<PortId> = Vec::new();
        let mut read = 0;
        while read < MAIL
            && let Some((from, mail)) = self.exits.mailbox().and_then(Mailbox::pop)
        {
            read += 1;
            self.exits.totals.handed_in += 1;
            let port = self.open(from, mail);
            if let Some(port) = port.filter(|port| !given.contains(port)) {
                given.push(port);
            }
        }
        for port in given {
            self.flush_guest(port);
        }
        read > 0
    }

    /// Does with a frame what another worker asks; the port whose guest may have got something.
    fn open(&mut self, from: u16, mail: Mail) -> Option<PortId> {
        let now = self.now;
        let (frame, port) = match mail {
            Mail::Process {
                port,
                direction,
                to,
                hops,
                mut frame,
            } => {
                let exits = &mut self.exits;
                if let Some(served) = self.ports.get_mut(port) {
                    process_handed_over(direction, served, exits, (to, hops), &mut frame, now);
                } else {
                    exits.totals.drops.no_such_port += 1;
                }
                (frame, Some(port))
            }
            Mail::Deliver { port, mut frame } => {
                let served = self.ports.get_mut(port);
                self.exits.give(served, port, &mut frame, now);
                (frame, Some(port))
            }
            Mail::Transmit { mut frame } => {
                self.exits.transmit(&mut frame);
                (frame, None)
            }
        };
        self.exits.give_back(from, frame);
        port
    }

    fn read_wire(&mut self) -> bool {
        match self
            .batch
            .take_from_wire(&mut self.ports, &mut self.exits, self.now)
        {
            Ok(count) => count > 0,
            Err(error) => {
                let error: &dyn Error = &error;
                tracing::error!(
                    worker = self.status.index,
                    error,
                    "the wire's queue is gone: frames go through other workers where there are any"
                );
                if let Some(wire) = self.exits.wire.take() {
                    unwatch(&self.poller, &*wire);
                    self.exits.past_losses.add(&wire.losses());
                }
                false
            }
        }
    }

    /// The turn of each guest that sent something of late.
    fn read_guests(&mut self) -> bool {
        let mut worked = false;
        let mut at = 0;
        while let Some(&place) = self.active.get(at) {
            at += 1;
            let Some(served) = self.ports.at(place) else {
                continue;
            };
            match self
                .batch
                .take_from_guest(served, &mut self.exits, self.now)
            {
                Ok(0) if self.now.since(served.last_sent) > ACTIVE => {
                    at -= 1;
                    self.rest(at);
                }
                Ok(0) => {}
                Ok(_) => {
                    served.last_sent = self.now;
                    worked = true;
                    // Frames for a neighbour do not wait for the other guests' turns.
                    self.batch
                        .take_local(&mut self.ports, &mut self.exits, self.now);
                }
                Err(error) => {
                    let id = served.slot.id;
                    let error: &dyn Error = &error;
                    tracing::warn!(port = %id, error, "the guest's device is gone");
                    self.detach(id);
                    at -= 1;
                }
            }
        }
        // Who was first is last in the next round: what one worker can do is short for all alike.
        if self.active.len() > 1 {
            self.active.rotate_left(1);
        }
        worked
    }

    /// Asks the guest at this place of the active ones no longer, unless it has something after all.
    fn rest(&mut self, at: usize) {
        let Some(&place) = self.active.get(at) else {
            return;
        };
        let Some(served) = self.ports.at(place) else {
            return;
        };
        let waits = served.slot.guest.as_mut().is_some_and(|guest| guest.arm());
        if waits {
            if let Some(guest) = &mut served.slot.guest {
                guest.disarm();
            }
            served.last_sent = self.now;
        } else {
            served.active = false;
            self.active.swap_remove(at);
        }
    }

    /// Asks a guest that something was heard of, from the next round on.
    fn rouse(&mut self, place: usize) {
        let now = self.now;
        let Some(served) = self.ports.at(place) else {
            return;
        };
        let Some(guest) = &mut served.slot.guest else {
            return;
        };
        if !served.active {
            guest.disarm();
            served.active = true;
            served.last_sent = now;
            self.active.push(place);
        }
    }

    /// Asks all queues to tell when there is something. Whether one has something already: then no sleep.
    pub(super) fn arm(&mut self) -> bool {
        if let Some(mailbox) = self.exits.mailbox() {
            mailbox.lie_down();
            if !mailbox.is_empty() {
                return true;
            }
        }
        if self.exits.wire.as_mut().is_some_and(|wire| wire.arm()) {
            return true;
        }
        while !self.active.is_empty() {
            let before = self.active.len();
            self.rest(0);
            if self.active.len() == before {
                return true;
            }
        }
        false
    }

    /// The worker is awake.
    pub(super) fn disarm(&mut self) {
        if let Some(mailbox) = self.exits.mailbox() {
            mailbox.get_up();
        }
        if let Some(wire) = &mut self.exits.wire {
            wire.disarm();
        }
    }

    /// Waits until a queue or somebody tells that there is something, at most so long; finds out who.
    pub(super) fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) {
        if let Err(error) = self.poller.wait(events, timeout) {
            let error: &dyn Error = &error;
            tracing::error!(worker = self.status.index, error, "a worker cannot wait");
        }
        for token in events.tokens() {
            if token != BELL
                && token != WIRE
                && let Ok(place) = usize::try_from(token)
            {
                self.rouse(place);
            }
        }
    }

    /// Forgets connections whose time has run out. Whether there are any left.
    pub(super) fn expire(&mut self) -> bool {
        let now = self.now;
        let mut left = false;
        for served in self.ports.iter_mut() {
            let shard = &mut served.slot.shard;
            if shard.flow_count() == 0 {
                continue;
            }
            if shard.expire(now, EXPIRE_BUDGET) > 0
                && let Some(journal) = &mut served.slot.journal
            {
                journal.write(shard, now);
            }
            left |= shard.flow_count() > 0;
        }
        left
    }

    fn flush_guest(&mut self, id: PortId) {
        let served = self.ports.get_mut(id);
        if let Some(guest) = served.and_then(|served| served.slot.guest.as_mut()) {
            guest.flush();
        }
    }
}
