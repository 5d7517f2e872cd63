//! What every store does: one suite, on an embedded store and on three members of etcd.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rackweave_rig::Etcd;
use rackweave_store::{
    Change, Commit, CommitError, EmbeddedOptions, Entry, EtcdOptions, Event, Expected, Feed,
    FeedEvent, FeedOptions, Key, Mismatch, ReadError, Reason, Revision, Store,
};

/// Runs each case on an embedded store as a test of its own, and all on one cluster, each below a prefix of its own.
macro_rules! suite {
    ($($case:ident,)+) => {
        mod embedded {
            $(#[tokio::test]
            async fn $case() -> anyhow::Result<()> {
                let dir = tempfile::tempdir()?;
                let options = rackweave_store::EmbeddedOptions::default();
                let store = rackweave_store::Store::embedded(&dir.path().join("store"), options)?;
                super::$case(store).await
            })+
        }

        #[tokio::test]
        async fn etcd() -> Result<()> {
            if !Etcd::may_run("conformance::etcd") {
                return Ok(());
            }
            let cluster = Etcd::start(3, false)?;
            $(
                let mut options = EtcdOptions::new(cluster.endpoints());
                options.prefix = stringify!($case).to_owned();
                let store = Store::etcd(options).await?;
                $case(store).await.context(stringify!($case))?;
            )+
            Ok(())
        }
    };
}

suite! {
    what_is_put_is_read,
    commits_happen_whole_or_not_at_all,
    expectations_that_fail_are_named,
    of_those_who_race_one_wins_each_round,
    pages_are_of_one_revision,
    a_prefix_is_one_of_octets,
    a_watch_tells_whole_commits_in_order,
    a_watch_begins_in_the_past,
    deleting_what_is_absent_is_no_event,
    what_is_compacted_is_refused,
    the_future_is_refused,
    the_largest_commits_are_stored,
    every_revision_is_what_its_commits_made_it,
    a_feed_tells_everything,
}

#[expect(clippy::unwrap_used, reason = "a key that a test writes is one")]
fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn put(store: &Store, name: &str, value: &str) -> Result<Revision> {
    let commit = Commit::new().put(key(name), value.as_bytes());
    Ok(store.commit(commit).await?)
}

async fn read(store: &Store, name: &str) -> Result<Option<Entry>> {
    Ok(store.get(&key(name), None).await?)
}

/// Names and values.
fn shown(entries: &[Entry]) -> Vec<(String, String)> {
    let text = |entry: &Entry| String::from_utf8_lossy(&entry.value).into_owned();
    let pairs = entries.iter();
    pairs
        .map(|entry| (entry.key.to_string(), text(entry)))
        .collect()
}

async fn what_is_put_is_read(store: Store) -> Result<()> {
    ensure!(read(&store, "a").await?.is_none());
    let first = put(&store, "a", "1").await?;
    let second = put(&store, "a", "2").await?;
    ensure!(first < second && store.head().await? >= second);
    let now = read(&store, "a").await?.context("a is there")?;
    let expected = Entry {
        key: key("a"),
        value: Arc::from(*b"2"),
        created: first,
        modified: second,
        version: 2,
    };
    assert_eq!(now, expected);
    let then = store.get(&key("a"), Some(first)).await?;
    let then = then.context("a was there")?;
    assert_eq!((&*then.value, then.version), (&b"1"[..], 1));

    let deleted = store.commit(Commit::new().delete(key("a"))).await?;
    ensure!(read(&store, "a").await?.is_none());
    ensure!(store.get(&key("a"), Some(second)).await? == Some(expected));
    let again = put(&store, "a", "").await?;
    ensure!(deleted < again);
    let now = read(&store, "a").await?.context("a is there again")?;
    assert_eq!((now.created, now.version, now.value.len()), (again, 1, 0));
    Ok(())
}

