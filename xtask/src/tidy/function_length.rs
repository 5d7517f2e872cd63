//! Function length: a function fits a screen.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "function-length";
/// A function is at most so long…
const MAX_LINES: usize = 70;
/// …and one in so many may be longer.
const ONE_IN: usize = 100;

/// Finds the functions that are too long, when they are more than one in a hundred.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let all: usize = tree.rust.iter().map(|file| file.functions.len()).sum();
    let mut findings = Vec::new();
    for file in &tree.rust {
        for function in file
            .functions
            .iter()
            .filter(|function| function.lines > MAX_LINES)
        {
            let what = format!(
                "`{}` has {} lines; \
                 only one function in {ONE_IN} may have more than {MAX_LINES}: give its parts names",
                function.name, function.lines
            );
            findings.push(Finding::at(&file.path, function.line, RULE, what));
        }
    }
    if findings.len() * ONE_IN > all {
        findings
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(long: usize, short: usize) -> String {
        let body = "    a();\n".repeat(MAX_LINES);
        format!(
            "{}{}",
            format!("fn long() {{\n{body}}}\n").repeat(long),
            "fn short() {}\n".repeat(short)
        )
    }

    #[test]
    fn a_long_function_is_found_with_its_line() {
        let findings = check(&Tree::planted(&[("src/lib.rs", &source(1, 98))]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].line, Some(1));
        assert!(findings[0].what.starts_with("`long` has 72 lines"));
    }

    #[test]
    fn one_in_a_hundred_is_allowed() {
        assert_eq!(check(&Tree::planted(&[("src/lib.rs", &source(1, 99))])), []);
        assert_eq!(
            check(&Tree::planted(&[("src/lib.rs", &source(2, 150))])).len(),
            2
        );
    }
}
