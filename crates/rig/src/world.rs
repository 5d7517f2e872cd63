//! What runs at a site: two VPCs whose addresses overlap, their instances, and the way out.
//!
//! | instance | VPC | sled | addresses | outside | firewall |
//! |---|---|---|---|---|---|
//! | `test` | 4096 | 1 | 10.0.1.5, SLAAC in `fd12:3456:789a:1::/64` | ports 16384–17407 of 198.51.100.1 and `2001:db8:1::1` | default |
//! | `web` | 4096 | 2 | 10.0.1.6, `fd12:3456:789a:1::6` | floating 203.0.113.10, `2001:db8:2::10` | ICMP, SSH and HTTP in; 81 is refused |
//! | `db` | 4096 | 2 | 10.0.2.5, `fd12:3456:789a:2::5` | ports 17408–18431 of 198.51.100.1 | default |
//! | `test-b` | 4097 | 1 | as `test`, but for SLAAC | – | default |
//! | `web-b` | 4097 | 2 | as `web` | – | default |
//!
//! Each sled has a port of the system VPC (100), with ports of 198.51.100.2. The resolver outside is 192.0.2.1.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::Path;

use anyhow::{Context, Result};
use ipnet::IpNet;
use rackweave_types::state::{
    Attachment, BoundaryGroup, BoundaryState, Device, ExternalAddress, ExternalKind, HostState,
    InstanceId, InstanceState, MappingEntry, MappingState, NatBlock, PortBlock, PortConfig,
    SledUnderlay, StateVersion, SystemState, TapDevice, VhostUserDevice, VpcState, ZoneState,
};
use rackweave_types::{Generation, MacAddr, PortId, Vni, reserved};

use crate::boundary::{BOUNDARY_MAC, Holder};
use crate::namespace::Namespace;
use crate::site::{BOUNDARY, OUTSIDE_V4, SLEDS, Site, end_point};

mod objects;

/// The interface's name in a guest's namespace.
pub(crate) const GUEST_LINK: &str = "eth0";
/// The key that every instance is given.
pub(crate) const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJhY2t3ZWF2ZXRlc3RrZXkwMDAwMDAwMDAwMDAwMDAw rig@rackweave";

/// An instance with its only NIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, which is also its host name.
    pub name: &'static str,
    /// The sled it runs on, from 0.
    pub sled: usize,
    /// Its NIC.
    pub port: PortConfig,
    /// What cloud-init shall run.
    pub user_data: Option<String>,
    /// Where its NIC meets the sled.
    pub device: Option<Device>,
}

impl Member {
    /// Its first address of each family, IPv4 before IPv6.
    ///
    /// # Errors
    /// Where it has not both.
    pub fn addresses(&self) -> Result<[IpAddr; 2]> {
        let find = |v4: bool| {
            let mut all = self.port.addresses.iter().map(|own| own.address);
            all.find(|addr| addr.is_ipv4() == v4)
        };
        let missing = || format!("{} lacks an address", self.name);
        Ok([
            find(true).with_context(missing)?,
            find(false).with_context(missing)?,
        ])
    }
}

/// The objects of a whole site; each sled is given its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The VPCs: that of most instances, the one that overlaps with it, the system's.
    pub vpcs: [VpcState; 3],
    /// The way out.
    pub boundary: BoundaryState,
    /// The instances.
    pub members: Vec<Member>,
    /// DNS zones.
    pub zones: Vec<ZoneState>,
    /// The sleds' own ports.
    pub system: [PortConfig; SLEDS],
    /// What the host states are said to be the how-manieth of.
    pub generation: u64,
}

