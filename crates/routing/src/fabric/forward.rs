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

    /// Has the kernel asked at the end of the input.
    pub(super) fn change(&mut self, change: Option<Change>) {
        self.changes.extend(change);
    }

    /// Asks the kernel: for the most specific routes first, and for removals last, so that an exception is there before
    /// its rack's route leads elsewhere, and goes only after.
    pub(super) fn ask_kernel(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_by_key(|change| match change {
            Change::Install(prefix, _) => (false, u8::MAX - prefix.prefix_len()),
            Change::Remove(_) => (true, 0),
        });
        for change in changes {
            let output = match change {
                Change::Install(prefix, ways) => Output::Install(Installed {
                    prefix,
                    source: self.source(prefix),
                    hops: ways.to_vec(),
                }),
                Change::Remove(prefix) => Output::Remove(prefix),
            };
            self.out.push(output);
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
            own.filter(|_| self.taking_up.is_none())
        }
    }
}
