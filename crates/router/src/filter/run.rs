//! The thread that talks to nftables.

use std::collections::BTreeMap;
use std::time::Duration;

use rackweave_linux::nft::{self, NftError};
use rackweave_routing::fabric::LinkId;
use tokio::runtime::Builder;
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use super::table::{TABLE, append};
use super::{FilterChange, FilterError, Request, drops};

/// How often the table is made what it should be, whatever became of it.
const PERIOD: Duration = Duration::from_secs(10);

/// How many changes make one transaction at most.
const AT_ONCE: usize = 256;

/// Makes changes and answers until nobody asks any more.
pub(super) fn run(mut requests: Receiver<Request>) {
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
    let mut wanted = BTreeMap::<LinkId, FilterChange>::new();
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
            changed.clone_from(&wanted);
        }
        make(&changed);
        // A link that lets in anybody needs no more care.
        wanted.extend(changed);
        wanted.retain(|_, change| change.allowed.is_some());
        for answer in asked {
            // Who asked may have gone meanwhile.
            let _gone = answer.send(dropped());
        }
    }
}

/// Makes changes, all at once, or, where that is refused, each for itself: one that cannot be made stops no other.
fn make(changes: &BTreeMap<LinkId, FilterChange>) {
    if changes.is_empty() || apply(changes.values()).is_ok() {
        return;
    }
    for change in changes.values() {
        if let Err(error) = apply([change].into_iter()) {
            warn!(
                link = change.link.0,
                owner = change.owner,
                %error,
                "the sources of this link are not filtered as they should be"
            );
        }
    }
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
