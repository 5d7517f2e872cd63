//! The gateway's side: requests with ids, deadlines and retries, one exchange for each link to a service processor.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use rackweave_types::Instant;

use super::auth::{Key, Opener, Sealer, Way};
use super::envelope::{self, Letter, Message, Unreadable};
use super::message::{Failure, Request, Response};

/// When a request is sent again for the first time; then after twice as long each time.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_millis(800);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered(Response),
    /// Nobody answered before its deadline.
    TimedOut,
    /// It does not fit a datagram.
    TooLong,
}

/// Messages that were not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// They were no messages, or of no request.
    pub strange: u64,
    /// They proved nothing, were forged or replayed.
    pub refused: u64,
}

/// A gateway's end of a link.
#[derive(Debug)]
pub struct Exchange {
    key: Option<Key>,
    proof: Option<(Sealer, Opener, [u8; 16])>,
    epoch: u64,
    next_id: u32,
    pending: BTreeMap<u32, Pending>,
    refusals: Refusals,
}

#[derive(Debug)]
struct Pending {
    request: Request,
    deadline: Instant,
    again: Instant,
    pause: Duration,
}

impl Exchange {
    /// A link on which nothing was said; ids begin at `first_id`, drawn anew by each gateway. With a key, orders are
    /// proven once the service processor has said what to bind proofs to, with counters above `epoch`: nanoseconds of
    /// the date, so that a gateway that starts anew begins above the one before.
    #[must_use]
    pub const fn new(key: Option<Key>, first_id: u32, epoch: u64) -> Self {
        Self {
            key,
            proof: None,
            epoch,
            next_id: first_id,
            pending: BTreeMap::new(),
            refusals: Refusals {
                strange: 0,
                refused: 0,
            },
        }
    }

    /// What was not taken.
    #[must_use]
    pub const fn refusals(&self) -> Refusals {
        self.refusals
    }

    /// Asks; the answer, or that there is none, comes with the id that is returned.
    pub fn ask(&mut self, now: Instant, request: Request, within: Duration) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let pending = Pending {
            request,
            deadline: now.after(within),
            again: now,
            pause: FIRST_RETRY,
        };
        self.pending.insert(id, pending);
        id
    }

    /// When to call [`Exchange::poll`] next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pending
            .values()
            .map(|pending| pending.again.min(pending.deadline))
            .min()
    }

    /// Datagrams that are due now, and requests that came to an end without an answer.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) -> Vec<(u32, Outcome)> {
        let mut ended = Vec::new();
        for (id, pending) in &mut self.pending {
            if pending.deadline <= now {
                ended.push((*id, Outcome::TimedOut));
                continue;
            }
            if pending.again > now {
                continue;
            }
            let sealer = self.proof.as_mut().map(|(sealer, ..)| sealer);
            let sealer = sealer.filter(|_| !pending.request.is_open());
            let message = Message::Request(pending.request.clone());
            match envelope::write(*id, &message, sealer) {
                Ok(datagram) => out.push(datagram),
                Err(_) => ended.push((*id, Outcome::TooLong)),
            }
            pending.again = now.after(pending.pause);
            pending.pause = (pending.pause * 2).min(LAST_RETRY);
        }
        for (id, _) in &ended {
            self.pending.remove(id);
        }
        ended
    }

    /// A datagram came; what it answers, if anything.
    pub fn receive(&mut self, now: Instant, datagram: &[u8]) -> Option<(u32, Outcome)> {
        let opener = self.proof.as_mut().map(|(_, opener, _)| opener);
        let letter = match envelope::read(datagram, opener) {
            Ok(letter) => letter,
            Err(Unreadable::Refused(_)) => return self.refuse(),
            Err(_) => return self.wonder(),
        };
        let Letter {
            id,
            proven,
            message: Message::Response(response),
        } = letter
        else {
            return self.wonder();
        };
        let Some(pending) = self.pending.get(&id) else {
            return self.wonder();
        };
        let open = pending.request.is_open();
        if let (Response::Failed(Failure::Unproven(boot)), Some(_)) = (&response, &self.key) {
            // It started anew, or is heard for the first time: ask again, bound to what it says.
            if self.bind(*boot) {
                self.hurry(id, now);
            }
            return None;
        }
        // To an order it is no answer: whoever only carries frames could say it.
        if let Response::Here(here) = &response
            && open
        {
            let boot = here.boot;
            self.bind(boot);
            return Some(self.end(id, response));
        }
        if self.key.is_some() && !proven && !open {
            return self.refuse();
        }
        Some(self.end(id, response))
    }

    /// Binds proofs to a service processor's start; whether that changes anything.
    fn bind(&mut self, boot: [u8; 16]) -> bool {
        let Some(key) = &self.key else {
            return false;
        };
        if self
            .proof
            .as_ref()
            .is_some_and(|(.., bound)| *bound == boot)
        {
            return false;
        }
        let counter = self
            .proof
            .as_ref()
            .map_or(self.epoch, |(sealer, ..)| sealer.counter());
        let sealer = Sealer::new(key.clone(), Way::ToSp, boot, counter);
        let opener = Opener::new(key.clone(), Way::ToMgs, boot);
        self.proof = Some((sealer, opener, boot));
        true
    }

    /// Sends a request again at once.
    fn hurry(&mut self, id: u32, now: Instant) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.again = now;
        }
    }

    fn end(&mut self, id: u32, response: Response) -> (u32, Outcome) {
        self.pending.remove(&id);
        (id, Outcome::Answered(response))
    }

    const fn refuse(&mut self) -> Option<(u32, Outcome)> {
        self.refusals.refused += 1;
        None
    }

    const fn wonder(&mut self) -> Option<(u32, Outcome)> {
        self.refusals.strange += 1;
        None
    }
}

#[cfg(test)]
mod tests;
