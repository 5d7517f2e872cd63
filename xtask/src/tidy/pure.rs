//! Pure crates say in their own root that they are.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "pure";
const ATTRIBUTES: [&str; 2] = ["#![no_std]", "#![forbid(unsafe_code)]"];

/// Finds pure crates that could use `std` or unsafe code.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| package.is_pure()) {
        let root = format!("{}/src/lib.rs", package.folder);
        for attribute in ATTRIBUTES {
            if !tree
                .text(&root)
                .lines()
                .any(|line| line.trim() == attribute)
            {
                let what = format!("a pure crate says `{attribute}` in its root");
                findings.push(Finding::in_file(&root, RULE, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_attribute_is_found_in_pure_crates_only() {
        let bare = "//! Nothing.\n";
        let tree = Tree::planted(&[
            ("crates/wire/src/lib.rs", bare),
            ("crates/bench/src/lib.rs", bare),
        ])
        .with_package("crates/wire", &[], &[])
        .with_package("crates/bench", &[], &[]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.file == "crates/wire/src/lib.rs")
        );
    }

    #[test]
    fn both_attributes_are_enough() {
        let root = "//! Headers.\n#![no_std]\n#![forbid(unsafe_code)]\n";
        let tree = Tree::planted(&[("crates/wire/src/lib.rs", root)]);
        assert_eq!(check(&tree.with_package("crates/wire", &[], &[])), []);
    }
}
