//! What handlers work with.

use std::sync::Arc;

use rackweave_linux::clock;
use rackweave_store::Store;
use rackweave_trust::Anchor;
use rackweave_types::Instant;

use crate::auth::Tokens;
use crate::world::WorldHandle;

/// What handlers work with. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// What is stored.
    pub(crate) store: Store,
    /// Who may ask.
    pub(crate) tokens: Tokens,
    /// What was asked for.
    pub(crate) world: WorldHandle,
    /// Whose nodes are believed; none where no certificates are looked at.
    pub(crate) anchor: Option<Arc<Anchor>>,
    /// When the controller started.
    pub(crate) started: Instant,
}

impl App {
    /// Of this store, whose intent the world follows.
    pub(crate) fn new(store: Store, world: WorldHandle, anchor: Option<Anchor>) -> Self {
        Self {
            tokens: Tokens::new(store.clone()),
            store,
            world,
            anchor: anchor.map(Arc::new),
            started: clock::now(),
        }
    }
}