async fn commits_happen_whole_or_not_at_all(store: Store) -> Result<()> {
    put(&store, "old", "1").await?;
    let seen = read(&store, "old").await?.context("old")?.modified;
    let commit = Commit::new()
        .expect_at(key("old"), seen)
        .expect_absent(key("new"))
        .delete(key("old"))
        .put(key("new"), *b"2")
        .put(key("newer"), *b"3");
    let done = store.commit(commit.clone()).await?;
    let listing = store.list("", None).await?;
    assert_eq!(
        shown(&listing.entries),
        [("new".into(), "2".into()), ("newer".into(), "3".into())]
    );
    ensure!(listing.entries.iter().all(|entry| entry.modified == done));

    let again = store.commit(commit.put(key("other"), *b"4")).await;
    ensure!(matches!(again, Err(CommitError::Conflict(_))), "{again:?}");
    assert_eq!(store.list("", None).await?.entries, listing.entries);
    Ok(())
}

async fn expectations_that_fail_are_named(store: Store) -> Result<()> {
    let a = put(&store, "a", "1").await?;
    let b = put(&store, "b", "1").await?;
    let commit = Commit::new()
        .expect_absent(key("a"))
        .expect_at(key("b"), b)
        .expect_at(key("c"), b)
        .expect_absent(key("d"))
        .put(key("e"), *b"never");
    let Err(CommitError::Conflict(wrong)) = store.commit(commit).await else {
        bail!("a is there and c is not");
    };
    let mismatch = |name, expected, found| Mismatch {
        key: key(name),
        expected,
        found,
    };
    assert_eq!(
        wrong,
        [
            mismatch("a", Expected::Absent, Some(a)),
            mismatch("c", Expected::At(b), None)
        ]
    );
    ensure!(read(&store, "e").await?.is_none());
    let only = Commit::new().expect_at(key("a"), a);
    ensure!(store.commit(only).await.is_ok());
    Ok(())
}

async fn of_those_who_race_one_wins_each_round(store: Store) -> Result<()> {
    const RACERS: u64 = 6;
    const WINS: u64 = 15;
    put(&store, "counter", "0").await?;
    let racers = (0..RACERS).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut wins = 0;
            while wins < WINS {
                let now = store.get(&key("counter"), None).await?.context("counter")?;
                let count: u64 = String::from_utf8_lossy(&now.value).parse()?;
                let commit = Commit::new()
                    .expect_at(now.key, now.modified)
                    .put(key("counter"), (count + 1).to_string().into_bytes());
                match store.commit(commit).await {
                    Ok(_) => wins += 1,
                    Err(CommitError::Conflict(_)) => {}
                    Err(error) => return Err(anyhow::Error::from(error)),
                }
            }
            Ok(())
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await??;
    }
    let end = read(&store, "counter").await?.context("counter")?;
    assert_eq!(&*end.value, (RACERS * WINS).to_string().as_bytes());
    assert_eq!(end.version, RACERS * WINS + 1);
    Ok(())
}

async fn pages_are_of_one_revision(store: Store) -> Result<()> {
    for number in 0..10 {
        put(&store, &format!("p/{number}"), "old").await?;
    }
    let first = store.page("p/", None, None, 4).await?;
    ensure!(first.more && first.entries.len() == 4);
    for number in 0..12 {
        put(&store, &format!("p/{number}"), "new").await?;
    }
    store.commit(Commit::new().delete(key("p/5"))).await?;
    let mut names = shown(&first.entries);
    let mut last = first.clone();
    while last.more {
        let after = last.entries.last().context("a page has entries")?;
        let after = after.key.clone();
        last = store
            .page("p/", Some(first.revision), Some(&after), 4)
            .await?;
        assert_eq!(last.revision, first.revision);
        names.extend(shown(&last.entries));
    }
    let expected = (0..10).map(|number| (format!("p/{number}"), "old".to_owned()));
    assert_eq!(names, expected.collect::<Vec<_>>());
    let now = store.list("p/", None).await?;
    assert_eq!(now.entries.len(), 11);
    ensure!(now.entries.iter().all(|entry| &*entry.value == b"new"));
    Ok(())
}