impl World {
    /// The world as the module says; nobody has a device yet.
    ///
    /// # Errors
    /// Never: the literals are right.
    pub fn new() -> Result<Self> {
        let user = [Vni::new(4096)?, Vni::new(4097)?];
        let system = Vni::new(100)?;
        let mut members = vec![
            objects::member(
                "test",
                0,
                1,
                user[0],
                1,
                ["10.0.1.5", "fd12:3456:789a:1:72:77ff:fe00:1"],
            )?,
            objects::member("web", 1, 2, user[0], 1, ["10.0.1.6", "fd12:3456:789a:1::6"])?,
            objects::member("db", 1, 3, user[0], 2, ["10.0.2.5", "fd12:3456:789a:2::5"])?,
            objects::member(
                "test-b",
                0,
                11,
                user[1],
                1,
                ["10.0.1.5", "fd12:3456:789a:1::5"],
            )?,
            objects::member(
                "web-b",
                1,
                12,
                user[1],
                1,
                ["10.0.1.6", "fd12:3456:789a:1::6"],
            )?,
        ];
        members[0].port.nat = vec![
            block("198.51.100.1", 16_384)?,
            block("2001:db8:1::1", 16_384)?,
        ];
        members[1].port.external = vec![
            floating("203.0.113.10", "10.0.1.6")?,
            floating("2001:db8:2::10", "fd12:3456:789a:1::6")?,
        ];
        members[1].port.rule_sets = vec![objects::GUARDED];
        members[2].port.nat = vec![block("198.51.100.1", 17_408)?];
        let mut own = [
            objects::port(101, system, 1, &["10.255.0.11"])?,
            objects::port(102, system, 1, &["10.255.0.12"])?,
        ];
        own[0].nat = vec![block("198.51.100.2", 16_384)?];
        own[1].nat = vec![block("198.51.100.2", 17_408)?];
        let zones = user.map(|vni| objects::zone(vni, &members));
        Ok(Self {
            vpcs: [
                objects::user_vpc(user[0])?,
                objects::user_vpc(user[1])?,
                objects::system_vpc(system)?,
            ],
            boundary: BoundaryState {
                version: StateVersion::CURRENT,
                generation: Generation::new(1),
                vni: Vni::BOUNDARY,
                mtu: reserved::GUEST_MTU,
                groups: vec![BoundaryGroup {
                    address: BOUNDARY,
                    mac: BOUNDARY_MAC,
                    pools: Vec::new(),
                }],
            },
            members,
            zones: zones.into_iter().collect::<Result<_>>()?,
            system: own,
            generation: 1,
        })
    }

    /// An instance by its name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn member(&self, name: &str) -> Result<&Member> {
        let mut all = self.members.iter();
        all.find(|member| member.name == name)
            .with_context(|| format!("no instance {name}"))
    }

    /// An instance by its name, to change it.
    ///
    /// # Errors
    /// Where there is none.
    pub fn member_mut(&mut self, name: &str) -> Result<&mut Member> {
        let mut all = self.members.iter_mut();
        all.find(|member| member.name == name)
            .with_context(|| format!("no instance {name}"))
    }

    /// Gives an instance a TAP that ends up in a namespace.
    ///
    /// # Errors
    /// Where there is no such instance.
    pub fn attach_tap(&mut self, name: &str, namespace: &Namespace) -> Result<()> {
        let netns = namespace.path().to_string_lossy().into_owned();
        let tap = TapDevice {
            name: GUEST_LINK.parse()?,
            netns: Some(netns),
        };
        self.member_mut(name)?.device = Some(Device::Tap(tap));
        Ok(())
    }

    /// Gives an instance a vhost-user socket.
    ///
    /// # Errors
    /// Where there is no such instance.
    pub fn attach_socket(&mut self, name: &str, socket: &Path) -> Result<()> {
        let socket = socket.to_string_lossy().into_owned();
        self.member_mut(name)?.device = Some(Device::VhostUser(VhostUserDevice { socket }));
        Ok(())
    }

    /// The state of a sled.
    ///
    /// # Errors
    /// Where there is no such sled.
    pub fn host(&self, sled: usize) -> Result<HostState> {
        let here = || {
            self.members
                .iter()
                .filter(move |member| member.sled == sled)
        };
        let system = self.system.get(sled).context("no such sled")?;
        let attachment = |member: &Member| {
            Some(Attachment {
                version: StateVersion::CURRENT,
                generation: Generation::new(1),
                port: member.port.id,
                queues: NonZeroU16::MIN,
                device: member.device.clone()?,
            })
        };
        let ports = here().map(|member| member.port.clone());
        Ok(HostState {
            version: StateVersion::CURRENT,
            generation: Generation::new(self.generation),
            underlay: SledUnderlay {
                version: StateVersion::CURRENT,
                sled: Site::prefix(sled)?,
                src_mac: underlay_mac(sled, 0x10)?,
                dst_mac: underlay_mac(sled, 0xff)?,
                mtu: reserved::UNDERLAY_MTU,
            },
            boundary: self.boundary.clone(),
            system: Some(SystemState {
                version: StateVersion::CURRENT,
                generation: Generation::new(1),
                port: system.id,
                resolvers: vec![OUTSIDE_V4.into()],
            }),
            vpcs: self.vpcs.to_vec(),
            mappings: self.mappings()?,
            ports: ports.chain([system.clone()]).collect(),
            attachments: here().filter_map(attachment).collect(),
            zones: self.zones.clone(),
            instances: here().map(instance).collect::<Result<_>>()?,
        })
    }

    /// Who holds which address: the VPCs' own and the external ones.
    fn mappings(&self) -> Result<Vec<MappingState>> {
        let state = |vni, entries| MappingState {
            version: StateVersion::CURRENT,
            generation: Generation::new(self.generation),
            vni,
            entries,
        };
        let mut mappings = Vec::new();
        let ports = self.placed();
        for vpc in &self.vpcs {
            let mut entries = Vec::new();
            for (sled, port) in ports.iter().filter(|(_, port)| port.vni == vpc.vni) {
                for own in &port.addresses {
                    entries.push(entry(own.address, *sled, port.mac)?);
                }
            }
            mappings.push(state(vpc.vni, entries));
        }
        let mut outside = Vec::new();
        for (sled, port) in &ports {
            for external in &port.external {
                outside.push(entry(external.outside, *sled, port.mac)?);
            }
        }
        mappings.push(state(self.boundary.vni, outside));
        Ok(mappings)
    }

    /// Who holds external addresses, as the boundary must know it.
    ///
    /// # Errors
    /// Never: every port is on a sled.
    pub fn holders(&self) -> Result<Vec<Holder>> {
        let mut holders = Vec::new();
        for (sled, port) in self.placed() {
            let (sled, mac) = (end_point(sled)?, port.mac);
            let alone = port
                .external
                .iter()
                .map(|external| (external.outside, None));
            let shared = port
                .nat
                .iter()
                .map(|block| (block.address, Some(block.ports.range())));
            holders.extend(alone.chain(shared).map(|(outside, ports)| Holder {
                outside,
                ports,
                sled,
                mac,
            }));
        }
        Ok(holders)
    }

    /// Every port with its sled.
    fn placed(&self) -> Vec<(usize, &PortConfig)> {
        let guests = self
            .members
            .iter()
            .map(|member| (member.sled, &member.port));
        guests.chain(self.system.iter().enumerate()).collect()
    }
}

