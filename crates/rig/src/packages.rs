//! Debian packages, taken apart and kept: nothing is installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

use crate::process::must;

/// Where they are kept, unless `RACKWEAVE_RIG_CACHE` names another folder.
const CACHE: &str = "/var/cache/rackweave-rig";

/// A kernel for guests.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// The image that QEMU starts.
    pub(crate) image: PathBuf,
    /// The folder of its modules.
    pub(crate) modules: PathBuf,
}

/// Debian's kernel for clouds.
pub(crate) fn kernel() -> Result<Kernel> {
    let root = kept("kernel", |root| {
        update_lists()?;
        let text = must(&["apt-cache", "depends", "linux-image-cloud-amd64"], "")?;
        let mut lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "));
        let package = lines
            .next()
            .context("no cloud kernel: is apt up to date?")?;
        unpack(&[package], root)
    })?;
    let image = only(&root.join("boot"), "vmlinuz-")?;
    let modules = only(&root.join("lib/modules"), "")?;
    Ok(Kernel { image, modules })
}

/// A busybox that needs no libraries.
pub(crate) fn busybox() -> Result<PathBuf> {
    let root = kept("busybox", |root| unpack(&["busybox-static"], root))?;
    Ok(root.join("bin/busybox"))
}

/// The folder `name` of the cache, made by `make` where it is not there. Tests that want it at once wait for each other.
pub(crate) fn kept(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = std::env::var_os("RACKWEAVE_RIG_CACHE").map_or_else(|| CACHE.into(), PathBuf::from);
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    let held = Flock::lock(lock, FlockArg::LockExclusive);
    let _held = held
        .map_err(|(_, error)| error)
        .context("the cache's lock")?;
    let folder = cache.join(name);
    if !folder.exists() {
        let half = cache.join(format!("{name}.new"));
        if half.exists() {
            fs::remove_dir_all(&half)?;
        }
        fs::create_dir_all(&half)?;
        make(&half).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::rename(&half, &folder)?;
    }
    Ok(folder)
}

/// Makes sure that apt knows what packages there are.
pub(crate) fn update_lists() -> Result<()> {
    kept("lists", |_| {
        let known = crate::process::run(&["apt-cache", "show", "linux-image-cloud-amd64"], "")?;
        if !known.success || known.stdout.is_empty() {
            must(&["apt-get", "-q", "update"], "")?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Fetches packages and lays their files into a folder.
fn unpack(packages: &[&str], root: &Path) -> Result<()> {
    update_lists()?;
    let folder = tempfile::tempdir()?;
    let script = format!(
        "cd {} && apt-get -q -o APT::Sandbox::User=root download {}",
        folder.path().display(),
        packages.join(" ")
    );
    must(&["sh", "-c", &script], "")?;
    let target = root.display().to_string();
    for entry in fs::read_dir(folder.path())? {
        let package = entry?.path().display().to_string();
        must(&["dpkg-deb", "-x", &package, &target], "")?;
    }
    Ok(())
}

/// The only entry of a folder whose name begins with `prefix`.
fn only(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(prefix)
    });
    let entry = found
        .next()
        .with_context(|| format!("{} is empty", folder.display()))?;
    Ok(entry.path())
}
