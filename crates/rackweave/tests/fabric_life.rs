//! A node's life in the fabric: its first packets, its next keys, its end; and a keeper that does not come back.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Fabric, Node, Probe, may_run, wait_until};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
/// Liveness at a pace at which a machine that is busy with other tests takes nobody for dead: what is lost here is lost
/// for another cause.
const CALM: [&str; 2] = ["--liveness-ms", "100"];
/// How long a thing may take that takes a second on a machine with nothing else to do.
const LONG: Duration = Duration::from_mins(1);

fn list(value: &Value) -> Result<&Vec<Value>> {
    value
        .as_array()
        .with_context(|| format!("{value} is no list"))
}

/// How long the sessions of a node have stood, by neighbour, in milliseconds.
fn sessions(fabric: &Fabric, node: &str) -> Result<Vec<(String, u64)>> {
    let neighbors = fabric.ask(node, &["neighbors"])?;
    let all = list(&neighbors["neighbors"])?.iter();
    let mut sessions = Vec::new();
    for neighbor in all {
        ensure!(neighbor["session"] == "up", "{node}: {neighbor}");
        let identity = neighbor["identity"].as_str().context("an identity")?;
        let since = neighbor["session_ms"].as_u64().context("an age")?;
        sessions.push((identity.to_owned(), since));
    }
    Ok(sessions)
}

/// Gives a node its next key, and waits until all its neighbours know it by that.
fn rotate(fabric: &Fabric, node: &str) -> Result<()> {
    let mut before = Vec::new();
    let neighbors = sessions(fabric, node)?;
    for (neighbor, _) in &neighbors {
        let events = fabric.exec(neighbor, &["router", "events"])?;
        before.push((
            neighbor,
            events.lines().filter(|line| renewed(line, node)).count(),
        ));
    }
    let keys = format!("/run/rackweave/lab/{}/keys", fabric.name());
    let words = [
        "keys", "rotate", "--keys", &keys, "--rack", "01", "--id", node,
    ];
    fabric.exec_outside(node, &words)?;
    let router = fabric.node(node)?.router.context("a router")?;
    fabric
        .node(node)?
        .must(&["kill", "-HUP", &router.to_string()])?;
    for (neighbor, count) in before {
        let what = format!("{neighbor} knows {node} by its next key");
        wait_until(LONG, &what, || {
            let events = fabric.exec(neighbor, &["router", "events"])?;
            Ok(events.lines().filter(|line| renewed(line, node)).count() > count)
        })?;
    }
    for (identity, age) in sessions(fabric, node)? {
        let before = neighbors.iter().find(|(neighbor, _)| *neighbor == identity);
        let (_, before) = before.context("the same neighbours")?;
        ensure!(
            age >= *before,
            "the session of {node} with {identity} began anew"
        );
    }
    Ok(())
}

fn renewed(line: &str, node: &str) -> bool {
    line.contains(&format!(" {node} (")) && line.contains("has another key")
}

#[test]
fn new_keys_cost_no_session_and_no_packet() -> Result<()> {
    if !may_run("new_keys_cost_no_session_and_no_packet") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 1, 2, &CALM)?;
    fabric.with_logs((|| {
        let (from, to) = (fabric.node("r1s1")?, fabric.node("r1s2")?);
        let mut probes = Vec::new();
        for port in 20_000..20_008 {
            probes.push(Probe::start(&from, &to, (port, 7_100 + port % 8))?);
        }
        let ways = from.links_to(to.own()?)?;
        ensure!(ways.len() == 2, "both switches are used: {ways:?}");
        // A sled, a switch on its way, both again, and both ends of a session at once.
        for node in ["r1s1", "r1a", "r1s1", "r1b"] {
            rotate(&fabric, node)?;
        }
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(|| rotate(&fabric, "r1a"));
            let one = rotate(&fabric, "r1s2");
            (one, other.join())
        });
        both.0?;
        both.1.ok().context("a rotation panicked")??;
        for probe in probes {
            let losses = probe.finish()?;
            ensure!(losses.lost == 0, "{losses:?}");
        }
        for node in fabric.nodes()? {
            let events = fabric.exec(&node.name, &["router", "events"])?;
            let over = events.lines().find(|line| line.contains(" is over: "));
            ensure!(over.is_none(), "{}: {over:?}", node.name);
        }
        Ok(())
    })())
}

