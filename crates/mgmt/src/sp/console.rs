//! A serial console that one operator at a time holds.
//!
//! Octets are counted from the service processor's start. What the operator has not received is kept, and the host is
//! held up when there is no more room; while nobody holds the console, the oldest is overwritten.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::message::{Failure, Response};
use crate::port::SpPort;

/// Seconds after which an operator that is not heard of holds the console no longer.
pub const HOLD: u64 = 60;
/// Octets of a console that one response carries.
pub const READ_MAX: usize = 1_024;

/// The serial console of a unit's host.
#[derive(Clone, Debug)]
pub struct Console {
    out: VecDeque<u8>,
    room: usize,
    /// The count of the first octet in `out`.
    first: u64,
    typed: u64,
    holder: Option<Holder>,
}

#[derive(Clone, Debug)]
struct Holder {
    operator: String,
    /// By way of which gateway.
    port: SpPort,
    /// When it was heard of last, in seconds since the service processor's start.
    heard: u64,
}

impl Console {
    /// A console that keeps so many octets.
    #[must_use]
    pub const fn new(room: usize) -> Self {
        Self {
            out: VecDeque::new(),
            room,
            first: 0,
            typed: 0,
            holder: None,
        }
    }

    /// The host writes; the number of octets that were taken: fewer where the holder is behind.
    pub fn produce(&mut self, octets: &[u8]) -> usize {
        let free = self.room - self.out.len();
        let taken = if self.holder.is_some() {
            octets.len().min(free)
        } else {
            let over = octets.len().saturating_sub(free).min(self.out.len());
            self.forget(over);
            octets.len()
        };
        let kept = &octets[..taken];
        let skipped = kept.len().saturating_sub(self.room);
        self.first += u64::try_from(skipped).unwrap_or(u64::MAX);
        self.out.extend(&kept[skipped..]);
        taken
    }

