//! Addresses of links.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteType};

use super::route::family;
use super::{Link, Netlink, NetlinkError, unless};

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
    /// Where the link is on, the host answers for the address when this returns. (The kernel says
    /// yes before it does so: the route to an IPv6 address of its own it makes a moment later.)
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn ensure_address(&self, link: &str, address: IpNet) -> Result<(), NetlinkError> {
        let Link { index, up, .. } = self.link(link)?;
        let addresses = self.handle.address();
        let mut add = addresses
            .add(index, address.addr(), address.prefix_len())
            .replace();
        if address.addr().is_ipv6() {
            add.message_mut().header.flags = AddressHeaderFlags::Nodad;
        }
        let what = || format!("give link {link} the address {address}");
        self.wait(what, add.execute())?;
        if up {
            self.wait_until_local(address.addr())?;
        }
        Ok(())
    }

    /// Waits until packets to the address are the host's own, for a second at most.
    fn wait_until_local(&self, address: IpAddr) -> Result<(), NetlinkError> {
        let whole = IpNet::from(address);
        for _ in 0..500 {
            let mut question = RouteMessage::default();
            question.header.address_family = family(address);
            question.header.destination_prefix_length = whole.prefix_len();
            question
                .attributes
                .push(RouteAttribute::Destination(address.into()));
            let mut answer = self.handle.route().get(question).execute();
            let what = || format!("ask for the route to {address}");
            let route = match self.wait(what, answer.try_next()) {
                Err(error) if error.errno() == Some(libc::ENETUNREACH) => None,
                other => other?,
            };
            if route.is_some_and(|route| route.header.kind == RouteType::Local) {
                break;
            }
            self.pause();
        }
        Ok(())
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
pub(super) fn address_of(message: &AddressMessage) -> Option<IpNet> {
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
