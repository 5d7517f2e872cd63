//! Sources: a dependency comes from crates.io or from this tree.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "sources";
const FILE: &str = "Cargo.lock";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Finds packages in the lock file that come from anywhere else.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in tree.text(FILE).lines().enumerate() {
        let Some(source) = line.strip_prefix("source = ") else {
            continue;
        };
        let source = source.trim_matches('"');
        if source != CRATES_IO {
            let what = format!(
                "`{source}`: nobody else can resolve it tomorrow; use a release from crates.io"
            );
            findings.push(Finding::at(FILE, number + 1, RULE, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_source_is_found() {
        let lock = format!(
            "[[package]]\nsource = \"{CRATES_IO}\"\n[[package]]\n\
             source = \"git+https://example.org/x#1\"\n"
        );
        let findings = check(&Tree::planted(&[(FILE, &lock)]));
        assert_eq!(
            findings.iter().map(|f| f.line).collect::<Vec<_>>(),
            [Some(4)]
        );
    }
}
