//! What is a switch's own.

use rackweave_types::state::{
    BgpPeerConfig, BoundaryDevice, MappingEntry, NatEntry, ObjectName, StateDigest, StateObject,
    StateVersion, StaticRouteConfig, SwitchConfig, UplinkConfig,
};
use rackweave_types::{Generation, NodePrefix, Vni};

use super::object::Planned;
use super::port::Context;
use super::system::group_addresses;
use super::table::Table;
use crate::key::{Id, Kind};
use crate::model::{Entry, Object, SwitchSpec};

/// A switch as it is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Switch(SwitchConfig);

impl Switch {
    pub(super) const fn prefix(&self) -> NodePrefix {
        self.0.switch
    }

    pub(super) const fn config(&self) -> &SwitchConfig {
        &self.0
    }

    pub(super) const fn is_boundary(&self) -> bool {
        self.0.boundary.is_some()
    }

    pub(super) fn digest(
        &self,
        external: Option<&Table<MappingEntry>>,
        nat: &Table<NatEntry>,
    ) -> StateDigest {
        let own = StateDigest::EMPTY.with(&ObjectName::Switch, self.0.generation);
        if !self.is_boundary() {
            return own;
        }
        let name = ObjectName::Mapping(Vni::BOUNDARY);
        let external = external.map_or(Generation::ZERO, Table::generation);
        own.with(&name, external)
            .with(&ObjectName::Nat, nat.generation())
    }
}

/// Plans a switch; none where it is not there.
pub(super) fn plan(context: Context<'_>, id: Id) -> Option<Switch> {
    let switch = context.intent.switch(id)?;
    let children = |kind| context.intent.children(kind, Some(id), None);
    let uplinks = children(Kind::Uplink).filter_map(|object| match object {
        Object::Uplink(uplink) => Some(UplinkConfig {
            name: uplink.meta.name.to_string(),
            interface: uplink.spec.interface.clone(),
            addresses: uplink.spec.addresses.clone(),
            vlan: uplink.spec.vlan,
            mtu: uplink.spec.mtu,
        }),
        _ => None,
    });
    let peers = children(Kind::BgpPeer).filter_map(|object| match object {
        Object::BgpPeer(peer) => Some(BgpPeerConfig {
            name: peer.meta.name.to_string(),
            uplink: peer.spec.uplink.to_string(),
            address: peer.spec.address,
            asn: peer.spec.asn,
            hold_time: peer.spec.hold_time,
            import: peer.spec.import.clone(),
            max_prefixes: peer.spec.max_prefixes,
        }),
        _ => None,
    });
    let routes = children(Kind::StaticRoute).filter_map(|object| match object {
        Object::StaticRoute(route) => Some(StaticRouteConfig {
            destination: route.spec.destination,
            next_hop: route.spec.next_hop,
        }),
        _ => None,
    });
    let config = SwitchConfig {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        switch: switch.spec.prefix,
        boundary: device(context, switch),
        asn: switch.spec.asn,
        uplinks: uplinks.collect(),
        peers: peers.collect(),
        routes: routes.collect(),
    };
    let planned = Planned::new(StateObject::Switch(config));
    match &*planned.object {
        StateObject::Switch(config) => Some(Switch(config.clone())),
        _ => None,
    }
}

fn device(context: Context<'_>, switch: &Entry<SwitchSpec>) -> Option<BoundaryDevice> {
    let (address, mac) = group_addresses(context.az.spec.prefix, switch.spec.group?)?;
    let mut groups = context.boundary.groups.iter();
    let group = groups.find(|group| group.address == address)?;
    // A group that names no pool serves them all.
    let all = context.intent.children(Kind::IpPool, None, None);
    let all = all.filter_map(|pool| match pool {
        Object::IpPool(pool) => Some(pool.spec.blocks.iter().copied()),
        _ => None,
    });
    let pools = if group.pools.is_empty() {
        all.flatten().collect()
    } else {
        group.pools.clone()
    };
    Some(BoundaryDevice {
        group: address,
        mac,
        mtu: context.boundary.mtu,
        underlay_mtu: context.az.spec.underlay_mtu,
        pools,
    })
}
