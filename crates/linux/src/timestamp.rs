//! UDP sockets over IPv6 whose datagrams the kernel stamps with the time: when they leave, and when they arrive.
//!
//! Stamps are taken in software (`SO_TIMESTAMPING`), where a device driver takes a datagram and where the kernel takes
//! one from a device: what a program waits for its processor is not in them. They are of the wall clock; only the
//! difference of two of one machine means anything, and a clock that is set in between makes it wrong.
//!
//! Call order: [`StampedSocket::send`] with a tag; [`StampedSocket::receive`] fills a [`Batch`] with what arrived, and
//! [`StampedSocket::departed`] with the tags of what left. Neither waits.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

mod batch;
mod options;

pub use batch::{Arrival, Batch, Departure};

/// When the kernel saw a datagram: nanoseconds of the wall clock since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The wall clock's time.
    #[must_use]
    pub fn now() -> Self {
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).map_or(Self(0), Self::of)
    }

    fn of(time: nix::sys::time::TimeSpec) -> Self {
        let nanos = std::time::Duration::from(time).as_nanos();
        Self(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampSettings {
    /// The link whose datagrams alone it takes and gives, by the kernel's number; without one, any.
    pub link: Option<u32>,
    /// The address that it takes datagrams for and sends from; unspecified for any.
    pub address: Ipv6Addr,
    /// The port; zero for one of the kernel's choice.
    pub port: u16,
    /// The hop limit of what it sends.
    pub hop_limit: u8,
    /// Whether departures are stamped, too.
    pub departures: bool,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// No socket at all.
    #[error("cannot create an ipv6 udp socket")]
    Create(#[source] io::Error),
    /// The kernel lacks an option, or refuses it.
    #[error("cannot set {option} on a socket of {settings}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// Whose it is.
        settings: StampSettings,
        /// The kernel's word.
        source: io::Error,
    },
    /// The address or port cannot be had.
    #[error("cannot bind {settings}: `ss -ulnp` says who has it")]
    Bind {
        /// Which.
        settings: StampSettings,
        /// The kernel's word.
        source: io::Error,
    },
}

impl fmt::Display for StampSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.address, self.port)?;
        match self.link {
            Some(link) => write!(f, " on link {link}"),
            None => Ok(()),
        }
    }
}

/// Tags of datagrams whose departure the kernel has not told; a power of two.
const TAGS: usize = 64;

/// A socket whose datagrams are stamped.
#[derive(Debug)]
pub struct StampedSocket {
    socket: UdpSocket,
    settings: StampSettings,
    /// The kernel's number of the next datagram; the tags of those before it, by their number.
    next: u32,
    tags: [u64; TAGS],
}

impl StampedSocket {
    /// Opens a socket.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn open(settings: StampSettings) -> Result<Self, StampError> {
        Ok(Self {
            socket: options::open(settings)?,
            settings,
            next: 0,
            tags: [0; TAGS],
        })
    }

    /// The port that it has.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Sends a datagram to an address on the socket's link. Its departure comes with the tag.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn send(&mut self, to: Ipv6Addr, port: u16, bytes: &[u8], tag: u64) -> io::Result<()> {
        let to = SocketAddrV6::new(to, port, 0, self.settings.link.unwrap_or(0));
        self.tags[slot(self.next)] = tag;
        match self.socket.send_to(bytes, to) {
            Ok(_) => {
                self.next = self.next.wrapping_add(1);
                Ok(())
            }
            Err(error) => {
                self.count_anew();
                Err(error)
            }
        }
    }

    /// Fills the batch with datagrams that arrived; how many.
    ///
    /// # Errors
    /// The kernel's word, as of an ICMP error to something sent before; what waits comes with the next call.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.fill(&self.socket, 0)
    }

    /// Fills the batch with the departures of datagrams that were sent; how many.
    ///
    /// # Errors
    /// The kernel's word.
    pub fn departed(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.fill(&self.socket, libc::MSG_ERRQUEUE)
    }

    /// The tag and stamp of each departure in a batch that [`departed`](Self::departed) filled.
    pub fn departures<'b>(&'b self, batch: &'b Batch) -> impl Iterator<Item = Departure> + 'b {
        batch.departures().filter_map(|(number, at)| {
            let age = self.next.wrapping_sub(number);
            let known = (1..=64).contains(&age);
            known.then(|| Departure {
                tag: self.tags[slot(number)],
                at,
            })
        })
    }

    /// Whether the kernel numbers what it refused differs between its releases: numbers begin anew.
    fn count_anew(&mut self) {
        if !self.settings.departures {
            return;
        }
        // Where the kernel refuses what it took before, departures stay unknown, and the program's own clock serves.
        let _refused = options::stamp(&self.socket, self.settings, false)
            .and_then(|()| options::stamp(&self.socket, self.settings, true));
        let mut batch = Batch::new();
        while self.departed(&mut batch).is_ok_and(|count| count > 0) {}
        self.next = 0;
    }
}

impl AsFd for StampedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn slot(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0) % TAGS
}

#[cfg(test)]
mod tests;
