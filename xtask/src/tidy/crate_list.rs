//! ARCHITECTURE.md lists the crates that exist, all of them and no other.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "crate-list";
const FILE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Crates";

/// Compares the first column of the table under `## Crates` with the workspace's packages.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let listed: Vec<(usize, &str)> = tree
        .text(FILE)
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != HEADING)
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("## "))
        .filter_map(|(number, line)| {
            Some((number + 1, line.strip_prefix("| `")?.split_once('`')?.0))
        })
        .collect();
    let mut findings = Vec::new();
    for package in &tree.packages {
        let name = package.short_name();
        if !listed.iter().any(|(_, row)| *row == name) {
            let what = format!("`{name}` is missing under `{HEADING}`: add its row");
            findings.push(Finding::in_file(FILE, RULE, what));
        }
    }
    for (line, row) in listed {
        if !tree
            .packages
            .iter()
            .any(|package| package.short_name() == row)
        {
            let what = format!("there is no crate `{row}`: list what stands");
            findings.push(Finding::at(FILE, line, RULE, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_an_invented_crate_are_found() {
        let page = "# A\n\n## Crates\n\n| crate | job |\n|---|---|\n\
                    | `wire` | headers |\n| `ghost` | none |\n\n## B\n| `x` |\n";
        let tree = Tree::planted(&[(FILE, page)])
            .with_package("crates/wire", &[], &[])
            .with_package("crates/types", &[], &[]);
        let findings: Vec<_> = check(&tree).into_iter().map(|f| (f.line, f.what)).collect();
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].1.starts_with("`types` is missing"));
        assert_eq!(findings[1].0, Some(8));
    }
}
