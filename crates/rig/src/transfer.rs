//! A lot of data over TCP, one way.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::clock::{SHORT, now};
use crate::conversation::hold;
use crate::namespace::Namespace;

/// How a transfer went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What `ss -ti` said of the sender's end when all was sent.
    pub sender: String,
    /// How long it took.
    pub took: Duration,
}

impl Transfer {
    /// Sends so many octets from one namespace to an address that another one listens at, and checks every one.
    ///
    /// # Errors
    /// Where a connection does not come about, breaks, or carries wrong data.
    pub fn run(
        server: &Namespace,
        client: &Namespace,
        to: SocketAddr,
        octets: u64,
    ) -> Result<Self> {
        let listener = server.enter(|| TcpListener::bind(to))?;
        let listener = listener.with_context(|| format!("cannot listen at {to}"))?;
        let receiver = thread::spawn(move || receive(&listener));
        let start = now();
        let sender = hold(client, to, |stream| send(stream, octets))??;
        let received = receiver
            .join()
            .map_err(|_| anyhow!("the receiver panicked"))??;
        let took = start.elapsed();
        ensure!(received == octets, "{received} of {octets} octets arrived");
        Ok(Self { sender, took })
    }

    /// The sender's segment size.
    ///
    /// # Errors
    /// Where `ss` did not say it.
    pub fn mss(&self) -> Result<u32> {
        let (_, after) = self.sender.split_once(" mss:").context("ss says no mss")?;
        let digits = after.split(' ').next().context("ss says no mss")?;
        Ok(digits.parse()?)
    }
}

/// A period that no power of two divides, so that data at a wrong place is seen.
const PERIOD: usize = 251;

fn pattern() -> Vec<u8> {
    let numbers = (0..=u8::MAX).take(PERIOD);
    numbers.cycle().take(PERIOD * 1024).collect()
}

fn send(mut stream: TcpStream, octets: u64) -> Result<String> {
    let pattern = pattern();
    let mut left = octets;
    while left > 0 {
        let part = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(pattern.len());
        stream.write_all(&pattern[..part])?;
        left -= u64::try_from(part)?;
    }
    let port = stream.local_addr()?.port();
    let said = crate::process::must(&["ss", "-tinH", "sport", "=", &format!(":{port}")], "")?;
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(SHORT * 3))?;
    stream.read_exact(&mut [0])?;
    Ok(said)
}

fn receive(listener: &TcpListener) -> Result<u64> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(SHORT))?;
    let pattern = pattern();
    let mut read = vec![0; 1 << 18];
    let (mut octets, mut at) = (0_u64, 0);
    loop {
        let length = stream.read(&mut read)?;
        if length == 0 {
            break;
        }
        let mut rest = &read[..length];
        while !rest.is_empty() {
            let part = rest.len().min(pattern.len() - at);
            let same = rest[..part] == pattern[at..at + part];
            ensure!(same, "wrong data after octet {octets}");
            rest = &rest[part..];
            at = (at + part) % PERIOD;
        }
        octets += u64::try_from(length)?;
    }
    stream.write_all(&[1])?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_arrives() {
        if !crate::may_run("all_of_it_arrives") {
            return;
        }
        let namespace = Namespace::new("bulk").unwrap();
        let to = "127.0.0.1:7000".parse().unwrap();
        let done = Transfer::run(&namespace, &namespace, to, 10_000_000).unwrap();
        assert!(done.mss().unwrap() > 1000, "{}", done.sender);
    }
}
