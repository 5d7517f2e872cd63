//! Links in Markdown files lead to files that exist.

use std::path::{Component, Path, PathBuf};

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "links";

/// Finds relative links whose target is not in the tree.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_a("md")) {
        let mut in_fence = false;
        for (number, line) in file.text.lines().enumerate() {
            in_fence ^= line.trim_start().starts_with("```");
            if in_fence {
                continue;
            }
            for target in targets(line).filter(|target| !exists(tree, &file.path, target)) {
                let what = format!("`{target}` leads nowhere: mend or remove the link");
                findings.push(Finding::at(&file.path, number + 1, RULE, what));
            }
        }
    }
    findings
}

/// The targets of a line's inline links that are files: no URL, no anchor of the same page.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let path = target.split('#').next().unwrap_or(target);
        (!path.is_empty() && !path.contains(':')).then_some(path)
    })
}

fn exists(tree: &Tree, from: &str, target: &str) -> bool {
    let mut path = PathBuf::new();
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir if !path.pop() => return false,
            Component::ParentDir | Component::CurDir => {}
            part => path.push(part),
        }
    }
    tree.files
        .iter()
        .any(|file| Path::new(&file.path).starts_with(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Finding> {
        check(&Tree::planted(&[
            ("docs/page.md", text),
            ("README.md", ""),
            ("docs/other.md", ""),
        ]))
    }

    #[test]
    fn a_dead_link_is_found_with_its_line() {
        let found = findings("Fine.\n[a](other.md) and [b](gone.md)\n[c](../../README.md)\n");
        let lines: Vec<_> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [Some(2), Some(3)], "{found:?}");
    }

    #[test]
    fn live_links_folders_urls_and_code_are_left_alone() {
        let text = "[a](other.md#part) [b](../README.md) [c](https://example.org/x) [d](#here) \
                    [e](../docs)\n\
                    ```\n[f](gone.md)\n```\n";
        assert_eq!(findings(text), []);
    }
}
