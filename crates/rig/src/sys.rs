//! The few system calls that nobody wraps.
#![expect(
    unsafe_code,
    reason = "TUNSETIFF and UDP_NO_CHECK6_RX have no safe wrapper in the crates we use"
)]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::size_of_val;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, Result, ensure};

/// Accept UDP over IPv6 without a checksum (linux/udp.h; RFC 6935).
const UDP_NO_CHECK6_RX: libc::c_int = 102;

/// What `TUNSETIFF` takes: `struct ifreq` with a name and flags.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// Makes a TUN with virtio-net headers (10 octets, none of their offloads on for what is read) in the thread's
/// namespace.
pub(crate) fn open_tun(name: &str) -> Result<File> {
    ensure!(
        name.len() < libc::IFNAMSIZ,
        "an interface name has at most 15 octets"
    );
    let mut open = OpenOptions::new();
    let tun = open
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .context("cannot open /dev/net/tun")?;
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let mut request = InterfaceRequest {
        name: [0; libc::IFNAMSIZ],
        flags: libc::c_short::try_from(flags).context("the flags of a TUN are 16 bits")?,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the request has the size and layout of `struct ifreq`, which the kernel reads and writes.
    let done = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    succeeded(done).context("the kernel makes no TUN")?;
    Ok(tun)
}

/// Lets datagrams without a checksum in, and gives the socket room for bursts.
pub(crate) fn prepare_tunnel_socket(socket: &UdpSocket) -> Result<()> {
    let fd = socket.as_raw_fd();
    set_option(fd, libc::SOL_UDP, UDP_NO_CHECK6_RX, 1).context("UDP_NO_CHECK6_RX")?;
    set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 16 << 20).context("SO_RCVBUFFORCE")?;
    Ok(())
}

fn set_option(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: the pointer is to an integer of the length given, which lives until the call returns.
    let done = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) };
    succeeded(done)
}

fn succeeded(done: libc::c_int) -> io::Result<()> {
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
