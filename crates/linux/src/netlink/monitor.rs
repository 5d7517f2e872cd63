//! What changes: links, addresses, routes.

use std::io;

use ipnet::IpNet;
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::unix::AsyncFd;

use super::address::address_of;
use super::message::{ROOM, append, each};
use super::{Link, NetlinkError, Route};
use crate::socket::register;

/// Octets of kernel memory for notifications that wait.
const BUFFER: usize = 4 << 20;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A link is new, or is now so.
    Link(Link),
    /// A link is gone.
    LinkGone {
        /// Its number.
        index: u32,
    },
    /// A link has an IPv6 address.
    Address {
        /// The link's number.
        link: u32,
        /// The address, with the length of its prefix.
        address: IpNet,
        /// It may not be used yet: the kernel still asks whether a neighbour has it.
        tentative: bool,
    },
    /// A link no longer has an IPv6 address.
    AddressGone {
        /// The link's number.
        link: u32,
        /// The address, with the length of its prefix.
        address: IpNet,
    },
    /// An IPv6 route is new, or is now so.
    Route {
        /// The route.
        route: Route,
        /// The [number](super::RouteSocket::port) of the socket by which it was done; zero where the kernel did it.
        by: u32,
    },
    /// An IPv6 route is gone.
    RouteGone {
        /// The route.
        route: Route,
        /// The number of the socket by which it was done; zero where the kernel did it.
        by: u32,
    },
    /// All links and addresses that there are have been named, since the beginning or since [`Lost`](Self::Lost).
    Listed,
    /// Changes were lost: there were more than the kernel keeps. All links and addresses will be named anew; routes
    /// will not.
    Lost,
}

/// A stream of what changes in one namespace: that of the thread that opened it.
#[derive(Debug)]
pub struct Monitor {
    socket: AsyncFd<Socket>,
    listing: Option<Listing>,
    /// The listing is not to be trusted: it begins anew when it is done.
    again: bool,
    buffer: Vec<u8>,
}

/// What is being listed; the kernel lists one thing at a time for one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    Links,
    Addresses,
    Done,
}

