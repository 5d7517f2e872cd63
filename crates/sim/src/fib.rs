//! A node's forwarding table, as its kernel would have it.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use rackweave_routing::fabric::{Installed, KernelRoute};

/// Routes by prefix.
#[derive(Clone, Debug, Default)]
pub struct Fib {
    routes: BTreeMap<Ipv6Net, Installed>,
    /// How many routes there are of each length that occurs, the longest first.
    lengths: Vec<(u8, usize)>,
}

impl Fib {
    /// Puts a route in, in the place of the one with its prefix. Whether other ways are used now.
    pub fn install(&mut self, route: Installed) -> bool {
        let length = route.prefix.prefix_len();
        let ways = |route: &Installed| -> Vec<_> {
            route.hops.iter().map(|hop| (hop.link, hop.via)).collect()
        };
        let new = ways(&route);
        if let Some(old) = self.routes.insert(route.prefix, route) {
            return ways(&old) != new;
        }
        self.count(length);
        true
    }

    /// Takes a route away. Whether there was one.
    pub fn remove(&mut self, prefix: Ipv6Net) -> bool {
        let gone = self.routes.remove(&prefix).is_some();
        if gone {
            let length = prefix.prefix_len();
            for (_, count) in self.lengths.iter_mut().filter(|(of, _)| *of == length) {
                *count -= 1;
            }
            self.lengths.retain(|(_, count)| *count > 0);
        }
        gone
    }

    fn count(&mut self, length: u8) {
        if let Some((_, count)) = self.lengths.iter_mut().find(|(of, _)| *of == length) {
            *count += 1;
            return;
        }
        self.lengths.push((length, 1));
        self.lengths.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The route of the longest prefix that contains the address.
    pub fn lookup(&self, address: Ipv6Addr) -> Option<&Installed> {
        let lengths = self.lengths.iter();
        lengths
            .filter_map(|(length, _)| Ipv6Net::new(address, *length).ok())
            .find_map(|net| self.routes.get(&net.trunc()))
    }

    /// All routes.
    pub fn iter(&self) -> impl Iterator<Item = &Installed> {
        self.routes.values()
    }

    /// All routes, as the kernel lists them.
    pub fn dump(&self) -> Vec<KernelRoute> {
        let each = self.iter().map(|route| KernelRoute {
            prefix: route.prefix,
            source: route.source,
            hops: route.hops.clone(),
        });
        each.collect()
    }
}
