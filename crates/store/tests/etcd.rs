//! A store on three members of etcd that die, hang and have no room.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use etcd_client::{AlarmAction, AlarmType, Client};
use rackweave_rig::Etcd;
use rackweave_store::{Commit, CommitError, EtcdOptions, Key, Store, Watch};

async fn store(cluster: &Etcd) -> Result<Store> {
    Ok(Store::etcd(EtcdOptions::new(cluster.endpoints())).await?)
}

#[expect(clippy::unwrap_used, reason = "a key that a test writes is one")]
fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

/// Counts by compare-and-set: the next commit misses one that is lost, and one that happened twice conflicts with itself.
async fn count(store: &Store, to: u64) -> Result<()> {
    let now = store.get(&key("counter"), None).await?;
    let mut at = now.as_ref().map(|entry| entry.modified);
    for number in counted(store).await? + 1..=to {
        let commit = match at {
            Some(at) => Commit::new().expect_at(key("counter"), at),
            None => Commit::new().expect_absent(key("counter")),
        };
        let text = number.to_string().into_bytes();
        let commit = commit
            .put(key("counter"), text.clone())
            .put(key(&format!("n/{number}")), text);
        let made = store.commit(commit).await;
        at = Some(made.with_context(|| format!("number {number}"))?);
    }
    Ok(())
}

async fn counted(store: &Store) -> Result<u64> {
    let now = store.get(&key("counter"), None).await?;
    now.map_or(
        Ok(0),
        |now| Ok(String::from_utf8_lossy(&now.value).parse()?),
    )
}

/// Takes what a watch tells of these numbers.
async fn told(watch: &mut Watch, numbers: RangeInclusive<u64>) -> Result<()> {
    for number in numbers {
        let change = watch.next().await?;
        assert_eq!(change.events.len(), 2, "half a commit");
        assert_eq!(change.events[1].key().as_str(), format!("n/{number}"));
    }
    Ok(())
}

#[tokio::test]
async fn nobody_notices_the_death_of_a_member() -> Result<()> {
    if !Etcd::may_run("nobody_notices_the_death_of_a_member") {
        return Ok(());
    }
    let mut cluster = Etcd::start(3, false)?;
    let store = store(&cluster).await?;
    let mut watch = store.watch("", store.head().await?).await?;
    // The one that this store speaks to, then whoever leads.
    for round in 0..2 {
        let dead = if round == 0 { 0 } else { cluster.leader(0)? };
        let from = round * 100;
        let killing = async {
            while counted(&store).await? < from + 30 {}
            cluster.kill(dead)
        };
        let (counting, killing) = tokio::join!(count(&store, from + 100), killing);
        killing?;
        counting?;
        told(&mut watch, from + 1..=from + 100).await?;
        cluster.restart(dead)?;
        cluster.wait_for(dead)?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_notices_a_member_that_hangs() -> Result<()> {
    if !Etcd::may_run("nobody_notices_a_member_that_hangs") {
        return Ok(());
    }
    let cluster = Etcd::start(3, false)?;
    let mut options = EtcdOptions::new(cluster.endpoints());
    options.patience = Duration::from_millis(500);
    let store = Store::etcd(options).await?;
    let mut watch = store.watch("", store.head().await?).await?;
    count(&store, 10).await?;
    told(&mut watch, 1..=10).await?;
    // The watch hangs there too, which pings find out.
    cluster.freeze(0)?;
    count(&store, 30).await?;
    told(&mut watch, 11..=30).await?;
    cluster.thaw(0)
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kill_9_of_all() -> Result<()> {
    if !Etcd::may_run("what_was_acknowledged_outlives_kill_9_of_all") {
        return Ok(());
    }
    let mut cluster = Etcd::start(3, false)?;
    let store = store(&cluster).await?;
    let mut watch = store.watch("", store.head().await?).await?;
    for round in 1..=3 {
        count(&store, round * 50).await?;
        for member in 0..cluster.len() {
            cluster.kill(member)?;
        }
        for member in 0..cluster.len() {
            cluster.restart(member)?;
        }
        told(&mut watch, (round - 1) * 50 + 1..=round * 50).await?;
        let all = store.list("n/", None).await?;
        assert_eq!(u64::try_from(all.entries.len())?, round * 50);
    }
    Ok(())
}

#[tokio::test]
async fn without_a_majority_there_is_an_error() -> Result<()> {
    if !Etcd::may_run("without_a_majority_there_is_an_error") {
        return Ok(());
    }
    let mut cluster = Etcd::start(3, false)?;
    let mut options = EtcdOptions::new(cluster.endpoints());
    options.patience = Duration::from_millis(300);
    options.deadline = Duration::from_millis(500);
    let store = Store::etcd(options.clone()).await?;
    count(&store, 1).await?;
    cluster.kill(1)?;
    cluster.kill(2)?;
    let lost = store.commit(Commit::new().put(key("a"), *b"1")).await;
    ensure!(matches!(lost, Err(CommitError::Unknown(_))), "{lost:?}");
    let read = store.get(&key("a"), None).await;
    ensure!(read.is_err(), "{read:?}");
    cluster.kill(0)?;
    let Err(error) = Store::etcd(options).await else {
        bail!("nobody is there");
    };
    ensure!(error.to_string().contains("no member"), "{error}");
    for member in 0..cluster.len() {
        cluster.restart(member)?;
    }
    for member in 0..cluster.len() {
        cluster.wait_for(member)?;
    }
    count(&self::store(&cluster).await?, 10).await
}

#[tokio::test]
async fn a_store_without_its_lease_takes_another() -> Result<()> {
    if !Etcd::may_run("a_store_without_its_lease_takes_another") {
        return Ok(());
    }
    let cluster = Etcd::start(1, false)?;
    let store = store(&cluster).await?;
    count(&store, 3).await?;
    let mut client = Client::connect(cluster.endpoints(), None).await?;
    let leases = client.leases().await?;
    assert_eq!(leases.leases().len(), 1);
    for lease in leases.leases() {
        client.lease_revoke(lease.id()).await?;
    }
    count(&store, 6).await?;
    assert_eq!(store.list("n/", None).await?.entries.len(), 6);
    Ok(())
}

#[tokio::test]
async fn a_cluster_without_room_says_so_and_is_read() -> Result<()> {
    if !Etcd::may_run("a_cluster_without_room_says_so_and_is_read") {
        return Ok(());
    }
    let cluster = Etcd::start(1, false)?;
    let store = store(&cluster).await?;
    count(&store, 3).await?;
    // What etcd does itself when its quota is used up.
    let mut client = Client::connect(cluster.endpoints(), None).await?;
    let alarm = AlarmType::Nospace;
    client.alarm(AlarmAction::Activate, alarm, None).await?;
    let full = store.commit(Commit::new().put(key("a"), *b"1")).await;
    ensure!(matches!(full, Err(CommitError::Full(_))), "{full:?}");
    assert_eq!(store.list("n/", None).await?.entries.len(), 3);
    client.alarm(AlarmAction::Deactivate, alarm, None).await?;
    count(&store, 6).await
}
