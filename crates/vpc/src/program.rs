//! From the objects of the state to a program.

use alloc::vec;
use alloc::vec::Vec;

use rackweave_engine::program::{Limits, ProgramSpec, Timeouts, Underlay};
use rackweave_engine::respond::RouterAdvert;
use rackweave_types::Vni;
use rackweave_types::state::{BoundaryState, PortConfig, SledUnderlay, VpcState};

use crate::check;
use crate::error::ConfigError;
use crate::layer::{firewall, gateway, guard, nat, overlay, router};
use crate::network::Network;
use crate::services;

/// What a port runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortProgram {
    /// The program.
    pub spec: ProgramSpec,
    /// The networks whose mapping tables the program's indices mean: the VPC, its peers in their
    /// order, and the boundary's (external addresses held in the AZ).
    pub tables: Vec<Vni>,
    /// How much state the port may hold.
    pub limits: Limits,
    /// What the router says to the guest: the engine answers solicitations with it, the agent
    /// sends it unasked before the router's lifetime is over. `None` for a port without IPv6.
    pub advert: Option<RouterAdvert>,
}

/// The program of a port.
///
/// # Errors
/// The first thing that is wrong in the objects, with the object and the field.
pub fn program(
    port: &PortConfig,
    vpc: &VpcState,
    boundary: &BoundaryState,
    underlay: &SledUnderlay,
) -> Result<PortProgram, ConfigError> {
    let network = Network {
        port,
        vpc,
        boundary,
        underlay,
    };
    check::check(network)?;
    let spec = ProgramSpec {
        layers: vec![
            guard::guard(network),
            gateway::gateway(network),
            firewall::firewall(network),
            router::router(network),
            nat::nat(network),
            overlay::overlay(network),
        ],
        underlay: Underlay {
            source: underlay.sled.tunnel_endpoint(),
            src_mac: underlay.src_mac,
            dst_mac: underlay.dst_mac,
            guest_mtu: port.mtu.get(),
        },
        pools: nat::pools(network),
        meters: overlay::meters(network),
        timeouts: Timeouts::default(),
    };
    let peers = vpc.peers.iter().map(|peer| peer.vni);
    Ok(PortProgram {
        spec,
        tables: [vpc.vni]
            .into_iter()
            .chain(peers)
            .chain([boundary.vni])
            .collect(),
        limits: limits(port),
        advert: advert(port, vpc, boundary, underlay),
    })
}

/// What the router says to a port that has IPv6, without the rest of its program
/// ([`PortProgram::advert`]): who repeats it now and then needs no more.
#[must_use]
pub fn advert(
    port: &PortConfig,
    vpc: &VpcState,
    boundary: &BoundaryState,
    underlay: &SledUnderlay,
) -> Option<RouterAdvert> {
    let network = Network {
        port,
        vpc,
        boundary,
        underlay,
    };
    network.has_v6().then(|| services::router_advert(network))
}

fn limits(port: &PortConfig) -> Limits {
    let (limits, default) = (port.limits, Limits::default());
    let replies = limits.replies.map(rackweave_types::PacketsPerSecond::get);
    Limits {
        flows: limits.flows.unwrap_or(default.flows),
        fragments: limits.fragments.unwrap_or(default.fragments),
        punts: limits.punts.unwrap_or(default.punts),
        replies_per_second: replies.unwrap_or(default.replies_per_second),
    }
}