fn instance(member: &Member) -> Result<InstanceState> {
    Ok(InstanceState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        id: InstanceId::new(0x1000 + member.port.id.get()),
        hostname: member.name.parse()?,
        ports: vec![PortId::new(member.port.id.get())],
        image: Some("debian-12".to_owned()),
        size: None,
        availability_zone: Some("rig-1a".to_owned()),
        ssh_keys: vec![SSH_KEY.to_owned()],
        user_data: member.user_data.clone(),
    })
}

fn entry(addr: IpAddr, sled: usize, mac: MacAddr) -> Result<MappingEntry> {
    Ok(MappingEntry {
        prefix: IpNet::from(addr),
        sled: Site::prefix(sled)?,
        mac,
    })
}

fn block(address: &str, first: u16) -> Result<NatBlock> {
    Ok(NatBlock {
        address: address.parse()?,
        ports: PortBlock::new(first, 1024)?,
    })
}

fn floating(outside: &str, inside: &str) -> Result<ExternalAddress> {
    Ok(ExternalAddress {
        kind: ExternalKind::Floating,
        outside: outside.parse()?,
        inside: inside.parse()?,
    })
}

fn underlay_mac(sled: usize, role: u8) -> Result<MacAddr> {
    let number = u8::try_from(sled)? + 1;
    Ok(MacAddr::new([0xaa, 0x40, 0x25, 0x10, role, number]))
}

#[cfg(test)]
mod tests {
    use rackweave_types::state::from_file;

    use super::*;

    /// What a sled would read from a file.
    fn read_back(sled: usize) -> HostState {
        let state = World::new().unwrap().host(sled).unwrap();
        let text = serde_json::to_string_pretty(&state).unwrap();
        let read = from_file(&mut serde_json::Deserializer::from_str(&text)).unwrap();
        assert_eq!(state, read);
        read
    }

    #[test]
    fn every_port_of_either_sled_has_a_program() {
        for sled in 0..SLEDS {
            let state = read_back(sled);
            assert!(state.ports.len() > 2);
            for port in &state.ports {
                let vpc = state.vpcs.iter().find(|vpc| vpc.vni == port.vni).unwrap();
                let made = rackweave_vpc::program(port, vpc, &state.boundary, &state.underlay);
                let program = made.unwrap_or_else(|error| panic!("port {}: {error}", port.id));
                let table = |vni: &Vni| {
                    let found = state.mappings.iter().find(|state| state.vni == *vni);
                    let table = found.map(rackweave_vpc::mapping_table);
                    std::sync::Arc::new(table.unwrap_or_default())
                };
                let tables = program.tables.iter().map(table).collect();
                rackweave_engine::Program::compile(&program.spec, tables).unwrap();
            }
        }
    }

    #[test]
    fn ports_of_one_address_have_one_holder_each() {
        let holders = World::new().unwrap().holders().unwrap();
        for (at, holder) in holders.iter().enumerate() {
            let twins = holders[..at]
                .iter()
                .filter(|other| other.outside == holder.outside);
            for twin in twins {
                let (a, b) = (twin.ports.unwrap(), holder.ports.unwrap());
                assert!(
                    a.last() < b.first() || b.last() < a.first(),
                    "{twin:?} {holder:?}"
                );
            }
        }
    }
}
