//! Links.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use futures_util::TryStreamExt;
use rackweave_types::MacAddr;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::{LinkUnspec, LinkVeth};

use super::{Netlink, NetlinkError, ROUND, unless};
use crate::netns::Netns;

/// A link as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, which other messages name it by.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address, where it has one.
    pub mac: Option<MacAddr>,
    /// The Ethernet address that its maker gave it, where its driver says so.
    pub permanent: Option<MacAddr>,
    /// The longest packet that it carries, in octets.
    pub mtu: u32,
    /// It is switched on.
    pub up: bool,
    /// It carries packets: it is switched on, so is its other side, and the kernel has taken note. Before that, what
    /// is sent on it is lost.
    pub running: bool,
    /// It stands for hardware: it is neither loopback nor of a kind that software makes, such as `veth` or `bridge`.
    pub hardware: bool,
}

/// How a link is to be; `None` leaves a thing as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// Its Ethernet address.
    pub mac: Option<MacAddr>,
    /// The longest packet that it carries, in octets.
    pub mtu: Option<u32>,
    /// Packets that wait in front of its driver.
    pub queue_len: Option<u32>,
    /// Switched on or off.
    pub up: Option<bool>,
}

impl Netlink {
    /// All links of the namespace.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn links(&self) -> Result<Vec<Link>, NetlinkError> {
        let list = self.handle.link().get().execute().try_collect::<Vec<_>>();
        let messages = self.wait(|| "list links".into(), list)?;
        Ok(messages.iter().map(Link::of).collect())
    }

    /// The link with this name.
    ///
    /// # Errors
    /// [`NetlinkError::NoLink`] where there is none.
    pub fn link(&self, name: &str) -> Result<Link, NetlinkError> {
        let no_link = || NetlinkError::NoLink { name: name.into() };
        let mut found = self.handle.link().get().match_name(name).execute();
        let what = || format!("look for link {name}");
        let message = self
            .wait(what, found.try_next())
            .map_err(|error| match error.errno() {
                Some(libc::ENODEV) => no_link(),
                _ => error,
            })?;
        message.as_ref().map(Link::of).ok_or_else(no_link)
    }

    /// Makes a pair of links joined like the ends of a cable; both are off.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where one of the names is taken.
    pub fn create_veth(&self, name: &str, peer: &str) -> Result<(), NetlinkError> {
        let add = self.handle.link().add(LinkVeth::new(name, peer).build());
        self.wait(
            || format!("make veth {name} with peer {peer}"),
            add.execute(),
        )
    }

    /// Makes the link be so.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn ensure_link(&self, name: &str, settings: &LinkSettings) -> Result<(), NetlinkError> {
        let link = self.link(name)?;
        let mut change = LinkUnspec::new_with_index(link.index);
        if let Some(mac) = settings.mac.filter(|mac| link.mac != Some(*mac)) {
            change = change.address(mac.octets().into());
        }
        if let Some(mtu) = settings.mtu.filter(|mtu| link.mtu != *mtu) {
            change = change.mtu(mtu);
        }
        if let Some(len) = settings.queue_len {
            change = change.txqueuelen(len);
        }
        change = match settings.up {
            Some(true) if !link.up => change.up(),
            Some(false) if link.up => change.down(),
            _ => change,
        };
        let change = self.handle.link().change(change.build());
        self.wait(|| format!("change link {name}"), change.execute())
    }

    /// Waits until the link is [running](Link::running), for so long at most. Whether it is.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn wait_for_link(&self, name: &str, timeout: Duration) -> Result<bool, NetlinkError> {
        let mut rounds = timeout.as_nanos() / ROUND.as_nanos();
        loop {
            let running = self.link(name)?.running;
            if running || rounds == 0 {
                return Ok(running);
            }
            rounds -= 1;
            self.pause();
        }
    }

    /// Moves the link into another namespace, where it is off and without addresses.
    ///
    /// # Errors
    /// [`NetlinkError`]; also where there is no such link.
    pub fn move_link(&self, name: &str, netns: &Netns) -> Result<(), NetlinkError> {
        let index = self.link(name)?.index;
        let fd = netns.as_fd().as_raw_fd();
        let change = LinkUnspec::new_with_index(index).setns_by_fd(fd);
        let change = self.handle.link().change(change.build());
        let what = || format!("move link {name} to {}", netns.path().display());
        self.wait(what, change.execute())
    }

    /// Takes the link away, and with it its other end.
    ///
    /// # Errors
    /// [`NetlinkError`]; that there is no such link is none.
    pub fn remove_link(&self, name: &str) -> Result<(), NetlinkError> {
        let index = match self.link(name) {
            Ok(link) => link.index,
            Err(NetlinkError::NoLink { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let remove = self.handle.link().del(index).execute();
        let removed = self.wait(|| format!("remove link {name}"), remove);
        unless(removed, &[libc::ENODEV])
    }
}

impl Link {
    pub(super) fn of(message: &LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mac: None,
            permanent: None,
            mtu: 0,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Up | LinkFlags::Running),
            hardware: !flags.contains(LinkFlags::Loopback),
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::LinkInfo(infos) => {
                    link.hardware &= !infos.iter().any(|it| matches!(it, LinkInfo::Kind(_)));
                }
                LinkAttribute::Address(octets) => link.mac = ethernet(octets),
                LinkAttribute::PermAddress(octets) => link.permanent = ethernet(octets),
                _ => {}
            }
        }
        link
    }
}

fn ethernet(octets: &[u8]) -> Option<MacAddr> {
    <[u8; 6]>::try_from(octets).ok().map(MacAddr::new)
}
