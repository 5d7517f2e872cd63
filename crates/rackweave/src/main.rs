//! The one binary: `main` and the argument tree, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
