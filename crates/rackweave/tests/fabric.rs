//! The fabric of two racks: from nothing to packets that take the seeds' walk, and what must not be.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rackweave_rig::{Capture, Fabric, Node, may_run, wait_until};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
const AZ: &str = "fd00:1122:3344::/48";
/// How long a thing may take that takes a second on a machine with nothing else to do.
const LONG: Duration = Duration::from_mins(1);

/// Runs a test in a lab of two racks of two sleds.
fn in_lab(test: &str, more: &[&str], work: impl FnOnce(&Fabric) -> Result<()>) -> Result<()> {
    if !may_run(test) {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 2, 2, more)?;
    fabric.with_logs(work(&fabric))
}

/// All nodes of a lab of two racks of two sleds.
const NODES: [&str; 8] = ["r1a", "r1b", "r1s1", "r1s2", "r2a", "r2b", "r2s1", "r2s2"];

#[test]
fn two_racks_come_up_from_nothing() -> Result<()> {
    let mut more = vec!["--until", "bootstrap"];
    more.extend(NODES.iter().flat_map(|node| ["--later", *node]));
    in_lab("two_racks_come_up_from_nothing", &more, |fabric| {
        let between = between_racks(fabric)?;
        let inside = Capture::start_in(&cables(fabric)?, "r1s1-r1a", "ip6")?;
        for node in NODES {
            fabric.lab(&["start", node])?;
        }
        bootstrap(fabric)?;
        init(fabric, "r1s1", "01")?;
        init(fabric, "r2s2", "02")?;
        reach_all(fabric)?;
        numbers_are_in_order(fabric)?;
        bootstrap_stays_inside(fabric, between, inside)?;
        walk(fabric)
    })
}

/// All nodes of a rack, but its two switches, reach each other by bootstrap addresses, and sleds list each other.
fn bootstrap(fabric: &Fabric) -> Result<()> {
    let nodes = fabric.nodes()?;
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.rack == from.rack) {
            if from.role == "switch" && to.role == "switch" {
                continue;
            }
            let what = format!("{} reaches {} on the bootstrap network", from.name, to.name);
            wait_until(LONG, &what, || Ok(from.pings(to.bootstrap)))?;
        }
    }
    for (node, other) in [("r1s1", "r1s2"), ("r2s2", "r2s1")] {
        let listed = fabric.ask(node, &["sleds"])?;
        let other = text(fabric.node(other)?.bootstrap);
        let sleds = listed["sleds"].as_array().context("a list")?;
        ensure!(
            sleds.iter().any(|sled| sled["bootstrap"] == other),
            "{node} lists {listed}"
        );
    }
    Ok(())
}

fn text(address: Ipv6Addr) -> Value {
    Value::String(address.to_string())
}

fn cables(fabric: &Fabric) -> Result<String> {
    let status = fabric.status()?;
    Ok(status["cables"]
        .as_str()
        .context("a namespace of cables")?
        .into())
}

/// Captures of all that passes between racks.
fn between_racks(fabric: &Fabric) -> Result<Vec<Capture>> {
    let cables = cables(fabric)?;
    let links = ["r1a-r2a", "r1a-r2b", "r1b-r2a", "r1b-r2b"];
    links
        .iter()
        .map(|link| Capture::start_in(&cables, link, "ip6"))
        .collect()
}

fn init(fabric: &Fabric, node: &str, rack: &str) -> Result<()> {
    let keys = format!("/run/rackweave/lab/{}/keys/racks/{rack}", fabric.name());
    let run = fabric.node(node)?.run_dir.display().to_string();
    let words = [
        "rack",
        "init",
        "--run-dir",
        &run,
        "--az",
        AZ,
        "--rack",
        rack,
        "--keys",
        &keys,
    ];
    fabric.exec_outside(node, &words).map(drop)
}

/// All sleds reach each other by their own addresses.
fn reach_all(fabric: &Fabric) -> Result<()> {
    wait_until(LONG, "all nodes have an address", || {
        Ok(fabric.nodes()?.iter().all(|node| node.address.is_some()))
    })?;
    let sleds: Vec<Node> = fabric
        .nodes()?
        .into_iter()
        .filter(|node| node.role == "sled")
        .collect();
    for from in &sleds {
        for to in &sleds {
            let what = format!("{} reaches {}", from.name, to.name);
            wait_until(LONG, &what, || Ok(from.pings(to.own()?)))?;
        }
    }
    Ok(())
}

/// Sleds count from 01 in the order of their identities; switches are fd and fe.
fn numbers_are_in_order(fabric: &Fabric) -> Result<()> {
    for (name, expected) in [("r1s1", 1), ("r1s2", 2), ("r2s1", 1), ("r2s2", 2)] {
        let found = fabric.node(name)?.number()?;
        ensure!(found == expected, "{name} is number {found:02x}");
    }
    for rack in ["r1", "r2"] {
        let mut switches = Vec::new();
        for letter in ["a", "b"] {
            switches.push(fabric.node(&format!("{rack}{letter}"))?.number()?);
        }
        switches.sort_unstable();
        ensure!(switches == [0xfd, 0xfe], "{switches:02x?}");
    }
    Ok(())
}

