//! What the tests of this crate share.

use nix::unistd::Uid;

/// Whether the test may make namespaces and devices; where not, says that it is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn root(test: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        eprintln!("skipped {test}: it makes network namespaces, which needs root");
    }
    root
}
