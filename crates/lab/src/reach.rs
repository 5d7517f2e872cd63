//! Who reaches whom: echo requests (RFC 4443, section 4.1) between all nodes, answered by their kernels.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, recvfrom, sendto,
    socket,
};
use rackweave_linux::netns::Netns;

const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
/// How many requests go out in a round, at most: their answers have to fit into sockets.
const ROUND: usize = 1_000;
/// How long after a request its pair is asked again.
pub(crate) const AGAIN: Duration = Duration::from_millis(20);

/// A node that asks others, and is asked by them.
#[derive(Debug)]
struct Member {
    address: Ipv6Addr,
    socket: OwnedFd,
}

/// Pairs of nodes, and which of them were reached.
#[derive(Debug)]
pub struct Reach {
    names: Vec<String>,
    members: Vec<Member>,
    /// By number of who asks and who is asked, those without an answer.
    open: Vec<(usize, usize)>,
    /// Where the next round begins.
    next: usize,
    all: usize,
}

impl Reach {
    /// Every one of `nodes` (name, namespace, address) is to reach every other for which `wanted` says so.
    ///
    /// # Errors
    /// Where a socket cannot be had; it takes root.
    pub fn new(
        nodes: Vec<(String, Netns, Ipv6Addr)>,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> io::Result<Self> {
        let mut names = Vec::new();
        let mut members = Vec::new();
        for (name, space, address) in nodes {
            let socket = space.run_in(open).map_err(io::Error::other)??;
            names.push(name);
            members.push(Member { address, socket });
        }
        let mut open = Vec::new();
        for asks in 0..names.len() {
            for asked in 0..names.len() {
                if asks != asked && wanted(&names[asks], &names[asked]) {
                    open.push((asks, asked));
                }
            }
        }
        let all = open.len();
        Ok(Self {
            names,
            members,
            open,
            next: 0,
            all,
        })
    }

    /// How many pairs there are.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.all
    }

    /// How many of them were reached.
    #[must_use]
    pub const fn reached(&self) -> usize {
        self.all - self.open.len()
    }

    /// Pairs that were not reached, by names.
    #[must_use]
    pub fn missing(&self) -> Vec<(&str, &str)> {
        let name = |index: usize| self.names[index].as_str();
        self.open
            .iter()
            .map(|(asks, asked)| (name(*asks), name(*asked)))
            .collect()
    }

    /// Asks those again that did not answer.
    pub fn ask(&mut self) {
        let count = self.open.len().min(ROUND);
        for _ in 0..count {
            self.next = (self.next + 1) % self.open.len();
            let (asks, asked) = self.open[self.next];
            // No route yet, no answer: it is asked again.
            let _sent = self.members[asks].ask(asked, self.members[asked].address);
        }
    }

    /// Takes note of the answers that have come.
    pub fn listen(&mut self) {
        let addresses: BTreeMap<Ipv6Addr, usize> = self
            .members
            .iter()
            .enumerate()
            .map(|(index, member)| (member.address, index))
            .collect();
        for (asks, member) in self.members.iter().enumerate() {
            while let Some(from) = member.hear() {
                if let Some(asked) = addresses.get(&from) {
                    self.open.retain(|pair| *pair != (asks, *asked));
                }
            }
        }
    }
}

impl Member {
    fn ask(&self, sequence: usize, to: Ipv6Addr) -> nix::Result<usize> {
        // The kernel fills in the checksum (RFC 3542, section 3.1).
        let [high, low] = u16::try_from(sequence).unwrap_or_default().to_be_bytes();
        let request = [ECHO_REQUEST, 0, 0, 0, 0, 0, high, low];
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, 0));
        sendto(
            self.socket.as_raw_fd(),
            &request,
            &to,
            MsgFlags::MSG_DONTWAIT,
        )
    }

    /// Who answered; other messages are passed over.
    fn hear(&self) -> Option<Ipv6Addr> {
        let mut buffer = [0; 64];
        loop {
            match recvfrom::<SockaddrIn6>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((8.., Some(from))) if buffer[0] == ECHO_REPLY => return Some(from.ip()),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let made = socket(
        AddressFamily::Inet6,
        SockType::Raw,
        flags,
        SockProtocol::IcmpV6,
    )?;
    bind(
        made.as_raw_fd(),
        &SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0)),
    )?;
    Ok(made)
}
