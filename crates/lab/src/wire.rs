//! Cables: how nodes are joined, and how links are made to fail.
//!
//! One namespace of the lab holds the middle of every cable: two ends of veth pairs whose other sides are interfaces of
//! nodes. Rules of nftables' netdev family join the two ends in the kernel, whole large sends included. So a fault is a
//! change in the middle, and touches no node:
//!
//! | fault | in the middle |
//! |---|---|
//! | down | both ends are off, and the nodes lose their carrier |
//! | silent | frames are dropped where they come in |
//! | loss | some frames are dropped where they come in |
//! | delay | a [`crate::relay`] takes them, in the place of the rules |

use std::fmt::Write;

use rackweave_linux::netns::Netns;

use crate::fault::{Condition, Way};
use crate::place::Place;
use crate::relay;
use crate::spaces;
use crate::step::StepError;
use crate::tool::run as tool;
use crate::topology::{End, Link, Topology};

/// The table of the rules.
const TABLE: &str = "netdev cables";
/// Numbers of the middle ends begin here, those of nodes' interfaces below: the kernel tells at once of a carrier that
/// goes, unless the two sides of a pair have the same number in their namespaces.
const FIRST_INDEX: usize = 1000;

/// Joins all nodes, whose namespaces are there.
///
/// # Errors
/// What `ip` and `nft` say.
pub fn connect(place: &Place, topology: &Topology, cables: &Netns) -> Result<(), StepError> {
    let what = "cannot make the cables";
    tool(
        cables,
        &["ip", "-batch", "-"],
        &links(place, topology),
        what,
    )?;
    let ends = topology.links.iter().flat_map(|link| &link.ends);
    for end in ends {
        // Nothing of the kernel's own is to be on a cable.
        quiet(cables, &end.middle)?;
    }
    let up: String =
        topology
            .links
            .iter()
            .flat_map(|link| &link.ends)
            .fold(String::new(), |mut text, end| {
                let _never = writeln!(text, "link set dev {} up", end.middle);
                text
            });
    tool(cables, &["nft", "-f", "-"], &rules(topology), what)?;
    tool(cables, &["ip", "-batch", "-"], &up, what)?;
    for node in &topology.nodes {
        let space = spaces::node(place, &node.name)?;
        let mut lines = String::from("link set dev lo up\n");
        for link in topology.links_of(&node.name) {
            for end in link.ends.iter().filter(|end| end.node == node.name) {
                let _never = writeln!(lines, "link set dev {} up", end.interface);
            }
        }
        let what = format!("cannot switch on the links of {}", node.name);
        tool(&space, &["ip", "-batch", "-"], &lines, &what)?;
    }
    Ok(())
}

/// Makes links be as `after`, which were as `before`.
///
/// # Errors
/// What `ip` and `nft` say, or a relay.
pub fn change(place: &Place, changes: &[(&Link, Condition, Condition)]) -> Result<(), StepError> {
    let cables = spaces::cables(place)?;
    let what = "cannot change links";
    // A relay that is to take frames is ready before the rules leave them to it, and goes on until the rules take them
    // back: a frame may come twice, and none is lost.
    let relayed = |(_, before, after): &&(&Link, Condition, Condition)| {
        before.ways != after.ways && (relay::is_wanted(before) || relay::is_wanted(after))
    };
    for (link, before, after) in changes.iter().filter(relayed) {
        relay::engage(place, &cables, link, before, after)?;
    }
    let mut script = String::new();
    let mut carriers = String::new();
    for (link, before, after) in changes {
        for (from, way) in after.ways.iter().enumerate() {
            if before.ways[from] != *way {
                let _never = write!(
                    script,
                    "flush chain {TABLE} {}\n{}",
                    link.ends[from].middle,
                    rule(link, from, *way)
                );
            }
        }
        if before.down != after.down {
            let word = if after.down { "down" } else { "up" };
            for end in &link.ends {
                let _never = writeln!(carriers, "link set dev {} {word}", end.middle);
            }
        }
    }
    if !script.is_empty() {
        tool(&cables, &["nft", "-f", "-"], &script, what)?;
    }
    if !carriers.is_empty() {
        tool(&cables, &["ip", "-batch", "-"], &carriers, what)?;
    }
    for (link, _, after) in changes.iter().filter(relayed) {
        relay::settle(place, link, after)?;
    }
    Ok(())
}

/// Lines for `ip`: every cable's two pairs, and the nodes' ends in their namespaces.
fn links(place: &Place, topology: &Topology) -> String {
    let mut text = String::new();
    let ends = topology.links.iter().flat_map(|link| &link.ends);
    for (index, end) in (FIRST_INDEX..).zip(ends) {
        let _never = writeln!(
            text,
            "link add name {} index {index} mtu {} type veth peer name {} address {} mtu {} netns {}",
            end.middle,
            topology.mtu,
            end.interface,
            end.mac,
            topology.mtu,
            place.space(&end.node),
        );
    }
    text
}

/// Keeps the kernel from speaking on a middle end.
fn quiet(cables: &Netns, middle: &str) -> Result<(), StepError> {
    let setting = format!("net/ipv6/conf/{middle}/disable_ipv6");
    let step = || StepError::new(format!("cannot set up the cable end {middle}"));
    cables
        .run_in(|| rackweave_linux::sysctl::ensure(&setting, "1"))
        .map_err(|error| step().because(&error))?
        .map_err(|error| step().because(&error))
}

/// The table that joins the ends of every cable.
fn rules(topology: &Topology) -> String {
    let mut text = format!("table {TABLE} {{\n");
    for end in topology.links.iter().flat_map(|link| &link.ends) {
        let End { middle, .. } = end;
        let _never = writeln!(
            text,
            "chain {middle} {{\ntype filter hook ingress device \"{middle}\" priority 0\n}}"
        );
    }
    text.push_str("}\n");
    for link in &topology.links {
        for from in [0, 1] {
            text.push_str(&rule(link, from, Way::default()));
        }
    }
    text
}

/// What becomes of frames that come in at the end `from`.
fn rule(link: &Link, from: usize, way: Way) -> String {
    let (own, other) = (&link.ends[from].middle, &link.ends[1 - from].middle);
    if way.silent || way.delay_us > 0 {
        return format!("add rule {TABLE} {own} counter drop\n");
    }
    let mut text = String::new();
    if way.loss_ppm > 0 {
        let ppm = way.loss_ppm;
        let _never = writeln!(
            text,
            "add rule {TABLE} {own} numgen random mod 1000000 < {ppm} counter drop"
        );
    }
    let _never = writeln!(text, "add rule {TABLE} {own} fwd to \"{other}\"");
    text
}
