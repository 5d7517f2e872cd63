//! Lint inheritance: one list for all, exceptions beside the code they are for.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "lint-inheritance";

/// Finds packages that do not take the workspace's lints, or hold a list of their own.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let manifest = package.manifest();
        let inherits = tree
            .text(&manifest)
            .parse::<toml::Table>()
            .is_ok_and(|table| {
                let lints = table.get("lints").and_then(toml::Value::as_table);
                lints.is_some_and(|lints| {
                    lints.len() == 1
                        && lints.get("workspace").and_then(toml::Value::as_bool) == Some(true)
                })
            });
        if !inherits {
            let what = "write `[lints]` with `workspace = true` and nothing else";
            findings.push(Finding::in_file(&manifest, RULE, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(manifest: &str) -> usize {
        let tree = Tree::planted(&[("crates/wire/Cargo.toml", manifest)]);
        check(&tree.with_package("crates/wire", &[], &[])).len()
    }

    #[test]
    fn a_crate_with_no_list_or_its_own_is_found() {
        assert_eq!(findings("[package]\nname = \"x\"\n"), 1);
        assert_eq!(findings("[lints.rust]\nunsafe_code = \"allow\"\n"), 1);
        assert_eq!(findings("[lints]\nworkspace = false\n"), 1);
        assert_eq!(findings("[lints]\nworkspace = true\n"), 0);
    }
}