/// Nothing that passes between racks holds a bootstrap prefix, neither as an address nor in what neighbours tell each
/// other; inside the rack both are seen, so that the look is not in vain.
fn bootstrap_stays_inside(fabric: &Fabric, between: Vec<Capture>, inside: Capture) -> Result<()> {
    let mut prefixes = Vec::new();
    for node in fabric.nodes()? {
        prefixes.push(node.bootstrap.octets()[..8].to_vec());
    }
    let seen = |octets: &[u8]| -> usize {
        let at = |prefix: &Vec<u8>| octets.windows(8).filter(|window| window == prefix).count();
        prefixes.iter().map(at).sum()
    };
    let count = seen(&inside.octets()?);
    ensure!(count > 0, "no bootstrap prefix was seen inside the rack");
    for capture in between {
        let octets = capture.octets()?;
        ensure!(octets.len() > 1_000, "nothing passes between racks");
        let count = seen(&octets);
        ensure!(
            count == 0,
            "bootstrap prefixes were seen {count} times between racks"
        );
    }
    for (node, other) in [("r1a", "r2s1"), ("r2b", "r1s1")] {
        let foreign = fabric.node(other)?.bootstrap.to_string();
        let prefix = foreign.trim_end_matches('1');
        let routes = fabric.node(node)?.routes()?;
        let found = routes.iter().find(|route| {
            route["dst"]
                .as_str()
                .is_some_and(|dst| dst.starts_with(prefix))
        });
        ensure!(
            found.is_none(),
            "{node} has a route to {other}'s bootstrap prefix: {found:?}"
        );
    }
    Ok(())
}

/// `SERV5` → switch → `SERV0`, and rack to rack: where each echo request was seen, by its number and hop limit, is a path
/// from the one sled to the other, with no sled on the way and one hop less on each link.
fn walk(fabric: &Fabric) -> Result<()> {
    let cables = cables(fabric)?;
    let status = fabric.status()?;
    let links = status["links"].as_array().context("links")?;
    let links: Vec<&str> = links
        .iter()
        .filter_map(|link| link["name"].as_str())
        .collect();
    for (from, to, hops) in [("r1s2", "r1s1", 2), ("r1s1", "r2s2", 3)] {
        let (from, to) = (fabric.node(from)?, fabric.node(to)?);
        let (source, target) = (from.own()?, to.own()?);
        let mut captures = Vec::new();
        for link in &links {
            let filter = format!("icmp6 and ip6[40] == 128 and dst host {target}");
            captures.push((*link, Capture::start_in(&cables, link, &filter)?));
        }
        let target = target.to_string();
        from.must(&[
            "ping", "-6", "-n", "-c", "4", "-i", "0.05", "-W", "2", &target,
        ])?;
        // By number, and then by hop limit, the greatest first.
        let mut paths: BTreeMap<u16, BTreeMap<Reverse<u8>, &str>> = BTreeMap::new();
        for (link, capture) in captures {
            for frame in capture.frames()? {
                let packet = frame.get(14..62).context("a whole header")?;
                ensure!(packet[8..24] == source.octets(), "{packet:02x?}");
                let number = u16::from_be_bytes([packet[46], packet[47]]);
                let before = paths
                    .entry(number)
                    .or_default()
                    .insert(Reverse(packet[7]), link);
                ensure!(before.is_none(), "request {number} was seen twice");
            }
        }
        ensure!(paths.len() == 4, "{paths:?}");
        for path in paths.values() {
            let limits: Vec<u8> = path.keys().map(|Reverse(limit)| *limit).collect();
            let expected: Vec<u8> = (0..hops).map(|hop| 64 - hop).collect();
            ensure!(limits == expected, "{path:?}");
            let passed = nodes_of(&from.name, path.values().copied())?;
            let (last, switches) = passed.split_last().context("a path")?;
            ensure!(*last == to.name, "{path:?}");
            ensure!(
                switches[1..].iter().all(|node| !node.contains('s')),
                "{path:?}"
            );
            // Rack to rack: a switch of the one, then one of the other.
            let racks: Vec<&str> = passed.iter().filter_map(|node| node.get(..2)).collect();
            ensure!(racks.is_sorted(), "{path:?}");
        }
    }
    Ok(())
}

/// The nodes that a packet passes that takes these links one after the other.
fn nodes_of<'a>(from: &'a str, links: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>> {
    let mut nodes = vec![from];
    for link in links {
        let at = nodes.last().copied().unwrap_or(from);
        let ends: Vec<&str> = link.split('-').collect();
        let next = match ends[..] {
            [one, other] if one == at => other,
            [one, other] if other == at => one,
            _ => bail!("{link} does not begin at {at}"),
        };
        nodes.push(next);
    }
    Ok(nodes)
}

