//! A guest that sets itself up: Debian's cloud-init, run as its unit would run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::archive::Archive;
use super::{Device, Machine, image};
use crate::packages::{kept, kernel, update_lists};
use crate::process::must;

/// How long the guest may take to set itself up, under emulation.
const SET_UP: Duration = Duration::from_mins(4);

/// What is installed; apt adds what these need.
const PACKAGES: &str = "cloud-init python3 iproute2 passwd coreutils bash dash grep sed util-linux \
                        mount hostname busybox";
/// Packages that others depend on and nobody here runs.
const LEFT_OUT: [&str; 6] = [
    "perl",
    "libperl",
    "locales",
    "libc-l10n",
    "usrmerge",
    "dpkg",
];

const INIT: &str = include_str!("cloud-init.sh");
const CONFIG: &str = include_str!("cloud.cfg");

/// A guest in which cloud-init has run.
#[derive(Debug)]
pub struct CloudGuest {
    machine: Machine,
}

impl CloudGuest {
    /// Starts the guest and waits until cloud-init has done its work.
    ///
    /// # Errors
    /// What the guest said.
    pub fn boot(device: &Device) -> Result<Self> {
        let mut machine = Machine::start("cloud guest", device, &disk()?, 1024)?;
        machine.wait_for("rig-is-up", SET_UP)?;
        Ok(Self { machine })
    }

    /// The guest, to be asked what cloud-init did.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

/// Its initial RAM disk.
fn disk() -> Result<PathBuf> {
    let kernel = kernel()?;
    let root = kept(&image::name("cloud-root", &[PACKAGES]), lay_root)?;
    let folder = kept(
        &image::name(
            "cloud-disk",
            &[PACKAGES, INIT, CONFIG, &image::MODULES.concat()],
        ),
        |folder| {
            let mut archive = Archive::default();
            archive.tree(&root, &|path| {
                let skipped = ["usr/share/doc", "usr/share/man", "usr/share/locale", "dev"];
                skipped.iter().any(|skip| path == Path::new(skip))
            })?;
            archive.folder("dev")?;
            archive.console()?;
            archive.folder("modules")?;
            image::add_modules(&mut archive, &kernel)?;
            archive.file("init", 0o755, INIT.as_bytes())?;
            archive.file("hook", 0o755, image::hook().as_bytes())?;
            archive.file("etc/cloud/cloud.cfg.d/99-rig.cfg", 0o644, CONFIG.as_bytes())?;
            archive.write(&folder.join("disk"))
        },
    )?;
    Ok(folder.join("disk"))
}

/// A root file system of packages that were only taken apart: no script of theirs has run.
fn lay_root(root: &Path) -> Result<()> {
    update_lists()?;
    let folder = tempfile::tempdir()?;
    let here = folder.path().display();
    fs::create_dir_all(folder.path().join("archives/partial"))?;
    fs::write(folder.path().join("status"), "")?;
    let script = format!(
        "apt-get -q -y --no-install-recommends -o APT::Sandbox::User=root -o Dir::State::status={here}/status \
         -o Dir::Cache::archives={here}/archives --download-only install {PACKAGES}"
    );
    must(&["sh", "-c", &script], "")?;
    let archives = folder.path().join("archives");
    for entry in fs::read_dir(&archives)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.iter().any(|left_out| name.starts_with(left_out)) {
            fs::remove_file(entry.path())?;
        }
    }
    for folder in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64"] {
        fs::create_dir_all(root.join(folder))?;
        let name = Path::new(folder)
            .file_name()
            .context("a folder has a name")?;
        std::os::unix::fs::symlink(folder, root.join(name))?;
    }
    unpack_below_links(&archives, root)?;
    finish(root)
}

/// `dpkg-deb -x` would put a folder in the place of a link such as `/lib`; tar keeps the link.
fn unpack_below_links(archives: &Path, root: &Path) -> Result<()> {
    let script = "for deb in \"$0\"/*.deb; do dpkg-deb --fsys-tarfile \"$deb\" | \
                  tar -x --keep-directory-symlink -C \"$1\" || exit 1; done";
    let (archives, root) = (archives.display().to_string(), root.display().to_string());
    must(&["sh", "-c", script, &archives, &root], "")?;
    Ok(())
}

/// What the scripts of the packages would have done, as far as cloud-init asks for it.
fn finish(root: &Path) -> Result<()> {
    for folder in [
        "proc",
        "sys",
        "run",
        "tmp",
        "root",
        "home",
        "var/log",
        "var/lib/cloud",
        "etc/ssh",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    let users = "root:x:0:0:root:/root:/bin/bash\n";
    let groups = "root:x:0:\nadm:x:4:\nsudo:x:27:\naudio:x:29:\ndip:x:30:\nvideo:x:44:\nplugdev:x:46:\n\
                  floppy:x:25:\ncdrom:x:24:\nnetdev:x:100:\ndialout:x:20:\n";
    for (path, content) in [
        ("etc/passwd", users),
        ("etc/group", groups),
        ("etc/shadow", "root:*:19000:0:99999:7:::\n"),
        ("etc/gshadow", ""),
        ("etc/hostname", "unset\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/ssh/sshd_config", ""),
    ] {
        fs::write(root.join(path), content)?;
    }
    let root = root.display().to_string();
    let compile = "import compileall; compileall.compile_dir('/usr/lib/python3', quiet=2); \
                   compileall.compile_dir('/usr/lib/python3.11', quiet=2)";
    must(&["chroot", &root, "/usr/bin/python3.11", "-c", compile], "")?;
    must(&["chroot", &root, "/sbin/ldconfig"], "")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloud_init_runs_from_its_root() {
        if !crate::may_run("cloud_init_runs_from_its_root") {
            return;
        }
        let disk = disk().unwrap();
        assert!(disk.exists());
        let root = kept(&image::name("cloud-root", &[PACKAGES]), lay_root).unwrap();
        let root = root.display().to_string();
        let said = must(&["chroot", &root, "/usr/bin/cloud-init", "--version"], "").unwrap();
        assert!(said.contains("cloud-init"), "{said}");
    }
}
