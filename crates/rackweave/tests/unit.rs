//! The unit file is one that systemd takes without a word.

use std::process::Command;

const UNIT: &str = include_str!("../../../dist/rackweave-sled.service");

/// systemd says nothing of misspelt keys but on standard error: that must stay empty.
#[test]
fn systemd_takes_the_unit_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rackweave-sled.service");
    // The binary is installed elsewhere on a machine that builds.
    std::fs::write(&path, UNIT.replace("/usr/bin/rackweave", "/bin/true")).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output();
    let Ok(output) = verified else {
        // No systemd here: nothing can be said about the unit.
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}
