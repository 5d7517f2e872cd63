//! The one place for chores: `cargo xtask --help` lists them.
//!
//! Nothing of ours is a dependency of it, so it builds in seconds and while every other crate is
//! broken.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal: results on stdout, progress on stderr"
)]

mod child;
mod figures;
mod fuzz;
mod no_std;
mod tidy;
mod workspace;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// Chores of the Rackweave workspace.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check the tree's own rules: crate arrows, lengths, lints, leftovers, links
    Tidy,
    /// Measure an area's figures and show them beside its peers
    Figures(figures::Args),
    /// Run the fuzz targets one after another
    Fuzz(fuzz::Args),
    /// Build the pure crates where no `std` can be found
    NoStd,
    /// Print a completion script for a shell
    Completion {
        /// The shell that will source it
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Tidy => tidy::run(),
        Chore::Figures(args) => figures::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::NoStd => no_std::run(),
        Chore::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "xtask", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_area_is_answered_with_the_known_ones() {
        let error = Cli::try_parse_from(["xtask", "figures", "nowhere"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("engine"), "{error}");
    }

    #[test]
    fn several_figures_follow_one_flag() {
        let cli = Cli::try_parse_from(["xtask", "figures", "engine", "--only", "a", "b"]).unwrap();
        let Chore::Figures(args) = cli.chore else {
            panic!("{cli:?}")
        };
        assert_eq!(args.only, ["a", "b"]);
    }
}