impl Monitor {
    /// Tells of links and their IPv6 addresses: first all that there are, then, from [`Change::Listed`] on, what
    /// changes. It is opened inside an asynchronous runtime.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn links() -> Result<Self, NetlinkError> {
        let groups = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV6_IFADDR];
        let mut monitor = Self::open(&groups)?;
        monitor.list(Listing::Links).map_err(NetlinkError::Open)?;
        Ok(monitor)
    }

    /// Tells of changes of IPv6 routes, in all tables. It is opened inside an asynchronous runtime.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn routes() -> Result<Self, NetlinkError> {
        Self::open(&[libc::RTNLGRP_IPV6_ROUTE])
    }

    fn open(groups: &[u32]) -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            // An owner without privilege has what the kernel gives him, and loses changes sooner.
            let _less = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
            socket.bind(&SocketAddr::new(0, 0))?;
            for group in groups {
                socket.add_membership(*group)?;
            }
            socket.set_non_blocking(true)?;
            register(socket)
        };
        Ok(Self {
            socket: open().map_err(NetlinkError::Open)?,
            listing: None,
            again: false,
            buffer: Vec::with_capacity(ROOM),
        })
    }

    /// Waits for changes and gives those that came together, in their order. May be dropped while it waits: nothing is
    /// lost.
    ///
    /// # Errors
    /// Where the socket is broken.
    pub async fn changes(&mut self) -> Result<Vec<Change>, NetlinkError> {
        let broken = |source| NetlinkError::Refused {
            what: "listen to changes of the network".into(),
            source,
        };
        let mut changes = Vec::new();
        while changes.is_empty() {
            let mut ready = self.socket.readable().await.map_err(broken)?;
            self.buffer.clear();
            let received = ready.try_io(|socket| socket.get_ref().recv(&mut self.buffer, 0));
            match received {
                Ok(Ok(_)) => {}
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    changes.push(Change::Lost);
                    match self.listing {
                        Some(Listing::Done) => self.list(Listing::Links).map_err(broken)?,
                        // A listing that goes on must end before another one can begin.
                        _ => self.again = true,
                    }
                    continue;
                }
                Ok(Err(error)) => return Err(broken(error)),
                Err(_not_yet) => continue,
            }
            let buffer = std::mem::take(&mut self.buffer);
            let noted = each(&buffer).try_for_each(|message| self.note(message, &mut changes));
            self.buffer = buffer;
            noted.map_err(broken)?;
        }
        Ok(changes)
    }

    /// Has an IPv6 address that is [tentative](Change::Address) be used at once. What comes of it is told as changes.
    ///
    /// # Errors
    /// Where the socket is broken.
    pub fn settle(&self, link: u32, address: IpNet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.prefix_len = address.prefix_len();
        message.header.index = link;
        message.header.scope = AddressScope::Link;
        message.header.flags = AddressHeaderFlags::Nodad;
        let addr = address.addr();
        message.attributes.push(AddressAttribute::Local(addr));
        message.attributes.push(AddressAttribute::Address(addr));
        let mut requests = Vec::new();
        let remove = RouteNetlinkMessage::DelAddress(message.clone());
        append(&mut requests, NLM_F_REQUEST, 0, remove);
        let add = RouteNetlinkMessage::NewAddress(message);
        append(&mut requests, NLM_F_REQUEST | NLM_F_CREATE, 0, add);
        self.send(&requests)
    }

    /// Asks for all that there is of a kind.
    fn list(&mut self, what: Listing) -> io::Result<()> {
        self.listing = Some(what);
        let request = match what {
            Listing::Links => RouteNetlinkMessage::GetLink(LinkMessage::default()),
            Listing::Addresses => {
                let mut filter = AddressMessage::default();
                filter.header.family = AddressFamily::Inet6;
                RouteNetlinkMessage::GetAddress(filter)
            }
            Listing::Done => return Ok(()),
        };
        let mut requests = Vec::new();
        append(&mut requests, NLM_F_REQUEST | NLM_F_DUMP, 0, request);
        self.send(&requests)
    }

    fn send(&self, requests: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(0, 0);
        self.socket.get_ref().send_to(requests, &kernel, 0)?;
        Ok(())
    }

    fn note(
        &mut self,
        message: NetlinkMessage<RouteNetlinkMessage>,
        changes: &mut Vec<Change>,
    ) -> io::Result<()> {
        // What was listed changed meanwhile.
        self.again |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(inner) => {
                changes.extend(Change::of(inner, message.header.port_number));
            }
            NetlinkPayload::Done(_) => {
                let next = match self.listing {
                    Some(Listing::Links) => Listing::Addresses,
                    Some(Listing::Addresses) if self.again => {
                        self.again = false;
                        Listing::Links
                    }
                    Some(Listing::Addresses) => {
                        changes.push(Change::Listed);
                        Listing::Done
                    }
                    Some(Listing::Done) | None => return Ok(()),
                };
                self.list(next)?;
            }
            // The answer to `settle` where the address or link is gone meanwhile, which is told as a change.
            _ => {}
        }
        Ok(())
    }
}

impl Change {
    fn of(message: RouteNetlinkMessage, by: u32) -> Option<Self> {
        Some(match message {
            // A bridge tells of its ports in the same words.
            RouteNetlinkMessage::NewLink(it) | RouteNetlinkMessage::DelLink(it)
                if it.header.interface_family != AddressFamily::Unspec =>
            {
                return None;
            }
            RouteNetlinkMessage::NewLink(it) => Self::Link(Link::of(&it)),
            RouteNetlinkMessage::DelLink(it) => Self::LinkGone {
                index: it.header.index,
            },
            RouteNetlinkMessage::NewAddress(it) => Self::Address {
                link: it.header.index,
                address: address_of(&it)?,
                tentative: it.header.flags.contains(AddressHeaderFlags::Tentative),
            },
            RouteNetlinkMessage::DelAddress(it) => Self::AddressGone {
                link: it.header.index,
                address: address_of(&it)?,
            },
            RouteNetlinkMessage::NewRoute(it) => Self::Route {
                route: Route::of(&it)?,
                by,
            },
            RouteNetlinkMessage::DelRoute(it) => Self::RouteGone {
                route: Route::of(&it)?,
                by,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