async fn a_prefix_is_one_of_octets(store: Store) -> Result<()> {
    let names = [
        "a",
        "a/",
        "a/b",
        "a/b/c",
        "a0",
        "a\u{e4}",
        "a\u{10ffff}",
        "b",
    ];
    for name in names.iter().rev() {
        put(&store, name, "").await?;
    }
    for prefix in ["", "a", "a/", "a/b", "a\u{e4}", "a\u{10ffff}", "c"] {
        let listing = store.list(prefix, None).await?;
        let found: Vec<_> = listing.entries.iter().map(|e| e.key.as_str()).collect();
        let expected = names.iter().filter(|name| name.starts_with(prefix));
        assert_eq!(found, expected.copied().collect::<Vec<_>>(), "{prefix}");
        let (_, digest) = store.digest(prefix, None).await?;
        assert_eq!(digest.keys(), u64::try_from(found.len())?);
    }
    // A key before the prefix begins it, and one beyond ends it.
    let page = store.page("a/", None, Some(&key("a")), 10).await?;
    assert_eq!(page.entries.len(), 3);
    let page = store.page("a/", None, Some(&key("b")), 10).await?;
    ensure!(page.entries.is_empty() && !page.more);
    Ok(())
}

async fn a_watch_tells_whole_commits_in_order(store: Store) -> Result<()> {
    let mut watch = store.watch("w/", store.head().await?).await?;
    let mut made = Vec::new();
    for number in 0..20 {
        put(&store, "elsewhere", "1").await?;
        let commit = Commit::new()
            .put(key("w/b"), format!("{number}").into_bytes())
            .put(key("elsewhere"), *b"2")
            .put(key("w/a"), format!("{number}").into_bytes());
        made.push(store.commit(commit).await?);
    }
    let deleted = store.commit(Commit::new().delete(key("w/a"))).await?;
    for (number, revision) in made.iter().enumerate() {
        let change = watch.next().await?;
        assert_eq!(change.revision, *revision);
        let keys: Vec<_> = change.events.iter().map(|e| e.key().as_str()).collect();
        assert_eq!(keys, ["w/b", "w/a"]);
        for event in change.events {
            let Event::Put(entry) = event else {
                bail!("nothing was deleted")
            };
            assert_eq!(&*entry.value, number.to_string().as_bytes());
            assert_eq!((entry.created, entry.modified), (made[0], *revision));
        }
    }
    let events = vec![Event::Delete(key("w/a"))];
    let revision = deleted;
    assert_eq!(watch.next().await?, Change { revision, events });

    // One that waits is told what comes.
    let waiting = tokio::spawn(async move { watch.next().await });
    let later = put(&store, "w/c", "late").await?;
    assert_eq!(waiting.await??.revision, later);
    Ok(())
}

async fn a_watch_begins_in_the_past(store: Store) -> Result<()> {
    let mut made = Vec::new();
    for number in 0..30 {
        made.push(put(&store, &format!("k{}", number % 3), "v").await?);
    }
    for from in [0, 1, 15, 29] {
        let mut watch = store.watch("", made[from]).await?;
        for revision in &made[from + 1..] {
            assert_eq!(watch.next().await?.revision, *revision);
        }
    }
    Ok(())
}

async fn deleting_what_is_absent_is_no_event(store: Store) -> Result<()> {
    let mut watch = store.watch("", store.head().await?).await?;
    store.commit(Commit::new().delete(key("absent"))).await?;
    let commit = Commit::new().delete(key("absent")).put(key("there"), *b"1");
    let there = store.commit(commit).await?;
    let change = watch.next().await?;
    assert_eq!(change.revision, there);
    assert_eq!(change.events.len(), 1);
    Ok(())
}

