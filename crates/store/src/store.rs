//! The store, of either kind.

use std::path::Path;
use std::sync::Arc;

use crate::embedded::Embedded;
use crate::etcd::Etcd;
use crate::{
    Commit, CommitError, Digest, EmbeddedOptions, Entry, EtcdOptions, Key, Listing, OpenError,
    Page, ReadError, Revision, Watch,
};

/// Keys of one page, when all of them are listed.
const PAGE_KEYS: usize = 1_000;
/// How often a listing of the newest revision begins anew, when its revision is forgotten meanwhile.
const LISTINGS: usize = 3;

/// Keys with values, in the process or on a cluster. Cloning is cheap; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Embedded(Embedded),
    Etcd(Arc<Etcd>),
}

impl Store {
    /// Opens the file of an embedded store, which is made where it is missing. After a crash the file is checked, which
    /// takes a while in proportion to its size.
    ///
    /// # Errors
    /// Where the file cannot be used.
    pub fn embedded(path: &Path, options: EmbeddedOptions) -> Result<Self, OpenError> {
        Embedded::open(path, options).map(|embedded| Self {
            kind: Kind::Embedded(embedded),
        })
    }

    /// A store that ends with its last clone.
    ///
    /// # Errors
    /// Where the options make no sense.
    pub fn in_memory(options: EmbeddedOptions) -> Result<Self, OpenError> {
        Embedded::in_memory(options).map(|embedded| Self {
            kind: Kind::Embedded(embedded),
        })
    }

    /// The store of an etcd cluster. Runs in a tokio runtime.
    ///
    /// # Errors
    /// Where no member answers.
    pub async fn etcd(options: EtcdOptions) -> Result<Self, OpenError> {
        let etcd = Etcd::connect(options).await?;
        Ok(Self {
            kind: Kind::Etcd(Arc::new(etcd)),
        })
    }

    /// The newest revision.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn head(&self) -> Result<Revision, ReadError> {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.head(),
            Kind::Etcd(etcd) => etcd.head().await,
        }
    }

    /// A key, at the newest revision or at the one that is named.
    ///
    /// # Errors
    /// Where the revision is not kept, or the store does not answer.
    pub async fn get(&self, key: &Key, at: Option<Revision>) -> Result<Option<Entry>, ReadError> {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.get(key.clone(), at).await,
            Kind::Etcd(etcd) => etcd.get(key, at).await,
        }
    }

    /// At most `limit` keys with a prefix, after the key `after`, in the order of keys. The newest revision is read, or the
    /// one that is named.
    ///
    /// # Errors
    /// Where the revision is not kept, or the store does not answer.
    pub async fn page(
        &self,
        prefix: &str,
        at: Option<Revision>,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.page(prefix, at, after, limit).await,
            Kind::Etcd(etcd) => etcd.page(prefix, at, after, limit).await,
        }
    }

    /// All keys with a prefix, at the newest revision or at the one that is named.
    ///
    /// # Errors
    /// Where the revision is not kept, or the store does not answer.
    pub async fn list(&self, prefix: &str, at: Option<Revision>) -> Result<Listing, ReadError> {
        for _ in 1..LISTINGS {
            match self.list_once(prefix, at).await {
                Err(ReadError::Compacted) if at.is_none() => {}
                listed => return listed,
            }
        }
        self.list_once(prefix, at).await
    }

    async fn list_once(&self, prefix: &str, at: Option<Revision>) -> Result<Listing, ReadError> {
        let mut page = self.page(prefix, at, None, PAGE_KEYS).await?;
        let revision = page.revision;
        let mut entries = page.entries;
        while page.more {
            let after = entries.last().map(|entry| entry.key.clone());
            page = self
                .page(prefix, Some(revision), after.as_ref(), PAGE_KEYS)
                .await?;
            entries.append(&mut page.entries);
        }
        Ok(Listing { revision, entries })
    }

    /// What all keys with a prefix come to, at the newest revision or at the one that is named.
    ///
    /// # Errors
    /// Where the revision is not kept, or the store does not answer.
    pub async fn digest(
        &self,
        prefix: &str,
        at: Option<Revision>,
    ) -> Result<(Revision, Digest), ReadError> {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.digest(prefix, at).await,
            Kind::Etcd(etcd) => etcd.digest(prefix, at).await,
        }
    }

    /// Makes a commit, if what it expects holds. It goes on when the future is dropped, and is stored to outlive any crash
    /// when it returns.
    ///
    /// # Errors
    /// Where it was not made; [`CommitError::Unknown`] alone leaves open whether.
    pub async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        commit.check()?;
        match &self.kind {
            Kind::Embedded(embedded) => embedded.commit(commit).await,
            Kind::Etcd(etcd) => Etcd::commit(etcd, commit).await,
        }
    }

    /// Tells every commit after a revision that touches keys with a prefix.
    ///
    /// # Errors
    /// Where the revision is not kept, or the store does not answer.
    pub async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, ReadError> {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.watch(prefix, after).await.map(Watch::embedded),
            Kind::Etcd(etcd) => Etcd::watch(etcd, prefix, after).await.map(Watch::etcd),
        }
    }

    /// Forgets what was before a revision: it and later ones can be read, and watched from. Stores do this themselves as
    /// their log grows.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn compact(&self, before: Revision) -> Result<(), ReadError> {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.compact(before).await,
            Kind::Etcd(etcd) => etcd.compact(before).await,
        }
    }

    /// Ends an embedded store, also for its other clones: when this returns, the file can be opened again. What was asked
    /// before is done. An etcd store needs no end.
    pub async fn close(self) {
        if let Kind::Embedded(embedded) = self.kind {
            embedded.close().await;
        }
    }
}
