//! What the agent needs of the host state: each guest as it is answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_engine::Frame;
use rackweave_types::state::{HostState, InstanceState, PortConfig, Subnet, VpcState};
use rackweave_types::{MacAddr, PortId, Vni, reserved};

use super::dns::Zones;

/// All that the agent answers from; a function of the host state alone.
#[derive(Clone, Debug, Default)]
pub struct AgentState {
    /// The guests' ports.
    pub ports: BTreeMap<PortId, GuestView>,
    /// The zones of each VPC.
    pub zones: BTreeMap<Vni, Arc<Zones>>,
    /// The way out.
    pub system: Option<SystemView>,
}

/// A guest's port as the agent sees it.
#[derive(Clone, Debug)]
pub struct GuestView {
    /// The guest's Ethernet address.
    pub mac: MacAddr,
    /// The longest IP packet that it takes, in octets.
    pub mtu: u16,
    /// Its VPC.
    pub vni: Vni,
    /// Addresses of the DNS servers of its subnets, where its queries go.
    pub dns: Vec<IpAddr>,
    /// The frame of the router advertisement that is sent unasked; `None` for a guest without IPv6.
    pub advert: Option<Arc<[u8]>>,
    /// The instance it belongs to, if any.
    pub instance: Option<Arc<InstanceView>>,
}

/// An instance as its metadata tell it.
#[derive(Clone, Debug)]
pub struct InstanceView {
    /// What was set of it.
    pub state: InstanceState,
    /// Its NICs on this sled, in the order of their slots.
    pub nics: Vec<NicView>,
}

/// One NIC of an instance.
#[derive(Clone, Debug)]
pub struct NicView {
    /// Its port.
    pub port: PortId,
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// Its place among the instance's NICs.
    pub slot: u8,
    /// Its VPC.
    pub vni: Vni,
    /// Its addresses, the primary ones first.
    pub addresses: Vec<IpAddr>,
    /// Addresses with which it appears outside.
    pub external: Vec<IpAddr>,
    /// The subnets that it has addresses in, the primary one first.
    pub subnets: Vec<Subnet>,
    /// IPv4 blocks of its VPC.
    pub vpc_ipv4: Vec<Ipv4Net>,
    /// IPv6 block of its VPC.
    pub vpc_ipv6: Option<Ipv6Net>,
}

/// The port through which the sled itself reaches the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemView {
    /// The port.
    pub port: PortId,
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// The longest IP packet, in octets.
    pub mtu: u16,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// DNS servers, in order.
    pub resolvers: Vec<IpAddr>,
}

impl AgentState {
    /// What the agent needs of a host state. A port whose VPC is missing is no guest: the host state is refused
    /// before it comes here.
    #[must_use]
    pub fn of(host: &HostState) -> Self {
        let system_port = host.system.as_ref().map(|system| system.port);
        let instances = instances(host);
        let guest = |port: &PortConfig| {
            let vpc = vpc_of(host, port)?;
            let subnets = subnets(port, vpc);
            let view = GuestView {
                mac: port.mac,
                mtu: port.mtu.get(),
                vni: port.vni,
                dns: subnets.iter().flat_map(dns_servers).collect(),
                advert: advert(host, port, vpc),
                instance: instances.get(&port.id).cloned(),
            };
            Some((port.id, view))
        };
        let guests = host
            .ports
            .iter()
            .filter(|port| Some(port.id) != system_port);
        Self {
            ports: guests.filter_map(guest).collect(),
            zones: zones(host),
            system: system(host),
        }
    }
}

fn vpc_of<'a>(host: &'a HostState, port: &PortConfig) -> Option<&'a VpcState> {
    host.vpcs.iter().find(|vpc| vpc.vni == port.vni)
}

/// The subnets that a port has addresses in, each once, in the order of its addresses.
fn subnets(port: &PortConfig, vpc: &VpcState) -> Vec<Subnet> {
    let mut found: Vec<Subnet> = Vec::new();
    for own in &port.addresses {
        let known = found.iter().any(|subnet| subnet.id == own.subnet);
        let subnet = vpc.subnets.iter().find(|subnet| subnet.id == own.subnet);
        found.extend(subnet.filter(|_| !known));
    }
    found
}

fn dns_servers(subnet: &Subnet) -> impl Iterator<Item = IpAddr> + use<> {
    let v4 = subnet.ipv4.and_then(reserved::ipv4_dns).map(IpAddr::V4);
    let v6 = subnet.ipv6.and_then(reserved::ipv6_dns).map(IpAddr::V6);
    v4.into_iter().chain(v6)
}

fn advert(host: &HostState, port: &PortConfig, vpc: &VpcState) -> Option<Arc<[u8]>> {
    let advert = rackweave_vpc::advert(port, vpc, &host.boundary, &host.underlay)?;
    let mut frame = Frame::new(&[]);
    advert.unsolicited(&mut frame).ok()?;
    Some(frame.bytes().into())
}

fn instances(host: &HostState) -> BTreeMap<PortId, Arc<InstanceView>> {
    let mut by_port = BTreeMap::new();
    let ports: BTreeMap<_, _> = host.ports.iter().map(|port| (port.id, port)).collect();
    for state in &host.instances {
        let mine = state.ports.iter().filter_map(|id| ports.get(id));
        let mut nics: Vec<_> = mine.filter_map(|port| nic(host, port)).collect();
        nics.sort_by_key(|nic| nic.slot);
        let view = Arc::new(InstanceView {
            state: state.clone(),
            nics,
        });
        by_port.extend(state.ports.iter().map(|id| (*id, Arc::clone(&view))));
    }
    by_port
}

fn nic(host: &HostState, port: &PortConfig) -> Option<NicView> {
    let vpc = vpc_of(host, port)?;
    Some(NicView {
        port: port.id,
        mac: port.mac,
        slot: port.slot,
        vni: port.vni,
        addresses: port.addresses.iter().map(|own| own.address).collect(),
        external: port.external.iter().map(|own| own.outside).collect(),
        subnets: subnets(port, vpc),
        vpc_ipv4: vpc.ipv4.clone(),
        vpc_ipv6: vpc.ipv6,
    })
}

fn zones(host: &HostState) -> BTreeMap<Vni, Arc<Zones>> {
    let of = |vpc: &VpcState| {
        let blocks = vpc.ipv4.iter().copied().map(IpNet::V4);
        let blocks = blocks.chain(vpc.ipv6.map(IpNet::V6)).collect();
        let own = host.zones.iter().filter(|zone| zone.vni == vpc.vni);
        (vpc.vni, Arc::new(Zones::new(own, blocks)))
    };
    host.vpcs.iter().map(of).collect()
}

fn system(host: &HostState) -> Option<SystemView> {
    let system = host.system.as_ref()?;
    let port = host.ports.iter().find(|port| port.id == system.port)?;
    Some(SystemView {
        port: port.id,
        mac: port.mac,
        mtu: port.mtu.get(),
        addresses: port.addresses.iter().map(|own| own.address).collect(),
        resolvers: system.resolvers.clone(),
    })
}
