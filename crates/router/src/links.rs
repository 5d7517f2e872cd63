//! The links that the fabric runs on: which they are, how the kernel must treat them, and what becomes of them.

use std::collections::BTreeMap;

use rackweave_linux::netlink::{Change, Link, Monitor, NetlinkError};
use rackweave_linux::sysctl::SysctlError;
use rackweave_routing::fabric::{Input, LinkId, LinkState};
use tracing::{info, warn};

use crate::inbox::{Ended, Inbox};

mod pattern;
mod settings;
mod table;

pub use pattern::{PatternError, Patterns};

use table::Table;

/// Why the links could not be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinksError {
    /// The kernel does not tell of its links.
    #[error("cannot follow the links of this node")]
    Netlink(#[from] NetlinkError),
    /// The kernel does not spread flows or forward as the fabric needs it.
    #[error(
        "cannot prepare this node for the fabric: the router needs root, or CAP_NET_ADMIN and a writable /proc/sys"
    )]
    Node(#[from] SysctlError),
}

/// Follows the links of the calling thread's namespace, and tells the node's machine of those of the fabric.
///
/// A link of the fabric is prepared when it is first seen: no advertisement or redirect of others is believed
/// (`accept_ra`, `accept_redirects`), addresses are used at once (`accept_dad`), routes without carrier are not
/// (`ignore_routes_with_linkdown`), and where the node passes packets on, it does (`forwarding`). Links are switched on
/// and off by whoever owns them, never by this.
#[derive(Debug)]
pub struct Links {
    patterns: Patterns,
    forwarding: bool,
    monitor: Monitor,
    table: Table,
    /// What each link of the fabric was when it was told last.
    told: BTreeMap<LinkId, LinkState>,
    /// Links on which the kernel may still ask whether others have an address, from before they were prepared.
    asking: Vec<u32>,
}

impl Links {
    /// Begins to follow them, inside an asynchronous runtime, and prepares the node itself: flows are spread by their
    /// ports, too (`fib_multipath_hash_policy`), and with `forwarding` packets of others are passed on.
    ///
    /// # Errors
    /// [`LinksError`].
    pub fn open(patterns: Patterns, forwarding: bool) -> Result<Self, LinksError> {
        settings::prepare_node(forwarding)?;
        Ok(Self {
            patterns,
            forwarding,
            monitor: Monitor::links()?,
            table: Table::default(),
            told: BTreeMap::new(),
            asking: Vec::new(),
        })
    }

    /// Tells of links until the machine ends.
    ///
    /// # Errors
    /// [`LinksError`] where the kernel tells no more.
    pub async fn run(mut self, inbox: Inbox) -> Result<(), LinksError> {
        loop {
            for change in self.monitor.changes().await? {
                self.note(change);
            }
            for input in self.news() {
                if let Err(Ended) = inbox.tell(input).await {
                    return Ok(());
                }
            }
        }
    }

    /// Takes in a change of any link.
    fn note(&mut self, change: Change) {
        match change {
            Change::Link(link) => {
                let known = self.table.link(link.index);
                if self.patterns.match_link(&link) && known.is_none_or(|it| it.name != link.name) {
                    self.prepare(&link);
                }
                self.table.set_link(link);
            }
            Change::Address {
                link,
                address,
                tentative: true,
            } if self.asking.contains(&link) && table::link_local(address).is_some() => {
                if let Err(error) = self.monitor.settle(link, address) {
                    warn!(link, %address, %error, "the kernel still asks whether others have this address");
                }
            }
            other => self.table.note(other),
        }
    }

    /// Has the kernel treat a link as the fabric needs it.
    fn prepare(&mut self, link: &Link) {
        match settings::prepare_link(&link.name, self.forwarding) {
            Ok(asked) => {
                info!(link = link.name, "the fabric runs on this link");
                if asked && link.up {
                    self.asking.push(link.index);
                }
            }
            // A link may go again at once; where it does not, it is told of as it is.
            Err(error) => {
                warn!(link = link.name, %error, "the link is not prepared for the fabric");
            }
        }
    }

    /// What the machine does not know yet.
    fn news(&mut self) -> Vec<Input> {
        let mut news = Vec::new();
        let patterns = &self.patterns;
        let now: BTreeMap<LinkId, LinkState> = self
            .table
            .links()
            .filter(|(link, _)| patterns.match_link(link))
            .filter_map(|(link, address)| state(link, address))
            .map(|state| (state.link, state))
            .collect();
        self.told.retain(|link, _| {
            let here = now.contains_key(link);
            if !here {
                news.push(Input::LinkGone(*link));
            }
            here
        });
        self.asking.retain(|link| now.contains_key(&LinkId(*link)));
        for (link, state) in now {
            if self.told.get(&link) != Some(&state) {
                self.told.insert(link, state.clone());
                news.push(Input::Link(state));
            }
        }
        news
    }
}

/// What the machine is told of a link; only Ethernet links are of the fabric.
fn state(link: &Link, address: Option<std::net::Ipv6Addr>) -> Option<LinkState> {
    Some(LinkState {
        link: LinkId(link.index),
        name: link.name.clone(),
        mac: link.mac?,
        address,
        up: link.running,
        mtu: Some(link.mtu),
    })
}

#[cfg(test)]
mod tests;
