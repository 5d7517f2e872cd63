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
use crate::topology::{End, Link};

/// The table of the rules.
const TABLE: &str = "netdev cables";

/// What is to be joined.
#[derive(Clone, Debug)]
pub struct Harness<'t> {
    /// The nodes, by name.
    pub nodes: Vec<&'t str>,
    /// The cables between them.
    pub links: &'t [Link],
    /// The largest packet of every link.
    pub mtu: u32,
    /// Numbers of the middle ends begin here, those of nodes' interfaces below: the kernel tells at once of a carrier
    /// that goes, unless the two sides of a pair have the same number in their namespaces.
    pub first_index: usize,
}

/// Joins all nodes, whose namespaces are there.
///
/// # Errors
/// What `ip` and `nft` say.
pub fn connect(place: &Place, harness: &Harness<'_>, cables: &Netns) -> Result<(), StepError> {
    let what = "cannot make the cables";
    let ends = || harness.links.iter().flat_map(|link| &link.ends);
    tool(cables, &["ip", "-batch", "-"], &links(place, harness), what)?;
    for end in ends() {
        // Nothing of the kernel's own is to be on a cable.
        quiet(cables, &end.middle)?;
    }
    let up = ends().fold(String::new(), |mut text, end| {
        let _never = writeln!(text, "link set dev {} up", end.middle);
        text
    });
    tool(cables, &["nft", "-f", "-"], &rules(harness.links), what)?;
    tool(cables, &["ip", "-batch", "-"], &up, what)?;
    for node in &harness.nodes {
        let space = spaces::node(place, node)?;
        let mut lines = String::from("link set dev lo up\n");
        for end in ends().filter(|end| end.node == *node) {
            let _never = writeln!(lines, "link set dev {} up", end.interface);
        }
        let what = format!("cannot switch on the links of {node}");
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
fn links(place: &Place, harness: &Harness<'_>) -> String {
    let mut text = String::new();
    let ends = harness.links.iter().flat_map(|link| &link.ends);
    for (index, end) in (harness.first_index..).zip(ends) {
        let _never = writeln!(
            text,
            "link add name {} index {index} mtu {} type veth peer name {} address {} mtu {} netns {}",
            end.middle,
            harness.mtu,
            end.interface,
            end.mac,
            harness.mtu,
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
fn rules(links: &[Link]) -> String {
    let mut text = format!("table {TABLE} {{\n");
    for end in links.iter().flat_map(|link| &link.ends) {
        let End { middle, .. } = end;
        let _never = writeln!(
            text,
            "chain {middle} {{\ntype filter hook ingress device \"{middle}\" priority 0\n}}"
        );
    }
    text.push_str("}\n");
    for link in links {
        for from in [0, 1] {
            text.push_str(&rule(link, from, Way::default()));
        }
    }
    text
}

/// Puts two cables into each other's connectors at their second ends, or back where they belong. Both are whole.
///
/// # Errors
/// What `nft` says.
pub fn cross(place: &Place, pair: [&Link; 2], crossed: bool) -> Result<(), StepError> {
    let mut script = String::new();
    for (own, other) in [(0, 1), (1, 0)] {
        let [own, other] = [own, other].map(|index| pair[index]);
        let far = if crossed { other } else { own };
        let joined = [&own.ends[0].middle, &far.ends[1].middle];
        for [from, to] in [joined, [joined[1], joined[0]]] {
            let _never = writeln!(
                script,
                "flush chain {TABLE} {from}\nadd rule {TABLE} {from} fwd to \"{to}\""
            );
        }
    }
    let cables = spaces::cables(place)?;
    tool(&cables, &["nft", "-f", "-"], &script, "cannot cross cables").map(drop)
}

/// What becomes of frames that come in at the end `from`.
fn rule(link: &Link, from: usize, way: Way) -> String {
    let (own, other) = (&link.ends[from].middle, &link.ends[1 - from].middle);
    if way.silent || way.is_delayed() {
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
