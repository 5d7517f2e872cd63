//! Best paths by prefix, of all protocols, and what the kernel has of them.
//!
//! A protocol [offers](Rib::offer) ways to a prefix; the preferred protocol's are asked of the kernel. The kernel's answer
//! is state: a prefix [is forwarded](Rib::is_forwarded) only when the kernel has said so, and from time to time all that
//! the kernel holds is [compared](Rib::compare) and mended.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::fabric::{FibAnswer, Hop, KernelRoute, LinkId};

/// Who offers a route, the preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// The node itself: the part of its own rack's /56 that nobody has is unreachable.
    Own,
    /// The interior protocol.
    Interior,
}

/// What is to be done to the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The prefix is to have these ways, none of them meaning unreachable.
    Install(Ipv6Net, Arc<[Hop]>),
    /// The prefix is to have no route.
    Remove(Ipv6Net),
}

/// What the kernel has, and has been asked.
#[derive(Debug, Default)]
struct Kernel {
    /// What it has, as far as it has answered.
    has: Option<Arc<[Hop]>>,
    /// What it was asked last, with the number of answers that are due.
    asked: Option<Arc<[Hop]>>,
    due: u16,
}

/// What an answer of the kernel means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The kernel has what it was asked.
    Done,
    /// More answers are due.
    Waiting,
    /// It refused.
    Refused,
}

/// All routes.
#[derive(Debug, Default)]
pub struct Rib {
    offers: BTreeMap<(Ipv6Net, Protocol), Arc<[Hop]>>,
    kernel: BTreeMap<Ipv6Net, Kernel>,
    /// Why the kernel refused the last time it was asked.
    refused: BTreeMap<Ipv6Net, String>,
    /// Sets of ways seen of late: most prefixes share them.
    sets: Vec<Arc<[Hop]>>,
    /// What was adopted stays as it is.
    is_frozen: bool,
}

/// How many sets of ways are kept to be shared.
const SETS: usize = 8;

/// ESRCH: the kernel has no such route.
const NO_SUCH_ROUTE: i32 = 3;

impl Rib {
    /// A protocol's ways to a prefix from now on, none of them meaning unreachable, or that it has no route.
    pub fn offer(
        &mut self,
        prefix: Ipv6Net,
        protocol: Protocol,
        ways: Option<Vec<Hop>>,
    ) -> Option<Change> {
        match ways {
            Some(ways) => {
                let ways = self.share(ways);
                self.offers.insert((prefix, protocol), ways);
            }
            None => {
                self.offers.remove(&(prefix, protocol));
            }
        }
        self.ask(prefix)
    }

    /// The ways that are preferred.
    #[must_use]
    pub fn best(&self, prefix: Ipv6Net) -> Option<(Protocol, &Arc<[Hop]>)> {
        let range = (prefix, Protocol::Own)..=(prefix, Protocol::Interior);
        let mut offers = self.offers.range(range);
        offers.next().map(|((_, protocol), ways)| (*protocol, ways))
    }

    /// What a protocol offers.
    #[must_use]
    pub fn offered(&self, prefix: Ipv6Net, protocol: Protocol) -> Option<&Arc<[Hop]>> {
        self.offers.get(&(prefix, protocol))
    }

