//! A whole rack's management network: found from cold, again after restarts, and through lossy cables; what is wrong
//! with cables is named.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_rig::figures::say;
use rackweave_rig::{Management, may_run, wait_until};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
const GATEWAYS: [(&str, &str); 2] = [("mgs-a", "a"), ("mgs-b", "b")];
/// How long a thing may take that takes a second on a machine with nothing else to do.
const LONG: Duration = Duration::from_mins(1);

/// Runs a test in a lab of 32 cubbies, two switches and two PSCs.
fn in_lab(test: &str, work: impl FnOnce(&Management) -> Result<()>) -> Result<()> {
    if !may_run(test) {
        return Ok(());
    }
    let lab = Management::start(PROGRAM, &[])?;
    lab.with_logs(work(&lab))
}

#[test]
fn the_whole_rack_is_found_again_and_again() -> Result<()> {
    in_lab("the_whole_rack_is_found_again_and_again", |lab| {
        let first = whole_rack(lab)?;
        for program in [
            None,
            Some("mgs-a"),
            Some("mgs-b"),
            Some("sps"),
            Some("sw-a"),
        ] {
            let ms = lab.cycle(program)?;
            say(&format!("{} again: {ms} ms", program.unwrap_or("all")));
            ensure!(whole_rack(lab)? == first, "{program:?}: others were found");
        }
        for (gateway, _) in GATEWAYS {
            let usage = lab.usage(gateway)?;
            let (cpu, mib) = (usage.cpu, usage.resident >> 20);
            say(&format!("{gateway}: {cpu:?} of processor time, {mib} MiB"));
            ensure!(mib > 0 && !cpu.is_zero(), "{gateway}: {usage:?}");
        }
        Ok(())
    })
}

#[test]
fn losses_and_reordering_change_the_time_alone() -> Result<()> {
    in_lab("losses_and_reordering_change_the_time_alone", |lab| {
        let first = whole_rack(lab)?;
        lab.lab().lab(&["lossy", "units", "20%"])?;
        lab.lab()
            .lab(&["delay", "up-a", "1ms", "--jitter", "5ms"])?;
        for program in [None, Some("mgs-a")] {
            let ms = lab.cycle(program)?;
            say(&format!("with losses: {ms} ms"));
            ensure!(whole_rack(lab)? == first, "{program:?}: others were found");
        }
        Ok(())
    })
}

/// Waits until both gateways have all 36 units over both links, and gives units with their serial numbers and ports.
fn whole_rack(lab: &Management) -> Result<BTreeSet<String>> {
    let mut lists = Vec::new();
    for (gateway, position) in GATEWAYS {
        let mut list = Value::Null;
        let what = format!("{gateway} has all units over both links");
        wait_until(LONG, &what, || {
            list = lab.ask(gateway, &["sp", "list"])?;
            let sps = list["sps"].as_array().context("service processors")?;
            Ok(sps.len() == 36 && sps.iter().all(is_whole) && list["position"] == position)
        })
        .with_context(|| format!("{list:#}"))?;
        let sps = list["sps"].as_array().context("service processors")?;
        let places = sps.iter().map(|sp| {
            let links = sp["links"].as_array().into_iter().flatten();
            let ports: Vec<_> = links
                .map(|link| format!("{} {} {}", link["position"], link["port"], link["sp_port"]))
                .collect();
            format!(
                "{} {} {} {}",
                sp["unit"],
                sp["serial"],
                sp["mac"],
                ports.join(" ")
            )
        });
        lists.push(places.collect::<BTreeSet<_>>());
    }
    let (second, first) = (lists.pop(), lists.pop().unwrap_or_default());
    ensure!(
        second.as_ref() == Some(&first),
        "the gateways see two racks"
    );
    ensure!(first.len() == 36, "a place is there twice");
    Ok(first)
}

fn is_whole(sp: &Value) -> bool {
    let links = sp["links"].as_array();
    let both =
        links.is_some_and(|links| links.len() == 2 && links.iter().all(|it| it["found"] == true));
    sp["found"] == true && both
}

/// What is done to cables, and what is said of it.
const FAULTS: [(&[&str], &str); 10] = [
    (
        &["swap", "c00-1", "c01-1"],
        "the cables of cubby 0 and cubby 1 are swapped at switch A: cubby 0 belongs at port 0, cubby 1 at port 1",
    ),
    (
        &["swap", "c07-1", "c31-1"],
        "the cables of cubby 7 and cubby 31 are swapped at switch A: cubby 7 belongs at port 7, cubby 31 at port 31",
    ),
    (
        &["swap", "c04-2", "c05-2"],
        "the cables of cubby 4 and cubby 5 are swapped at switch B: cubby 4 belongs at port 27, cubby 5 at port 26",
    ),
    (
        &["swap", "c16-2", "psc1-2"],
        "the cables of cubby 16 and PSC 1 are swapped at switch B: cubby 16 belongs at port 15, PSC 1 at port 32",
    ),
    (
        &["swap", "c09-1", "swb-2"],
        "the cables of cubby 9 and switch B are swapped at switch A: cubby 9 belongs at port 9, switch B at port 37",
    ),
    (
        &["swap", "c14-1", "c14-2"],
        "the two cables of cubby 14 are in each other's connectors",
    ),
    (
        &["swap", "psc0-1", "psc0-2"],
        "the two cables of PSC 0 are in each other's connectors",
    ),
    (
        &["fail", "c20-1"],
        "the cable of cubby 20 is missing at port 20 of switch A",
    ),
    (
        &["fail", "c21-2"],
        "the cable of cubby 21 is missing at port 10 of switch B",
    ),
    (
        &["fail", "psc1-1"],
        "the cable of PSC 1 is missing at port 33 of switch A",
    ),
];

#[test]
fn faults_of_cables_are_named() -> Result<()> {
    in_lab("faults_of_cables_are_named", |lab| {
        whole_rack(lab)?;
        found(lab, &[])?;
        for (fault, words) in FAULTS {
            lab.lab().lab(fault)?;
            found(lab, &[words]).with_context(|| fault.join(" "))?;
            lab.lab().lab(&["heal", fault[1]])?;
            found(lab, &[]).with_context(|| format!("{} healed", fault.join(" ")))?;
        }
        Ok(())
    })
}

/// Waits until both gateways find this, and nothing else.
fn found(lab: &Management, expected: &[&str]) -> Result<()> {
    for (gateway, _) in GATEWAYS {
        let mut findings = Vec::new();
        let what = format!("{gateway} finds {expected:?}");
        wait_until(LONG, &what, || {
            let cabling = lab.ask(gateway, &["mgmt", "cabling"])?;
            findings = lab.findings(gateway)?;
            Ok(cabling["complete"] == true && findings == expected)
        })
        .with_context(|| format!("it finds {findings:?}"))?;
    }
    Ok(())
}
