//! Whether this machine lets a rig run.

use nix::unistd::geteuid;

/// Whether a rig can be built here: it takes root for namespaces. Where not, says on standard error that the test is
/// skipped.
#[expect(
    clippy::print_stderr,
    reason = "a skipped test must say so, and a test has no other voice"
)]
pub fn may_run(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        eprintln!("{test}: skipped, for network namespaces take root");
    }
    root
}
