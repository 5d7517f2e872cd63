//! `cargo xtask fuzz`: the fuzz targets, one after another.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::value_parser;

use crate::child::{self, Ending, INTERRUPTED, Interrupt};
use crate::workspace;

const FOLDER: &str = "fuzz/fuzz_targets";
const INSTALL: &str = "cargo-fuzz on a nightly toolchain is needed: \
    `rustup toolchain install nightly` and `cargo install cargo-fuzz --locked`";

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The targets to run; all of them when none is named
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u32).range(1..))]
    seconds: u32,
    /// Name the targets and run none
    #[arg(long)]
    list: bool,
}

/// Runs the targets; the first that finds something ends the run.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let known = targets(&workspace::root().join(FOLDER))?;
    if args.list {
        for target in known {
            println!("{target}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = wanted(&known, &args.targets)?;
    let interrupt = Interrupt::listen()?;
    ensure!(
        cargo_fuzz()
            .arg("--version")
            .output()
            .is_ok_and(|out| out.status.success()),
        INSTALL
    );
    for (index, target) in wanted.iter().enumerate() {
        eprintln!(
            "fuzz {target} for {} s ({} of {})",
            args.seconds,
            index + 1,
            wanted.len()
        );
        let mut command = cargo_fuzz();
        command.args(["run", target, "--"]);
        command.arg(format!("-max_total_time={}", args.seconds));
        // Long inputs from the start: a case is a program, and traffic after it.
        command.arg("-len_control=0");
        match child::run(&mut command, &interrupt, None, |line| {
            println!("{line}");
            Ok(())
        })? {
            Ending::Exited(status) if status.success() => {}
            Ending::Exited(status) => bail!("{target} found something, see above ({status})"),
            Ending::OutOfTime | Ending::Interrupted => return Ok(ExitCode::from(INTERRUPTED)),
        }
    }
    eprintln!("fuzz: {} targets survived", wanted.len());
    Ok(ExitCode::SUCCESS)
}

/// The proxy that knows `+nightly`, not the cargo that started us.
fn cargo_fuzz() -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(workspace::root())
        .args(["+nightly", "fuzz"]);
    command
}

/// The targets in `folder`, one a file, by name.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("no fuzz targets in {FOLDER}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn wanted<'a>(known: &'a [String], named: &'a [String]) -> Result<&'a [String]> {
    if let Some(stranger) = named.iter().find(|name| !known.contains(name)) {
        bail!(
            "no fuzz target `{stranger}`; there are {}",
            known.join(", ")
        );
    }
    Ok(if named.is_empty() { known } else { named })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_answered_with_the_known_ones() {
        let known = ["ip".to_owned(), "tcp".to_owned()];
        let error = wanted(&known, &["udp".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "no fuzz target `udp`; there are ip, tcp");
        assert_eq!(wanted(&known, &known[1..]).unwrap(), ["tcp"]);
        assert_eq!(wanted(&known, &[]).unwrap(), known);
    }

    #[test]
    fn targets_are_the_sources_of_the_folder() {
        let found = targets(&workspace::root().join("xtask/src")).unwrap();
        assert!(
            found.is_sorted() && found.contains(&"fuzz".to_owned()),
            "{found:?}"
        );
        assert!(!found.contains(&"tidy".to_owned()), "a folder is no target");
        assert!(
            targets(Path::new("/nowhere"))
                .unwrap_err()
                .to_string()
                .contains(FOLDER)
        );
    }
}
