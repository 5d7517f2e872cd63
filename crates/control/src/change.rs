//! What a decision changes.

use rackweave_types::Generation;

use crate::key::Key;
use crate::model::Object;

/// Changes that are made together, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The commits before it. It holds only where there was none since.
    pub base: Generation,
    /// What changes; no key twice, and what is deleted was there.
    pub changes: Vec<Change>,
}

impl Commit {
    /// The number of commits after it.
    #[must_use]
    pub const fn head(&self) -> Generation {
        self.base.next()
    }
}

/// An object that comes, changes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is kept under.
    pub key: Key,
    /// What it is now; none where it is deleted.
    pub object: Option<Object>,
}
