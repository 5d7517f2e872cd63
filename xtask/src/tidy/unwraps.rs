//! Panicking shortcuts in production code: at most one in a thousand lines, and clippy asks each
//! for its reason.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "unwraps";
/// Lines of production code that may hold one shortcut.
const LINES_EACH: usize = 1_000;

/// Finds calls of `unwrap` and `expect`, when they are more than the lines of production code
/// allow.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let lines: usize = tree
        .rust
        .iter()
        .map(super::rust_file::RustFile::production_lines)
        .sum();
    let mut findings = Vec::new();
    for file in &tree.rust {
        for pair in file.tokens.windows(2) {
            let [dot, name] = pair else { continue };
            if dot.text == "." && (name.text == "unwrap" || name.text == "expect") {
                let what = format!(
                    "`.{}()`: one in {LINES_EACH} lines of production code is allowed; \
                     return a typed error",
                    name.text
                );
                findings.push(Finding::at(&file.path, name.line, RULE, what));
            }
        }
    }
    if findings.len() * LINES_EACH > lines {
        findings
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_are_found_also_inside_macros() {
        let source =
            "fn f() {\n    a.unwrap();\n    vec![b.expect(\"c\")];\n    d.unwrap_or(1);\n}\n";
        let findings = check(&Tree::planted(&[("src/lib.rs", source)]));
        assert_eq!(
            findings.iter().map(|f| f.line).collect::<Vec<_>>(),
            [Some(2), Some(3)]
        );
    }

    #[test]
    fn one_in_a_thousand_lines_is_allowed_and_tests_are_free() {
        let filler = "//\n".repeat(LINES_EACH);
        let tests = "#[cfg(test)]\nmod tests {\n    fn g() {\n        b.unwrap();\n    }\n}\n";
        let source = format!("fn f() {{ a.unwrap(); }}\n{tests}{filler}");
        assert_eq!(check(&Tree::planted(&[("src/lib.rs", &source)])), []);
    }
}
