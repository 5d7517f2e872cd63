//! A TCP connection with steady data in both directions, to see what it survives.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::clock::{SHORT, now, pause, wait_until};
use crate::namespace::Namespace;

/// How often each end sends a block.
const PACE: Duration = Duration::from_millis(2);
const BLOCK_LEN: usize = 1024;

/// What an end received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Octets, all of them the right ones.
    pub octets: u64,
    /// The longest time without any.
    pub longest_gap: Duration,
}

/// A connection whose ends send and check until told to stop.
#[derive(Debug)]
pub struct Conversation {
    ends: Vec<End>,
}

impl Conversation {
    /// Opens a connection from one namespace to an address that another one listens at.
    ///
    /// # Errors
    /// Where it does not come about within [`SHORT`].
    pub fn start(
        server: &Namespace,
        listen: SocketAddr,
        client: &Namespace,
        to: SocketAddr,
    ) -> Result<Self> {
        let listener = server.enter(|| TcpListener::bind(listen))?;
        let listener = listener.with_context(|| format!("cannot listen at {listen}"))?;
        listener.set_nonblocking(true)?;
        let near = connect(client, to)?;
        let mut far = None;
        wait_until(SHORT, "the connection is accepted", || {
            match listener.accept() {
                Ok((stream, _)) => far = Some(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => Err(error)?,
            }
            Ok(far.is_some())
        })?;
        let far = far.context("it is accepted")?;
        far.set_nonblocking(false)?;
        let ends = vec![End::start(near)?, End::start(far)?];
        Ok(Self { ends })
    }

    /// Opens a connection to somebody who sends back what is sent.
    ///
    /// # Errors
    /// Where it does not come about within [`SHORT`].
    pub fn with_echo(client: &Namespace, to: SocketAddr) -> Result<Self> {
        let near = connect(client, to)?;
        let ends = vec![End::start(near)?];
        Ok(Self { ends })
    }

    /// Waits until every end has received `octets` more than now.
    ///
    /// # Errors
    /// Where that does not happen within `within`.
    pub fn wait_for(&self, octets: u64, within: Duration) -> Result<()> {
        let received = |end: &End| end.received.load(Ordering::Relaxed);
        let before: Vec<u64> = self.ends.iter().map(received).collect();
        wait_until(within, "the connection carries data both ways", || {
            let mut pairs = self.ends.iter().zip(&before);
            Ok(pairs.all(|(end, before)| received(end) >= before + octets))
        })
    }

    /// Ends the connection in good order and says what each end received, the opener's first.
    ///
    /// # Errors
    /// Where the connection broke, or carried wrong data.
    pub fn finish(mut self) -> Result<Vec<Report>> {
        for end in &self.ends {
            end.stop.store(true, Ordering::Relaxed);
        }
        let ends = self.ends.drain(..);
        ends.map(End::finish).collect()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        for end in &self.ends {
            end.stop.store(true, Ordering::Relaxed);
            // A connection that is broken already cannot be shut.
            let _ = end.stream.shutdown(Shutdown::Both);
        }
    }
}

/// Connects to somebody who may just be starting, and gives the connection to `work`.
///
/// # Errors
/// Where there is no connection within [`SHORT`].
pub(crate) fn hold<T: Send>(
    client: &Namespace,
    to: SocketAddr,
    work: impl FnOnce(TcpStream) -> T + Send,
) -> Result<T> {
    let stream = connect(client, to)?;
    client.enter(|| work(stream))
}

fn connect(client: &Namespace, to: SocketAddr) -> Result<TcpStream> {
    let mut stream = None;
    wait_until(SHORT, &format!("a connection to {to}"), || {
        let tried = client.enter(|| TcpStream::connect_timeout(&to, Duration::from_secs(2)))?;
        stream = Some(tried?);
        Ok(true)
    })?;
    stream.context("it is connected")
}

/// One end: a thread that sends and one that checks.
#[derive(Debug)]
struct End {
    stream: TcpStream,
    received: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    sender: JoinHandle<Result<()>>,
    checker: JoinHandle<Result<Report>>,
}

impl End {
    fn start(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SHORT * 2))?;
        let (received, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (out, until) = (stream.try_clone()?, Arc::clone(&stop));
        let (input, counter) = (stream.try_clone()?, Arc::clone(&received));
        Ok(Self {
            stream,
            received,
            stop,
            sender: thread::spawn(move || send(out, &until)),
            checker: thread::spawn(move || check(input, &counter)),
        })
    }

    fn finish(self) -> Result<Report> {
        let sent = self
            .sender
            .join()
            .map_err(|_| anyhow!("a sender panicked"))?;
        sent.context("cannot send any more")?;
        let checked = self
            .checker
            .join()
            .map_err(|_| anyhow!("a checker panicked"))?;
        checked.context("cannot receive any more")
    }
}

fn send(mut stream: TcpStream, until: &AtomicBool) -> Result<()> {
    let mut number = 0;
    while !until.load(Ordering::Relaxed) {
        stream.write_all(&block(number))?;
        number += 1;
        pause(PACE);
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(())
}

fn check(mut stream: TcpStream, counter: &AtomicU64) -> Result<Report> {
    let (mut octets, mut longest_gap, mut last) = (0, Duration::ZERO, now());
    let mut read = vec![0; 16 * BLOCK_LEN];
    loop {
        let length = stream.read(&mut read)?;
        if length == 0 {
            return Ok(Report {
                octets,
                longest_gap,
            });
        }
        longest_gap = longest_gap.max(last.elapsed());
        last = now();
        for octet in &read[..length] {
            ensure!(*octet == expected(octets), "octet {octets} is wrong");
            octets += 1;
        }
        counter.store(octets, Ordering::Relaxed);
    }
}

/// A block of the stream.
fn block(number: u64) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    for (octet, at) in block.iter_mut().zip(number * 1024..) {
        *octet = expected(at);
    }
    block
}

/// The octet at a place of the stream: one of the eight of the place's number in units of eight.
fn expected(at: u64) -> u8 {
    let [.., last] = (at / 8)
        .rotate_right(u32::from(at.to_be_bytes()[7] % 8) * 8)
        .to_be_bytes();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_receive_what_was_sent() {
        if !crate::may_run("both_ends_receive_what_was_sent") {
            return;
        }
        let namespace = Namespace::new("talk").unwrap();
        let to: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        let talk = Conversation::start(&namespace, to, &namespace, to).unwrap();
        talk.wait_for(10_000, SHORT).unwrap();
        for report in talk.finish().unwrap() {
            assert!(report.octets >= 10_000, "{report:?}");
        }
    }

    #[test]
    fn no_octet_is_the_one_a_block_later() {
        let differ = (0..1024).filter(|at| expected(*at) != expected(*at + 1024));
        assert!(differ.count() >= 128);
    }
}
