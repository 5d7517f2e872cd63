//! Pure crates say in their own root that they are.

use super::finding::Finding;
use super::tree::Tree;
use crate::workspace::NO_STD;

const RULE: &str = "pure";
const FORBIDS_UNSAFE: &str = "#![forbid(unsafe_code)]";
const WITHOUT_STD: &str = "#![no_std]";

/// Finds pure crates that could use `std` or unsafe code.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| package.is_pure()) {
        let root = format!("{}/src/lib.rs", package.folder);
        let no_std = NO_STD.contains(&package.short_name());
        let attributes = [FORBIDS_UNSAFE]
            .into_iter()
            .chain(no_std.then_some(WITHOUT_STD));
        for attribute in attributes {
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
