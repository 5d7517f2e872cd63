//! What a collector reads is held against the letter of `OpenMetrics` 1.0.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rackweave_api::sled::UnderlayStatus;
use rackweave_daemon::follow::FollowStatus;
use rackweave_daemon::metrics::text;
use rackweave_engine::DropReason;
use rackweave_types::{Instant, PortId};

use super::families::{PREFIX, Seen, families};
use crate::control::Info;
use crate::control::gather::{Gathered, PortCount};
use crate::control::testing::state;
use crate::host::{PortStatus, Snapshot};

/// Reads an exposition strictly: type of each family, samples by name and labels.
fn read(text: &str) -> Result<BTreeMap<String, BTreeMap<String, f64>>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("no end")?;
    let mut families: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    let mut family: Option<(String, String)> = None;
    let mut names = BTreeSet::new();
    let mut kinds: BTreeMap<String, &str> = BTreeMap::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (word, rest) = rest.split_once(' ').ok_or(line)?;
            let (name, value) = rest.split_once(' ').ok_or(line)?;
            let new = family.as_ref().is_none_or(|(current, _)| current != name);
            if new && !names.insert(name.to_owned()) {
                return Err(format!("{name} stands at two places"));
            }
            match word {
                "HELP" if !value.is_empty() => {}
                "TYPE" if ["counter", "gauge", "info"].contains(&value) => {
                    kinds.insert(name.to_owned(), value);
                }
                "UNIT" if name.ends_with(&format!("_{value}")) => {}
                _ => return Err(line.to_owned()),
            }
            let kind = kinds.get(name).copied().unwrap_or_default();
            family = Some((name.to_owned(), kind.to_owned()));
            families.entry(name.to_owned()).or_default();
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').ok_or(line)?;
        let (name, labels) = match sample.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').ok_or(line)?),
            None => (sample, ""),
        };
        let (current, kind) = family.as_ref().ok_or(line)?;
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        if name != format!("{current}{suffix}") {
            return Err(format!("{name} is no sample of the {kind} {current}"));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.bytes().all(fits) {
            return Err(format!("{name} is no name"));
        }
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let (key, _) = label.split_once("=\"").ok_or(line)?;
            if !key.bytes().all(fits) {
                return Err(format!("{key} is no label"));
            }
        }
        let value = value.parse().map_err(|_| line.to_owned())?;
        let samples = families.entry(current.clone()).or_default();
        if samples.insert(labels.to_owned(), value).is_some() {
            return Err(format!("{sample} stands twice"));
        }
    }
    Ok(families)
}

fn count() -> PortCount {
    let mut drops = vec![0; DropReason::ALL.len()];
    drops[DropReason::RuleDenied.index()] = 3;
    PortCount {
        received: [10, 20],
        packets: [10, 20],
        bytes: [1000, 2000],
        forwarded: [7, 20],
        answered: [0, 0],
        punted: [0, 0],
        drops: [drops, vec![0; DropReason::ALL.len()]],
        refusals: 1,
        flows: 2,
        flows_created: 5,
        flows_expired: 3,
        flows_evicted: 0,
        flows_cut: 0,
    }
}

fn told() -> String {
    let attached = PortStatus {
        restored: 0,
        attached: Some(true),
        fault: None,
    };
    let snapshot = Snapshot {
        state: Some(Arc::new(state())),
        ports: [(PortId::new(1), attached)].into(),
        refused: None,
    };
    let gathered = Gathered {
        ports: [(PortId::new(1), count()), (PortId::new(2), count())].into(),
        workers: Vec::new(),
    };
    let info = Info {
        program: "rackweave \"test\"".to_owned(),
        started: Instant::START,
        underlay: UnderlayStatus {
            kind: "udp".to_owned(),
            passed_over: Vec::new(),
        },
        cpus: None,
    };
    let follows = FollowStatus {
        controller: Some("https://[fd00:1:2:ff00::1]:6094".to_owned()),
        misfits: 1,
        ..FollowStatus::default()
    };
    let seen = Seen {
        info: &info,
        snapshot: &snapshot,
        gathered: &gathered,
        agent: &[("dns_queries", "DNS queries read.", 9)],
        follows: Some(&follows),
        now: Instant::from_nanos(1_500_000_000),
    };
    text(PREFIX, families(seen)).unwrap()
}

#[test]
fn what_is_told_is_openmetrics() {
    let text = told();
    let families = read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let value = |family: &str, labels: &str| {
        let samples = &families[&format!("rackweave_sled_{family}")];
        samples
            .get(labels)
            .copied()
            .unwrap_or_else(|| panic!("{family} {labels}\n{text}"))
    };
    let port = "port=\"0000000000000001\"";
    let out = format!("{port},direction=\"out\"");
    assert!((value("port_bytes", &out) - 1000.0).abs() < f64::EPSILON);
    assert!(
        (value(
            "port_dropped_packets",
            &format!("{out},reason=\"rule_denied\"")
        ) - 3.0)
            .abs()
            < f64::EPSILON
    );
    assert!((value("uptime_seconds", "") - 1.5).abs() < f64::EPSILON);
    assert!((value("state_generation", "") - 7.0).abs() < f64::EPSILON);
    assert!((value("controller_connected", "") - 1.0).abs() < f64::EPSILON);
    assert!((value("controller_misfits", "") - 1.0).abs() < f64::EPSILON);
    assert!((value("port_attached", port) - 1.0).abs() < f64::EPSILON);
    assert!((value("port_nat_ports", port) - 2048.0).abs() < f64::EPSILON);
    assert!((value("agent_dns_queries", "") - 9.0).abs() < f64::EPSILON);
    let info = families["rackweave_sled_port"].keys().next().unwrap();
    assert!(
        info.contains("instance=\"test\"") && info.contains("device=\"tap-test\""),
        "{info}"
    );
}

#[test]
fn every_family_is_documented() {
    let docs = include_str!("../../../../docs/metrics.md");
    for family in read(&told()).unwrap().keys() {
        assert!(
            docs.contains(&format!("`{family}`")) || family.starts_with("rackweave_sled_agent_"),
            "{family} is not in docs/metrics.md"
        );
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    for text in [
        "",
        "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a gauge\na 1\na 1\n# EOF\n",
        "# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n",
        "# UNIT a seconds\n# EOF\n",
        "b 1\n# EOF\n",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}
