//! Licences: every package has one that `deny.toml` allows.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "licences";
const FILE: &str = "deny.toml";

/// Finds packages without a licence, or whose expression the allowed licences cannot satisfy.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let allowed = allowed(tree.text(FILE));
    let mut findings = Vec::new();
    for package in &tree.externals {
        let licence = package.licence.as_deref().unwrap_or_default();
        if !satisfied(licence, &allowed) {
            let what = format!(
                "{} {} has the licence `{licence}`, which is not allowed: \
                 use another crate, or argue for the licence here",
                package.name, package.version
            );
            findings.push(Finding::in_file(FILE, RULE, what));
        }
    }
    findings
}

fn allowed(policy: &str) -> Vec<String> {
    let table = policy.parse::<toml::Table>().unwrap_or_default();
    let list = table
        .get("licenses")
        .and_then(|licenses| licenses.get("allow"));
    let names = list.and_then(toml::Value::as_array).into_iter().flatten();
    names
        .filter_map(toml::Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether an SPDX expression holds: `OR` binds weaker than `AND`, `WITH` belongs to the name
/// before it, and `/` is how crates wrote `OR` before there were expressions.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, allowed) && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut holds = all(rest, allowed);
    while let Some(("OR", tail)) = rest.split_first().map(|(word, tail)| (*word, tail)) {
        *rest = tail;
        holds |= all(rest, allowed);
    }
    holds
}

fn all(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut holds = one(rest, allowed);
    while let Some(("AND", tail)) = rest.split_first().map(|(word, tail)| (*word, tail)) {
        *rest = tail;
        holds &= one(rest, allowed);
    }
    holds
}

fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    match **rest {
        ["(", ref tail @ ..] => {
            *rest = tail;
            let holds = any(rest, allowed);
            let closed = rest.first() == Some(&")");
            *rest = rest.get(1..).unwrap_or_default();
            holds && closed
        }
        [name, "WITH", exception, ref tail @ ..] => {
            *rest = tail;
            allowed.contains(&format!("{name} WITH {exception}"))
        }
        [name, ref tail @ ..] => {
            *rest = tail;
            allowed.iter().any(|licence| licence == name)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str =
        "[licenses]\nallow = [\"MIT\", \"ISC\", \"Apache-2.0 WITH LLVM-exception\"]\n";

    fn holds(expression: &str) -> bool {
        satisfied(expression, &allowed(POLICY))
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "(GPL-3.0 OR MIT) AND ISC",
        ] {
            assert!(holds(good), "{good}");
        }
        assert!(holds("Apache-2.0 WITH LLVM-exception"));
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0",
            "(MIT OR ISC) AND GPL-3.0",
            "(MIT",
            "MIT)",
        ] {
            assert!(!holds(bad), "{bad}");
        }
        assert!(holds("MIT OR GPL-3.0 AND ISC"), "AND binds stronger");
    }

    #[test]
    fn a_refused_and_a_missing_licence_are_found() {
        let tree = Tree::planted(&[(FILE, POLICY)])
            .with_external("good", Some("MIT"))
            .with_external("bad", Some("EUPL-1.2"))
            .with_external("none", None);
        let findings = check(&tree);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].what.starts_with("bad 1.0.0"));
    }
}
