//! The sockets by which neighbours find and talk to each other: router discovery, and the interior protocol's.

use std::io;
use std::net::Ipv6Addr;

use rackweave_linux::link_local::LinkLocalUdp;
use rackweave_linux::ndp::{NdpSocket, Said};
use rackweave_linux::socket::SocketError;
use rackweave_routing::fabric::{Input, LinkId, LinkState};
use tracing::{debug, warn};

use crate::inbox::{Ended, Inbox};

/// Octets of the longest datagram that fits the least MTU of IPv6 (RFC 8200, 5): 1,280 without 48 of headers.
const DATAGRAM: usize = 1232;

/// Both sockets, for all links of a namespace.
#[derive(Debug)]
pub struct Discovery {
    ndp: NdpSocket,
    udp: LinkLocalUdp,
}

impl Discovery {
    /// Opens them in the namespace of the calling thread, inside an asynchronous runtime; `port` is that of the
    /// interior protocol.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn open(port: u16) -> Result<Self, SocketError> {
        Ok(Self {
            ndp: NdpSocket::open()?,
            udp: LinkLocalUdp::open(port)?,
        })
    }

    /// Hears solicitations on a link of the fabric from now on. Told of each [`Input::Link`], it does what is needed.
    pub fn listen(&self, link: &LinkState) {
        if let Err(error) = self.ndp.join(link.link.0) {
            // A link that is gone meanwhile is told as gone.
            warn!(link = link.name, %error, "neighbors that solicit on this link are not heard");
        }
    }

    /// Sends [`Output::Solicit`](rackweave_routing::fabric::Output::Solicit).
    pub fn solicit(&self, link: LinkId) {
        report(link, "a solicitation", self.ndp.solicit(link.0));
    }

    /// Sends [`Output::Advertise`](rackweave_routing::fabric::Output::Advertise).
    pub fn advertise(&self, link: LinkId, to: Ipv6Addr) {
        report(link, "an advertisement", self.ndp.advertise(link.0, to));
    }

    /// Sends [`Output::Send`](rackweave_routing::fabric::Output::Send).
    pub fn send(&self, link: LinkId, to: Ipv6Addr, bytes: &[u8]) {
        report(link, "a message", self.udp.send(link.0, to, bytes));
    }

    /// How many messages were passed over: from afar, malformed, or too long.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.ndp.refused() + self.udp.refused()
    }

    /// Hands in what comes, until the machine ends.
    ///
    /// # Errors
    /// Where a socket is broken.
    pub async fn run(&self, inbox: &Inbox) -> io::Result<()> {
        let mut buffer = [0; DATAGRAM];
        loop {
            let input = tokio::select! {
                heard = self.ndp.receive() => {
                    let heard = heard?;
                    let (link, from) = (LinkId(heard.link), heard.from);
                    match heard.said {
                        Said::Solicitation => Input::Solicited { link, from },
                        Said::Advertisement => Input::Advertised { link, from },
                    }
                }
                datagram = self.udp.receive(&mut buffer) => {
                    let datagram = datagram?;
                    Input::Datagram {
                        link: LinkId(datagram.link),
                        from: datagram.from,
                        bytes: buffer[..datagram.len].to_vec(),
                    }
                }
            };
            if let Err(Ended) = inbox.tell(input).await {
                return Ok(());
            }
        }
    }
}

/// What is not sent is as good as lost on the way: the protocols repeat what matters.
fn report(link: LinkId, what: &str, sent: io::Result<()>) {
    if let Err(error) = sent {
        debug!(link = link.0, %error, "{what} was not sent");
    }
}

#[cfg(test)]
mod tests;
