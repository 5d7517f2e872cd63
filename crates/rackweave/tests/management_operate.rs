//! What operators do through a management gateway, and what they and others must not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_rig::figures::{now, say};
use rackweave_rig::{Management, Terminal, may_run, wait_until};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
/// How long a thing may take that takes some seconds on a machine with nothing else to do.
const LONG: Duration = Duration::from_mins(2);

/// Runs a test in a lab of 32 cubbies, two switches and two PSCs.
fn in_lab(test: &str, work: impl FnOnce(&Management) -> Result<()>) -> Result<()> {
    if !may_run(test) {
        return Ok(());
    }
    let lab = Management::start(PROGRAM, &[])?;
    lab.with_logs(work(&lab))
}

/// A unit, as the simulation has it.
fn unit(lab: &Management, name: &str) -> Result<Value> {
    let units = lab.ask("units", &["sp-sim", "list", name])?;
    Ok(units["units"][0].clone())
}

/// Runs a command in a node, which must succeed.
fn must(lab: &Management, node: &str, words: &[&str]) -> Result<String> {
    let said = lab.run(node, words)?;
    said.ok()
        .with_context(|| format!("{} in {node}", words.join(" ")))
}

#[test]
fn an_update_goes_on_after_its_gateway_was_killed() -> Result<()> {
    const LEN: usize = 16 << 20;
    in_lab("an_update_goes_on_after_its_gateway_was_killed", |lab| {
        let folder = tempfile::tempdir()?;
        let image = folder.path().join("sled-2.bin");
        write_image(&image, b"good", LEN)?;
        let path = image.display().to_string();
        must(lab, "mgs-a", &["sp", "update", "cubby-5", &path])?;
        // Somewhere between a tenth and eight tenths, elsewhere each time.
        let point = LEN / 100 * usize::try_from(10 + std::process::id() % 70)?;
        let sent = |status: &Value| {
            let sent = status["sent"].as_u64().unwrap_or_default();
            usize::try_from(sent).unwrap_or_default()
        };
        let mut before = 0;
        wait_until(LONG, "the update is under way", || {
            before = sent(&lab.ask("mgs-a", &["sp", "update", "cubby-5"])?);
            Ok(before >= point)
        })?;
        lab.lab().lab(&["kill", "mgs-a"])?;
        ensure!(unit(lab, "c05")?["firmware"] != "sled-2", "it was too late");
        lab.lab().lab(&["start", "mgs-a"])?;
        let mut least = LEN;
        let mut status = Value::Null;
        wait_until(LONG, "the update is done", || {
            status = lab.ask("mgs-a", &["sp", "update", "cubby-5"])?;
            if status["stage"] == "sending" {
                least = least.min(sent(&status));
            }
            Ok(status["stage"] == "done")
        })
        .with_context(|| status.to_string())?;
        say(&format!("killed at {before} octets, went on at {least}"));
        ensure!(least >= before, "it began anew: {least} after {before}");
        let unit = unit(lab, "c05")?;
        ensure!(unit["firmware"] == "sled-2", "{unit}");
        ensure!(unit["on_trial"] == false, "{unit}");
        Ok(())
    })
}

#[test]
fn an_image_that_does_not_run_is_left_again() -> Result<()> {
    in_lab("an_image_that_does_not_run_is_left_again", |lab| {
        let before = unit(lab, "c06")?["firmware"].clone();
        let folder = tempfile::tempdir()?;
        let image = folder.path().join("bad.bin");
        write_image(&image, b"broken", 100_000)?;
        let path = image.display().to_string();
        let said = lab.run("mgs-a", &["sp", "update", "cubby-6", &path, "--wait"])?;
        ensure!(!said.success, "{said:?}");
        let status = lab.ask("mgs-a", &["sp", "update", "cubby-6"])?;
        ensure!(status["stage"] == "failed", "{status}");
        let after = unit(lab, "c06")?;
        ensure!(after["firmware"] == before, "{after}");
        ensure!(after["on_trial"] == false, "{after}");
        Ok(())
    })
}

