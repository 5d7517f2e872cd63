//! Everything with a prefix, and what becomes of it: a watch that is checked.

mod ledger;

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use self::ledger::Ledger;
use crate::{Change, Digest, Entry, ReadError, Revision, Store, Watch};

/// How a feed checks itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedOptions {
    /// How often what was told is compared with what is stored.
    pub check_every: Duration,
    /// How long a difference may last, since changes are told after they are stored.
    pub grace: Duration,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            check_every: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// What a feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// All that is stored: what is not in it is not there.
    Listed {
        /// Why it is told.
        reason: Reason,
        /// Its revision.
        revision: Revision,
        /// What was there, by key.
        entries: Vec<Entry>,
    },
    /// The next commit.
    Change(Change),
}

/// Why everything is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is the beginning.
    First,
    /// The feed was behind for so long that the store forgot what comes next.
    Compacted,
    /// A comparison showed that the watch had lost something.
    Lost,
}

/// What a feed has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often everything was listed.
    pub listings: u64,
    /// How often it was compared.
    pub checks: u64,
    /// How often something was missing.
    pub differences: u64,
}

/// Everything with a prefix and each later commit to it. What is told is compared with what is stored by [`Digest`] from
/// time to time; where it differs, everything is told anew.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    prefix: String,
    options: FeedOptions,
    /// `None` where everything must be listed, for this reason.
    watch: Option<Watch>,
    reason: Reason,
    ledger: Ledger,
    check: Check,
    counts: Counts,
}

/// What the store says when it is asked for its digest.
type Answer = Result<(Revision, Digest), ReadError>;

/// How far a comparison has come.
#[derive(Debug)]
enum Check {
    /// The next one begins then.
    Due(Instant),
    /// The store was asked for its digest.
    Asked {
        answer: JoinHandle<Answer>,
        /// What was told since, with what it came to then; the first is from when the store was asked.
        told: Vec<(Revision, Digest)>,
    },
    /// What is stored differs from what was told so far. It may be on its way.
    Doubt {
        revision: Revision,
        digest: Digest,
        until: Instant,
    },
}

/// What happens next.
enum Step {
    Told(Result<Change, ReadError>),
    Checked(Option<Result<Answer, JoinError>>),
}

impl Feed {
    /// A feed of the keys with a prefix, which begins with all that are there.
    pub fn new(store: Store, prefix: &str, options: FeedOptions) -> Self {
        Self {
            store,
            prefix: prefix.to_owned(),
            options,
            watch: None,
            reason: Reason::First,
            ledger: Ledger::default(),
            check: Check::Due(Instant::now()),
            counts: Counts::default(),
        }
    }

    /// What it has seen.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The revision up to which all is told.
    pub fn revision(&self) -> Revision {
        self.ledger.revision()
    }

    /// What happens next. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Where the store does not answer: ask again.
    pub async fn next(&mut self) -> Result<FeedEvent, ReadError> {
        loop {
            let Some(watch) = &mut self.watch else {
                return self.list().await;
            };
            let step = tokio::select! {
                told = watch.next() => Step::Told(told),
                checked = self.check.wait() => Step::Checked(checked),
            };
            match step {
                Step::Told(Ok(change)) => {
                    if self.settles(&change) {
                        self.tell(&change);
                        return Ok(FeedEvent::Change(change));
                    }
                    self.lost();
                }
                Step::Told(Err(ReadError::Compacted)) => {
                    self.watch = None;
                    self.reason = Reason::Compacted;
                }
                Step::Told(Err(error)) => return Err(error),
                Step::Checked(Some(answer)) => self.answered(answer),
                Step::Checked(None) => self.go_on(),
            }
        }
    }

    async fn list(&mut self) -> Result<FeedEvent, ReadError> {
        let listing = self.store.list(&self.prefix, None).await?;
        let watch = self.store.watch(&self.prefix, listing.revision).await?;
        self.watch = Some(watch);
        self.ledger = Ledger::of(&listing);
        self.due();
        self.counts.listings += 1;
        Ok(FeedEvent::Listed {
            reason: self.reason,
            revision: listing.revision,
            entries: listing.entries,
        })
    }

    fn due(&mut self) {
        let next = Check::Due(Instant::now() + self.options.check_every);
        if let Check::Asked { answer, .. } = std::mem::replace(&mut self.check, next) {
            answer.abort();
        }
    }

    fn lost(&mut self) {
        tracing::warn!(
            prefix = self.prefix,
            "a watch of the store lost a change: everything is read again"
        );
        self.counts.differences += 1;
        self.watch = None;
        self.reason = Reason::Lost;
        self.due();
    }

    /// Whether a change leaves no doubt behind: all that is stored before it must have been told before it.
    fn settles(&self, change: &Change) -> bool {
        match &self.check {
            Check::Doubt { revision, .. } => change.revision <= *revision,
            Check::Due(_) | Check::Asked { .. } => true,
        }
    }

    /// Notes a change that is told.
    fn tell(&mut self, change: &Change) {
        self.ledger.tell(change);
        let (now, at) = (self.ledger.digest(), change.revision);
        match &mut self.check {
            Check::Asked { told, .. } => told.push((at, now)),
            Check::Doubt { digest, .. } if *digest == now => self.due(),
            Check::Due(_) | Check::Doubt { .. } => {}
        }
    }

