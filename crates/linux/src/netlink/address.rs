//! Addresses of links.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};

use super::{Netlink, NetlinkError, unless};

impl Netlink {
    /// The addresses of a link, each with the length of its prefix.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn addresses(&self, link: &str) -> Result<Vec<IpNet>, NetlinkError> {
        let messages = self.address_messages(link)?;
        Ok(messages.iter().filter_map(address_of).collect())
    }

    /// Gives a link an address. An IPv6 address is used at once, without asking whether a neighbour
    /// has it: ours are assigned by plan.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn ensure_address(&self, link: &str, address: IpNet) -> Result<(), NetlinkError> {
        let index = self.link(link)?.index;
        let addresses = self.handle.address();
        let mut add = addresses
            .add(index, address.addr(), address.prefix_len())
            .replace();
        if address.addr().is_ipv6() {
            add.message_mut().header.flags = AddressHeaderFlags::Nodad;
        }
        self.wait(
            || format!("give link {link} the address {address}"),
            add.execute(),
        )
    }

    /// Takes an address from a link.
    ///
    /// # Errors
    /// [`NetlinkError`]; that the link does not have it is none.
    pub fn remove_address(&self, link: &str, address: IpNet) -> Result<(), NetlinkError> {
        let messages = self.address_messages(link)?;
        let Some(message) = messages
            .into_iter()
            .find(|it| address_of(it) == Some(address))
        else {
            return Ok(());
        };
        let remove = self.handle.address().del(message).execute();
        let removed = self.wait(
            || format!("take address {address} from link {link}"),
            remove,
        );
        unless(removed, &[libc::EADDRNOTAVAIL])
    }

    fn address_messages(&self, link: &str) -> Result<Vec<AddressMessage>, NetlinkError> {
        let index = self.link(link)?.index;
        let list = self.handle.address().get().set_link_index_filter(index);
        let list = list.execute().try_collect::<Vec<_>>();
        self.wait(|| format!("list the addresses of link {link}"), list)
    }
}

/// The link's own address: `IFA_LOCAL` where there are two ends, else the only one.
fn address_of(message: &AddressMessage) -> Option<IpNet> {
    let mut own = None::<IpAddr>;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => own = Some(*address),
            AddressAttribute::Address(address) => own = own.or(Some(*address)),
            _ => {}
        }
    }
    IpNet::new(own?, message.header.prefix_len).ok()
}