    /// Who holds the console.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_ref().map(|holder| holder.operator.as_str())
    }

    /// So many seconds after the service processor's start: an operator that was not heard of for [`HOLD`] is gone.
    pub fn expire(&mut self, now: u64) {
        let gone = |holder: &Holder| now.saturating_sub(holder.heard) >= HOLD;
        if self.holder.as_ref().is_some_and(gone) {
            self.holder = None;
        }
    }

    /// The holder is heard of.
    pub(super) fn hear(&mut self, port: SpPort, now: u64) {
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.port == port) {
            holder.heard = now;
        }
    }

    pub(super) fn attach(
        &mut self,
        port: SpPort,
        operator: String,
        now: u64,
    ) -> Result<Response, Failure> {
        match &self.holder {
            Some(holder) if holder.operator != operator || holder.port != port => {
                Err(Failure::Held(holder.operator.clone()))
            }
            _ => {
                let heard = now;
                self.holder = Some(Holder {
                    operator,
                    port,
                    heard,
                });
                Ok(Response::Console(self.first, Vec::new()))
            }
        }
    }

    pub(super) fn detach(&mut self, port: SpPort) -> Result<Response, Failure> {
        self.held(port)?;
        self.holder = None;
        Ok(Response::Done)
    }

    pub(super) fn read(
        &mut self,
        port: SpPort,
        from: u64,
        received: u64,
    ) -> Result<Response, Failure> {
        self.held(port)?;
        self.forget(self.index(received).min(self.out.len()));
        let start = from.max(self.first);
        let index = self.index(start);
        let octets = self.out.iter().skip(index).take(READ_MAX).copied();
        Ok(Response::Console(start, octets.collect()))
    }

    /// The operator types; octets that came already are passed over. Gives what is new.
    pub(super) fn write<'o>(
        &mut self,
        port: SpPort,
        at: u64,
        octets: &'o [u8],
    ) -> Result<(&'o [u8], Response), Failure> {
        self.held(port)?;
        let known = self
            .typed
            .checked_sub(at)
            .and_then(|known| usize::try_from(known).ok());
        let new = known
            .and_then(|known| octets.get(known..))
            .unwrap_or_default();
        self.typed += u64::try_from(new.len()).unwrap_or_default();
        Ok((new, Response::Typed(self.typed)))
    }

    fn held(&self, port: SpPort) -> Result<(), Failure> {
        let holder = self.holder.as_ref().ok_or(Failure::NotHeld)?;
        (holder.port == port).then_some(()).ok_or(Failure::NotHeld)
    }

    fn forget(&mut self, count: usize) {
        self.out.drain(..count);
        self.first += u64::try_from(count).unwrap_or_default();
    }

    /// Where in `out` an octet is.
    fn index(&self, octet: u64) -> usize {
        usize::try_from(octet.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const ONE: SpPort = SpPort::One;

    fn read(console: &mut Console, from: u64, received: u64) -> (u64, Vec<u8>) {
        match console.read(ONE, from, received) {
            Ok(Response::Console(at, octets)) => (at, octets),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_operator_at_a_time_holds_it() {
        let mut console = Console::new(8);
        console.attach(ONE, "ada".into(), 0).unwrap();
        console.attach(ONE, "ada".into(), 0).unwrap();
        for (port, operator) in [(ONE, "bob"), (SpPort::Two, "ada")] {
            assert_eq!(
                console.attach(port, operator.into(), 0),
                Err(Failure::Held("ada".into()))
            );
        }
        assert_eq!(console.read(SpPort::Two, 0, 0), Err(Failure::NotHeld));
        console.detach(ONE).unwrap();
        console.attach(SpPort::Two, "bob".into(), 0).unwrap();
    }

    #[test]
    fn an_operator_that_is_not_heard_of_any_more_holds_it_no_longer() {
        let mut console = Console::new(8);
        console.attach(ONE, "ada".into(), 5).unwrap();
        console.hear(SpPort::Two, 50);
        console.expire(4 + HOLD);
        assert_eq!(console.holder(), Some("ada"));
        console.hear(ONE, 20);
        console.expire(5 + HOLD);
        assert_eq!(console.holder(), Some("ada"));
        console.expire(20 + HOLD);
        assert_eq!(console.holder(), None);
    }

    #[test]
    fn a_holder_that_is_behind_holds_the_host_up_and_loses_nothing() {
        let mut console = Console::new(8);
        console.attach(ONE, "ada".into(), 0).unwrap();
        assert_eq!(console.produce(b"0123456789"), 8);
        assert_eq!(read(&mut console, 0, 0), (0, b"01234567".to_vec()));
        assert_eq!(read(&mut console, 5, 5), (5, b"567".to_vec()));
        assert_eq!(console.produce(b"89abcdef"), 5);
        assert_eq!(read(&mut console, 8, 5), (8, b"89abc".to_vec()));
        assert_eq!(read(&mut console, 99, 5), (99, vec![]));
    }

    #[test]
    fn what_nobody_holds_is_overwritten_oldest_first() {
        let mut console = Console::new(4);
        assert_eq!(console.produce(b"0123456"), 7);
        assert_eq!(console.produce(b"78"), 2);
        console.attach(ONE, "ada".into(), 0).unwrap();
        assert_eq!(read(&mut console, 0, 0), (5, b"5678".to_vec()));
    }

    #[test]
    fn what_is_typed_twice_arrives_once() {
        let mut console = Console::new(4);
        console.attach(ONE, "ada".into(), 0).unwrap();
        let mut write = |at, octets| console.write(ONE, at, octets).unwrap().0.to_vec();
        assert_eq!(write(0, b"ls"), b"ls");
        assert_eq!(write(0, b"ls\n"), b"\n");
        assert_eq!(write(0, b"ls\n"), b"");
        assert_eq!(write(9, b"x"), b"", "nothing is left out");
    }
}
