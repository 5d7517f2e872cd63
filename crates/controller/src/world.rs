//! All that was asked for, kept in step with the store, and the one place where it is changed.
//!
//! A task owns the snapshot. Readers send it questions ([`World::look`]'s closures), changes are decided against the
//! snapshot one by one and committed with the count of commits as condition: so a decision is exact, also beside other
//! controllers. Who loses a race hears of the other's commit by the feed and decides anew.

mod change;
mod handle;
mod hear;
mod hosts;
mod questions;
mod record;
mod together;

use rackweave_control::{EncodedChange, Intent, Plan};
use rackweave_store::{Feed, FeedOptions, ReadError, Revision, Store};

pub(crate) use change::{Asked, By};
pub(crate) use handle::WorldHandle;
pub(crate) use hear::Head;
pub(crate) use hosts::{Figures, Known};
pub(crate) use record::{ANSWERS, Answered, Repeat, forget};
pub(crate) use together::Applying;

use self::questions::Questions;
use crate::hub::Hub;

/// What was asked for, as the store has it, what follows from it for hosts, and the hosts.
#[derive(Debug)]
pub(crate) struct World {
    store: Store,
    feed: Feed,
    intent: Intent,
    plan: Plan,
    hub: Hub<EncodedChange>,
    questions: Questions,
    /// The controller's own name, for this run of it.
    name: String,
    /// When the count of commits was last written; never where there was no commit.
    head: Option<Revision>,
}

impl World {
    /// Reads what is stored.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) async fn open(store: Store, name: String) -> Result<Self, ReadError> {
        let feed = Feed::new(
            store.clone(),
            rackweave_control::Key::PREFIX,
            FeedOptions::default(),
        );
        let mut world = Self {
            store,
            feed,
            intent: Intent::default(),
            plan: Plan::default(),
            hub: Hub::default(),
            questions: Questions::default(),
            name,
            head: None,
        };
        let first = world.feed.next().await?;
        world.hear(first)?;
        Ok(world)
    }

    /// All that was asked for.
    pub(crate) const fn intent(&self) -> &Intent {
        &self.intent
    }
}