    /// Every prefix with its preferred ways.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv6Net, Protocol, &Arc<[Hop]>)> {
        let mut last = None;
        self.offers
            .iter()
            .filter_map(move |((prefix, protocol), ways)| {
                let is_first = last.replace(*prefix) != Some(*prefix);
                is_first.then_some((*prefix, *protocol, ways))
            })
    }

    /// Whether the kernel forwards to the prefix (or has it as unreachable), as it said.
    #[must_use]
    pub fn is_forwarded(&self, prefix: Ipv6Net) -> bool {
        self.kernel.get(&prefix).is_some_and(|k| k.has.is_some())
    }

    /// What the kernel has.
    #[must_use]
    pub fn held(&self, prefix: Ipv6Net) -> Option<&Arc<[Hop]>> {
        self.kernel.get(&prefix)?.has.as_ref()
    }

    /// Whether an answer of the kernel is due.
    #[must_use]
    pub fn is_pending(&self, prefix: Ipv6Net) -> bool {
        self.kernel.get(&prefix).is_some_and(|k| k.due > 0)
    }

    /// Why the kernel refused the last time it was asked.
    #[must_use]
    pub fn refused(&self, prefix: Ipv6Net) -> Option<&str> {
        self.refused.get(&prefix).map(String::as_str)
    }

    /// How many routes the kernel has of this node.
    #[must_use]
    pub fn held_count(&self) -> usize {
        self.kernel.values().filter(|k| k.has.is_some()).count()
    }

    /// How many prefixes have a route.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// Takes over what the kernel holds from a process before, as if it had been asked.
    pub fn adopt(&mut self, prefix: Ipv6Net, hops: Vec<Hop>) {
        let hops = self.share(hops);
        let kernel = self.kernel.entry(prefix).or_default();
        kernel.has = Some(Arc::clone(&hops));
        kernel.asked = Some(hops);
    }

    /// Asks the kernel for the preferred ways, where that is not what it was asked last.
    pub fn ask(&mut self, prefix: Ipv6Net) -> Option<Change> {
        let wanted = self.best(prefix).map(|(_, ways)| Arc::clone(ways));
        let asked = self.kernel.get(&prefix).and_then(|k| k.asked.as_ref());
        if asked == wanted.as_ref() || (self.is_frozen && asked.is_some()) {
            return None;
        }
        let kernel = self.kernel.entry(prefix).or_default();
        kernel.asked.clone_from(&wanted);
        kernel.due = kernel.due.saturating_add(1);
        Some(match wanted {
            Some(ways) => Change::Install(prefix, ways),
            None => Change::Remove(prefix),
        })
    }

    /// From now on what the kernel has stays, whatever is offered.
    pub fn freeze(&mut self) {
        self.is_frozen = true;
    }

    /// Offers count again; gives what has changed meanwhile.
    pub fn thaw(&mut self) -> Vec<Change> {
        self.is_frozen = false;
        let prefixes: Vec<Ipv6Net> = self.kernel.keys().copied().collect();
        prefixes.into_iter().filter_map(|p| self.ask(p)).collect()
    }

    /// Takes a way that is dead out of all that the kernel has, where others are left.
    pub fn shed(&mut self, link: LinkId, via: Ipv6Addr) -> Vec<Change> {
        let mut changes = Vec::new();
        for (prefix, kernel) in &mut self.kernel {
            let Some(asked) = &kernel.asked else {
                continue;
            };
            let left = asked
                .iter()
                .filter(|hop| (hop.link, hop.via) != (link, via));
            let left: Vec<Hop> = left.copied().collect();
            if !left.is_empty() && left.len() < asked.len() {
                let left: Arc<[Hop]> = left.into();
                kernel.asked = Some(Arc::clone(&left));
                kernel.due = kernel.due.saturating_add(1);
                changes.push(Change::Install(*prefix, left));
            }
        }
        changes
    }

    /// Asks the kernel for everything anew, since source addresses are others now.
    pub fn ask_again(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (prefix, kernel) in &mut self.kernel {
            if let Some(asked) = &kernel.asked {
                kernel.due = kernel.due.saturating_add(1);
                changes.push(Change::Install(*prefix, Arc::clone(asked)));
            }
        }
        changes
    }

    /// Takes in the kernel's answer.
    pub fn answer(&mut self, prefix: Ipv6Net, answer: &FibAnswer) -> Answered {
        let Some(kernel) = self.kernel.get_mut(&prefix) else {
            return Answered::Waiting;
        };
        kernel.due = kernel.due.saturating_sub(1);
        if kernel.due > 0 {
            return Answered::Waiting;
        }
        let answered = match answer {
            FibAnswer::Refused(errno, _) if kernel.asked.is_none() && *errno == NO_SUCH_ROUTE => {
                kernel.has = None;
                Answered::Done
            }
            FibAnswer::Done => {
                kernel.has.clone_from(&kernel.asked);
                self.refused.remove(&prefix);
                Answered::Done
            }
            FibAnswer::Refused(errno, word) => {
                let why = format!("{word} (error {errno})");
                self.refused.insert(prefix, why);
                kernel.has = None;
                kernel.asked = None;
                Answered::Refused
            }
        };
        let is_over = kernel.asked.is_none() && kernel.has.is_none();
        if is_over && answered == Answered::Done {
            self.refused.remove(&prefix);
            self.kernel.remove(&prefix);
        }
        answered
    }

    /// Compares what the kernel holds with what it was asked, and says what mends it. Prefixes whose answer is due are
    /// left alone.
    pub fn compare(&mut self, held: &[KernelRoute]) -> Vec<Change> {
        let held: BTreeMap<Ipv6Net, &KernelRoute> = held.iter().map(|r| (r.prefix, r)).collect();
        let mut changes = Vec::new();
        let prefixes: Vec<Ipv6Net> = self.kernel.keys().copied().collect();
        for prefix in prefixes {
            if self.best(prefix).is_none()
                && !held.contains_key(&prefix)
                && !self.is_pending(prefix)
            {
                self.kernel.remove(&prefix);
                self.refused.remove(&prefix);
            }
            let Some(kernel) = self.kernel.get_mut(&prefix).filter(|k| k.due == 0) else {
                continue;
            };
            let is_right = match (&kernel.asked, held.get(&prefix)) {
                (Some(asked), Some(route)) => same_ways(asked, &route.hops),
                (None, None) => !self.refused.contains_key(&prefix),
                _ => false,
            };
            if !is_right {
                kernel.asked = held.get(&prefix).map(|route| route.hops.as_slice().into());
                kernel.has.clone_from(&kernel.asked);
                changes.extend(self.ask(prefix));
            }
        }
        for (prefix, route) in held {
            if !self.kernel.contains_key(&prefix) {
                self.adopt(prefix, route.hops.clone());
                changes.extend(self.ask(prefix));
            }
        }
        changes
    }

    fn share(&mut self, ways: Vec<Hop>) -> Arc<[Hop]> {
        if let Some(at) = self.sets.iter().position(|set| **set == *ways) {
            return Arc::clone(&self.sets[at]);
        }
        let set: Arc<[Hop]> = ways.into();
        if self.sets.len() == SETS {
            self.sets.remove(0);
        }
        self.sets.push(Arc::clone(&set));
        set
    }
}

/// Whether two lists name the same ways with the same weights, in whatever order.
fn same_ways(a: &[Hop], b: &[Hop]) -> bool {
    let sorted = |ways: &[Hop]| {
        let mut ways = ways.to_vec();
        ways.sort_unstable();
        ways
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests;
