//! The objects of one NIC.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::state::{
    Attachment, BoundaryState, Device, DhcpSettings, ExternalAddress, ExternalKind, MappingEntry,
    NatBlock, NatEntry, PortAddress, PortConfig, PortLimits, RouterId, RuleSetId, StateObject,
    StateVersion, TapDevice, VhostUserDevice,
};
use rackweave_types::{Generation, MacAddr, NodePrefix, PortId, Vni};

use super::object::Planned;
use super::system::is_served;
use super::vpc::{VpcRecord, origin};
use crate::intent::{Intent, NicEntry};
use crate::key::{Id, Kind};
use crate::model::{
    AzGiven, AzSpec, DeviceSpec, Entry, InstanceGiven, InstanceSpec, Object, RuleTarget,
};

/// What was planned for a NIC, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PortRecord {
    pub(super) sled: Id,
    pub(super) instance: Id,
    pub(super) vpc: Id,
    pub(super) vni: Vni,
    pub(super) rule_sets: Vec<RuleSetId>,
    /// What it holds in its VPC.
    pub(super) inside: Vec<MappingEntry>,
    /// What it holds for itself outside.
    pub(super) outside: Vec<MappingEntry>,
    /// What it holds outside together with others.
    pub(super) blocks: Vec<NatEntry>,
    /// Whether it can reach the world outside.
    pub(super) goes_out: bool,
    /// Whether it may send with foreign sources.
    pub(super) transit: bool,
}

/// The id of a NIC's port.
pub(super) const fn port_id(nic: Id) -> PortId {
    PortId::new(nic.get())
}

/// What planning a NIC needs besides it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) intent: &'a Intent,
    pub(super) az: &'a Entry<AzSpec, AzGiven>,
    pub(super) boundary: &'a BoundaryState,
}

/// Plans a NIC; none where what it stands on is not there.
pub(super) fn plan(
    context: Context<'_>,
    record: &VpcRecord,
    nic: &NicEntry,
) -> Option<(PortRecord, Planned, Planned)> {
    let intent = context.intent;
    let instance = intent.instance_of(nic)?;
    let sled_id = instance.given.sled?;
    let sled = intent.sled(sled_id)?.spec.prefix;
    let subnet = intent.subnet(nic.given.subnet?)?;
    let rule_sets = rule_sets(record, nic, instance);
    let external = external(context, nic);
    let nat: Vec<NatBlock> = nic
        .given
        .nat
        .iter()
        .map(|nat| nat.block)
        .filter(|block| is_served(context.boundary, block.address))
        .collect();
    let subnet_id = subnet.given.id();
    let address = |address: &IpAddr| PortAddress {
        address: *address,
        subnet: subnet_id,
    };
    let config = PortConfig {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        id: port_id(nic.meta.id),
        mac: nic.given.mac,
        slot: nic.given.slot,
        vni: record.vni,
        addresses: nic.given.addresses.iter().map(address).collect(),
        transit: nic.spec.transit.clone(),
        router: router(intent, record, subnet.spec.router.as_ref(), nic.given.vpc),
        rule_sets: rule_sets.clone(),
        external: external.clone(),
        nat,
        caps: nic.spec.caps,
        limits: limits(intent, nic, instance.meta.parent),
        mtu: context
            .az
            .spec
            .underlay_mtu
            .inside()
            .map_or(nic.spec.mtu, |max| max.min(nic.spec.mtu)),
        dhcp: dhcp(context, nic, instance),
    };
    let entries = |addresses: &mut dyn Iterator<Item = IpAddr>| -> Vec<MappingEntry> {
        addresses.map(|address| entry(address, sled, nic)).collect()
    };
    let port = PortRecord {
        sled: sled_id,
        instance: instance.meta.id,
        vpc: nic.given.vpc?,
        vni: record.vni,
        rule_sets,
        inside: entries(&mut nic.given.addresses.iter().copied()),
        outside: entries(&mut external.iter().map(|external| external.outside)),
        blocks: blocks(&config.nat, sled, config.mac),
        goes_out: !external.is_empty() || !config.nat.is_empty(),
        transit: !nic.spec.transit.is_empty(),
    };
    let attachment = attachment(context.az, nic);
    Some((
        port,
        Planned::new(StateObject::Port(config)),
        Planned::new(StateObject::Attachment(attachment)),
    ))
}

/// Blocks as entries of the switches' table.
pub(super) fn blocks(nat: &[NatBlock], sled: NodePrefix, mac: MacAddr) -> Vec<NatEntry> {
    let entry = |block: &NatBlock| NatEntry {
        block: *block,
        sled,
        mac,
    };
    nat.iter().map(entry).collect()
}

