//! What is lost between two nodes, seen by a datagram each millisecond.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::Node;
use crate::clock::{now, pause, wait_until};

/// How often a datagram is sent.
const EVERY: Duration = Duration::from_millis(1);
/// How long the last ones may be under way.
const LAST: Duration = Duration::from_millis(300);

/// One flow of datagrams from node to node, one each millisecond.
#[derive(Debug)]
pub struct Probe {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Vec<Instant>>,
    receiver: JoinHandle<Vec<u64>>,
    ended: Arc<AtomicBool>,
    arrived: Arc<AtomicU64>,
}

/// What a probe saw.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// Datagrams that were sent.
    pub sent: usize,
    /// Those that did not arrive.
    pub lost: usize,
    /// The longest time without one: from the first that was lost to the next that was not.
    pub gap: Duration,
}

impl Probe {
    /// Sends from `from` to the own address of `to`, with these ports.
    ///
    /// # Errors
    /// Where a socket cannot be had.
    pub fn start(from: &Node, to: &Node, ports: (u16, u16)) -> Result<Self> {
        let (source, target) = (from.own()?, to.own()?);
        let open = |at: SocketAddr| move || UdpSocket::bind(at);
        let sending = from.enter(open((source, ports.0).into()))??;
        let receiving = to.enter(open((target, ports.1).into()))??;
        receiving.set_read_timeout(Some(Duration::from_millis(20)))?;
        let arrived = Arc::new(AtomicU64::new(0));
        let [stop, ended] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let sender = {
            let (stop, to) = (Arc::clone(&stop), SocketAddr::from((target, ports.1)));
            thread::spawn(move || send(&sending, to, &stop))
        };
        let receiver = {
            let (ended, arrived) = (Arc::clone(&ended), Arc::clone(&arrived));
            thread::spawn(move || receive(&receiving, &ended, &arrived))
        };
        Ok(Self {
            stop,
            sender,
            receiver,
            ended,
            arrived,
        })
    }

    /// Waits until so many more have arrived.
    ///
    /// # Errors
    /// Where they do not.
    pub fn wait_for(&self, more: u64, within: Duration) -> Result<()> {
        let goal = self.arrived.load(Ordering::Relaxed) + more;
        wait_until(within, &format!("{more} more datagrams arrive"), || {
            Ok(self.arrived.load(Ordering::Relaxed) >= goal)
        })
    }

    /// Ends it, and says what was lost.
    ///
    /// # Errors
    /// Where one of its threads panicked.
    pub fn finish(self) -> Result<Losses> {
        let panicked = |_| anyhow!("a probe panicked");
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().map_err(panicked)?;
        pause(LAST);
        self.ended.store(true, Ordering::Relaxed);
        let arrived = self.receiver.join().map_err(panicked)?;
        losses(&sent, &arrived).context("no datagram was sent")
    }
}

fn send(socket: &UdpSocket, to: SocketAddr, stop: &AtomicBool) -> Vec<Instant> {
    let mut sent: Vec<Instant> = Vec::new();
    let start = now();
    while !stop.load(Ordering::Relaxed) {
        let number = u64::try_from(sent.len()).unwrap_or(u64::MAX);
        let due = start + EVERY * u32::try_from(number).unwrap_or(u32::MAX);
        pause(due.saturating_duration_since(now()));
        sent.push(now());
        // Where there is no way at the moment, it is lost.
        let _ = socket.send_to(&number.to_be_bytes(), to);
    }
    sent
}

fn receive(socket: &UdpSocket, ended: &AtomicBool, count: &AtomicU64) -> Vec<u64> {
    let mut arrived = Vec::new();
    let mut buffer = [0; 8];
    while !ended.load(Ordering::Relaxed) {
        match socket.recv(&mut buffer) {
            Ok(8) => {
                arrived.push(u64::from_be_bytes(buffer));
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nothing else is an error of a socket that only receives.
            Err(_) => break,
        }
    }
    arrived
}

/// What did not arrive of what was sent, by time and number.
fn losses(sent: &[Instant], arrived: &[u64]) -> Option<Losses> {
    let mut here = vec![false; sent.len()];
    for number in arrived {
        if let Some(here) = usize::try_from(*number)
            .ok()
            .and_then(|at| here.get_mut(at))
        {
            *here = true;
        }
    }
    let end = sent.last()?;
    let mut found = Losses {
        sent: sent.len(),
        lost: here.iter().filter(|here| !**here).count(),
        gap: Duration::ZERO,
    };
    let mut since: Option<Instant> = None;
    for (at, here) in sent.iter().zip(here) {
        match (since, here) {
            (None, false) => since = Some(*at),
            (Some(first), true) => {
                found.gap = found.gap.max(*at - first);
                since = None;
            }
            _ => {}
        }
    }
    if let Some(first) = since {
        found.gap = found.gap.max(*end - first);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lasts_from_the_first_lost_to_the_next_that_arrives() {
        let start = now();
        let sent: Vec<_> = (0..10)
            .map(|ms| start + Duration::from_millis(ms))
            .collect();
        let found = losses(&sent, &[0, 1, 5, 6, 8, 9, 99]).unwrap();
        assert_eq!((found.sent, found.lost), (10, 4));
        assert_eq!(found.gap, Duration::from_millis(3));
        let found = losses(&sent, &[0, 1]).unwrap();
        assert_eq!(found.gap, Duration::from_millis(7), "to the end");
        assert_eq!(losses(&sent, &(0..10).collect::<Vec<_>>()).unwrap().lost, 0);
        assert!(losses(&[], &[]).is_none());
    }
}
