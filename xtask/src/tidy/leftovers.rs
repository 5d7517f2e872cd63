//! Leftovers: what was meant for later, or hides what is dead.

use super::finding::Finding;
use super::tree::{File, Tree};

const RULE: &str = "leftovers";

/// What must not stand, and what to do instead. Spelled in two halves so that this file does not
/// find itself.
const LEFTOVERS: [(&str, &str); 10] = [
    (concat!("TO", "DO"), "do it, or write an issue"),
    (concat!("FIX", "ME"), "fix it, or write an issue"),
    (concat!("XX", "X"), "say what is wrong, or write an issue"),
    (concat!("dbg", "!("), "remove the print"),
    (
        concat!("todo", "!("),
        "write it, or leave the whole feature out",
    ),
    (
        concat!("unimpl", "emented!("),
        "write it, or leave the whole feature out",
    ),
    (concat!("allow(un", "used"), "remove what is unused"),
    (concat!("expect(un", "used"), "remove what is unused"),
    (concat!("allow(dead", "_code"), "remove what is dead"),
    (concat!("expect(dead", "_code"), "remove what is dead"),
];

/// Finds leftovers in sources, manifests and scripts.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| is_code(file)) {
        for (number, line) in file.text.lines().enumerate() {
            for (leftover, what) in LEFTOVERS
                .iter()
                .filter(|(leftover, _)| has_word(line, leftover))
            {
                let what = format!("`{leftover}`: {what}");
                findings.push(Finding::at(&file.path, number + 1, RULE, what));
            }
        }
    }
    findings
}

fn is_code(file: &File) -> bool {
    file.is_a("rs") || file.is_a("toml") || file.path.starts_with(".ci/")
}

/// Whether `word` stands in `line` with no letter, digit or underscore before it, nor one after a
/// letter of its own.
fn has_word(line: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, from) = line.split_at_checked(at).unwrap_or_default();
        let after = from.strip_prefix(word).unwrap_or_default();
        let whole = word.chars().all(char::is_uppercase);
        !(before.ends_with(in_word) || whole && after.starts_with(in_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leftover_is_found_where_it_stands() {
        for (leftover, _) in LEFTOVERS {
            let source = format!("//! Fine.\n// {leftover}\n");
            let findings = check(&Tree::planted(&[("src/lib.rs", &source)]));
            assert_eq!(findings.len(), 1, "{leftover}: {findings:?}");
            assert_eq!(findings[0].line, Some(2));
        }
    }

    #[test]
    fn parts_of_words_and_prose_are_left_alone() {
        let source = concat!("// MAXX", "X XX", "XX my_todo", "!()\n");
        assert_eq!(check(&Tree::planted(&[("src/lib.rs", source)])), []);
        let prose = concat!("No TO", "DO here.\n");
        assert_eq!(check(&Tree::planted(&[("CONTRIBUTING.md", prose)])), []);
    }
}
