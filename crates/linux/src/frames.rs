//! Whole frames of a link, with what is not yet done to them: sockets that carry each frame behind its virtio-net header
//! (packet(7), `PACKET_VNET_HDR`), so that a large send stays one frame and an unfinished checksum stays unfinished.
#![expect(
    unsafe_code,
    reason = "the options of packet sockets and their address have no safe wrapper in the crates we use"
)]

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

/// The most octets of a frame with its header: 64 KiB of IP, Ethernet, VLAN, and the header of ten octets.
pub const FRAME_MAX: usize = 10 + 18 + 65_536;
/// Room in the kernel for frames that wait, in octets.
const BUFFER: libc::c_int = 32 << 20;

/// Why a link's frames could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FramesError {
    /// There is no such link here.
    #[error("no link is called {name}: `ip link` lists those of this namespace")]
    NoLink {
        /// The name.
        name: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// The socket could not be made as it must be; it takes the capability to open packet sockets.
    #[error("cannot {what} for the frames of {name}")]
    Open {
        /// What was tried.
        what: &'static str,
        /// The link.
        name: String,
        /// The kernel's word.
        source: io::Error,
    },
}

/// Every frame that comes in on a link, and a way to send others out of it.
#[derive(Debug)]
pub struct Frames {
    socket: Opened,
}

/// A packet socket on one link, with its options.
#[derive(Debug)]
pub(crate) struct Opened(OwnedFd);

impl Frames {
    /// Opens a socket on the link of the calling thread's namespace. Frames that leave the link are not seen.
    ///
    /// # Errors
    /// [`FramesError`].
    pub fn open(name: &str) -> Result<Self, FramesError> {
        let options = [
            (libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1),
            (libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1),
            (libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, 1),
            (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER),
            (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER),
        ];
        Opened::on(name, &options).map(|socket| Self { socket })
    }

    /// The next frame that waits, behind its header, into `buffer` ([`FRAME_MAX`] octets hold any); its length, or
    /// `None` where none waits.
    ///
    /// # Errors
    /// What the kernel says, such as that the link is down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // SAFETY: the buffer is ours and as long as the kernel is told.
        let got = unsafe {
            libc::recv(
                self.socket.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
            )
        };
        match length(got) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        }
    }

    /// Sends a frame, behind its header, out of the link.
    ///
    /// # Errors
    /// What the kernel says, such as that the link is down.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame)
    }
}

impl Opened {
    /// A socket on the link of the calling thread's namespace, with these options: level, name, value.
    pub(crate) fn on(
        name: &str,
        options: &[(libc::c_int, libc::c_int, libc::c_int)],
    ) -> Result<Self, FramesError> {
        let index = if_nametoindex(name).map_err(|errno| FramesError::NoLink {
            name: name.into(),
            source: errno.into(),
        })?;
        let failed = |what| {
            move |source| FramesError::Open {
                what,
                name: name.into(),
                source,
            }
        };
        let opened = Self(socket().map_err(failed("open a packet socket"))?);
        for (level, option, value) in options {
            let set = opened.set(*level, *option, *value);
            set.map_err(failed("set up a packet socket"))?;
        }
        opened.bind(index).map_err(failed("bind a packet socket"))?;
        Ok(opened)
    }

    /// Sends octets out of the link, at once.
    pub(crate) fn send(&self, octets: &[u8]) -> io::Result<()> {
        // SAFETY: the octets are as many as the kernel is told, and only read.
        let sent = unsafe {
            libc::send(
                self.0.as_raw_fd(),
                octets.as_ptr().cast(),
                octets.len(),
                libc::MSG_DONTWAIT,
            )
        };
        length(sent).map(drop)
    }

    fn set(&self, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let length = socklen(size_of_val(&value))?;
        // SAFETY: the value is an `int`, as all these options take, and as long as the kernel is told.
        let done = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                level,
                option,
                (&raw const value).cast(),
                length,
            )
        };
        Ok(Errno::result(done).map(drop)?)
    }

    fn bind(&self, index: u32) -> io::Result<()> {
        // SAFETY: the address is plain octets; all zero is one.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_protocol = every_protocol();
        address.sll_ifindex = i32::try_from(index).unwrap_or_default();
        let length = socklen(size_of::<libc::sockaddr_ll>())?;
        // SAFETY: the address is of a packet socket's type, and as long as the kernel is told.
        let done = unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), length) };
        Ok(Errno::result(done).map(drop)?)
    }
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Frames {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A packet socket that is bound to nothing yet, and so receives nothing.
fn socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    let made = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    let made = Errno::result(made)?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

/// `ETH_P_ALL` in the order of the wire.
fn every_protocol() -> u16 {
    u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be()
}

fn length(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn socklen(length: usize) -> io::Result<libc::socklen_t> {
    libc::socklen_t::try_from(length).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{LinkSettings, Netlink};
    use crate::netns::Netns;
    use crate::testing::root;

    #[test]
    fn a_frame_with_its_header_comes_out_at_the_other_end() {
        if !root("a_frame_with_its_header_comes_out_at_the_other_end") {
            return;
        }
        let netns = Netns::temporary("rwt-frames").unwrap();
        let received = netns.run_in(|| {
            let netlink = Netlink::open().unwrap();
            netlink.create_veth("one", "two").unwrap();
            for name in ["one", "two"] {
                crate::sysctl::ensure(&format!("net/ipv6/conf/{name}/disable_ipv6"), "1").unwrap();
                let up = LinkSettings {
                    up: Some(true),
                    ..LinkSettings::default()
                };
                netlink.ensure_link(name, &up).unwrap();
            }
            let [one, two] = ["one", "two"].map(|name| Frames::open(name).unwrap());
            let mut frame = vec![0; 10];
            frame.extend([0xff; 6]);
            frame.extend([2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
            frame.extend([7; 50]);
            let mut buffer = vec![0; FRAME_MAX];
            assert_eq!(two.receive(&mut buffer).unwrap(), None);
            one.send(&frame).unwrap();
            let got = two.receive(&mut buffer).unwrap().unwrap();
            assert_eq!(
                one.receive(&mut buffer[..0]).unwrap(),
                None,
                "its own is not seen"
            );
            (buffer[..got].to_vec(), frame)
        });
        let (got, sent) = received.unwrap();
        assert_eq!(got[10..], sent[10..]);
    }

    #[test]
    fn a_missing_link_is_named() {
        let error = Frames::open("no-such-link").unwrap_err();
        assert!(error.to_string().contains("no-such-link"), "{error}");
    }
}
