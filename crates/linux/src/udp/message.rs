//! The kernel's structures of a batch, empty or filled.

use std::net::Ipv6Addr;
use std::ptr;

use libc::{iovec, mmsghdr, sa_family_t, sockaddr_in6, socklen_t};

/// Octets of an IPv6 socket address.
#[expect(
    clippy::cast_possible_truncation,
    reason = "28, and `try_from` is not for constants"
)]
pub(crate) const ADDRESS_LEN: socklen_t = size_of::<sockaddr_in6>() as socklen_t;

#[expect(
    clippy::cast_possible_truncation,
    reason = "10, and `try_from` is not for constants"
)]
const FAMILY: sa_family_t = libc::AF_INET6 as sa_family_t;

/// The socket address.
pub(crate) fn address(to: Ipv6Addr, port: u16) -> sockaddr_in6 {
    sockaddr_in6 {
        sin6_family: FAMILY,
        sin6_port: port.to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr {
            s6_addr: to.octets(),
        },
        sin6_scope_id: 0,
    }
}

/// A part of a payload that is nowhere.
pub(crate) const fn no_part() -> iovec {
    iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    }
}

/// A message without address, payload and control.
#[expect(
    unsafe_code,
    reason = "on some C libraries the structure has private padding"
)]
pub(crate) const fn no_message() -> mmsghdr {
    // SAFETY: numbers, for which zero is a value, and raw pointers, for which it is null.
    unsafe { std::mem::zeroed() }
}
