//! What the sled keeps over its restarts besides ports: the last host state, and the boot's secret.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rackweave_linux::random;
use rackweave_types::NodePrefix;
use rackweave_types::state::{HostState, from_stream};

use super::error::HostErrors;
use super::read;
use crate::journal::write_private;

/// Name of the last state in the state directory.
const LAST: &str = "host.json";
/// Name of the secret in the run directory.
const SECRET: &str = "secret";

/// Keeps a state that was applied; it is whole or the one before, whenever the machine stops.
///
/// # Errors
/// What the system said.
pub fn keep(state_dir: &Path, state: &HostState) -> io::Result<()> {
    let (path, new) = (state_dir.join(LAST), state_dir.join("host.json.new"));
    let text = serde_json::to_vec(state).map_err(io::Error::other)?;
    write_private(&new, &text)?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(state_dir)?.sync_all()
}

/// The path of the state that was kept, if there is one.
#[must_use]
pub fn last(state_dir: &Path) -> Option<PathBuf> {
    let path = state_dir.join(LAST);
    path.exists().then_some(path)
}

/// The state to begin with: the file's; the last one applied where there is no file, or it is wrong.
///
/// # Errors
/// Where there is no state that can be read.
pub fn first(
    file: Option<&Path>,
    state_dir: &Path,
) -> Result<(HostState, Option<HostErrors>), HostErrors> {
    let given = file.map(read::read);
    let kept = last(state_dir);
    match (given, kept) {
        (Some(Ok(state)), _) => Ok((state, None)),
        (Some(Err(errors)), None) => Err(errors),
        (Some(Err(errors)), Some(kept)) => Ok((read::read(&kept)?, Some(errors))),
        (None, Some(kept)) => Ok((read::read(&kept)?, None)),
        (None, None) => Err(HostErrors::whole(format!(
            "there is none: name a file with --host-state, or put the last one into {}",
            state_dir.join(LAST).display()
        ))),
    }
}

/// The last state of this node, whatever release wrote it; none where there is none that can be read.
#[must_use]
pub fn of(state_dir: &Path, node: NodePrefix) -> Option<HostState> {
    let path = last(state_dir)?;
    let read = fs::read(&path).and_then(|text| {
        let mut json = serde_json::Deserializer::from_slice(&text);
        from_stream(&mut json).map_err(io::Error::from)
    });
    let state: HostState = match read {
        Ok(state) => state,
        Err(error) => {
            tracing::warn!(%error, file = %path.display(), "the last state cannot be read");
            return None;
        }
    };
    if state.underlay.sled != node {
        let other = state.underlay.sled;
        tracing::warn!(%node, %other, "the last state is another sled's, and is not used");
        return None;
    }
    Some(state)
}

/// The secret words of this boot's flow hashes; drawn where there are none yet.
///
/// # Errors
/// Where no random octets are given, or they cannot be kept.
pub fn secret(run_dir: &Path) -> io::Result<[u64; 2]> {
    let path = run_dir.join(SECRET);
    if let Ok(bytes) = fs::read(&path)
        && let Ok(bytes) = <[u8; 16]>::try_from(bytes)
    {
        return Ok(words(bytes));
    }
    let bytes: [u8; 16] = random::bytes().map_err(io::Error::other)?;
    write_private(&path, &bytes)?;
    Ok(words(bytes))
}

fn words(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    let half = |word: u128| u64::try_from(word & u128::from(u64::MAX)).unwrap_or_default();
    [half(both), half(both >> 64)]
}
