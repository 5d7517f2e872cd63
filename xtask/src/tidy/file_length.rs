//! File length: a file is held in a head, or it is two files.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "file-length";
/// No file is longer, tests included.
const MAX_LINES: usize = 1_000;
/// Nine files in ten have at most as many lines of production code.
const P90_LINES: usize = 500;

/// Finds files over the hard limit, and the longest ones when a tenth of all is over the soft one.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust.iter().filter(|file| file.lines > MAX_LINES) {
        let what = format!(
            "{} lines, more than {MAX_LINES}: split it by concept",
            file.lines
        );
        findings.push(Finding::in_file(&file.path, RULE, what));
    }
    let production: Vec<_> = tree
        .rust
        .iter()
        .filter(|file| file.production_lines() > 0)
        .collect();
    let long: Vec<_> = production
        .iter()
        .filter(|file| file.production_lines() > P90_LINES)
        .collect();
    if long.len() * 10 > production.len() {
        for file in long {
            let lines = file.production_lines();
            let what = format!(
                "{lines} lines of production code; \
                 only one file in ten may have more than {P90_LINES}: split it by concept"
            );
            findings.push(Finding::in_file(&file.path, RULE, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> String {
        "//\n".repeat(count)
    }

    #[test]
    fn a_file_over_the_limit_is_found_also_among_tests() {
        let tree = Tree::planted(&[("crates/wire/tests/long.rs", &lines(MAX_LINES + 1))]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.starts_with("1001 lines"));
        assert_eq!(
            check(&Tree::planted(&[(
                "crates/wire/tests/long.rs",
                &lines(MAX_LINES)
            )])),
            []
        );
    }

    #[test]
    fn one_long_file_in_ten_is_allowed_and_two_are_not() {
        let (long, short) = (lines(P90_LINES + 1), lines(10));
        let names: Vec<String> = (0..10).map(|i| format!("src/f{i}.rs")).collect();
        let with_long = |count: usize| {
            let files: Vec<(&str, &str)> = names
                .iter()
                .enumerate()
                .map(|(i, name)| {
                    (
                        name.as_str(),
                        if i < count {
                            long.as_str()
                        } else {
                            short.as_str()
                        },
                    )
                })
                .collect();
            check(&Tree::planted(&files)).len()
        };
        assert_eq!((with_long(1), with_long(2)), (0, 2));
    }
}
