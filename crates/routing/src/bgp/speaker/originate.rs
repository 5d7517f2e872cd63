//! Routes of our own: what programs of this node originate, and what the configuration has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::super::config::{Marks, StaticRoute, StaticWay};
use super::super::io::Output;
use super::super::table::{Path, Source, Way};
use super::super::{Attributes, NextHop};
use super::Speaker;

impl Speaker {
    /// A program has a prefix to announce.
    pub(super) fn originate(
        &mut self,
        prefix: IpNet,
        marks: Marks,
        ready: bool,
        out: &mut Vec<Output>,
    ) {
        let Marks {
            mut communities,
            mut large_communities,
            med,
        } = marks.clone();
        communities.sort_unstable();
        communities.dedup();
        large_communities.sort_unstable();
        large_communities.dedup();
        self.originated.insert(prefix, (marks, ready));
        if !ready {
            return self.take_own(prefix, Source::Local, out);
        }
        let attributes = Attributes {
            med,
            communities,
            large_communities,
            ..Attributes::new(NextHop::V4(Ipv4Addr::UNSPECIFIED))
        };
        self.put_own(prefix, Source::Local, attributes, out);
    }

    pub(super) fn withdraw_own(&mut self, prefix: IpNet, out: &mut Vec<Output>) {
        self.originated.remove(&prefix);
        self.take_own(prefix, Source::Local, out);
    }

    /// Static routes are what their live ways make of them.
    pub(super) fn set_statics(&mut self, out: &mut Vec<Output>) {
        let route = |route: &StaticRoute| {
            let ways: Vec<Way> = route
                .via
                .iter()
                .filter_map(|way| self.static_way(way))
                .collect();
            (route.prefix, ways)
        };
        let all = self
            .config
            .statics
            .iter()
            .map(route)
            .filter(|(_, ways)| !ways.is_empty());
        let wanted: BTreeMap<IpNet, Vec<Way>> = all.collect();
        let before = std::mem::replace(&mut self.statics, wanted.clone());
        for prefix in before.keys().filter(|prefix| !wanted.contains_key(prefix)) {
            self.take_own(*prefix, Source::Static, out);
        }
        for (prefix, ways) in &wanted {
            if before.get(prefix) != Some(ways) {
                let attributes = Attributes::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
                self.put_own(*prefix, Source::Static, attributes, out);
            }
        }
    }

    /// A way, where its link is up and it lives.
    fn static_way(&self, way: &StaticWay) -> Option<Way> {
        let link = match &way.interface {
            Some(name) => {
                let (link, up) = self.link_named(name)?;
                up.then_some(Some(link))?
            }
            None => None,
        };
        let via: IpAddr = way.address;
        if way.bfd && self.watched.get(&(via, link)).copied().flatten() != Some(true) {
            return None;
        }
        Some(Way { via, link })
    }

    fn put_own(
        &mut self,
        prefix: IpNet,
        source: Source,
        attributes: Attributes,
        out: &mut Vec<Output>,
    ) {
        let said = self.attributes.get(attributes);
        let path = Path {
            source,
            epoch: 0,
            used: Some(std::sync::Arc::clone(&said)),
            said,
        };
        self.table.entry(prefix).or_default().paths.put(path);
        self.select(prefix, out);
    }

    fn take_own(&mut self, prefix: IpNet, source: Source, out: &mut Vec<Output>) {
        if let Some(entry) = self.table.get_mut(&prefix)
            && entry.paths.take(source, |_| true).is_some()
        {
            self.select(prefix, out);
        }
    }
}
