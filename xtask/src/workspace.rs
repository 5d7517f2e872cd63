//! What cargo says of this workspace.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The crates that own no clock, socket, thread, random source nor unsafe code, by folder under
/// `crates/`.
pub(crate) const PURE: [&str; 9] = [
    "types", "wire", "engine", "vpc", "trust", "routing", "control", "mgmt", "sim",
];

/// Those of them that also stand where there is no `std`.
pub(crate) const NO_STD: [&str; 5] = ["types", "wire", "engine", "vpc", "mgmt"];

/// The part of `cargo metadata` that the chores read.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<MetadataPackage>,
    pub(crate) target_directory: PathBuf,
}

/// One package of the resolved graph; `source` is `None` for our own.
#[derive(Debug, Deserialize)]
pub(crate) struct MetadataPackage {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<MetadataDependency>,
}

/// One declared dependency; `kind` is `None` for a normal one, else `dev` or `build`.
#[derive(Debug, Deserialize)]
pub(crate) struct MetadataDependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
}

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The triple of the machine we build on.
pub(crate) fn host() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

/// A cargo command in the workspace's root: the cargo that started us, where one did.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The resolved graph for this machine.
pub(crate) fn metadata() -> Result<Metadata> {
    let mut command = cargo();
    command
        .args(["metadata", "--format-version=1", "--filter-platform"])
        .arg(host());
    serde_json::from_str(&output_of(&mut command)?).context("cargo metadata is not as expected")
}

/// Runs `command` to its end and gives its stdout; a failure carries its stderr.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} did not start"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} printed no UTF-8"))
}
