//! What the sockets of a node's links have in common: many links on one socket, each message with its link.

use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libc::{c_int, c_void, socklen_t};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendto, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The hop limit that proves that no router forwarded a message (RFC 4861, 3.1; RFC 5082, 3).
pub const HOP_LIMIT: u8 = 255;

/// Why a socket could not be opened, or not listen on a link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// No socket at all.
    #[error("cannot create {what}: it needs CAP_NET_RAW where it is a raw one")]
    Create {
        /// The socket.
        what: &'static str,
        /// The kernel's word.
        source: io::Error,
    },
    /// The kernel lacks an option, or refuses it.
    #[error("cannot set {option} on {what}")]
    Option {
        /// The socket.
        what: &'static str,
        /// The option's name.
        option: &'static str,
        /// The kernel's word.
        source: io::Error,
    },
    /// The port is taken.
    #[error("cannot bind {what} to port {port}: `ss -ulnp` says who has it")]
    Bind {
        /// The socket.
        what: &'static str,
        /// The port, or the protocol's number.
        port: u16,
        /// The kernel's word.
        source: io::Error,
    },
    /// The link is gone, or takes no multicast address.
    #[error("cannot listen with {what} on link {link}: `ip link` says whether it is there")]
    Join {
        /// The socket.
        what: &'static str,
        /// The link's number.
        link: u32,
        /// The kernel's word.
        source: io::Error,
    },
    /// The asynchronous runtime did not take it.
    #[error("cannot wait for {what}")]
    Register {
        /// The socket.
        what: &'static str,
        /// Its word.
        source: io::Error,
    },
}

/// What came on a socket of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) link: u32,
    pub(crate) from: Ipv6Addr,
    pub(crate) len: usize,
}

/// Has the socket tell the link and hop limit of what comes, and send with hop limit 255.
pub(crate) fn one_hop(what: &'static str, socket: &OwnedFd) -> Result<(), SocketError> {
    let hops = c_int::from(HOP_LIMIT);
    let told = [
        (
            "IPV6_RECVPKTINFO",
            setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true),
        ),
        (
            "IPV6_RECVHOPLIMIT",
            setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true),
        ),
        (
            "IPV6_UNICAST_HOPS",
            setsockopt(socket, sockopt::Ipv6Ttl, &hops),
        ),
        (
            "IPV6_MULTICAST_HOPS",
            setsockopt(socket, sockopt::Ipv6MulticastHops, &hops),
        ),
    ];
    for (option, result) in told {
        result.map_err(|e| SocketError::Option {
            what,
            option,
            source: e.into(),
        })?;
    }
    Ok(())
}

/// Takes in one message that came over one hop from a link-local address, whole; `None` for any other one.
///
/// # Errors
/// Where nothing waits, or the socket is broken.
pub(crate) fn receive_one_hop(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<Arrival>> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, c_int);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrIn6>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let (mut link, mut hops) = (None, None);
    for told in message.cmsgs()? {
        match told {
            ControlMessageOwned::Ipv6PacketInfo(info) => link = Some(info.ipi6_ifindex),
            ControlMessageOwned::Ipv6HopLimit(limit) => hops = Some(limit),
            _ => {}
        }
    }
    let whole = !message
        .flags
        .intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    let from = message.address.map(|address| address.ip());
    Ok(match (link, from) {
        (Some(link), Some(from))
            if whole && hops == Some(c_int::from(HOP_LIMIT)) && from.is_unicast_link_local() =>
        {
            Some(Arrival {
                link,
                from,
                len: message.bytes,
            })
        }
        _ => None,
    })
}

/// Sends to an address of a link, at once.
///
/// # Errors
/// The kernel's word; `WouldBlock` where there is no room.
pub(crate) fn send_to(
    socket: &OwnedFd,
    link: u32,
    to: Ipv6Addr,
    port: u16,
    bytes: &[u8],
) -> io::Result<()> {
    let to = SockaddrIn6::from(SocketAddrV6::new(to, port, 0, link));
    sendto(socket.as_raw_fd(), bytes, &to, MsgFlags::MSG_DONTWAIT)?;
    Ok(())
}

/// What owns one file descriptor, the same one as long as it lives, and closes it when it goes.
pub(crate) trait Owner: AsRawFd {}
impl Owner for OwnedFd {}
impl Owner for rtnetlink::sys::Socket {}

/// Joins a socket to the asynchronous runtime of the caller.
#[expect(
    unsafe_code,
    reason = "the runtime asks for the promise that the descriptor stays the same"
)]
pub(crate) fn register<T: Owner>(socket: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: an `Owner` keeps its one descriptor open as long as it lives, and the `AsyncFd` owns it.
    let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    registered.map_err(Into::into)
}

/// Sets an option that nix does not know.
#[expect(
    unsafe_code,
    reason = "nix lacks these options, and its macro for own ones is not public"
)]
pub(crate) fn set<T: Copy>(
    socket: &impl AsFd,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    let at: *const c_void = (&raw const *value).cast();
    let len = socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the socket is open for the length of the borrow, and the kernel reads the octets of `value`, no more.
    let result = unsafe { libc::setsockopt(fd, level, name, at, len) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