/// An image that begins so.
fn write_image(path: &Path, head: &[u8], len: usize) -> Result<()> {
    let body = (head.len()..len).map(|place| {
        let [low, high, ..] = place.to_le_bytes();
        low ^ high.rotate_left(3)
    });
    let image: Vec<u8> = head.iter().copied().chain(body).collect();
    Ok(fs::write(path, image)?)
}

#[test]
fn a_console_is_one_operators_and_loses_nothing() -> Result<()> {
    const FLOOD: usize = 20_000_000;
    in_lab("a_console_is_one_operators_and_loses_nothing", |lab| {
        must(lab, "mgs-a", &["sp", "power", "cubby-5", "on"])?;
        let name = lab.lab().name();
        let mut ada = Terminal::start(&[
            PROGRAM,
            "lab",
            "exec",
            "--name",
            name,
            "mgs-a",
            "--",
            PROGRAM,
            "sp",
            "console",
            "cubby-5",
            "--operator",
            "ada",
        ])?;
        ada.wait_for(LONG, "is yours")?;
        ada.type_in(b"echo hel-lo\r")?;
        ada.wait_for(LONG, "\nhel-lo\r")?;
        for gateway in ["mgs-a", "mgs-b"] {
            let bob = lab.run(gateway, &["sp", "console", "cubby-5", "--operator", "bob"])?;
            ensure!(!bob.success, "{gateway} gave it to two: {bob:?}");
            ensure!(bob.stderr.contains("ada"), "{gateway}: {}", bob.stderr);
        }
        let start = now();
        let words = ["sp-sim", "flood", "c05", &FLOOD.to_string()];
        must(lab, "units", &words)?;
        let last = format!("{:015x}", FLOOD / 16 - 1);
        wait_until(LONG, "the last line is on the screen", || {
            let screen = ada.screen();
            let tail = &screen[screen.len().saturating_sub(200)..];
            Ok(String::from_utf8_lossy(tail).contains(&last))
        })?;
        let seconds = start.elapsed().as_secs_f64();
        say(&format!("{FLOOD} octets in {seconds:.1} s"));
        no_line_is_missing(&ada.screen(), FLOOD / 16)?;
        ada.type_in(b"echo still-there\r")?;
        ada.wait_for(LONG, "\nstill-there\r")?;
        ada.type_in(&[0x1d])?;
        ada.wait_for_end(LONG)?;
        wait_until(LONG, "the console is free", || {
            Ok(unit(lab, "c05")?["console"].is_null())
        })
    })
}

/// Whether numbered lines are all there, each once and in order.
fn no_line_is_missing(screen: &[u8], lines: usize) -> Result<()> {
    let text = String::from_utf8_lossy(screen);
    let numbers = text.lines().filter_map(|line| {
        let digits = line.trim_end();
        let number = digits.get(digits.len().checked_sub(15)?..)?;
        usize::from_str_radix(number, 16).ok()
    });
    let mut expected = 0;
    for number in numbers {
        ensure!(
            number == expected,
            "line {number} came after {expected} lines"
        );
        expected += 1;
    }
    ensure!(expected == lines, "{expected} of {lines} lines came");
    Ok(())
}

#[test]
fn nobody_obeys_a_subverted_switch() -> Result<()> {
    const ENOUGH: u64 = 20;
    in_lab("nobody_obeys_a_subverted_switch", |lab| {
        proven(lab)?;
        must(lab, "sw-a", &["switch-sim", "subvert", "sw-a"])?;
        must(lab, "units", &["sp-sim", "subvert", "swa"])?;
        // Orders that it may overhear and repeat.
        for power in ["on", "off", "on"] {
            must(lab, "mgs-b", &["sp", "power", "cubby-7", power])?;
        }
        wait_until(LONG, "all others have refused its orders", || {
            let units = others(lab)?;
            Ok(units
                .iter()
                .all(|unit| unit["refused"].as_u64() >= Some(ENOUGH)))
        })?;
        let test = lab.ask("mgs-b", &["mgmt", "selftest"])?;
        say(&format!(
            "self-test meanwhile: {} leaks",
            test["leaks"].as_array().map_or(0, Vec::len)
        ));
        for unit in others(lab)? {
            let mine = if unit["unit"] == "c07" { 3 } else { 0 };
            ensure!(unit["switched"] == mine, "{unit}");
            ensure!(unit["resets"] == 0, "{unit}");
        }
        must(lab, "units", &["sp-sim", "heal", "swa"])?;
        must(lab, "sw-a", &["switch-sim", "restore", "sw-a"])?;
        proven(lab)
    })
}