async fn what_is_compacted_is_refused(store: Store) -> Result<()> {
    let mut made = Vec::new();
    for number in 0..10 {
        made.push(put(&store, "a", &number.to_string()).await?);
        put(&store, &format!("b{number}"), "").await?;
    }
    store.commit(Commit::new().delete(key("b3"))).await?;
    store.compact(made[5]).await?;
    for earlier in [Revision::default(), made[0], made[4]] {
        let read = store.get(&key("a"), Some(earlier)).await;
        ensure!(matches!(read, Err(ReadError::Compacted)), "{read:?}");
        let listed = store.list("", Some(earlier)).await;
        ensure!(matches!(listed, Err(ReadError::Compacted)), "{listed:?}");
        let watched = store.watch("", earlier).await;
        ensure!(matches!(watched, Err(ReadError::Compacted)), "{watched:?}");
    }
    for (number, revision) in made.iter().enumerate().skip(5) {
        let then = store.get(&key("a"), Some(*revision)).await?;
        let then = then.context("a was there")?;
        assert_eq!(&*then.value, number.to_string().as_bytes());
        let listed = store.list("b", Some(*revision)).await?;
        assert_eq!(listed.entries.len(), number);
    }
    let mut watch = store.watch("a", made[5]).await?;
    assert_eq!(watch.next().await?.revision, made[6]);
    // Again, and further than there is.
    store.compact(made[5]).await?;
    store.compact(Revision::new(u64::MAX >> 1)).await?;
    assert_eq!(store.list("", None).await?.entries.len(), 10);
    let read = store.get(&key("a"), Some(made[8])).await;
    ensure!(matches!(read, Err(ReadError::Compacted)), "{read:?}");
    Ok(())
}

async fn the_future_is_refused(store: Store) -> Result<()> {
    let now = put(&store, "a", "1").await?;
    let later = Revision::new(now.get() + 1_000);
    let read = store.get(&key("a"), Some(later)).await;
    ensure!(matches!(read, Err(ReadError::Future)), "{read:?}");
    let watched = store.watch("", later).await;
    ensure!(matches!(watched, Err(ReadError::Future)), "{watched:?}");
    Ok(())
}

async fn the_largest_commits_are_stored(store: Store) -> Result<()> {
    let name = |number: usize| key(&format!("{number:04}/{}", "k".repeat(Key::MAX_LEN - 5)));
    let all = 0..Commit::MAX_WRITES;
    let expected = all.clone().fold(Commit::new(), |commit, number| {
        commit.expect_absent(name(number))
    });
    let room = Commit::MAX_OCTETS / Commit::MAX_WRITES - 2 * Key::MAX_LEN;
    let full = all.clone().fold(expected, |commit, number| {
        commit.put(name(number), vec![7; room])
    });
    let mut watch = store.watch("", store.head().await?).await?;
    store.commit(full.clone()).await?;
    assert_eq!(store.list("", None).await?.entries.len(), all.len());
    assert_eq!(watch.next().await?.events.len(), all.len());
    let Err(CommitError::Conflict(wrong)) = store.commit(full.clone()).await else {
        bail!("all keys are there");
    };
    assert_eq!(wrong.len(), all.len());

    let too_many = store.commit(full.delete(key("one more"))).await;
    ensure!(
        matches!(too_many, Err(CommitError::TooMany { .. })),
        "{too_many:?}"
    );
    let value = vec![8; Commit::MAX_OCTETS - 1];
    store.commit(Commit::new().put(key("1"), value)).await?;
    let value = vec![9; Commit::MAX_OCTETS];
    let too_large = store.commit(Commit::new().put(key("1"), value)).await;
    ensure!(
        matches!(too_large, Err(CommitError::TooLarge { .. })),
        "{too_large:?}"
    );
    let twice = Commit::new().put(key("1"), *b"a").put(key("1"), *b"b");
    let twice = store.commit(twice).await;
    ensure!(matches!(twice, Err(CommitError::Duplicate(_))), "{twice:?}");
    Ok(())
}

