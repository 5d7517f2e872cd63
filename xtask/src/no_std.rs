//! The proof that the pure crates need no `std`: they are built where there is none to be found.
//!
//! The compiler is given a system root that holds `core`, `alloc` and what these stand on, and no
//! other library. A crate that names `std`, or stands on one that does, cannot be compiled there.
//! Proc macros and build scripts run on this machine and keep the whole system root.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::workspace::{self, NO_STD};

/// The libraries below `std`; the rest of a system root is `std` and what it is made of.
const BELOW_STD: [&str; 3] = ["libcore-", "liballoc-", "libcompiler_builtins-"];

/// Builds every pure crate without `std`.
pub(crate) fn run() -> Result<ExitCode> {
    let root = SystemRoot::create(&workspace::metadata()?.target_directory.join("no-std"))?;
    root.build_pure()?;
    eprintln!("no-std: {} need no std", NO_STD.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// A folder with a system root without `std`, and what is built against it.
struct SystemRoot {
    folder: PathBuf,
}

impl SystemRoot {
    fn create(folder: &Path) -> Result<Self> {
        let part = Path::new("lib/rustlib").join(workspace::host()).join("lib");
        let (from, to) = (
            whole_system_root()?.join(&part),
            folder.join("sysroot").join(&part),
        );
        if to.exists() {
            fs::remove_dir_all(&to).context("cannot empty the system root")?;
        }
        fs::create_dir_all(&to).context("cannot make a system root")?;
        for entry in fs::read_dir(&from).context("cannot read the compiler's system root")? {
            let name = entry?.file_name();
            if BELOW_STD
                .iter()
                .any(|library| name.to_string_lossy().starts_with(library))
            {
                symlink(from.join(&name), to.join(&name)).context("cannot fill the system root")?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    fn build_pure(&self) -> Result<()> {
        let mut cargo = workspace::cargo();
        cargo.args(["build", "--quiet", "--lib", "--target", &workspace::host()]);
        cargo.arg("--target-dir").arg(self.folder.join("target"));
        for name in NO_STD {
            cargo.args(["--package", &format!("rackweave-{name}")]);
        }
        // Flags reach what is built for a named target only, so proc macros keep their `std`.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flag());
        workspace::output_of(&mut cargo).map(drop)
    }

    fn flag(&self) -> String {
        format!("--sysroot={}", self.folder.join("sysroot").display())
    }
}

fn whole_system_root() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(workspace::root())
        .args(["--print", "sysroot"]);
    Ok(PathBuf::from(workspace::output_of(&mut rustc)?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(test: &str) -> SystemRoot {
        let target = workspace::metadata().unwrap().target_directory;
        SystemRoot::create(&target.join("no-std-tests").join(test)).unwrap()
    }

    fn compile(root: &SystemRoot, source: &str) -> Result<String> {
        let (file, out) = (
            root.folder.join("probe.rs"),
            root.folder.join("libprobe.rlib"),
        );
        fs::write(&file, source)?;
        let mut rustc = Command::new("rustc");
        rustc
            .args(["--edition=2024", "--crate-type=lib"])
            .arg(root.flag());
        workspace::output_of(rustc.arg(&file).arg("-o").arg(out))
    }

    #[test]
    fn pure_crates_build_without_std() {
        root("pure").build_pure().unwrap();
    }

    #[test]
    fn the_proof_can_fail() {
        let root = root("probe");
        let pure = "#![no_std]\nextern crate alloc;\npub type V = alloc::vec::Vec<u8>;\n";
        compile(&root, pure).unwrap();
        for impure in [
            format!("{pure}extern crate std;\n"),
            "pub fn f() {}\n".to_owned(),
        ] {
            let error = compile(&root, &impure).unwrap_err().to_string();
            assert!(error.contains("can't find crate for `std`"), "{error}");
        }
    }
}
