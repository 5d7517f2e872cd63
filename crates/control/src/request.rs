//! What may be asked for.

use rackweave_types::Generation;

use crate::change::Commit;
use crate::key::{Id, Key};
use crate::model::Spec;
use crate::name::Name;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new object.
    Create {
        /// What it belongs to; of the kind that [`Kind::parent`](crate::Kind::parent) says.
        parent: Option<Id>,
        /// What it is called.
        name: Name,
        /// What is said of it.
        description: String,
        /// What it shall be.
        spec: Spec,
    },
    /// Another spec for an object, whole.
    Update {
        /// The object.
        key: Key,
        /// Only where it was not changed since; in any case where none is given.
        if_match: Option<Generation>,
        /// What is said of it; as it was where none is given.
        description: Option<String>,
        /// What it shall be.
        spec: Spec,
    },
    /// An object shall go, with what cannot be without it.
    Delete {
        /// The object.
        key: Key,
        /// Only where it was not changed since; in any case where none is given.
        if_match: Option<Generation>,
    },
}

/// What follows from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The object that was asked for.
    pub subject: Key,
    /// What changes. Nothing, where everything is already as asked for.
    pub commit: Commit,
}