    /// It is time for the next step of a comparison.
    fn go_on(&mut self) {
        if matches!(self.check, Check::Doubt { .. }) {
            self.lost();
            return;
        }
        let (store, prefix) = (self.store.clone(), self.prefix.clone());
        self.check = Check::Asked {
            answer: tokio::spawn(async move { store.digest(&prefix, None).await }),
            told: vec![(self.ledger.revision(), self.ledger.digest())],
        };
    }

    /// The store said what its digest is.
    fn answered(&mut self, answer: Result<Answer, JoinError>) {
        let next = Check::Due(Instant::now() + self.options.check_every);
        let asked = std::mem::replace(&mut self.check, next);
        match (answer, asked) {
            (Ok(Ok((revision, digest))), Check::Asked { told, .. }) => {
                self.compare(revision, digest, &told);
            }
            (Ok(Err(error)), _) => tracing::debug!(%error, "the store gave no digest"),
            (Err(error), _) => tracing::debug!(%error, "the store gave no digest"),
            (Ok(Ok(_)), _) => {}
        }
    }

    /// Compares what was told with what is stored at a revision.
    fn compare(&mut self, revision: Revision, digest: Digest, told: &[(Revision, Digest)]) {
        self.counts.checks += 1;
        let before = told.iter().rev().find(|(at, _)| *at <= revision);
        let same = before.is_some_and(|(_, told)| *told == digest);
        let passed = self.ledger.revision() > revision;
        if same && !passed {
            self.ledger.has_all_up_to(revision);
            if let Some(watch) = &mut self.watch {
                watch.has_all_up_to(revision);
            }
        } else if passed && !same {
            self.lost();
        } else if !same {
            self.check = Check::Doubt {
                revision,
                digest,
                until: Instant::now() + self.options.grace,
            };
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.due();
    }
}

impl Check {
    /// Waits for the next step: the time, or the answer of the store.
    async fn wait(&mut self) -> Option<Result<Answer, JoinError>> {
        match self {
            Self::Due(until) | Self::Doubt { until, .. } => {
                sleep_until(*until).await;
                None
            }
            Self::Asked { answer, .. } => Some(answer.await),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Commit, EmbeddedOptions, Key};

    fn key(name: &str) -> Key {
        Key::new(name).unwrap()
    }

    async fn put(store: &Store, name: &str) -> Revision {
        let commit = Commit::new().put(key(name), *b"value");
        store.commit(commit).await.unwrap()
    }

    /// A feed that is checked all the time, and its store.
    async fn feed() -> (Store, Feed) {
        let store = Store::in_memory(EmbeddedOptions::default()).unwrap();
        put(&store, "a/1").await;
        put(&store, "b/1").await;
        let options = FeedOptions {
            check_every: Duration::from_millis(1),
            grace: Duration::from_millis(20),
        };
        let mut feed = Feed::new(store.clone(), "a/", options);
        let first = feed.next().await.unwrap();
        assert!(matches!(
            first,
            FeedEvent::Listed { reason: Reason::First, entries, .. } if entries.len() == 1
        ));
        (store, feed)
    }

    #[tokio::test]
    async fn what_is_stored_is_told_and_holds_against_checks() {
        let (store, mut feed) = feed().await;
        for round in 0..50 {
            put(&store, "b/1").await;
            let revision = put(&store, &format!("a/{}", round % 7)).await;
            let told = feed.next().await.unwrap();
            assert!(
                matches!(&told, FeedEvent::Change(change) if change.revision == revision),
                "{told:?}"
            );
        }
        let deleted = store.commit(Commit::new().delete(key("a/3"))).await;
        let told = feed.next().await.unwrap();
        assert!(
            matches!(told, FeedEvent::Change(change) if change.revision == deleted.clone().unwrap())
        );
        // Nothing comes, while checks go on.
        while feed.counts().checks < 3 {
            let quiet = tokio::time::timeout(Duration::from_millis(50), feed.next()).await;
            assert!(quiet.is_err(), "{quiet:?}");
        }
        assert_eq!(feed.counts().differences, 0);
        assert_eq!(feed.counts().listings, 1);
    }

    #[tokio::test]
    async fn a_change_that_a_watch_loses_is_noticed() {
        let (store, mut feed) = feed().await;
        put(&store, "a/2").await;
        let stolen = feed.watch.as_mut().unwrap().next().await.unwrap();
        assert_eq!(stolen.events.len(), 1);
        let again = feed.next().await.unwrap();
        assert!(
            matches!(&again, FeedEvent::Listed { reason: Reason::Lost, entries, .. } if entries.len() == 2),
            "{again:?}"
        );
        assert_eq!(feed.counts().differences, 1);
    }

    #[tokio::test]
    async fn a_loss_is_noticed_under_traffic() {
        let (store, mut feed) = feed().await;
        put(&store, "a/2").await;
        feed.watch.as_mut().unwrap().next().await.unwrap();
        for _ in 0..1_000 {
            put(&store, "a/1").await;
            if let FeedEvent::Listed { reason, .. } = feed.next().await.unwrap() {
                assert_eq!(reason, Reason::Lost);
                return;
            }
        }
        panic!("nothing was noticed: {:?}", feed.counts());
    }

    #[tokio::test]
    async fn who_was_away_too_long_begins_anew() {
        let (store, mut feed) = feed().await;
        put(&store, "a/2").await;
        let head = put(&store, "a/3").await;
        store.compact(head).await.unwrap();
        let again = feed.next().await.unwrap();
        assert!(
            matches!(&again, FeedEvent::Listed { reason: Reason::Compacted, entries, .. } if entries.len() == 3),
            "{again:?}"
        );
    }
}
