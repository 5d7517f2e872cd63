//! The routers of a lab: one process in each node.

use std::fs;
use std::net::Ipv6Addr;

use rackweave_linux::netlink::Netlink;
use rackweave_linux::netns::Netns;
use rackweave_types::{AzPrefix, NodePrefix, Role};

use crate::place::Place;
use crate::program::{self, Started};
use crate::rack;
use crate::spaces::{self, Process};
use crate::state::State;
use crate::step::StepError;
use crate::tool;
use crate::topology::Node;

/// How the router's program is called.
const CALLED: [&str; 2] = ["router", "run"];
/// By which the kernel knows the router's routes.
const PROTOCOL: u8 = 82;

/// Writes the configuration of a node's router.
///
/// # Errors
/// What the file system says.
pub(crate) fn configure(place: &Place, state: &State, node: &Node) -> Result<(), StepError> {
    let (run, kept) = (place.run_dir(&node.name), place.state_dir(&node.name));
    for dir in [&run, &kept] {
        place.ensure(dir)?;
    }
    let links: Vec<_> = state
        .topology
        .links_of(&node.name)
        .flat_map(|link| &link.ends)
        .filter(|end| end.node == node.name)
        .map(|end| format!("{:?}", end.interface))
        .collect();
    let mut lines = vec![
        format!("role = \"{}\"", node.role),
        format!("id = {:?}", node.name),
        format!("hardware = \"{}\"", node.hardware),
        format!("run_dir = {:?}", run.display().to_string()),
        format!("state_dir = {:?}", kept.display().to_string()),
        format!("links = [{}]", links.join(", ")),
        format!("signed = {}", state.signed),
        format!("timers.bfd_ms = {}", state.liveness_ms),
    ];
    if state.signed {
        let keys = rack::node_keys(place, node).display().to_string();
        lines.push(format!("keys = {keys:?}"));
    }
    if node.role == Role::Spine {
        lines.push(format!("az = \"{}\"", state.topology.az));
    }
    let text = lines.join("\n") + "\n";
    let path = place.config(&node.name);
    fs::write(&path, text)
        .map_err(|error| StepError::new(format!("cannot write {}", path.display())).because(&error))
}

/// Starts the router of a node, which then runs by itself.
///
/// # Errors
/// Where it cannot be started, or one runs already.
pub(crate) fn start(place: &Place, node: &Node) -> Result<Started, StepError> {
    let log = place.log(&node.name);
    let step = || StepError::new(format!("cannot start the router of {}", node.name));
    if let Some(pid) = pid(place, node) {
        let kill = format!(
            "end it: `rackweave lab kill --name {} {}`",
            place.lab(),
            node.name
        );
        return Err(step()
            .cause(format!("it runs already, as process {pid}"))
            .next(kill));
    }
    let space = spaces::node(place, &node.name)?;
    let config = place.config(&node.name);
    let child = program::spawn(&space, &CALLED, &config, &log)
        .map_err(|error| step().because(&error).log(&log))?;
    let what = format!("the router of {}", node.name);
    Ok(Started { what, child, log })
}

/// Ends the router of a node without asking, and waits until it has ended. What else runs in the node goes on.
///
/// # Errors
/// Where none runs.
pub(crate) fn kill(place: &Place, node: &Node) -> Result<(), StepError> {
    let found = find(place, node);
    let step = || StepError::new(format!("cannot end the router of {}", node.name));
    if found.is_empty() {
        return Err(step().cause("none runs").log(&place.log(&node.name)));
    }
    let ended = spaces::end(&found);
    ended
        .then_some(())
        .ok_or_else(|| step().cause("it does not end"))
}

/// Ends whatever runs in a node, and waits until it has ended.
///
/// # Errors
/// Where something does not end.
pub(crate) fn kill_all(place: &Place, node: &Node) -> Result<(), StepError> {
    let space = place.space(&node.name);
    let ended = spaces::end_all(|| spaces::processes(&space));
    let what = || StepError::new(format!("what runs in {} does not end", node.name));
    ended.then_some(()).ok_or_else(what)
}

/// Takes the power from a node: what runs in it ends, and its kernel forgets the routes and addresses that the router
/// gave it.
///
/// # Errors
/// Where something does not end, or what `ip` says.
pub(crate) fn power_off(place: &Place, node: &Node) -> Result<(), StepError> {
    kill_all(place, node)?;
    let space = spaces::node(place, &node.name)?;
    let what = format!("cannot take the power from {}", node.name);
    let routes = format!("route flush proto {PROTOCOL}\n");
    tool::run(&space, &["ip", "-6", "-batch", "-"], &routes, &what)?;
    let addresses = "addr flush dev lo scope global\n";
    tool::run(&space, &["ip", "-6", "-batch", "-"], addresses, &what)?;
    Ok(())
}

/// The process of a node's router.
pub(crate) fn pid(place: &Place, node: &Node) -> Option<i32> {
    find(place, node).first().map(|found| found.pid)
}

fn find(place: &Place, node: &Node) -> Vec<Process> {
    let mut found = spaces::processes(&place.space(&node.name));
    found.retain(|process| process.is(&CALLED));
    found
}

/// The address that a node has of its rack, on loopback.
pub(crate) fn address(space: &Netns, az: AzPrefix) -> Option<Ipv6Addr> {
    let addresses = space
        .run_in(|| Netlink::open().ok()?.addresses("lo").ok())
        .ok()??;
    addresses
        .into_iter()
        .find_map(|address| match address.addr() {
            std::net::IpAddr::V6(address) if az.contains(address) => {
                let own = NodePrefix::of(address).ok()?.tunnel_endpoint();
                (own == address).then_some(address)
            }
            _ => None,
        })
}
