//! External addresses: what goes out takes one, what comes in gives it back.
//!
//! A floating address goes before an ephemeral one, and both before the shared block of ports: an
//! address of its own lets any IP protocol pass.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use rackweave_engine::program::{Action, Layer, Match, NatPool};

use super::layer;
use crate::network::{Network, TO_INTERNET, allow, deny, tagged, to_host};
use crate::numbers::{ether_type, host};
use crate::rule::{LayerName, RuleKind, Rules};

/// The layer of a port.
pub(crate) fn nat(network: Network<'_>) -> Layer {
    layer(
        LayerName::Nat,
        outbound(network).or(allow()),
        inbound(network).or(allow()),
    )
}

/// The pools of a port, in the order of its blocks.
pub(crate) fn pools(network: Network<'_>) -> Vec<NatPool> {
    let pool = |block: &rackweave_types::state::NatBlock| NatPool {
        address: block.address,
        first_port: block.ports.first(),
        ports: block.ports.count(),
    };
    network.port.nat.iter().map(pool).collect()
}

fn outbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    for inside in network.addresses() {
        if let Some(outside) = network.outside_of(inside) {
            let matches = Match {
                src: Some(host(inside)),
                ..tagged(TO_INTERNET)
            };
            rules.add(RuleKind::OneToOne, matches, one_to_one(inside, outside));
        }
    }
    for (pool, block) in (0..).zip(&network.port.nat) {
        let ether_type = Some(ether_type(block.address));
        let matches = Match {
            ether_type,
            ..tagged(TO_INTERNET)
        };
        rules.add(
            RuleKind::SourceNat,
            matches,
            vec![Action::SourceNat { pool }, Action::Allow],
        );
    }
    rules.add(
        RuleKind::NoExternal,
        tagged(TO_INTERNET),
        network.reject_out(),
    );
    rules
}

fn inbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    let from_outside = |dst| Match {
        vni: Some(network.boundary.vni),
        ..to_host(dst)
    };
    for external in &network.port.external {
        let actions = one_to_one(external.inside, external.outside);
        rules.add(RuleKind::OneToOne, from_outside(external.outside), actions);
    }
    for (pool, block) in (0..).zip(&network.port.nat) {
        let actions = vec![Action::SourceNat { pool }, Action::Allow];
        rules.add(RuleKind::SourceNat, from_outside(block.address), actions);
    }
    let rest = Match {
        vni: Some(network.boundary.vni),
        ..Match::default()
    };
    rules.add(RuleKind::NotTranslated, rest, deny());
    rules
}

fn one_to_one(inside: IpAddr, outside: IpAddr) -> Vec<Action> {
    vec![Action::OneToOne { inside, outside }, Action::Allow]
}
