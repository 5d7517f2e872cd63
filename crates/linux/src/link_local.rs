//! UDP between neighbours: one socket for all links, link-local addresses, one hop.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, setsockopt, socket, sockopt,
};
use tokio::io::unix::AsyncFd;

use crate::socket::{SocketError, one_hop, receive_one_hop, register, send_to};

/// What it is called in errors.
const WHAT: &str = "a udp socket for neighbors";

/// Octets of kernel memory for what waits, in each direction: a burst of a few thousand full datagrams.
const BUFFER: usize = 4 << 20;

/// A datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The number of the link.
    pub link: u32,
    /// The sender's link-local address.
    pub from: Ipv6Addr,
    /// Its octets, at the start of the buffer.
    pub len: usize,
}

/// A socket that talks to the neighbours on all links of its namespace, from and to one port.
///
/// What it sends has hop limit 255, and it takes in nothing else: only a neighbour can have sent it (RFC 5082).
#[derive(Debug)]
pub struct LinkLocalUdp {
    socket: AsyncFd<OwnedFd>,
    port: u16,
    refused: AtomicU64,
}

impl LinkLocalUdp {
    /// Opens it in the namespace of the calling thread, inside an asynchronous runtime.
    ///
    /// # Errors
    /// [`SocketError`]; also where another program has the port.
    pub fn open(port: u16) -> Result<Self, SocketError> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let family = AddressFamily::Inet6;
        let socket = socket(family, SockType::Datagram, flags, SockProtocol::Udp).map_err(|e| {
            SocketError::Create {
                what: WHAT,
                source: e.into(),
            }
        })?;
        one_hop(WHAT, &socket)?;
        let option = |option, result: nix::Result<()>| {
            result.map_err(|e| SocketError::Option {
                what: WHAT,
                option,
                source: e.into(),
            })
        };
        option(
            "IPV6_V6ONLY",
            setsockopt(&socket, sockopt::Ipv6V6Only, &true),
        )?;
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            option("SO_RCVBUF", setsockopt(&socket, sockopt::RcvBuf, &BUFFER))?;
        }
        if setsockopt(&socket, sockopt::SndBufForce, &BUFFER).is_err() {
            option("SO_SNDBUF", setsockopt(&socket, sockopt::SndBuf, &BUFFER))?;
        }
        let any = SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0));
        bind(socket.as_raw_fd(), &any).map_err(|e| SocketError::Bind {
            what: WHAT,
            port,
            source: e.into(),
        })?;
        Ok(Self {
            socket: register(socket)
                .map_err(|source| SocketError::Register { what: WHAT, source })?,
            port,
            refused: AtomicU64::new(0),
        })
    }

    /// Waits for the next datagram of a neighbour and puts it into the buffer. What is longer than the buffer, or not
    /// from a neighbour, is passed over and counted. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Where the socket is broken.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        loop {
            let mut ready = self.socket.readable().await?;
            let Ok(received) = ready.try_io(|socket| receive_one_hop(socket.get_ref(), buffer))
            else {
                continue;
            };
            if let Some(arrival) = received? {
                return Ok(Datagram {
                    link: arrival.link,
                    from: arrival.from,
                    len: arrival.len,
                });
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a datagram to a neighbour, at once.
    ///
    /// # Errors
    /// The kernel's word: the link is down or gone, or there is no room (`WouldBlock`). A protocol that repeats itself
    /// counts it and goes on.
    pub fn send(&self, link: u32, to: Ipv6Addr, bytes: &[u8]) -> io::Result<()> {
        send_to(self.socket.get_ref(), link, to, self.port, bytes)
    }

    /// How many datagrams were passed over since it was opened.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