/// A sled takes up its address when its switches let it in: of what it sends from then on, nothing is taken for forged.
#[test]
fn first_packets_of_a_sled_are_not_lost() -> Result<()> {
    if !may_run("first_packets_of_a_sled_are_not_lost") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 1, 2, &["--later", "r1s2", CALM[0], CALM[1]])?;
    fabric.with_logs((|| {
        let to = fabric.node("r1s1")?;
        let mut late = fabric.node("r1s2")?;
        late.address = Some(next_to(to.own()?));
        fabric.lab(&["start", "r1s2"])?;
        // At the very moment when it has its address.
        let mut probe = None;
        wait_until(LONG, "r1s2 has an address", || {
            probe = first(&late, &to)?;
            Ok(probe.is_some())
        })?;
        let (sent, arrived) = probe.context("a probe")?;
        ensure!(sent > 0 && arrived == sent, "{arrived} of {sent} arrived");
        ensure!(
            fabric.node("r1s2")?.own()? == late.own()?,
            "another one was given"
        );
        Ok(())
    })())
}

/// The address of the node with the next number.
fn next_to(address: Ipv6Addr) -> Ipv6Addr {
    let mut octets = address.octets();
    octets[7] += 1;
    octets.into()
}

/// What a node sends from its address as soon as it has it, and what of it arrives; nothing before.
fn first(from: &Node, to: &Node) -> Result<Option<(usize, usize)>> {
    let (source, target) = (from.own()?, to.own()?);
    let there: SocketAddr = (target, 7_200).into();
    let receiving = to.enter(|| UdpSocket::bind(there))??;
    receiving.set_read_timeout(Some(Duration::from_secs(1)))?;
    // Looked at for a while without a pause: the first moments count. Each datagram comes from another port, so that they
    // go by both switches.
    let sent = from.enter(|| {
        let socket = || UdpSocket::bind(SocketAddr::from((source, 0)));
        let first = (0..100_000).find_map(|_| socket().ok())?;
        let others = (0..64).filter_map(|_| socket().ok());
        let sockets = [first].into_iter().chain(others);
        let sent = sockets.filter(|socket| socket.send_to(b"1", there).is_ok());
        Some(sent.count())
    })?;
    let Some(sent) = sent else {
        return Ok(None);
    };
    let mut arrived = 0;
    while arrived < sent && receiving.recv(&mut [0; 8]).is_ok() {
        arrived += 1;
    }
    Ok(Some((sent, arrived)))
}

#[test]
fn a_node_that_leaves_takes_its_routes_along() -> Result<()> {
    if !may_run("a_node_that_leaves_takes_its_routes_along") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 1, 2, &CALM)?;
    fabric.with_logs((|| {
        let (from, to) = (fabric.node("r1s1")?, fabric.node("r1s2")?);
        let ours = |node: &Node| node.must(&["ip", "-6", "route", "show", "proto", "82"]);
        let switch = fabric.node("r1a")?;
        ensure!(!ours(&switch)?.is_empty());
        fabric.exec("r1a", &["router", "stop", "--all"])?;
        wait_until(LONG, "r1a holds no route of the fabric", || {
            Ok(ours(&switch)?.is_empty())
        })?;
        wait_until(LONG, "nobody sends to it", || {
            Ok(from.links_to(to.own()?)? == ["to-r1b"])
        })?;
        ensure!(from.pings(to.own()?));
        // A restart is none of that.
        fabric.exec("r1b", &["router", "stop"])?;
        ensure!(!ours(&fabric.node("r1b")?)?.is_empty());
        ensure!(from.pings(to.own()?));
        Ok(())
    })())
}

#[test]
fn a_dead_keeper_of_the_rack_s_table_is_replaced() -> Result<()> {
    if !may_run("a_dead_keeper_of_the_rack_s_table_is_replaced") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 1, 5, &["--later", "r1s5", CALM[0], CALM[1]])?;
    fabric.with_logs((|| {
        let keepers = || -> Result<Vec<String>> {
            let table: Value =
                serde_json::from_str(&fabric.exec("r1s2", &["rack", "show", "--json"])?)?;
            let nodes = list(&table["nodes"])?.iter();
            let keepers = nodes.filter(|node| node["keeper"] == true);
            let named = keepers.filter_map(|node| node["identity"].as_str());
            Ok(named.map(str::to_owned).collect())
        };
        let before = keepers()?;
        ensure!(before == ["r1s1", "r1s2", "r1s3"], "{before:?}");
        fabric.lab(&["kill", "r1s1"])?;
        fabric.exec("r1s2", &["rack", "replace-keeper", "r1s1"])?;
        let after = keepers()?;
        ensure!(after == ["r1s2", "r1s3", "r1s4"], "{after:?}");
        // One more is gone, and a later arrival is served all the same.
        fabric.lab(&["kill", "r1s2"])?;
        fabric.lab(&["start", "r1s5"])?;
        wait_until(LONG, "r1s5 has an address", || {
            Ok(fabric.node("r1s5")?.address.is_some())
        })?;
        ensure!(fabric.node("r1s5")?.number()? == 5);
        Ok(())
    })())
}
