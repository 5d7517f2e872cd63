//! Small servers in namespaces: a page over HTTP, and a resolver of the world outside.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clock::pause;
use crate::namespace::Namespace;

/// How often a server looks whether it shall end.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(5);

/// A server, which runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    ended: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers every request over HTTP with the same text.
    ///
    /// # Errors
    /// Where it cannot listen there.
    pub fn page(namespace: &Namespace, at: SocketAddr, text: &str) -> Result<Self> {
        let listener = namespace.enter(|| TcpListener::bind(at))?;
        let listener = listener.with_context(|| format!("cannot listen at {at}"))?;
        listener.set_nonblocking(true)?;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        Ok(Self::run(move |asked| match listener.accept() {
            Ok((stream, _)) => {
                asked.fetch_add(1, Ordering::Relaxed);
                // A client that goes away has lost its page.
                let _ = reply(stream, answer.as_bytes());
            }
            Err(_) => pause(LOOK),
        }))
    }

    /// Says of every name that its IPv4 address is this one (RFC 1035), over UDP.
    ///
    /// # Errors
    /// Where it cannot listen at port 53 of `at`.
    pub fn resolver(namespace: &Namespace, at: IpAddr, says: Ipv4Addr) -> Result<Self> {
        let socket = namespace.enter(|| UdpSocket::bind((at, 53)))?;
        let socket = socket.with_context(|| format!("cannot listen at {at}"))?;
        socket.set_read_timeout(Some(LOOK))?;
        Ok(Self::run(move |asked| {
            let mut query = [0; 1500];
            if let Ok((length, from)) = socket.recv_from(&mut query) {
                asked.fetch_add(1, Ordering::Relaxed);
                let answer = resolve(&query[..length], says);
                // Who asked may be gone.
                let _ = answer.map(|answer| socket.send_to(&answer, from));
            }
        }))
    }

    fn run(mut step: impl FnMut(&AtomicU32) + Send + 'static) -> Self {
        let (ended, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (until, count) = (Arc::clone(&ended), Arc::clone(&asked));
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                step(&count);
            }
        });
        Self {
            ended,
            asked,
            thread: Some(thread),
        }
    }

    /// How often it was asked.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // It has no result.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn reply(mut stream: TcpStream, answer: &[u8]) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request: Vec<u8> = Vec::new();
    let mut read = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut read) {
            Ok(0) => return Ok(()),
            Ok(length) => request.extend(&read[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => Err(error)?,
        }
    }
    stream.write_all(answer)?;
    Ok(())
}

/// The answer to a query: its header and question, and one address where an address was asked for.
fn resolve(query: &[u8], says: Ipv4Addr) -> Option<Vec<u8>> {
    const HEADER_LEN: usize = 12;
    let name_len = query
        .get(HEADER_LEN..)?
        .iter()
        .position(|octet| *octet == 0)?
        + 1;
    let question_end = HEADER_LEN + name_len + 4;
    let question = query.get(HEADER_LEN..question_end)?;
    let asks_v4 = question[name_len..name_len + 2] == [0, 1];
    let mut answer = query[..2].to_vec();
    // A response with recursion, as it was desired; one question, and one answer or none.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(asks_v4), 0, 0, 0, 0]);
    answer.extend(question);
    if asks_v4 {
        // The name of the question, type A, class IN, for a minute.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(says.octets());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_repeats_its_question() {
        let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
        let answer = resolve(query, Ipv4Addr::new(198, 18, 0, 7)).unwrap();
        assert_eq!(answer[..2], query[..2]);
        assert_eq!(answer[12..19], query[12..]);
        assert!(answer.ends_with(&[198, 18, 0, 7]));
        assert!(resolve(&query[..14], Ipv4Addr::LOCALHOST).is_none());
    }
}
