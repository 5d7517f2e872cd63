//! Commits, as they come.

use crate::embedded::EmbeddedWatch;
use crate::etcd::EtcdWatch;
use crate::{Change, ReadError, Revision};

/// Every commit after a revision that touches keys with a prefix, whole and in order.
#[derive(Debug)]
pub struct Watch {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Embedded(EmbeddedWatch),
    Etcd(Box<EtcdWatch>),
}

impl Watch {
    pub(crate) fn embedded(watch: EmbeddedWatch) -> Self {
        let kind = Kind::Embedded(watch);
        Self { kind }
    }

    pub(crate) fn etcd(watch: EtcdWatch) -> Self {
        let kind = Kind::Etcd(Box::new(watch));
        Self { kind }
    }

    /// The next commit. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Where the store forgot what comes next ([`ReadError::Compacted`], for good: list again) or does not answer (ask
    /// again).
    pub async fn next(&mut self) -> Result<Change, ReadError> {
        match &mut self.kind {
            Kind::Embedded(watch) => watch.next().await,
            Kind::Etcd(watch) => watch.next().await,
        }
    }

    /// Says that nothing up to `revision` is missing, so that the watch may go on from there when it begins anew.
    pub(crate) fn has_all_up_to(&mut self, revision: Revision) {
        match &mut self.kind {
            Kind::Embedded(_) => {}
            Kind::Etcd(watch) => watch.has_all_up_to(revision),
        }
    }
}
