//! Opening the sockets.

use std::io;
use std::net::{SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use libc::{c_int, c_uint, c_void, socklen_t};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, setsockopt, socket, sockopt,
};

use super::{StampError, StampSettings};

/// "Internetwork control": routing protocols (RFC 4594, section 3.1).
const CONTROL_CLASS: c_int = 0xc0;

pub(super) fn open(settings: StampSettings) -> Result<UdpSocket, StampError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Datagram,
        flags,
        SockProtocol::Udp,
    )
    .map_err(|e| StampError::Create(e.into()))?;
    let failed = |option| {
        move |errno: nix::Error| StampError::Option {
            option,
            settings,
            source: errno.into(),
        }
    };
    setsockopt(&socket, sockopt::Ipv6V6Only, &true).map_err(failed("IPV6_V6ONLY"))?;
    let ipv6 = libc::IPPROTO_IPV6;
    let hops = c_int::from(settings.hop_limit);
    let mut options = vec![
        ("IPV6_UNICAST_HOPS", ipv6, libc::IPV6_UNICAST_HOPS, hops),
        ("IPV6_RECVHOPLIMIT", ipv6, libc::IPV6_RECVHOPLIMIT, 1),
        ("IPV6_TCLASS", ipv6, libc::IPV6_TCLASS, CONTROL_CLASS),
    ];
    if let Some(link) = settings.link {
        let link = c_int::try_from(link).unwrap_or(c_int::MAX);
        options.push((
            "SO_BINDTOIFINDEX",
            libc::SOL_SOCKET,
            libc::SO_BINDTOIFINDEX,
            link,
        ));
    } else {
        // An address of loopback may come, by the router, after us.
        options.push(("IPV6_FREEBIND", ipv6, libc::IPV6_FREEBIND, 1));
    }
    for (option, level, name, value) in options {
        number(&socket, level, name, value).map_err(|source| StampError::Option {
            option,
            settings,
            source,
        })?;
    }
    let link = settings
        .link
        .filter(|_| settings.address.is_unicast_link_local());
    let at = SocketAddrV6::new(settings.address, settings.port, 0, link.unwrap_or(0));
    bind(socket.as_raw_fd(), &SockaddrIn6::from(at)).map_err(|e| StampError::Bind {
        settings,
        source: e.into(),
    })?;
    let socket = UdpSocket::from(socket);
    stamp(&socket, settings, true).map_err(|source| StampError::Option {
        option: "SO_TIMESTAMPING",
        settings,
        source,
    })?;
    Ok(socket)
}

/// Has the kernel stamp what passes, or not.
pub(super) fn stamp(socket: &UdpSocket, settings: StampSettings, on: bool) -> io::Result<()> {
    let arrivals = libc::SOF_TIMESTAMPING_SOFTWARE | libc::SOF_TIMESTAMPING_RX_SOFTWARE;
    let departures = libc::SOF_TIMESTAMPING_TX_SOFTWARE
        | libc::SOF_TIMESTAMPING_OPT_ID
        | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    let flags: c_uint = match (on, settings.departures) {
        (true, true) => arrivals | departures,
        (true, false) => arrivals,
        (false, _) => 0,
    };
    let flags = c_int::try_from(flags).unwrap_or(0);
    number(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags)
}

#[expect(
    unsafe_code,
    reason = "nix lacks these options, and its macro for own ones is not public"
)]
fn number(socket: &impl AsRawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let at: *const c_void = (&raw const value).cast();
    let len = socklen_t::try_from(size_of::<c_int>()).unwrap_or(4);
    // SAFETY: the socket is open for the length of the borrow, and the kernel reads the four octets of `value`.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, at, len) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
