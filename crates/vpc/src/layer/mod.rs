//! The layers of a port's program, one file each.

pub(crate) mod firewall;
pub(crate) mod gateway;
pub(crate) mod guard;
pub(crate) mod nat;
pub(crate) mod overlay;
pub(crate) mod router;

use alloc::string::ToString;

use rackweave_engine::program::{Layer, RuleSet};

use crate::rule::LayerName;

fn layer(name: LayerName, outbound: RuleSet, inbound: RuleSet) -> Layer {
    Layer {
        name: name.name().to_string(),
        outbound,
        inbound,
    }
}
