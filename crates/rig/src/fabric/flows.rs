//! Many TCP connections of the kernel between two nodes, each with little to say.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::Node;
use crate::clock::{SHORT, pause, wait_until};

/// How often each connection says something.
const EVERY: Duration = Duration::from_millis(10);
/// What it says then: so that counters of octets see it beside everything else.
const SOME: [u8; 1_200] = [0x5a; 1_200];

/// Connections that carry a steady small stream each.
#[derive(Debug)]
pub struct Flows {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Flows {
    /// Opens so many connections from the own address of `from` to that of `to`.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub fn start(from: &Node, to: &Node, port: u16, count: usize) -> Result<Self> {
        let (source, target) = (from.own()?, SocketAddr::from((to.own()?, port)));
        let listener = to.enter(|| TcpListener::bind(target))??;
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut flows = Self {
            stop: Arc::clone(&stop),
            threads: vec![thread::spawn(move || drain(&listener, &stop))],
        };
        let opened = from.enter(|| open(target, count))??;
        for stream in &opened {
            let local = stream.local_addr()?.ip();
            ensure!(
                local == source,
                "a connection began at {local}, not at {source}"
            );
        }
        let stop = Arc::clone(&flows.stop);
        flows
            .threads
            .push(thread::spawn(move || talk(opened, &stop)));
        Ok(flows)
    }

    /// What part of what `node` sends by these links leaves by each, over so long a time.
    ///
    /// # Errors
    /// Where a link has no counter, or nothing was sent.
    pub fn shares(node: &Node, links: &[&str], over: Duration) -> Result<Vec<f64>> {
        let count = || {
            links
                .iter()
                .map(|link| node.sent(link))
                .collect::<Result<Vec<_>>>()
        };
        let before = count()?;
        pause(over);
        let after = count()?;
        let sent: Vec<u32> = before
            .iter()
            .zip(after)
            .map(|(before, after)| u32::try_from(after - before))
            .collect::<Result<_, _>>()?;
        let all: f64 = sent.iter().copied().map(f64::from).sum();
        ensure!(all > 0.0, "nothing left {}", node.name);
        Ok(sent.iter().map(|sent| f64::from(*sent) / all).collect())
    }

    /// Ends them.
    ///
    /// # Errors
    /// Where a thread panicked.
    pub fn finish(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread
                .join()
                .map_err(|_| anyhow!("a thread of flows panicked"))?;
        }
        Ok(())
    }
}

impl Drop for Flows {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn open(target: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut opened = None;
        wait_until(SHORT, "a connection is opened", || {
            opened = Some(TcpStream::connect_timeout(&target, SHORT)?);
            Ok(true)
        })?;
        let stream = opened.context("it is open")?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    Ok(streams)
}

/// Says something on each connection, one after another over the whole interval.
fn talk(mut streams: Vec<TcpStream>, stop: &AtomicBool) {
    const TURN: usize = 32;
    let turns = u32::try_from(streams.len().div_ceil(TURN)).unwrap_or(1);
    while !stop.load(Ordering::Relaxed) {
        for turn in streams.chunks_mut(TURN) {
            for stream in turn {
                // What a full window does not take is said later.
                let _ = stream.write(&SOME);
            }
            pause(EVERY / turns);
        }
    }
}

/// Takes what comes, on all connections.
fn drain(listener: &TcpListener, stop: &AtomicBool) {
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        while let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                streams.push(stream);
            }
        }
        streams.retain_mut(|stream| match stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        });
        pause(Duration::from_millis(4));
    }
}
