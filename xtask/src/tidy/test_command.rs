//! README's test command is what CI runs.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "test-command";
const README: &str = "README.md";
const CI: &str = ".ci/run";
const HEADING: &str = "## Test";

/// Compares the first code block under `## Test` with the lines of `.ci/run`.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut block = tree
        .text(README)
        .lines()
        .skip_while(|line| *line != HEADING);
    let commands = block
        .by_ref()
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"));
    let commands: Vec<&str> = commands.filter(|line| !line.is_empty()).collect();
    if commands.is_empty() {
        let what = format!("no code block under `{HEADING}`: say there how to run the tests");
        return vec![Finding::in_file(README, RULE, what)];
    }
    let ci = tree.text(CI);
    let missing = commands
        .iter()
        .filter(|command| !ci.lines().any(|line| runs(line, command)));
    missing
        .map(|command| {
            let what = format!("does not run `{command}`, which {README} names: run exactly that");
            Finding::in_file(CI, RULE, what)
        })
        .collect()
}

/// Whether a line of the script ends with the command, alone or after the words that announce it.
fn runs(line: &str, command: &str) -> bool {
    let line = line.trim();
    !line.starts_with('#') && (line == command || line.ends_with(&format!(" {command}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(readme: &str, ci: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(README, readme), (CI, ci)]))
    }

    const PAGE: &str = "# R\n\n## Test\n\nSay:\n\n```console\ncargo test\n```\n";

    #[test]
    fn another_command_is_found() {
        let found = findings(PAGE, "# cargo test\nstep tests cargo test --lib\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].file, CI);
        assert_eq!(findings("# R\n", "cargo test\n")[0].file, README);
    }

    #[test]
    fn the_same_command_is_silent() {
        assert_eq!(findings(PAGE, "step tests cargo test\n"), []);
        assert_eq!(findings(PAGE, "cargo test\n"), []);
    }
}
