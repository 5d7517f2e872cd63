//! Crate arrows: who may depend on whom, and what a pure crate may never link.

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "arrows";

/// Every crate by the last part of its folder, and the crates of ours that it may depend on.
/// Dev-dependencies are free: a test may join what production keeps apart.
const ARROWS: [(&str, &[&str]); 27] = [
    ("types", &[]),
    ("wire", &["types"]),
    ("engine", &["types", "wire"]),
    ("vpc", &["types", "wire", "engine"]),
    (
        "testkit",
        &["types", "wire", "engine", "vpc", "trust", "routing", "mgmt"],
    ),
    (
        "bench",
        &[
            "types", "wire", "engine", "vpc", "control", "testkit", "trust", "linux", "api",
            "daemon", "rig",
        ],
    ),
    ("guest", &["types", "wire"]),
    ("linux", &["types", "wire"]),
    ("api", &["types"]),
    ("trust", &["types"]),
    ("routing", &["types", "wire", "trust"]),
    ("mgmt", &["types"]),
    ("control", &["types"]),
    ("store", &[]),
    ("daemon", &["types", "trust", "api", "linux"]),
    (
        "sled",
        &[
            "types", "wire", "engine", "vpc", "guest", "linux", "api", "daemon",
        ],
    ),
    (
        "router",
        &[
            "types", "wire", "trust", "routing", "linux", "api", "daemon",
        ],
    ),
    (
        "controller",
        &[
            "types", "control", "store", "trust", "linux", "api", "daemon",
        ],
    ),
    (
        "boundary",
        &["types", "wire", "engine", "linux", "api", "daemon"],
    ),
    ("cli", &["types", "api", "daemon"]),
    ("mgs", &["types", "wire", "mgmt", "linux", "api", "daemon"]),
    ("sp-sim", &["types", "mgmt", "linux", "api", "daemon"]),
    ("lab", &["types", "mgmt", "linux", "api", "daemon"]),
    ("sim", &["types", "trust", "routing"]),
    (
        "rackweave",
        &[
            "sled",
            "router",
            "boundary",
            "controller",
            "cli",
            "mgs",
            "sp-sim",
            "lab",
        ],
    ),
    ("rig", &["types", "mgmt"]),
    ("xtask", &[]),
];

/// Crates that bring the world in, and with which door; a pure crate links none, not through others
/// either.
const WORLD: [(&str, &str); 16] = [
    ("async-std", "an async runtime"),
    ("chrono", "a clock"),
    ("crossbeam-channel", "threads"),
    ("getrandom", "a random source"),
    ("instant", "a clock"),
    ("libc", "the kernel"),
    ("log", "a global logger: count and return instead"),
    ("mio", "sockets"),
    ("nix", "the kernel"),
    ("quanta", "a clock"),
    ("rand", "a random source"),
    ("rayon", "threads"),
    ("rustix", "the kernel"),
    ("socket2", "sockets"),
    ("time", "a clock"),
    ("tokio", "an async runtime"),
];

/// Finds arrows that must not exist, and crates of which nobody said what they may depend on.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let name = package.short_name();
        let manifest = package.manifest();
        let Some((_, allowed)) = ARROWS.iter().find(|(row, _)| *row == name) else {
            let what = format!(
                "`{name}` has no row: say in {} which crates it may depend on",
                file!()
            );
            findings.push(Finding::in_file(&manifest, RULE, what));
            continue;
        };
        for target in package
            .arrows
            .iter()
            .filter(|target| !allowed.contains(&target.as_str()))
        {
            let what = format!(
                "`{name}` must not depend on `{target}`: move what they share to `types` or below"
            );
            findings.push(Finding::in_file(&manifest, RULE, what));
        }
        for (world, door) in WORLD
            .iter()
            .filter(|(world, _)| package.links.iter().any(|link| link == world))
        {
            let what = format!(
                "`{name}` is pure and links `{world}` ({door}): \
                 take it as an argument, or turn the feature off"
            );
            findings.push(Finding::in_file(&manifest, RULE, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_arrow_is_found() {
        let tree = Tree::default().with_package("crates/engine", &["types", "vpc"], &[]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains("must not depend on `vpc`"));
        assert_eq!(findings[0].file, "crates/engine/Cargo.toml");
    }

    #[test]
    fn the_world_is_found_through_others() {
        let tree = Tree::default().with_package("crates/wire", &["types"], &["zerocopy", "libc"]);
        let findings = check(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains("links `libc`"));
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        let findings = check(&Tree::default().with_package("crates/stray", &[], &[]));
        assert!(findings[0].what.contains("has no row"), "{findings:?}");
    }

    #[test]
    fn allowed_arrows_are_silent() {
        let tree = Tree::default()
            .with_package(
                "crates/vpc",
                &["types", "wire", "engine"],
                &["serde", "zerocopy"],
            )
            .with_package("xtask", &[], &[]);
        assert_eq!(check(&tree), []);
    }
}