async fn every_revision_is_what_its_commits_made_it(store: Store) -> Result<()> {
    let mut draw = draws(5);
    let mut watch = store.watch("m/", store.head().await?).await?;
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    let mut known = Vec::new();
    for number in 0..80 {
        let mut touched = BTreeMap::new();
        for _ in 0..=draw(4) {
            touched.insert(format!("m/{}", draw(12)), draw(3) > 0);
        }
        let mut commit = Commit::new();
        let before = model.clone();
        for (name, is_put) in touched {
            if is_put {
                commit = commit.put(key(&name), format!("{number}").into_bytes());
                model.insert(name, number.to_string());
            } else {
                commit = commit.delete(key(&name));
                model.remove(&name);
            }
        }
        let revision = store.commit(commit).await?;
        if model != before {
            known.push((revision, model.clone()));
        }
    }
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for (revision, model) in known {
        let model: Vec<_> = model.into_iter().collect();
        let listing = store.list("m/", Some(revision)).await?;
        assert_eq!(shown(&listing.entries), model);
        let change = watch.next().await?;
        assert_eq!(change.revision, revision);
        for event in change.events {
            match event {
                Event::Put(entry) => told.extend(shown(&[entry])),
                Event::Delete(key) => drop(told.remove(key.as_str())),
            }
        }
        assert_eq!(told.clone().into_iter().collect::<Vec<_>>(), model);
    }
    Ok(())
}

/// Numbers below a bound, from a seed (Knuth's linear congruential generator).
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

async fn a_feed_tells_everything(store: Store) -> Result<()> {
    put(&store, "f/a", "1").await?;
    let mut options = FeedOptions::default();
    options.check_every = Duration::from_millis(1);
    let mut feed = Feed::new(store.clone(), "f/", options);
    let first = feed.next().await?;
    ensure!(
        matches!(&first, FeedEvent::Listed { reason: Reason::First, entries, .. } if entries.len() == 1),
        "{first:?}"
    );
    let mut number = 0;
    while number < 100 || feed.counts().checks < 3 {
        put(&store, "elsewhere", "").await?;
        let commit = Commit::new().put(key(&format!("f/{}", number % 9)), *b"");
        let made = store.commit(commit).await?;
        let told = feed.next().await?;
        ensure!(
            matches!(&told, FeedEvent::Change(change) if change.revision == made),
            "{told:?}"
        );
        number += 1;
    }
    let counts = feed.counts();
    assert_eq!((counts.listings, counts.differences), (1, 0));
    Ok(())
}

#[tokio::test]
async fn an_embedded_store_forgets_by_itself() -> Result<()> {
    let mut options = EmbeddedOptions::default();
    options.history = 100;
    let store = Store::in_memory(options)?;
    let mut made = Vec::new();
    for number in 0..300 {
        made.push(put(&store, &format!("k{}", number % 7), "v").await?);
    }
    assert_eq!(store.list("", Some(made[199])).await?.entries.len(), 7);
    let earlier = store.list("", Some(made[198])).await;
    ensure!(matches!(earlier, Err(ReadError::Compacted)), "{earlier:?}");
    Ok(())
}

#[tokio::test]
async fn a_file_is_open_once_until_it_is_closed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("store");
    let store = Store::embedded(&path, EmbeddedOptions::default())?;
    let other = store.clone();
    let mut watch = store.watch("", store.head().await?).await?;
    let error = Store::embedded(&path, EmbeddedOptions::default()).unwrap_err();
    ensure!(error.to_string().contains("another process"), "{error}");
    put(&store, "a", "1").await?;
    store.close().await;
    let closed = other.get(&key("a"), None).await;
    ensure!(matches!(closed, Err(ReadError::Closed)), "{closed:?}");
    let closed = other.commit(Commit::new()).await;
    ensure!(matches!(closed, Err(CommitError::Closed)), "{closed:?}");
    let closed = watch.next().await;
    ensure!(matches!(closed, Err(ReadError::Closed)), "{closed:?}");
    let again = Store::embedded(&path, EmbeddedOptions::default())?;
    let entry = read(&again, "a").await?.context("a is there")?;
    assert_eq!(&*entry.value, b"1");
    Ok(())
}
