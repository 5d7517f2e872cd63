//! Which destinations the node's programs send to: the paths to them are probed end to end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_types::Instant;

/// How long a program's word holds.
const HOLDS: Duration = Duration::from_mins(1);

/// What each program told last.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    told: BTreeMap<String, (Vec<Ipv6Addr>, Instant)>,
}

impl Uses {
    /// A program tells which destinations it sends to, in the place of what it told before.
    pub(crate) fn tell(&mut self, asker: &str, destinations: Vec<Ipv6Addr>, now: Instant) {
        let until = now.after(HOLDS);
        self.told.insert(asker.to_owned(), (destinations, until));
    }

    /// All destinations, each once.
    pub(crate) fn all(&self) -> BTreeSet<Ipv6Addr> {
        let told = self.told.values();
        told.flat_map(|(all, _)| all).copied().collect()
    }

    /// Forgets what no longer holds; whether there was such.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let before = self.told.len();
        self.told.retain(|_, (_, until)| *until > now);
        self.told.len() != before
    }

    /// When something ends to hold next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.told.values().map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_told_holds_for_a_minute() {
        let address = |last: u16| Ipv6Addr::new(0xfd00, 0, 0, last, 0, 0, 0, 1);
        let start = Instant::START;
        let later = start.after(Duration::from_secs(30));
        let mut uses = Uses::default();
        uses.tell("sled", vec![address(1), address(2)], start);
        uses.tell("dns", vec![address(2)], later);
        assert_eq!(uses.all(), [address(1), address(2)].into());
        let end = start.after(HOLDS);
        assert_eq!(uses.deadline(), Some(end));
        assert!(uses.expire(end) && !uses.expire(end));
        assert_eq!(uses.all(), [address(2)].into());
    }
}
