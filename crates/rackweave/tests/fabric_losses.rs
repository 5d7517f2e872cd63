//! What must not cost a packet: the end and the start of a router's program, and a link that comes back.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use rackweave_rig::{Fabric, Losses, Node, Probe, may_run, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
/// Liveness at a pace at which a machine that is busy with other tests takes nobody for dead: what is lost here is lost
/// for another cause.
const CALM: [&str; 2] = ["--liveness-ms", "100"];
/// How long a thing may take that takes a second on a machine with nothing else to do.
const LONG: Duration = Duration::from_mins(1);
const PORT: u16 = 7_100;
const PORTS: Range<u16> = 20_000..20_064;

/// What is lost between two sleds by way of a switch while something happens.
fn while_that(
    from: &Node,
    to: &Node,
    switch: &str,
    event: impl FnOnce() -> Result<()>,
) -> Result<Losses> {
    let link = format!("to-{switch}");
    let mut port = None;
    wait_until(LONG, &format!("a way through {switch}"), || {
        let ways = from.ways(to.own()?, PORTS, PORT)?;
        port = PORTS
            .zip(ways)
            .find(|(_, way)| *way == link)
            .map(|(port, _)| port);
        Ok(port.is_some())
    })?;
    let probe = Probe::start(from, to, (port.unwrap_or_default(), PORT))?;
    probe.wait_for(100, LONG)?;
    event()?;
    probe.wait_for(500, LONG)?;
    probe.finish()
}

/// A program that is killed and started anew; both of its neighbours know it again.
fn restart(fabric: &Fabric, node: &str) -> Result<()> {
    fabric.lab(&["kill", node])?;
    fabric.lab(&["start", node])?;
    wait_until(LONG, &format!("{node} has its neighbours again"), || {
        let neighbors = fabric.ask(node, &["neighbors"])?;
        let list = neighbors["neighbors"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(!list.is_empty() && list.iter().all(|neighbor| neighbor["complete"] == true))
    })
}

#[test]
fn a_router_that_is_killed_costs_no_packet() -> Result<()> {
    if !may_run("a_router_that_is_killed_costs_no_packet") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 1, 2, &CALM)?;
    fabric.with_logs((|| {
        let (from, to) = (fabric.node("r1s1")?, fabric.node("r1s2")?);
        for node in ["r1s1", "r1a", "r1s2"] {
            let losses = while_that(&from, &to, "r1a", || restart(&fabric, node))?;
            ensure!(losses.lost == 0, "restart of {node}: {losses:?}");
        }
        fabric.lab(&["fail", "r1s1-r1b"])?;
        wait_until(LONG, "one link is used", || {
            Ok(from.links_to(to.own()?)? == ["to-r1a"])
        })?;
        let losses = while_that(&from, &to, "r1a", || restart(&fabric, "r1s1"))?;
        ensure!(
            losses.lost == 0,
            "restart of a sled with one link: {losses:?}"
        );
        Ok(())
    })())
}

#[test]
fn a_link_that_comes_back_costs_no_packet() -> Result<()> {
    if !may_run("a_link_that_comes_back_costs_no_packet") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 1, 2, &CALM)?;
    fabric.with_logs((|| {
        let (from, to) = (fabric.node("r1s1")?, fabric.node("r1s2")?);
        for link in ["r1s1-r1a", "r1s2-r1a"] {
            let both = || Ok(from.links_to(to.own()?)? == ["to-r1a", "to-r1b"]);
            wait_until(LONG, "both links are used", both)?;
            fabric.lab(&["fail", link])?;
            wait_until(LONG, "one link is used", || {
                Ok(from.links_to(to.own()?)? == ["to-r1b"])
            })?;
            let losses = while_that(&from, &to, "r1b", || {
                fabric.lab(&["heal", link])?;
                wait_until(LONG, "both links are used", both)
            })?;
            ensure!(
                losses.lost == 0 && losses.gap < Duration::from_millis(1),
                "{link}: {losses:?}"
            );
        }
        Ok(())
    })())
}
