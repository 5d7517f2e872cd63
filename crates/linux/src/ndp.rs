//! Router discovery between neighbours (RFC 4861, 6): solicitations to all routers of a link, advertisements that
//! answer them.
//!
//! The advertisements have router lifetime 0: nobody makes their sender its default router, they only say that it is
//! there. The codec is [`rackweave_wire::ndp`].

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use rackweave_wire::icmpv6::Icmpv6Type;
use rackweave_wire::ndp::{
    Milliseconds, NdpRepr, NdpView, RouterAdvertisement, RouterLifetime, RouterPreference,
};
use rackweave_wire::options::Options;
use tokio::io::unix::AsyncFd;

use crate::socket::{SocketError, one_hop, receive_one_hop, register, send_to, set};

/// All routers of a link (RFC 4291, 2.7.1).
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// What it is called in errors.
const WHAT: &str = "a raw icmpv6 socket";

/// Octets of the longest message that is looked at: a link's MTU is not shorter, and neither solicitation nor
/// advertisement is longer in practice.
const ROOM: usize = 2048;

/// What a neighbour said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Who is there? (RFC 4861, 4.1)
    Solicitation,
    /// I am. (RFC 4861, 4.2)
    Advertisement,
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The number of the link.
    pub link: u32,
    /// The neighbour's link-local address.
    pub from: Ipv6Addr,
    /// What it said.
    pub said: Said,
}

/// A socket for the router discovery on all links of its namespace.
///
/// It takes in valid messages of hop limit 255 alone (RFC 4861, 6.1).
#[derive(Debug)]
pub struct NdpSocket {
    socket: AsyncFd<OwnedFd>,
    refused: AtomicU64,
}

impl NdpSocket {
    /// Opens it in the namespace of the calling thread, inside an asynchronous runtime.
    ///
    /// # Errors
    /// [`SocketError`]; it needs `CAP_NET_RAW`.
    pub fn open() -> Result<Self, SocketError> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(
            AddressFamily::Inet6,
            SockType::Raw,
            flags,
            SockProtocol::IcmpV6,
        )
        .map_err(|e| SocketError::Create {
            what: WHAT,
            source: e.into(),
        })?;
        one_hop(WHAT, &socket)?;
        let option = |option, result: io::Result<()>| {
            result.map_err(|source| SocketError::Option {
                what: WHAT,
                option,
                source,
            })
        };
        let only = set(&socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, &filter());
        option("ICMP6_FILTER", only)?;
        let silent = set(
            &socket,
            libc::IPPROTO_IPV6,
            libc::IPV6_MULTICAST_LOOP,
            &0_i32,
        );
        option("IPV6_MULTICAST_LOOP", silent)?;
        Ok(Self {
            socket: register(socket)
                .map_err(|source| SocketError::Register { what: WHAT, source })?,
            refused: AtomicU64::new(0),
        })
    }

    /// Hears from now on what is said to all routers of a link; nothing changes where it does so already.
    ///
    /// # Errors
    /// [`SocketError::Join`] where the link is gone.
    pub fn join(&self, link: u32) -> Result<(), SocketError> {
        let request = libc::ipv6_mreq {
            ipv6mr_multiaddr: libc::in6_addr {
                s6_addr: ALL_ROUTERS.octets(),
            },
            ipv6mr_interface: link,
        };
        let joined = set(
            self.socket.get_ref(),
            libc::IPPROTO_IPV6,
            libc::IPV6_ADD_MEMBERSHIP,
            &request,
        );
        match joined {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => Ok(()),
            other => other.map_err(|source| SocketError::Join {
                what: WHAT,
                link,
                source,
            }),
        }
    }

    /// Asks all routers of a link who is there.
    ///
    /// # Errors
    /// The kernel's word: the link is down, gone, or has no address yet.
    pub fn solicit(&self, link: u32) -> io::Result<()> {
        let options = Options::default();
        self.send(link, ALL_ROUTERS, &NdpRepr::RouterSolicitation { options })
    }

    /// Tells a neighbour that we are here.
    ///
    /// # Errors
    /// The kernel's word: the link is down, gone, or has no address yet.
    pub fn advertise(&self, link: u32, to: Ipv6Addr) -> io::Result<()> {
        let router = RouterAdvertisement {
            hop_limit: 0,
            managed: false,
            other: false,
            preference: RouterPreference::default(),
            lifetime: RouterLifetime::from_secs(0),
            reachable: Milliseconds::new(0),
            retransmit: Milliseconds::new(0),
        };
        let options = Options::default();
        self.send(link, to, &NdpRepr::RouterAdvertisement { router, options })
    }

    /// Waits for what a neighbour says next. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Where the socket is broken.
    pub async fn receive(&self) -> io::Result<Heard> {
        let mut buffer = [0; ROOM];
        loop {
            let mut ready = self.socket.readable().await?;
            let Ok(received) =
                ready.try_io(|socket| receive_one_hop(socket.get_ref(), &mut buffer))
            else {
                continue;
            };
            if let Some(arrival) = received?
                && let Some(said) = said(&buffer[..arrival.len])
            {
                return Ok(Heard {
                    link: arrival.link,
                    from: arrival.from,
                    said,
                });
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many messages were passed over since it was opened, as invalid or from afar.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Sends a message; the kernel chooses the source address and computes the checksum (RFC 3542, 3.1).
    fn send(&self, link: u32, to: Ipv6Addr, message: &NdpRepr<'_>) -> io::Result<()> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes).map_err(io::Error::other)?;
        send_to(self.socket.get_ref(), link, to, 0, &bytes)
    }
}

/// What a valid message says; the kernel has looked at its checksum.
fn said(bytes: &[u8]) -> Option<Said> {
    let view = NdpView::parse(bytes).ok()?;
    match NdpRepr::parse(&view).ok()? {
        NdpRepr::RouterSolicitation { .. } => Some(Said::Solicitation),
        NdpRepr::RouterAdvertisement { .. } => Some(Said::Advertisement),
        _ => None,
    }
}

/// The option's number in `linux/icmpv6.h`.
const ICMP6_FILTER: libc::c_int = 1;

/// Which types of message do not come: a bit for each (RFC 3542, 3.2). Linux says which are blocked.
fn filter() -> [u32; 8] {
    let mut blocked = [u32::MAX; 8];
    for kind in [
        Icmpv6Type::ROUTER_SOLICITATION,
        Icmpv6Type::ROUTER_ADVERTISEMENT,
    ] {
        let kind = kind.get();
        blocked[usize::from(kind / 32)] &= !(1 << (kind % 32));
    }
    blocked
}

#[cfg(test)]
mod tests;
