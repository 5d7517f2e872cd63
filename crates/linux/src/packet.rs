//! Ethernet frames of one type, past the kernel's protocols (`AF_PACKET`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libc::{c_int, sockaddr_ll, socklen_t};
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockType, recvfrom, socket};
use rackweave_types::MacAddr;
use rackweave_wire::protocol::EtherType;
use tokio::io::unix::AsyncFd;

use crate::socket::{SocketError, register, set};

/// What it is called in errors.
const WHAT: &str = "a packet socket";

/// Octets of an Ethernet address.
const MAC_LEN: u16 = 6;

/// A frame that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The number of the link.
    pub link: u32,
    /// Its octets, from the Ethernet header on, at the start of the buffer. A longer frame is cut to the buffer.
    pub len: usize,
}

/// A socket for all frames of one type on all links of its namespace; those that the host sends itself it does not
/// hear.
#[derive(Debug)]
pub struct PacketSocket {
    socket: AsyncFd<OwnedFd>,
}

impl PacketSocket {
    /// Opens it in the namespace of the calling thread, inside an asynchronous runtime.
    ///
    /// # Errors
    /// [`SocketError`]; it needs `CAP_NET_RAW`.
    pub fn open(ether_type: EtherType) -> Result<Self, SocketError> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // It hears nothing before it is bound to the type.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None).map_err(|e| {
            SocketError::Create {
                what: WHAT,
                source: e.into(),
            }
        })?;
        bind(&socket, &address(0, ether_type.get())).map_err(|source| SocketError::Bind {
            what: WHAT,
            port: ether_type.get(),
            source,
        })?;
        Ok(Self {
            socket: register(socket)
                .map_err(|source| SocketError::Register { what: WHAT, source })?,
        })
    }

    /// Hears from now on what is sent to a multicast address on a link; for each address and link once.
    ///
    /// # Errors
    /// [`SocketError::Join`] where the link is gone.
    pub fn join(&self, link: u32, group: MacAddr) -> Result<(), SocketError> {
        let refused = |source| SocketError::Join {
            what: WHAT,
            link,
            source,
        };
        let mut address = [0; 8];
        address[..usize::from(MAC_LEN)].copy_from_slice(&group.octets());
        let request = libc::packet_mreq {
            mr_ifindex: c_int::try_from(link).map_err(|_| refused(no_link()))?,
            mr_type: MULTICAST,
            mr_alen: MAC_LEN,
            mr_address: address,
        };
        set(
            self.socket.get_ref(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            &request,
        )
        .map_err(refused)
    }

    /// Waits for the next frame and puts it into the buffer. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Where the socket is broken; that a link went down is no error.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Frame> {
        loop {
            let mut ready = self.socket.readable().await?;
            let received = ready.try_io(|socket| {
                let fd = socket.get_ref().as_raw_fd();
                Ok(recvfrom::<LinkAddr>(fd, buffer)?)
            });
            match received {
                // A link of the socket went down: said once, and the others go on (packet(7), ENETDOWN).
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                Ok(Err(error)) => return Err(error),
                Ok(Ok((len, Some(from)))) => {
                    if let Ok(link) = u32::try_from(from.ifindex()) {
                        return Ok(Frame { link, len });
                    }
                }
                Ok(Ok((_, None))) | Err(_) => {}
            }
        }
    }

    /// Sends a frame, which begins with its Ethernet header, on a link, at once.
    ///
    /// # Errors
    /// The kernel's word: the link is down or gone, the frame is too long, or there is no room (`WouldBlock`).
    pub fn send(&self, link: u32, frame: &[u8]) -> io::Result<()> {
        send(self.socket.get_ref(), &address(link, 0), frame)
    }
}

/// `PACKET_MR_MULTICAST` in the width of its field.
const MULTICAST: u16 = 0;
const _: () = assert!(libc::PACKET_MR_MULTICAST == 0);

fn no_link() -> io::Error {
    io::Error::from_raw_os_error(libc::ENODEV)
}

/// The address of all of a link's frames of a type; link 0 stands for all links.
fn address(link: u32, ether_type: u16) -> sockaddr_ll {
    sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: ether_type.to_be(),
        sll_ifindex: c_int::try_from(link).unwrap_or(c_int::MAX),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "17, and `try_from` is not for constants"
)]
const FAMILY: u16 = libc::AF_PACKET as u16;

#[expect(
    clippy::cast_possible_truncation,
    reason = "20, and `try_from` is not for constants"
)]
const ADDRESS_LEN: socklen_t = size_of::<sockaddr_ll>() as socklen_t;

#[expect(unsafe_code, reason = "nix cannot make an address of a packet socket")]
fn bind(socket: &impl AsFd, address: &sockaddr_ll) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the socket is open for the length of the borrow, and the kernel reads `ADDRESS_LEN` octets of `address`.
    let result = unsafe { libc::bind(fd, (&raw const *address).cast(), ADDRESS_LEN) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[expect(unsafe_code, reason = "nix cannot make an address of a packet socket")]
fn send(socket: &impl AsFd, address: &sockaddr_ll, frame: &[u8]) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let to = (&raw const *address).cast();
    let (at, len) = (frame.as_ptr().cast(), frame.len());
    // SAFETY: the socket is open for the length of the borrow, and the kernel reads `len` octets of `frame` and
    // `ADDRESS_LEN` of `address`.
    let sent = unsafe { libc::sendto(fd, at, len, libc::MSG_DONTWAIT, to, ADDRESS_LEN) };
    if sent >= 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[cfg(test)]
mod tests;
