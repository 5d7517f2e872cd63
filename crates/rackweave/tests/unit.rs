//! The unit files are such that systemd takes without a word.

use std::process::Command;

const UNITS: [(&str, &str); 2] = [
    (
        "rackweave-sled.service",
        include_str!("../../../dist/rackweave-sled.service"),
    ),
    (
        "rackweave-router.service",
        include_str!("../../../dist/rackweave-router.service"),
    ),
];

/// systemd says nothing of misspelt keys but on standard error: that must stay empty.
#[test]
fn systemd_takes_the_units_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    for (name, unit) in UNITS {
        let path = dir.path().join(name);
        // The binary is installed elsewhere on a machine that builds.
        std::fs::write(&path, unit.replace("/usr/bin/rackweave", "/bin/true")).unwrap();
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&path)
            .output();
        let Ok(output) = verified else {
            // No systemd here: nothing can be said about the unit.
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}