fn entry(address: IpAddr, sled: NodePrefix, nic: &NicEntry) -> MappingEntry {
    MappingEntry {
        prefix: IpNet::from(address),
        sled,
        mac: nic.given.mac,
    }
}

/// The sets whose targets the NIC is one of, by number.
pub(super) fn rule_sets(
    record: &VpcRecord,
    nic: &NicEntry,
    instance: &Entry<InstanceSpec, InstanceGiven>,
) -> Vec<RuleSetId> {
    let addresses = &nic.given.addresses;
    let is = |target: &RuleTarget| match target {
        RuleTarget::Instance(name) => instance.meta.name == *name,
        RuleTarget::Subnet(name) => nic.spec.subnet == *name,
        RuleTarget::Tag(tag) => instance.spec.tags.contains(tag),
        RuleTarget::Ip(address) => addresses.contains(address),
        RuleTarget::Cidr(net) => addresses.iter().any(|address| net.contains(address)),
    };
    let sets = record.sets.iter();
    sets.filter(|(_, targets)| targets.is_empty() || targets.iter().any(is))
        .map(|(set, _)| *set)
        .collect()
}

/// External addresses of its own that some group serves, in the order of addresses.
fn external(context: Context<'_>, nic: &NicEntry) -> Vec<ExternalAddress> {
    let floating = context.intent.floating_of(nic.meta.id);
    let floating = floating.filter_map(|floating| {
        let target = floating.given.target?;
        let (_, outside) = floating.given.address?;
        let inside = target.inside;
        let kind = ExternalKind::Floating;
        Some(ExternalAddress {
            kind,
            outside,
            inside,
        })
    });
    let ephemeral = nic.given.ephemeral.iter().map(|one| ExternalAddress {
        kind: ExternalKind::Ephemeral,
        outside: one.outside,
        inside: one.inside,
    });
    let served = |external: &ExternalAddress| is_served(context.boundary, external.outside);
    let mut external: Vec<_> = floating.chain(ephemeral).filter(served).collect();
    external.sort_by_key(|external| external.outside);
    external
}

/// The router of the subnet; the system's where it names none.
fn router(
    intent: &Intent,
    record: &VpcRecord,
    name: Option<&crate::name::Name>,
    vpc: Option<Id>,
) -> RouterId {
    let named = name.and_then(|name| intent.find(Kind::Router, vpc, name));
    match named {
        Some(Object::Router(router)) => RouterId::new(router.given.number),
        _ => record.router,
    }
}

/// As the NIC says, else as the project's quota does.
fn limits(intent: &Intent, nic: &NicEntry, project: Option<Id>) -> PortLimits {
    let own = nic.spec.limits;
    let project = project.and_then(|project| intent.project(project));
    let quota = project.map_or_else(PortLimits::default, |project| project.spec.quota.port);
    PortLimits {
        flows: own.flows.or(quota.flows),
        fragments: own.fragments.or(quota.fragments),
        punts: own.punts.or(quota.punts),
        replies: own.replies.or(quota.replies),
    }
}

fn dhcp(
    context: Context<'_>,
    nic: &NicEntry,
    instance: &Entry<InstanceSpec, InstanceGiven>,
) -> DhcpSettings {
    let vpc = nic.given.vpc.and_then(|vpc| context.intent.vpc(vpc));
    let domain = vpc.and_then(|vpc| origin(context.intent, context.az, vpc));
    DhcpSettings {
        hostname: super::instance::hostname(instance),
        search: domain.iter().cloned().collect(),
        domain,
        ..DhcpSettings::default()
    }
}

/// Where the guest meets the sled. Names are made from the id, so that no two on a sled are the same.
fn attachment(az: &Entry<AzSpec, AzGiven>, nic: &NicEntry) -> Attachment {
    let id = nic.meta.id.get();
    let vhost = || {
        let socket = format!("{}/{id:012x}.sock", az.spec.socket_dir);
        Device::VhostUser(VhostUserDevice { socket })
    };
    let device = match &nic.spec.device {
        DeviceSpec::VhostUser => vhost(),
        DeviceSpec::Tap { netns } => {
            // In a namespace of its own the guest finds the name that its slot gives.
            let name = match netns {
                Some(_) => format!("eth{}", nic.given.slot),
                None => format!("rw{id:012x}"),
            };
            let tap = |name| TapDevice {
                name,
                netns: netns.clone(),
            };
            name.parse()
                .map_or_else(|_| vhost(), |name| Device::Tap(tap(name)))
        }
    };
    Attachment {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        port: port_id(nic.meta.id),
        queues: nic.spec.queues,
        device,
    }
}
