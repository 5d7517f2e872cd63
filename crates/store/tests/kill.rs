//! Processes that write to an embedded store are killed: what was acknowledged is there, and no half of a commit.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rackweave_store::{Commit, EmbeddedOptions, Key, Store};

/// Where the process that is killed keeps its store.
const STORE: &str = "RACKWEAVE_STORE_TO_KILL";
const ROUNDS: usize = 12;
/// Who commits at once, so that commits share transactions.
const WRITERS: usize = 5;

#[test]
fn what_was_acknowledged_outlives_kill_9() -> Result<()> {
    if let Some(path) = std::env::var_os(STORE) {
        return write_until_killed(&PathBuf::from(path));
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("store");
    let mut acknowledged = [0; WRITERS];
    for round in 0..ROUNDS {
        let before = acknowledged;
        kill_after(&path, 1 + round * round * 7, &mut acknowledged)?;
        ensure!(before != acknowledged, "nothing happened");
        runtime()?.block_on(check(&path, &mut acknowledged))?;
    }
    Ok(())
}

/// Runs this test as the process that is killed, until so many commits are acknowledged.
fn kill_after(path: &Path, acks: usize, acknowledged: &mut [u64; WRITERS]) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "what_was_acknowledged_outlives_kill_9"])
        .arg("--nocapture")
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("its output")?;
    let mut seen = 0;
    // What it said before it died is read too.
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        let Some(said) = line.strip_prefix("acknowledged ") else {
            continue;
        };
        // The last line may be half of one.
        let Some((writer, commit)) = said.strip_suffix('.').and_then(|said| said.split_once(' '))
        else {
            continue;
        };
        acknowledged[writer.parse::<usize>()?] = commit.parse()?;
        seen += 1;
        if seen == acks {
            child.kill()?;
        }
    }
    child.wait()?;
    ensure!(seen >= acks, "the writer ended by itself");
    Ok(())
}

/// Looks whether all is there, and how far the writers came.
async fn check(path: &Path, acknowledged: &mut [u64; WRITERS]) -> Result<()> {
    let store = Store::embedded(path, EmbeddedOptions::default())?;
    for (writer, acknowledged) in acknowledged.iter_mut().enumerate() {
        let last = number(&store, &format!("w/{writer}/last")).await?;
        let copy = number(&store, &format!("w/{writer}/copy")).await?;
        assert_eq!(last, copy, "half a commit");
        ensure!(
            last >= *acknowledged,
            "{writer}: {acknowledged} was acknowledged, {last} is there"
        );
        let all = store.list(&format!("n/{writer}/"), None).await?;
        assert_eq!(u64::try_from(all.entries.len())?, last);
        *acknowledged = last;
    }
    store.close().await;
    Ok(())
}

/// The number at a key; zero where it is absent.
async fn number(store: &Store, name: &str) -> Result<u64> {
    let entry = store.get(&Key::new(name)?, None).await?;
    entry.map_or(Ok(0), |entry| {
        Ok(String::from_utf8_lossy(&entry.value).parse()?)
    })
}

fn write_until_killed(path: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let store = Store::embedded(path, EmbeddedOptions::default())?;
        let writers = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await??;
        }
        bail!("nobody killed this")
    })
}

/// Commits numbers, each three times, and says when each is stored.
async fn write(store: Store, writer: usize) -> Result<()> {
    let place = |name: &str| Key::new(&format!("w/{writer}/{name}"));
    let mut commit = number(&store, &format!("w/{writer}/last")).await?;
    loop {
        commit += 1;
        let text = commit.to_string().into_bytes();
        let written = Commit::new()
            .put(place("last")?, text.clone())
            .put(Key::new(&format!("n/{writer}/{commit}"))?, vec![0; 500])
            .put(place("copy")?, text);
        store.commit(written).await?;
        writeln!(std::io::stdout(), "acknowledged {writer} {commit}.")?;
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
