//! What always holds once all has come to rest.

use std::collections::BTreeSet;

use rackweave_types::{BootstrapPrefix, Role};

use super::net::Net;

impl Net {
    /// Checks every pair of nodes: no loop ever; a way wherever an allowed one exists; bootstrap within the rack alone.
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_stale()?;
        for from in 0..self.nodes.len() {
            self.check_bootstrap(from)?;
            for to in 0..self.nodes.len() {
                let Some(own) = self
                    .own(to)
                    .filter(|_| from != to && self.own(from).is_some())
                else {
                    continue;
                };
                let walked = self.walk(from, own);
                match walked {
                    Err(why) if self.is_reachable(from, to) => {
                        return Err(format!("{from} to {to}: {why}"));
                    }
                    Err(why) if why.starts_with("loop") => {
                        return Err(format!("{from} to {to}: {why}"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Checks that no kernel has a way to a node that nobody can reach from there, but for what summaries hide.
    pub(super) fn check_stale(&self) -> Result<(), String> {
        for from in 0..self.nodes.len() {
            for (prefix, route) in &self.nodes[from].kernel {
                let within = |to: &usize| self.own(*to).is_some_and(|own| prefix.contains(&own));
                let served: Vec<usize> = (0..self.nodes.len()).filter(within).collect();
                let is_any = served.iter().any(|to| self.is_reachable(from, *to));
                if !served.is_empty() && !is_any && !route.hops.is_empty() {
                    let ways = self.ways(from, *prefix).unwrap_or_default();
                    let by = ways.first().map(|(by, _)| *by).unwrap_or_default();
                    return Err(format!(
                        "{from} has {prefix} by way of {by}, and nobody is there"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks one pair of nodes.
    pub(super) fn check_one(&self, from: usize, to: usize) -> Result<usize, String> {
        self.walk(from, self.own(to).ok_or("it has no address")?)
    }

    /// Whether a way exists that passes switches and spines alone.
    pub(super) fn is_reachable(&self, from: usize, to: usize) -> bool {
        let mut seen = BTreeSet::from([from]);
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            for neighbor in self.wired(at) {
                if neighbor == to {
                    return true;
                }
                let role = self.nodes[neighbor].settings.role;
                if role.is_transit() && seen.insert(neighbor) {
                    next.push(neighbor);
                }
            }
        }
        false
    }

    /// Bootstrap prefixes are known where one switch joins the two, and nowhere else.
    fn check_bootstrap(&self, at: usize) -> Result<(), String> {
        let node = &self.nodes[at];
        let known = node
            .kernel
            .keys()
            .filter_map(|net| BootstrapPrefix::try_from(*net).ok());
        let known: BTreeSet<BootstrapPrefix> = known.collect();
        let mut near = BTreeSet::new();
        for neighbor in self.wired(at) {
            let role = (node.settings.role, self.nodes[neighbor].settings.role);
            match role {
                (Role::Switch, Role::Sled) => {
                    near.insert(neighbor);
                }
                (Role::Sled, Role::Switch) => {
                    near.insert(neighbor);
                    let is_sled = |n: &usize| self.nodes[*n].settings.role == Role::Sled;
                    near.extend(self.wired(neighbor).into_iter().filter(is_sled));
                }
                _ => {}
            }
        }
        near.remove(&at);
        let near = near
            .into_iter()
            .map(|n| BootstrapPrefix::new(self.nodes[n].settings.hardware));
        let near: BTreeSet<BootstrapPrefix> = near.collect();
        if known == near {
            return Ok(());
        }
        Err(format!(
            "{at} knows {known:?} of the bootstrap network where {near:?} is due"
        ))
    }
}
