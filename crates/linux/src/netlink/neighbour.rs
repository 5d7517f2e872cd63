//! Neighbours: who has an address on a link.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use rackweave_types::MacAddr;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::{Netlink, NetlinkError, unless};

/// A neighbour whose Ethernet address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// It was set, and is never asked for.
    pub permanent: bool,
}

impl Netlink {
    /// The neighbours on a link whose Ethernet address is known.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn neighbours(&self, link: &str) -> Result<Vec<Neighbour>, NetlinkError> {
        let index = self.link(link)?.index;
        let list = self
            .handle
            .neighbours()
            .get()
            .execute()
            .try_collect::<Vec<_>>();
        let messages = self.wait(|| format!("list the neighbours on link {link}"), list)?;
        let here = messages.iter().filter(|it| it.header.ifindex == index);
        Ok(here.filter_map(Neighbour::of).collect())
    }

    /// Sets the Ethernet address of a neighbour, for good.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn ensure_neighbour(
        &self,
        link: &str,
        address: IpAddr,
        mac: MacAddr,
    ) -> Result<(), NetlinkError> {
        let add = self
            .handle
            .neighbours()
            .add(self.link(link)?.index, address);
        let add = add
            .link_layer_address(&mac.octets())
            .state(NeighbourState::Permanent)
            .replace();
        self.wait(
            || format!("set neighbour {address} on link {link}"),
            add.execute(),
        )
    }

    /// Forgets a neighbour.
    ///
    /// # Errors
    /// [`NetlinkError`]; that it is not known is none.
    pub fn remove_neighbour(&self, link: &str, address: IpAddr) -> Result<(), NetlinkError> {
        let mut add = self
            .handle
            .neighbours()
            .add(self.link(link)?.index, address);
        let remove = self
            .handle
            .neighbours()
            .del(add.message_mut().clone())
            .execute();
        let removed = self.wait(
            || format!("forget neighbour {address} on link {link}"),
            remove,
        );
        unless(removed, &[libc::ENOENT])
    }
}

impl Neighbour {
    fn of(message: &NeighbourMessage) -> Option<Self> {
        let attributes = &message.attributes;
        let address = attributes.iter().find_map(|it| match it {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(it)) => Some((*it).into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(it)) => Some((*it).into()),
            _ => None,
        });
        let mac = attributes.iter().find_map(|it| match it {
            NeighbourAttribute::LinkLayerAddress(octets) => <[u8; 6]>::try_from(&octets[..]).ok(),
            _ => None,
        });
        Some(Self {
            address: address?,
            mac: MacAddr::new(mac?),
            permanent: message.header.state == NeighbourState::Permanent,
        })
    }
}