/// All units but the subverted one.
fn others(lab: &Management) -> Result<Vec<Value>> {
    let units = lab.ask("units", &["sp-sim", "list"])?;
    let units = units["units"].as_array().context("units")?;
    ensure!(units.len() == 36, "{} units", units.len());
    let others = units.iter().filter(|unit| unit["unit"] != "swa");
    Ok(others.cloned().collect())
}

#[test]
fn isolation_is_proven_and_its_absence_too() -> Result<()> {
    in_lab("isolation_is_proven_and_its_absence_too", |lab| {
        proven(lab)?;
        must(lab, "sw-a", &["switch-sim", "subvert", "sw-a"])?;
        // Among so many answers that are no use, some service processors may not come to say what they witnessed.
        wait_until(LONG, "a switch that joins all is found out", || {
            let said = lab.run("mgs-a", &["mgmt", "selftest", "--json"])?;
            let test: Value = serde_json::from_str(&said.stdout)?;
            let leaks = test["leaks"].as_array().map_or(0, Vec::len);
            ensure!(leaks == 0 || !said.success, "{leaks} leaks are no matter");
            Ok(leaks > 0)
        })?;
        must(lab, "sw-a", &["switch-sim", "restore", "sw-a"])?;
        proven(lab)
    })
}

/// Waits until both gateways prove that nothing arrives where it must not, with all units taking part.
fn proven(lab: &Management) -> Result<()> {
    for gateway in ["mgs-a", "mgs-b"] {
        let mut test = Value::Null;
        wait_until(LONG, &format!("{gateway} proves isolation"), || {
            test = lab.ask(gateway, &["mgmt", "selftest"])?;
            let all = test["took_part"] == 36 && test["controls_arrived"] == test["controls"];
            Ok(all && test["leaks"].as_array().is_some_and(Vec::is_empty))
        })
        .with_context(|| test.to_string())?;
        ensure!(test["sent"].as_u64() > test["controls"].as_u64(), "{test}");
    }
    Ok(())
}

#[test]
fn a_switch_with_swapped_cables_is_held_until_somebody_says_so() -> Result<()> {
    in_lab(
        "a_switch_with_swapped_cables_is_held_until_somebody_says_so",
        |lab| {
            wait_until(LONG, "both switches are used", || {
                Ok(switches(lab, false)?.len() == 2)
            })?;
            lab.lab().lab(&["swap", "c02-1", "c03-1"])?;
            wait_until(LONG, "switch A is held", || {
                Ok(switches(lab, true)? == ["a"])
            })?;
            let words = ["mgmt", "override", "a", "--who", "ada", "--why", "tested"];
            must(lab, "mgs-a", &words)?;
            wait_until(LONG, "switch A is used", || {
                Ok(switches(lab, true)?.is_empty())
            })?;
            let told = lab.ask("mgs-a", &["mgmt", "switches"])?;
            ensure!(told.to_string().contains("ada"), "{told}");
            lab.lab().lab(&["heal", "c02-1"])?;
            wait_until(LONG, "nothing is wrong", || {
                Ok(lab.findings("mgs-a")?.is_empty() && switches(lab, true)?.is_empty())
            })
        },
    )
}

/// The switches that are held, or are not, as far as gateway A knows: none of either before it has compared views.
fn switches(lab: &Management, held: bool) -> Result<Vec<String>> {
    let switches = lab.ask("mgs-a", &["mgmt", "switches"])?;
    let switches = switches["switches"].as_array().context("switches")?;
    let found = switches.iter().filter(|switch| switch["drained"] == held);
    let names = found.filter_map(|switch| Some(switch["position"].as_str()?.to_owned()));
    Ok(names.collect())
}
