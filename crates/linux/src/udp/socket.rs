//! Opening the sockets.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use libc::{c_int, c_void, socklen_t};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, setsockopt, socket, sockopt,
};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UdpError {
    /// No socket at all.
    #[error("cannot create an ipv6 udp socket")]
    Create(#[source] io::Error),
    /// The kernel lacks an option, or refuses it.
    #[error("cannot set {option} on an underlay socket")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The kernel's word.
        source: io::Error,
    },
    /// The address cannot be bound.
    #[error("cannot bind [{address}]:{port}: `ss -ulnp` says who has it")]
    Bind {
        /// The tunnel end point.
        address: Ipv6Addr,
        /// The port; zero stands for any.
        port: u16,
        /// The kernel's word.
        source: io::Error,
    },
}

/// A socket that receives datagrams for the address and port.
pub(super) fn receiving(at: Ipv6Addr, port: u16, buffer: usize) -> Result<UdpSocket, UdpError> {
    let socket = plain()?;
    set(
        "SO_REUSEPORT",
        setsockopt(&socket, sockopt::ReusePort, &true),
    )?;
    if setsockopt(&socket, sockopt::RcvBufForce, &buffer).is_err() {
        set("SO_RCVBUF", setsockopt(&socket, sockopt::RcvBuf, &buffer))?;
    }
    // "the following restrictions apply to … an IPv6 node that … receives UDP packets with a zero
    // checksum": RFC 6936, section 4. Tunnel end points may omit it (RFC 8926, section 3.3), and a
    // TAP underlay with segmentation offload does.
    number(
        &socket,
        "UDP_NO_CHECK6_RX",
        libc::SOL_UDP,
        libc::UDP_NO_CHECK6_RX,
        1,
    )?;
    number(&socket, "UDP_GRO", libc::SOL_UDP, libc::UDP_GRO, 1)?;
    number(
        &socket,
        "SO_RXQ_OVFL",
        libc::SOL_SOCKET,
        libc::SO_RXQ_OVFL,
        1,
    )?;
    set(
        "IPV6_RECVTCLASS",
        setsockopt(&socket, sockopt::Ipv6RecvTClass, &true),
    )?;
    bound(socket, at, port)
}

/// A socket that sends from the address, with a source port of the kernel's choice.
pub(super) fn sending(at: Ipv6Addr, buffer: usize) -> Result<UdpSocket, UdpError> {
    let socket = plain()?;
    if setsockopt(&socket, sockopt::SndBufForce, &buffer).is_err() {
        set("SO_SNDBUF", setsockopt(&socket, sockopt::SndBuf, &buffer))?;
    }
    // The underlay has one MTU in the whole AZ. What is longer than the link is refused (EMSGSIZE)
    // and not fragmented; what an ICMPv6 Packet Too Big claims of a path is not believed. Errors of
    // earlier sends are not asked for (IPV6_RECVERR): they would fail sends to somebody else.
    let probe = libc::IPV6_PMTUDISC_PROBE;
    number(
        &socket,
        "IPV6_MTU_DISCOVER",
        libc::IPPROTO_IPV6,
        libc::IPV6_MTU_DISCOVER,
        probe,
    )?;
    number(
        &socket,
        "IPV6_DONTFRAG",
        libc::IPPROTO_IPV6,
        libc::IPV6_DONTFRAG,
        1,
    )?;
    bound(socket, at, 0)
}

/// Whether a socket can cut what it sends.
pub(super) fn segments(socket: &UdpSocket) -> Result<(), UdpError> {
    // Zero is the default: not to.
    number(socket, "UDP_SEGMENT", libc::SOL_UDP, libc::UDP_SEGMENT, 0)
}

fn plain() -> Result<OwnedFd, UdpError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Datagram,
        flags,
        SockProtocol::Udp,
    )
    .map_err(|e| UdpError::Create(e.into()))?;
    set(
        "IPV6_V6ONLY",
        setsockopt(&socket, sockopt::Ipv6V6Only, &true),
    )?;
    // The end point's address may come, by the router, after us.
    number(
        &socket,
        "IPV6_FREEBIND",
        libc::IPPROTO_IPV6,
        libc::IPV6_FREEBIND,
        1,
    )?;
    Ok(socket)
}

fn bound(socket: OwnedFd, address: Ipv6Addr, port: u16) -> Result<UdpSocket, UdpError> {
    let at = SockaddrIn6::from(SocketAddrV6::new(address, port, 0, 0));
    bind(socket.as_raw_fd(), &at).map_err(|e| UdpError::Bind {
        address,
        port,
        source: e.into(),
    })?;
    Ok(UdpSocket::from(socket))
}

fn set(option: &'static str, result: nix::Result<()>) -> Result<(), UdpError> {
    result.map_err(|e| UdpError::Option {
        option,
        source: e.into(),
    })
}

/// Sets an option that nix does not know.
#[expect(
    unsafe_code,
    reason = "nix lacks these options, and its macro for own ones is not public"
)]
fn number(
    socket: &impl AsRawFd,
    option: &'static str,
    level: c_int,
    name: c_int,
    value: c_int,
) -> Result<(), UdpError> {
    let at: *const c_void = (&raw const value).cast();
    let len = socklen_t::try_from(size_of::<c_int>()).unwrap_or(4);
    // SAFETY: the socket is open for the length of the borrow, and the kernel reads the four octets of `value`.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, at, len) };
    if result == 0 {
        return Ok(());
    }
    Err(UdpError::Option {
        option,
        source: io::Error::last_os_error(),
    })
}
