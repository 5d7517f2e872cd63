//! A wrong file is named with the line and the field, and changes nothing.

use std::fs;

use anyhow::{Result, ensure};
use rackweave_rig::{Lab, PAIRS, may_run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");

#[test]
fn a_wrong_file_changes_nothing() -> Result<()> {
    if !may_run("a_wrong_file_changes_nothing") {
        return Ok(());
    }
    let lab = Lab::start(PROGRAM, PAIRS[0])?;
    lab.with_logs(wrong_states(&lab))
}

fn wrong_states(lab: &Lab) -> Result<()> {
    let [test, db] = lab.configured(["test", "db"])?;
    test.wait_for_ping(db.v4())?;
    let sled = &lab.sleds[0];
    let before = ask(lab, "ports")?;
    let good = fs::read_to_string(sled.state())?;
    for (from, to, field) in [
        ("\"mtu\": 9000", "\"mtu\": 90", "underlay"),
        ("\"slot\": 0", "\"slot\": 0, \"slott\": 0", "slott"),
        ("\"vni\": 4096", "\"vni\": \"none\"", "vni"),
        ("\"router\": 1", "\"router\": 77", "router"),
        ("10.0.1.5\"", "10.9.9.9\"", "addresses"),
    ] {
        let (head, tail) = good.split_once(from).unwrap_or_default();
        ensure!(!head.is_empty(), "{from} is not in the file");
        fs::write(sled.state(), format!("{head}{to}{tail}"))?;
        let file = sled.state().display().to_string();
        let said = sled.ask(&["apply", &file])?;
        ensure!(!said.success, "{to} was taken");
        ensure!(said.stderr.contains(field), "{to}: {}", said.stderr);
        ensure!(said.stderr.contains("host.json"), "{to}: {}", said.stderr);
        ensure!(ask(lab, "ports")? == before, "{to} changed something");
        ensure!(test.pings(db.v4())?, "{to} stopped the guests");
    }
    Ok(())
}

/// What the program says of itself, without what counts.
fn ask(lab: &Lab, what: &str) -> Result<Vec<String>> {
    let said = lab.sleds[0].ask(&[what])?.ok()?;
    let first = |line: &str| {
        line.split_whitespace()
            .take(3)
            .collect::<Vec<_>>()
            .join(" ")
    };
    Ok(said.lines().map(first).collect())
}

#[test]
fn a_wrong_configuration_is_named_with_its_line() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rwconfig-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("sled.toml");
    for (text, line, field) in [
        ("workers = 1\nworkres = 2\n", "2", "workres"),
        ("\n\n[underlay]\nkind = \"pigeon\"\n", "4", "kind"),
        ("workers = \"many\"\n", "1", "workers"),
    ] {
        fs::write(&file, text)?;
        let said = std::process::Command::new(PROGRAM)
            .args(["sled", "run", "--config"])
            .arg(&file)
            .output()?;
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        ensure!(!said.status.success(), "{text} was taken");
        for part in ["sled.toml", line, field] {
            ensure!(told.contains(part), "{text}: nothing of {part} in {told}");
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}
