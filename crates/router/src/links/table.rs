//! All links of a namespace, with their link-local addresses.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use rackweave_linux::netlink::{Change, Link};

/// All links that the kernel told of.
#[derive(Debug, Default)]
pub(super) struct Table {
    links: BTreeMap<u32, Link>,
    /// The link-local addresses that may be used, by link; what the kernel chooses as a source is the first.
    addresses: BTreeMap<u32, Vec<Ipv6Addr>>,
    /// While all is told anew: what has not been told of yet.
    unseen: Option<Unseen>,
}

#[derive(Debug, Default)]
struct Unseen {
    links: Vec<u32>,
    addresses: Vec<(u32, Ipv6Addr)>,
}

impl Table {
    pub(super) fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The links, each with its link-local address.
    pub(super) fn links(&self) -> impl Iterator<Item = (&Link, Option<Ipv6Addr>)> {
        self.links.iter().map(|(index, link)| {
            let addresses = self.addresses.get(index);
            (link, addresses.and_then(|it| it.first().copied()))
        })
    }

    pub(super) fn set_link(&mut self, link: Link) {
        if let Some(unseen) = &mut self.unseen {
            unseen.links.retain(|it| *it != link.index);
        }
        self.links.insert(link.index, link);
    }

    pub(super) fn note(&mut self, change: Change) {
        match change {
            Change::Link(link) => self.set_link(link),
            Change::LinkGone { index } => {
                self.links.remove(&index);
                self.addresses.remove(&index);
            }
            Change::Address {
                link,
                address,
                tentative,
            } => {
                if let Some(address) = link_local(address) {
                    self.set_address(link, address, tentative);
                }
            }
            Change::AddressGone { link, address } => {
                if let Some(address) = link_local(address) {
                    self.remove_address(link, address);
                }
            }
            Change::Lost => self.unseen = Some(self.all()),
            Change::Listed => self.sweep(),
            _ => {}
        }
    }

    fn set_address(&mut self, link: u32, address: Ipv6Addr, tentative: bool) {
        if let Some(unseen) = &mut self.unseen {
            unseen.addresses.retain(|it| *it != (link, address));
        }
        let addresses = self.addresses.entry(link).or_default();
        if !tentative && !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    fn remove_address(&mut self, link: u32, address: Ipv6Addr) {
        if let Some(addresses) = self.addresses.get_mut(&link) {
            addresses.retain(|it| *it != address);
        }
    }

    fn all(&self) -> Unseen {
        let addresses = self.addresses.iter();
        Unseen {
            links: self.links.keys().copied().collect(),
            addresses: addresses
                .flat_map(|(link, all)| all.iter().map(|it| (*link, *it)))
                .collect(),
        }
    }

    /// Forgets what was not told of.
    fn sweep(&mut self) {
        let unseen = self.unseen.take().unwrap_or_default();
        for (link, address) in unseen.addresses {
            self.remove_address(link, address);
        }
        for index in unseen.links {
            self.links.remove(&index);
            self.addresses.remove(&index);
        }
    }
}

/// The address, if it is a link-local one.
pub(super) fn link_local(address: IpNet) -> Option<Ipv6Addr> {
    match address {
        IpNet::V6(net) if net.addr().is_unicast_link_local() => Some(net.addr()),
        _ => None,
    }
}
