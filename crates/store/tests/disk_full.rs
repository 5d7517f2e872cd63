//! An embedded store on a disk that is full: a clear error, and reads go on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rackweave_store::{Commit, CommitError, EmbeddedOptions, Key, Store};

/// Where the disk of the process that fills it is mounted.
const DISK: &str = "RACKWEAVE_STORE_TO_FILL";
const RESERVE: u64 = 2 << 20;

/// Runs in a mount namespace of its own, which ends with it.
#[test]
fn a_full_disk_stops_writers_alone() -> Result<()> {
    let test = "a_full_disk_stops_writers_alone";
    if let Some(disk) = std::env::var_os(DISK) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        return runtime.block_on(fill(&PathBuf::from(disk)));
    }
    if !rackweave_rig::may_run(test) {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let mount = "mount -t tmpfs -o size=24m none \"$0\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", mount])
        .arg(dir.path())
        .arg(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(DISK, dir.path())
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{told}\n{said}");
    ensure!(told.contains("1 passed"), "{told}");
    Ok(())
}

async fn fill(disk: &Path) -> Result<()> {
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 6 << 20])?;
    let path = disk.join("store");
    let store = open(&path)?;
    let stored = write_until_full(&store, 0).await?;
    ensure!(stored > 10, "{stored} commits on an empty disk");
    reads_go_on(&store, stored).await?;
    // It stays full, and also for who opens it again with no room at all.
    for _ in 0..3 {
        stays_full(&store, stored).await?;
    }
    store.close().await;
    let filler = fill_up(disk)?;
    let store = open(&path)?;
    reads_go_on(&store, stored).await?;
    stays_full(&store, stored).await?;
    reads_go_on(&store, stored).await?;

    // With room, it goes on by itself.
    fs::remove_file(filler)?;
    fs::remove_file(ballast)?;
    let more = write_until_full(&store, stored).await?;
    ensure!(more > stored, "nothing was stored in the room that came");
    reads_go_on(&store, more).await?;
    store.close().await;
    reads_go_on(&open(&path)?, more).await
}

fn open(path: &Path) -> Result<Store> {
    let mut options = EmbeddedOptions::default();
    options.reserve = RESERVE;
    options.history = 50;
    Ok(Store::embedded(path, options)?)
}

fn commit(number: u64) -> Result<Commit> {
    let key = Key::new(&format!("k/{number:06}"))?;
    Ok(Commit::new()
        .put(key, vec![2; 50_000])
        .put(Key::new("last")?, number.to_string().into_bytes()))
}

/// Stores from a number on until there is no room, and says how many there are then.
async fn write_until_full(store: &Store, from: u64) -> Result<u64> {
    for number in from.. {
        match store.commit(commit(number)?).await {
            Ok(_) => {}
            Err(error @ CommitError::Full(_)) => {
                let text = error.to_string();
                assert_eq!(text, "the store is full: make room where it lies");
                return Ok(number);
            }
            Err(error) => return Err(error).context(format!("commit {number}")),
        }
    }
    Ok(u64::MAX)
}

async fn stays_full(store: &Store, number: u64) -> Result<()> {
    let again = store.commit(commit(number)?).await;
    ensure!(matches!(again, Err(CommitError::Full(_))), "{again:?}");
    Ok(())
}

/// All that was stored is there, and nothing else.
async fn reads_go_on(store: &Store, stored: u64) -> Result<()> {
    let all = store.list("k/", None).await?;
    assert_eq!(u64::try_from(all.entries.len())?, stored);
    let last = store.get(&Key::new("last")?, None).await?;
    let last = last.context("the last number")?;
    assert_eq!(&*last.value, (stored - 1).to_string().as_bytes());
    let before = all.entries[all.entries.len() - 2].modified;
    let mut watch = store.watch("k/", before).await?;
    assert_eq!(watch.next().await?.revision, last.modified);
    Ok(())
}

/// Takes all the room there is.
fn fill_up(disk: &Path) -> Result<PathBuf> {
    let path = disk.join("filler");
    let mut file = File::create(&path)?;
    while file.write_all(&[3; 4096]).is_ok() {}
    Ok(path)
}
