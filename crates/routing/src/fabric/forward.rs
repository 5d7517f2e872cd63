//! The kernel's table: what it is asked, and what it answers.

use std::net::Ipv6Addr;
use std::sync::Arc;

use ipnet::Ipv6Net;

use rackweave_types::BootstrapPrefix;

use super::{EventKind, Fabric, FibAnswer, Hop, Installed, Output};
use crate::ddm::item::Scope;
use crate::ddm::policy::scope_of;
use crate::rib::{Answered, Change, Protocol};

impl Fabric {
    /// A protocol's ways to a prefix from now on.
    pub(super) fn offer(&mut self, prefix: Ipv6Net, protocol: Protocol, ways: Option<Vec<Hop>>) {
        let before = self.rib.best(prefix).map(|(_, ways)| Arc::clone(ways));
        let change = self.rib.offer(prefix, protocol, ways);
        let after = self.rib.best(prefix).map(|(_, ways)| Arc::clone(ways));
        if before != after {
            self.rerouted.entry(after).or_default().push(prefix);
        }
        self.change(change);
    }

    /// Asks the kernel.
    pub(super) fn change(&mut self, change: Option<Change>) {
        match change {
            Some(Change::Install(prefix, ways)) => {
                let source = self.source(prefix);
                let hops = ways.to_vec();
                self.out.push(Output::Install(Installed {
                    prefix,
                    source,
                    hops,
                }));
            }
            Some(Change::Remove(prefix)) => self.out.push(Output::Remove(prefix)),
            None => {}
        }
    }

    pub(super) fn on_fib(&mut self, prefix: Ipv6Net, answer: &FibAnswer) {
        let answered = self.rib.answer(prefix, answer);
        if answered == Answered::Refused {
            let why = self.rib.refused(prefix).unwrap_or_default().to_owned();
            let what = format!(
                "the kernel refused the route to {prefix}: {why}; it is not announced, and asked again at the next comparison"
            );
            self.event(EventKind::Repair, what);
        }
        if answered != Answered::Waiting {
            self.retold.insert(prefix);
        }
    }

    /// The source address of what the node itself sends to the prefix: its own of the same network.
    fn source(&self, prefix: Ipv6Net) -> Option<Ipv6Addr> {
        let bootstrap = BootstrapPrefix::new(self.own.id.0).address();
        let own = self
            .own
            .assignment
            .as_ref()
            .map(|a| a.prefix.tunnel_endpoint());
        if scope_of(prefix) == Some(Scope::Bootstrap) {
            Some(bootstrap)
        } else {
            own
        }
    }
}
