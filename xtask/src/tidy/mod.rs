//! The tree polices itself: what reviewers would have to remember is checked here, by `cargo xtask
//! tidy` and by a test.
//!
//! One check a file, all of one shape: `fn check(&Tree) -> Vec<Finding>`. A check reads the
//! [`Tree`] only, so each is tested on a small tree with a planted offence.

mod arrows;
mod casts;
mod crate_list;
mod file_length;
mod finding;
mod function_length;
mod leftovers;
mod licences;
mod links;
mod lint_inheritance;
mod pure;
mod rust_file;
mod sources;
mod test_command;
mod tree;
mod unwraps;

use std::process::ExitCode;

use anyhow::Result;

use finding::Finding;
use tree::Tree;

const CHECKS: [fn(&Tree) -> Vec<Finding>; 13] = [
    arrows::check,
    casts::check,
    crate_list::check,
    file_length::check,
    function_length::check,
    leftovers::check,
    licences::check,
    links::check,
    lint_inheritance::check,
    pure::check,
    sources::check,
    test_command::check,
    unwraps::check,
];

/// Prints every finding; fails when there is one.
pub(crate) fn run() -> Result<ExitCode> {
    let tree = Tree::load()?;
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    eprintln!(
        "tidy: {} findings in {} files",
        findings.len(),
        tree.files.len()
    );
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn check(tree: &Tree) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(tree)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let findings = check(&Tree::load().unwrap());
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}