#[test]
fn a_node_that_arrives_later_gets_the_lowest_free_number() -> Result<()> {
    in_lab(
        "a_node_that_arrives_later_gets_the_lowest_free_number",
        &["--later", "r1s1"],
        |fabric| {
            // r1s2 was alone, and has 01.
            ensure!(fabric.node("r1s2")?.number()? == 1 && fabric.node("r1s1")?.address.is_none());
            fabric.lab(&["start", "r1s1"])?;
            wait_until(LONG, "r1s1 has an address", || {
                Ok(fabric.node("r1s1")?.address.is_some())
            })?;
            ensure!(fabric.node("r1s1")?.number()? == 2);
            let target = fabric.node("r2s1")?.own()?;
            wait_until(LONG, "it is reached", || {
                Ok(fabric.node("r1s1")?.pings(target))
            })?;
            // And keeps it when the power goes.
            fabric.lab(&["cycle"])?;
            ensure!(fabric.node("r1s1")?.number()? == 2 && fabric.node("r1s2")?.number()? == 1);
            Ok(())
        },
    )
}

#[test]
fn a_rack_number_is_given_once() -> Result<()> {
    in_lab(
        "a_rack_number_is_given_once",
        &["--until", "bootstrap", "--unsigned"],
        |fabric| {
            let init = |node: &str, rack: &str| {
                let run = fabric.node(node)?.run_dir.display().to_string();
                let words = [
                    "rack",
                    "init",
                    "--run-dir",
                    &run,
                    "--az",
                    AZ,
                    "--rack",
                    rack,
                ];
                fabric.exec_outside(node, &words)
            };
            init("r1s1", "07")?;
            wait_until(LONG, "the other rack hears of it", || {
                let routes = fabric.node("r2a")?.routes()?;
                Ok(routes
                    .iter()
                    .any(|route| route["dst"] == "fd00:1122:3344:700::/56"))
            })?;
            let error = init("r2s1", "07")
                .err()
                .context("the number was given twice")?;
            let text = format!("{error:#}");
            ensure!(text.contains("07"), "{text}");
            init("r2s1", "08")?;
            reach_all(fabric)
        },
    )
}

#[test]
fn a_forged_source_reaches_nobody() -> Result<()> {
    in_lab("a_forged_source_reaches_nobody", &[], |fabric| {
        let (forger, victim, target) = (
            fabric.node("r1s1")?,
            fabric.node("r1s2")?,
            fabric.node("r2s1")?,
        );
        let (forged, to) = (victim.own()?.to_string(), target.own()?.to_string());
        let filter = format!("icmp6 and src host {forged}");
        let capture = Capture::start_in(&target.namespace, "any", &filter)?;
        forger.must(&[
            "ip",
            "addr",
            "add",
            &format!("{forged}/128"),
            "dev",
            "lo",
            "nodad",
        ])?;
        let script = "ping -6 -n -c 20 -i 0.02 -W 1 -I \"$1\" \"$2\"; true";
        forger.must(&["sh", "-c", script, "-", &forged, &to])?;
        let arrived = capture.lines()?;
        ensure!(arrived.is_empty(), "forged packets arrived: {arrived:?}");
        let mut dropped = 0;
        for switch in ["r1a", "r1b"] {
            let text = fabric.node(switch)?.must(&[
                "nft",
                "-j",
                "list",
                "table",
                "inet",
                "rackweave_fabric",
            ])?;
            dropped += counted(&serde_json::from_str(&text)?, "r1s1");
        }
        ensure!(dropped >= 20, "{dropped} drops were counted");
        // And with its own address it is heard.
        ensure!(forger.pings(target.own()?));
        Ok(())
    })
}

/// What nftables' counters count whose names hold that of a node.
fn counted(table: &Value, node: &str) -> u64 {
    let parts = table["nftables"].as_array().cloned().unwrap_or_default();
    let counters = parts.iter().map(|part| &part["counter"]);
    let named = counters.filter(|counter| {
        counter["name"]
            .as_str()
            .is_some_and(|name| name.contains(node))
    });
    named
        .filter_map(|counter| counter["packets"].as_u64())
        .sum()
}

#[test]
fn both_ways_are_used_and_one_is_enough() -> Result<()> {
    in_lab("both_ways_are_used_and_one_is_enough", &[], |fabric| {
        let (from, to) = (fabric.node("r1s1")?, fabric.node("r2s1")?);
        let both = || Ok(from.links_to(to.own()?)? == ["to-r1a", "to-r1b"]);
        wait_until(LONG, "both links are used", both)?;
        // The link of the sled at the other end: its rack's other switch still has one.
        for link in ["r1s1-r1a", "r2s1-r2b", "r1a-r2a"] {
            fabric.lab(&["fail", link])?;
            wait_until(LONG, "another way is found", || Ok(from.pings(to.own()?)))?;
            fabric.lab(&["heal", link])?;
            wait_until(LONG, "both links are used", both)?;
        }
        Ok(())
    })
}
