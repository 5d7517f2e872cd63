//! What is asked of the kernel, and what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};
use rackweave_linux::netlink::{
    LinkSettings, MAIN_TABLE, Netlink, NetlinkError, RouteChange, RouteSocket,
};
use rackweave_routing::fabric::{FibAnswer, Input, Installed, KernelRoute};
use tracing::warn;

use super::{FibChange, PROTOCOL, translate};

/// Where addresses go.
const LOOPBACK: &str = "lo";

/// The kernel's error number for "there is no such thing", and for "there is one already".
const GONE: i32 = nix::errno::Errno::ESRCH as i32;
const EXISTS: i32 = nix::errno::Errno::EEXIST as i32;

/// The kernel's table, and what we put there.
#[derive(Debug)]
pub(super) struct Kernel {
    netlink: Netlink,
    routes: RouteSocket,
    /// The routes of ours that the kernel holds, in the words in which they were asked for.
    installed: BTreeMap<Ipv6Net, Installed>,
    addresses: BTreeSet<Ipv6Addr>,
}

impl Kernel {
    /// Opens the table of the calling thread's namespace, and takes over what of ours it holds already. Switches
    /// loopback on.
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let mut kernel = Self {
            netlink: Netlink::open()?,
            routes: RouteSocket::open()?,
            installed: BTreeMap::new(),
            addresses: BTreeSet::new(),
        };
        let up = LinkSettings {
            up: Some(true),
            ..LinkSettings::default()
        };
        kernel.netlink.ensure_link(LOOPBACK, &up)?;
        kernel.list()?;
        Ok(kernel)
    }

    /// By which number notifications name our own changes.
    pub(super) const fn port(&self) -> u32 {
        self.routes.port()
    }

    /// Makes changes in their order, and gives the kernel's answers. Whether all were made: where not, what the kernel
    /// holds must be looked at.
    pub(super) fn change(&mut self, changes: Vec<FibChange>, answers: &mut Vec<Input>) -> bool {
        let mut whole = true;
        let mut routes = Vec::new();
        for change in changes {
            match change {
                FibChange::Install(wanted) => routes.push((wanted.prefix.trunc(), Some(wanted))),
                FibChange::Remove(prefix) => routes.push((prefix.trunc(), None)),
                FibChange::AddAddress(address) => {
                    whole &= self.flush(&mut routes, answers);
                    self.addresses.insert(address);
                    self.add_address(address);
                }
                FibChange::RemoveAddress(address) => {
                    whole &= self.flush(&mut routes, answers);
                    self.addresses.remove(&address);
                    let removed = self
                        .netlink
                        .remove_address(LOOPBACK, IpNet::from(std::net::IpAddr::V6(address)));
                    if let Err(error) = removed {
                        warn!(%address, error = full(&error), "the address stays on loopback");
                    }
                }
            }
        }
        whole & self.flush(&mut routes, answers)
    }

    /// Changes routes, all in one go.
    fn flush(
        &mut self,
        routes: &mut Vec<(Ipv6Net, Option<Installed>)>,
        answers: &mut Vec<Input>,
    ) -> bool {
        if routes.is_empty() {
            return true;
        }
        let routes = std::mem::take(routes);
        let changes = self.requests(&routes);
        let results = match self.routes.apply(&changes) {
            Ok(results) => results,
            Err(error) => {
                let word = full(&error);
                let errno = error.errno().unwrap_or(0);
                answers.extend(routes.into_iter().map(|(prefix, _)| Input::Fib {
                    prefix,
                    answer: FibAnswer::Refused(errno, word.clone()),
                }));
                return false;
            }
        };
        let mut whole = true;
        for ((prefix, wanted), result) in routes.into_iter().zip(results) {
            let answer = match result {
                Ok(()) => FibAnswer::Done,
                // Gone is gone.
                Err(error) if wanted.is_none() && error.errno() == Some(GONE) => FibAnswer::Done,
                Err(error) => {
                    whole = false;
                    refused(&error)
                }
            };
            match (wanted, &answer) {
                (Some(wanted), FibAnswer::Done) => {
                    self.installed.insert(prefix, wanted);
                }
                (None, FibAnswer::Done) => {
                    self.installed.remove(&prefix);
                }
                // What the kernel holds now is seen when it is listed.
                (_, FibAnswer::Refused(..)) => {}
            }
            answers.push(Input::Fib { prefix, answer });
        }
        whole
    }

    /// A route of ours is replaced, so that packets pass all the while; where there is none of ours, one is made, so that
    /// none of others is replaced.
    fn requests(&self, routes: &[(Ipv6Net, Option<Installed>)]) -> Vec<RouteChange> {
        // Whether there will be one when it is a change's turn.
        let mut there = BTreeMap::<Ipv6Net, bool>::new();
        let request = |(prefix, wanted): &(Ipv6Net, Option<Installed>)| {
            let before = there
                .insert(*prefix, wanted.is_some())
                .unwrap_or_else(|| self.installed.contains_key(prefix));
            match wanted {
                Some(wanted) if before => RouteChange::Replace(translate::route(wanted)),
                Some(wanted) => RouteChange::Create(translate::route(wanted)),
                None => RouteChange::Remove(translate::route(&Installed {
                    prefix: *prefix,
                    source: None,
                    hops: Vec::new(),
                })),
            }
        };
        routes.iter().map(request).collect()
    }

    /// The routes of ours that the kernel holds, as it is now. Addresses of ours that went from loopback are added again.
    pub(super) fn list(&mut self) -> Result<Vec<KernelRoute>, NetlinkError> {
        self.mend_addresses()?;
        let routes = self.routes.list(MAIN_TABLE, PROTOCOL)?;
        let mut asked = std::mem::take(&mut self.installed);
        let mut listed = Vec::with_capacity(routes.len());
        for route in routes.iter().filter_map(translate::kernel_route) {
            let asked = asked.remove(&route.prefix);
            let route = translate::in_our_words(route, asked.as_ref());
            let held = Installed {
                prefix: route.prefix,
                source: route.source,
                hops: route.hops.clone(),
            };
            self.installed.insert(route.prefix, held);
            listed.push(route);
        }
        Ok(listed)
    }

    /// Has the kernel forget all routes of ours, also those that it holds of a process before.
    pub(super) fn clear(&mut self) -> Result<(), NetlinkError> {
        self.list()?;
        let mut routes: Vec<_> = self
            .installed
            .keys()
            .map(|prefix| (*prefix, None))
            .collect();
        let mut answers = Vec::new();
        if !self.flush(&mut routes, &mut answers) {
            for answer in answers {
                if let Input::Fib {
                    prefix,
                    answer: FibAnswer::Refused(_, word),
                } = answer
                {
                    warn!(%prefix, error = word, "the route stays in the kernel");
                }
            }
        }
        Ok(())
    }

    fn mend_addresses(&self) -> Result<(), NetlinkError> {
        if self.addresses.is_empty() {
            return Ok(());
        }
        let there = self.netlink.addresses(LOOPBACK)?;
        for address in &self.addresses {
            if !there.iter().any(|it| it.addr() == *address) {
                warn!(%address, "somebody took this address from loopback: it is added again");
                self.add_address(*address);
            }
        }
        Ok(())
    }

    fn add_address(&self, address: Ipv6Addr) {
        let whole = IpNet::from(std::net::IpAddr::V6(address));
        if let Err(error) = self.netlink.ensure_address(LOOPBACK, whole) {
            warn!(%address, error = full(&error), "loopback does not have this address");
        }
    }
}

fn refused(error: &NetlinkError) -> FibAnswer {
    let errno = error.errno().unwrap_or(0);
    let mut word = full(error);
    if errno == EXISTS {
        word.push_str(": a route that is not the fabric's has this prefix and metric, `ip -6 route show` says whose");
    }
    FibAnswer::Refused(errno, word)
}

/// The error with its causes.
pub(super) fn full(error: &NetlinkError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
