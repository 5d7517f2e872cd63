//! Many changes of routes at once.

use std::io;

use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkPayload,
};
use rtnetlink::packet_route::route::{RouteAttribute, RouteHeader, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::message::{ROOM, append, each, word};
use super::{NetlinkError, Route};

/// How many requests go in one send: the answers to so many fit what a socket keeps, whatever its owner set.
const AT_ONCE: usize = 128;

/// Octets of kernel memory for answers.
const BUFFER: usize = 4 << 20;

/// A change of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// Make it; refused (EEXIST) where there is a route of its destination, table and metric.
    Create(Route),
    /// Have it in the place of the route of its destination, table and metric, or make it. Packets pass all the while.
    Replace(Route),
    /// Take away the route of this destination, table, metric and protocol; that there is none is refused (ESRCH).
    Remove(Route),
}

/// A socket that changes many routes with few calls: requests are not sent one by one, each waiting for its answer.
#[derive(Debug)]
pub struct RouteSocket {
    socket: Socket,
    port: u32,
    sequence: u32,
    requests: Vec<u8>,
    answers: Vec<u8>,
}

impl RouteSocket {
    /// Opens it in the namespace of the calling thread.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            let port = socket.bind_auto()?.port_number();
            socket.connect(&SocketAddr::new(0, 0))?;
            // The answers say in words what is wrong, and do not repeat the request.
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            // The kernel filters what is listed by protocol and table.
            socket.set_netlink_get_strict_chk(true)?;
            // An owner without privilege has what the kernel gives him.
            let _less = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
            Ok((socket, port))
        };
        let (socket, port) = open().map_err(NetlinkError::Open)?;
        Ok(Self {
            socket,
            port,
            sequence: 0,
            requests: Vec::new(),
            answers: Vec::with_capacity(ROOM),
        })
    }

    /// The number by which notifications say that it was this socket that changed something.
    #[must_use]
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Does the changes in their order and says of each whether the kernel did it.
    ///
    /// # Errors
    /// Where the socket itself fails: what became of the changes is unknown.
    pub fn apply(
        &mut self,
        changes: &[RouteChange],
    ) -> Result<Vec<Result<(), NetlinkError>>, NetlinkError> {
        let mut results = Vec::with_capacity(changes.len());
        for changes in changes.chunks(AT_ONCE) {
            self.apply_some(changes, &mut results)
                .map_err(|source| NetlinkError::Refused {
                    what: format!("change {} routes", changes.len()),
                    source,
                })?;
        }
        Ok(results)
    }

    fn apply_some(
        &mut self,
        changes: &[RouteChange],
        results: &mut Vec<Result<(), NetlinkError>>,
    ) -> io::Result<()> {
        self.requests.clear();
        let first = self.sequence.wrapping_add(1);
        for change in changes {
            self.sequence = self.sequence.wrapping_add(1);
            let (flags, message) = change.request();
            append(&mut self.requests, flags, self.sequence, message);
        }
        let done = results.len();
        results.extend(changes.iter().map(|change| {
            Err(NetlinkError::Refused {
                what: change.name(),
                source: io::Error::from(io::ErrorKind::UnexpectedEof),
            })
        }));
        self.socket.send(&self.requests, 0)?;
        // The kernel has done all, and answered, when the call returns.
        let mut left = changes.len();
        while left > 0 {
            self.receive()?;
            for answer in each(&self.answers) {
                let at = answer.header.sequence_number.wrapping_sub(first);
                let (Ok(at), NetlinkPayload::Error(error)) = (usize::try_from(at), answer.payload)
                else {
                    continue;
                };
                let Some(change) = changes.get(at) else {
                    continue;
                };
                left -= 1;
                results[done + at] = match error.code {
                    None => Ok(()),
                    Some(_) => Err(NetlinkError::Refused {
                        what: match word(&error.header) {
                            Some(word) => format!("{}, the kernel says: {word}", change.name()),
                            None => change.name(),
                        },
                        source: error.to_io(),
                    }),
                };
            }
        }
        Ok(())
    }

    /// The IPv6 routes of a table that this protocol made.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn list(&mut self, table: u32, protocol: u8) -> Result<Vec<Route>, NetlinkError> {
        self.try_list(table, protocol)
            .map_err(|source| NetlinkError::Refused {
                what: format!("list the routes of protocol {protocol} in table {table}"),
                source,
            })
    }

    fn try_list(&mut self, table: u32, protocol: u8) -> io::Result<Vec<Route>> {
        let mut filter = RouteMessage::default();
        filter.header.address_family = AddressFamily::Inet6;
        filter.header.protocol = protocol.into();
        filter.header.table = RouteHeader::RT_TABLE_UNSPEC;
        filter.attributes.push(RouteAttribute::Table(table));
        self.requests.clear();
        self.sequence = self.sequence.wrapping_add(1);
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        let request = RouteNetlinkMessage::GetRoute(filter);
        append(&mut self.requests, flags, self.sequence, request);
        self.socket.send(&self.requests, 0)?;
        let mut routes = Vec::new();
        loop {
            self.receive()?;
            for answer in each(&self.answers) {
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => {
                        let route = Route::of(&message);
                        let ours = |it: &Route| it.table == table && it.protocol == protocol;
                        routes.extend(route.filter(ours));
                    }
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(error.to_io());
                    }
                    NetlinkPayload::Done(_) => return Ok(routes),
                    _ => {}
                }
            }
        }
    }

    /// Takes in the next answers, which the kernel has given already.
    fn receive(&mut self) -> io::Result<()> {
        self.answers.clear();
        self.socket.recv(&mut self.answers, libc::MSG_DONTWAIT)?;
        Ok(())
    }
}

impl RouteChange {
    fn request(&self) -> (u16, RouteNetlinkMessage) {
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        match self {
            Self::Create(route) => (
                flags | NLM_F_CREATE | NLM_F_EXCL,
                RouteNetlinkMessage::NewRoute(route.message()),
            ),
            Self::Replace(route) => (
                flags | NLM_F_CREATE | NLM_F_REPLACE,
                RouteNetlinkMessage::NewRoute(route.message()),
            ),
            Self::Remove(route) => {
                let mut message = route.removal();
                message.header.protocol = route.protocol.into();
                (flags, RouteNetlinkMessage::DelRoute(message))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Create(route) => format!("make {}", route.name()),
            Self::Replace(route) => format!("set {}", route.name()),
            Self::Remove(route) => format!("remove {}", route.name()),
        }
    }
}
