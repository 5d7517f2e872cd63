//! The calls of the tun driver and of network devices, each with the type it takes.
#![expect(
    unsafe_code,
    reason = "ioctl is a C call whose argument depends on the request"
)]

use std::io;
use std::os::fd::AsFd;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_short, c_ulong, ifreq};
use rackweave_types::MacAddr;

/// Bytes of a device's name with its end.
pub(super) const NAME_LEN: usize = libc::IFNAMSIZ;

/// A request about the device of this name, which is shorter than [`NAME_LEN`].
fn request(name: &str) -> ifreq {
    // SAFETY: an `ifreq` is integers, addresses and unions of them; all of them may be zero.
    let mut request: ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request
        .ifr_name
        .iter_mut()
        .zip(name.bytes().take(NAME_LEN - 1))
    {
        *to = from.cast_signed();
    }
    request
}

fn done(result: c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A call that takes an `ifreq` and may write to it.
fn on_device(fd: BorrowedFd<'_>, call: c_ulong, request: &mut ifreq) -> io::Result<()> {
    // SAFETY: all callers are in this file and pass calls that read and write one `ifreq`, which lives until the
    // call returns; the descriptor is open as long as it is borrowed.
    done(unsafe { libc::ioctl(fd.as_raw_fd(), call, std::ptr::from_mut(request)) })
}

/// A call that takes a number.
fn with_number(fd: BorrowedFd<'_>, call: c_ulong, number: c_ulong) -> io::Result<()> {
    // SAFETY: all callers are in this file and pass calls whose argument is the number itself; the descriptor is
    // open as long as it is borrowed.
    done(unsafe { libc::ioctl(fd.as_raw_fd(), call, number) })
}

/// Makes `file`, opened from `/dev/net/tun`, a queue of the device.
pub(super) fn attach(file: impl AsFd, name: &str, flags: c_int) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = c_short::from_ne_bytes(low_half(flags));
    on_device(file.as_fd(), libc::TUNSETIFF, &mut request)
}

/// The low 16 bits, in which the kernel keeps interface flags.
fn low_half(flags: c_int) -> [u8; 2] {
    let [first, second, ..] = flags.to_le_bytes();
    u16::from_le_bytes([first, second]).to_ne_bytes()
}

/// Whether the device stays when its queues are closed.
pub(super) fn set_persist(file: impl AsFd, persist: bool) -> io::Result<()> {
    with_number(file.as_fd(), libc::TUNSETPERSIST, persist.into())
}

/// What this side takes unfinished (`TUN_F_…`).
pub(super) fn set_offload(file: impl AsFd, features: u32) -> io::Result<()> {
    with_number(file.as_fd(), libc::TUNSETOFFLOAD, features.into())
}

/// Bytes of the virtio-net header.
pub(super) fn set_header_len(file: impl AsFd, len: c_int) -> io::Result<()> {
    // SAFETY: the call reads one `int`, which lives until it returns; the descriptor is open as long as it is
    // borrowed.
    done(unsafe {
        libc::ioctl(
            file.as_fd().as_raw_fd(),
            libc::TUNSETVNETHDRSZ,
            std::ptr::from_ref(&len),
        )
    })
}

/// Sets the device's MTU, through any socket of its namespace.
pub(super) fn set_mtu(socket: impl AsFd, name: &str, mtu: u16) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_mtu = mtu.into();
    on_device(socket.as_fd(), libc::SIOCSIFMTU, &mut request)
}

/// Sets the device's Ethernet address.
pub(super) fn set_mac(socket: impl AsFd, name: &str, mac: MacAddr) -> io::Result<()> {
    let mut request = request(name);
    let mut address = libc::sockaddr {
        sa_family: libc::ARPHRD_ETHER,
        sa_data: [0; 14],
    };
    for (to, from) in address.sa_data.iter_mut().zip(mac.octets()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_hwaddr = address;
    on_device(socket.as_fd(), libc::SIOCSIFHWADDR, &mut request)
}

/// Brings the device up.
pub(super) fn set_up(socket: impl AsFd, name: &str) -> io::Result<()> {
    let mut request = request(name);
    on_device(socket.as_fd(), libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the call has filled in the flags, and any bits are a `c_short`.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | c_short::from_ne_bytes(low_half(libc::IFF_UP));
    on_device(socket.as_fd(), libc::SIOCSIFFLAGS, &mut request)
}
