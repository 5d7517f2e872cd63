//! Integer casts: `as` narrows in silence, `From` and `try_from` do not.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "casts";
/// In so many lines of production code…
const LINES: usize = 2_000;
/// …so many casts may stand.
const CASTS: usize = 3;
const INTEGERS: [&str; 12] = [
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
];

/// Finds casts to integers, when they are more than the lines of production code allow.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let lines: usize = tree
        .rust
        .iter()
        .map(super::rust_file::RustFile::production_lines)
        .sum();
    let mut findings = Vec::new();
    for file in &tree.rust {
        for pair in file.tokens.windows(2) {
            let [word, target] = pair else { continue };
            if word.text == "as" && INTEGERS.contains(&target.text.as_str()) {
                let what = format!(
                    "`as {}`: {CASTS} in {LINES} lines of production code are allowed; \
                     use `From` or `try_from`",
                    target.text
                );
                findings.push(Finding::at(&file.path, word.line, RULE, what));
            }
        }
    }
    if findings.len() * LINES > lines * CASTS {
        findings
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_is_found_with_its_line() {
        let source = "use a as b;\nfn f(x: u32) -> u8 {\n    x as u8\n}\n";
        let findings = check(&Tree::planted(&[("src/lib.rs", source)]));
        assert_eq!(
            findings.iter().map(|f| f.line).collect::<Vec<_>>(),
            [Some(3)]
        );
    }

    #[test]
    fn three_in_two_thousand_lines_are_allowed_and_four_are_not() {
        let filler = "//\n".repeat(LINES - 4);
        let with = |casts: usize| {
            let source = format!("{}{filler}", "const A: u8 = B as u8;\n".repeat(casts));
            check(&Tree::planted(&[("src/lib.rs", &source)])).len()
        };
        assert_eq!((with(2), with(4)), (0, 4));
    }
}
