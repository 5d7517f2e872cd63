//! The thread that talks to nftables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv6Net;
use rackweave_linux::nft::{self, NftError};
use rackweave_routing::fabric::{Input, LinkId};
use tokio::runtime::Builder;
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use super::table::{TABLE, admit, append};
use super::{FilterChange, FilterError, Request, drops};
use crate::inbox::{Ended, Inbox};

/// How often the table is made what it should be, whatever became of it.
const PERIOD: Duration = Duration::from_secs(10);

/// How many changes make one transaction at most.
const AT_ONCE: usize = 256;

/// Makes changes and answers until nobody asks any more.
pub(super) fn run(mut requests: Receiver<Request>, inbox: &Inbox) {
    let runtime = match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "no link is ever filtered: the thread has no runtime");
            return;
        }
    };
    let mut period = {
        let _inside = runtime.enter();
        interval(PERIOD)
    };
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut links = Links::default();
    let mut batch = Vec::new();
    loop {
        let received = runtime.block_on(async {
            tokio::select! {
                count = requests.recv_many(&mut batch, AT_ONCE) => Some(count),
                _ = period.tick() => None,
            }
        });
        if received == Some(0) {
            return;
        }
        let mut changed = BTreeMap::new();
        let mut asked = Vec::new();
        for request in batch.drain(..) {
            match request {
                Request::Change(change) => {
                    changed.insert(change.link, change);
                }
                Request::Drops(answer) => asked.push(answer),
            }
        }
        if received.is_none() {
            links.mend();
        }
        for FilterChange { link, allowed, .. } in links.change(changed) {
            if let Err(Ended) = inbox.tell_blocking(Input::Filtered { link, allowed }) {
                return;
            }
        }
        for answer in asked {
            // Who asked may have gone meanwhile.
            let _gone = answer.send(dropped());
        }
    }
}

/// What each link that is filtered is to let in. A link that lets in anybody needs no more care.
#[derive(Debug, Default)]
struct Links {
    wanted: BTreeMap<LinkId, FilterChange>,
    /// Those of which the kernel took the last change.
    made: BTreeSet<LinkId>,
}

impl Links {
    /// Makes the table what it should be, whatever became of it.
    fn mend(&mut self) {
        self.made = make(&self.wanted);
    }

    /// Makes changes, and gives those that are in force.
    fn change(&mut self, changes: BTreeMap<LinkId, FilterChange>) -> Vec<FilterChange> {
        let mut others = changes.clone();
        others.retain(|_, change| !self.admit(change));
        let mut failed: BTreeSet<LinkId> = others.keys().copied().collect();
        for link in make(&others) {
            failed.remove(&link);
        }
        self.made.extend(changes.keys());
        self.made.retain(|link| !failed.contains(link));
        let made = changes.values().filter(|it| !failed.contains(&it.link));
        let made = made.cloned().collect();
        self.wanted.extend(changes);
        self.wanted.retain(|_, change| change.allowed.is_some());
        made
    }

    /// Lets in more from a link, where the change is no other than that; whether it was, and is done.
    fn admit(&self, change: &FilterChange) -> bool {
        let before = self.wanted.get(&change.link);
        let before = before.filter(|it| it.owner == change.owner && self.made.contains(&it.link));
        let before = before.and_then(|it| it.allowed.as_ref());
        let (Some(before), Some(after)) = (before, &change.allowed) else {
            return false;
        };
        let more: Vec<Ipv6Net> = after
            .iter()
            .filter(|net| !before.contains(net))
            .copied()
            .collect();
        if more.is_empty() || before.iter().any(|net| !after.contains(net)) {
            return false;
        }
        let mut commands = String::new();
        admit(&mut commands, change.link, &more);
        // What touches what is there already is refused, and made by a whole table.
        nft::apply(&commands).is_ok()
    }
}

/// Makes changes, all at once, or, where that is refused, each for itself: one that cannot be made stops no other. Gives the
/// links whose change was made.
fn make(changes: &BTreeMap<LinkId, FilterChange>) -> BTreeSet<LinkId> {
    if changes.is_empty() || apply(changes.values()).is_ok() {
        return changes.keys().copied().collect();
    }
    let mut made = BTreeSet::new();
    for change in changes.values() {
        match apply([change].into_iter()) {
            Ok(()) => {
                made.insert(change.link);
            }
            Err(error) => warn!(
                link = change.link.0,
                owner = change.owner,
                %error,
                "the sources of this link are not filtered as they should be"
            ),
        }
    }
    made
}

fn apply<'a>(changes: impl Iterator<Item = &'a FilterChange>) -> Result<(), NftError> {
    let mut commands = String::new();
    for change in changes {
        append(&mut commands, change);
    }
    nft::apply(&commands)
}

fn dropped() -> Result<Vec<drops::Drops>, FilterError> {
    match nft::list(&format!("list counters table {TABLE}")) {
        Ok(listing) => Ok(drops::read(&listing)?),
        // No table yet: nothing is filtered, nothing was dropped.
        Err(NftError::Refused { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
