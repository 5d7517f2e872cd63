//! Which nodes there are, and which cables between them.

use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_routing::fabric::LinkId;
use rackweave_types::{
    AzPrefix, BootstrapPrefix, MacAddr, NodeNumber, NodePrefix, RackNumber, RackPrefix, Role,
};

/// A node's place in [`Topology::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub usize);

/// A cable's place in [`Topology::cables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CableIx(pub usize);

/// A node before it runs.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name, for people: `r1s2`, `r1fd`, `p3`.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Its hardware address.
    pub hardware: MacAddr,
    /// Its AZ.
    pub az: AzPrefix,
    /// Its /64; a spine has none.
    pub prefix: Option<NodePrefix>,
    /// Its cables in the order of its links: the first is link 1.
    pub cables: Vec<CableIx>,
}

impl NodeSpec {
    /// Its rack.
    pub fn rack(&self) -> Option<RackPrefix> {
        self.prefix.map(NodePrefix::rack)
    }

    /// Its bootstrap address.
    pub fn bootstrap(&self) -> Ipv6Addr {
        BootstrapPrefix::new(self.hardware).address()
    }
}

/// One end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Whose.
    pub node: NodeIx,
    /// Its link there.
    pub link: LinkId,
    /// The hardware address of the link.
    pub mac: MacAddr,
    /// The link's own address.
    pub address: Ipv6Addr,
}

/// How a cable treats what passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// One way.
    pub delay: Duration,
    /// What may be added to the delay of each frame: what is longer than the time between two frames reorders them.
    pub jitter: Duration,
    /// Lost of a million, each way.
    pub loss_ppm: u32,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            delay: Duration::from_micros(5),
            jitter: Duration::from_micros(1),
            loss_ppm: 0,
        }
    }
}

/// A cable between two nodes.
#[derive(Clone, Debug)]
pub struct Cable {
    /// Its ends.
    pub ends: [End; 2],
    /// How it treats frames.
    pub quality: Quality,
}

/// Nodes and cables.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// The nodes.
    pub nodes: Vec<NodeSpec>,
    /// The cables.
    pub cables: Vec<Cable>,
}

/// Ports towards other switches that a switch or spine has at most. A rack switch's ports towards its sleds are beside
/// these.
pub const FABRIC_PORTS: usize = 64;

/// Racks of a pod, where there are spines.
pub const POD: usize = 16;
/// Spines of a pod: each has a cable to every switch of the pod.
pub const POD_SPINES: usize = 4;
/// Spines that join the pods: each has a cable to every spine of every pod.
pub const CORES: usize = 4;
/// Racks that one AZ can have: 00 and ff are no racks.
pub const AZ_RACKS: usize = 254;

impl Topology {
    /// Racks, every switch of which has a cable to every switch of the other racks: what the lab builds up to eight
    /// racks.
    #[must_use]
    pub fn mesh(racks: usize, sleds: usize) -> Self {
        let mut topology = Self::default();
        let racks = topology.racks(0, racks, sleds);
        for (at, one) in racks.iter().enumerate() {
            for other in &racks[at + 1..] {
                topology.join_all(one, other);
            }
        }
        topology
    }

    /// Racks in pods, joined by two tiers of spines, so that no switch has more than [`FABRIC_PORTS`].
    ///
    /// A rack switch has [`POD_SPINES`] ports towards its pod, a pod's spine 2 × [`POD`] ports downwards and [`CORES`]
    /// upwards, a core [`POD_SPINES`] for each pod: with 16 pods of 16 racks all 64. One tier would not do: a spine of 64
    /// ports joins 32 racks. Racks beyond [`AZ_RACKS`] are of a second AZ, whose switches have cables to each other and to
    /// the switches of the first AZ's last rack.
    #[must_use]
    pub fn spines(racks: usize, sleds: usize) -> Self {
        let near = racks.min(AZ_RACKS);
        Self::sites(near, racks - near, sleds)
    }

    /// The same with so many racks in the first AZ and so many in the second.
    #[must_use]
    pub fn sites(near: usize, far: usize, sleds: usize) -> Self {
        let mut topology = Self::default();
        let near = topology.racks(0, near, sleds);
        let far = topology.racks(1, far, sleds);
        let cores: Vec<NodeIx> = (0..CORES)
            .map(|at| topology.spine(format!("c{at}")))
            .collect();
        for (number, pod) in near.chunks(POD).enumerate() {
            let spines = (0..POD_SPINES).map(|at| topology.spine(format!("p{number}s{at}")));
            let spines: Vec<NodeIx> = spines.collect();
            for switches in pod {
                topology.join_all(switches, &spines);
            }
            topology.join_all(&spines, &cores);
        }
        for (at, switches) in far.iter().enumerate() {
            if let Some(gate) = near.last() {
                topology.join_all(gate, switches);
            }
            for other in &far[at + 1..] {
                topology.join_all(switches, other);
            }
        }
        topology
    }

    /// Ports of a node towards nodes that pass packets on, where it does so itself.
    pub fn fabric_ports(&self, node: NodeIx) -> usize {
        let cables = self.nodes[node.0].cables.iter();
        cables
            .filter(|cable| {
                let ends = self.cables[cable.0].ends;
                ends.iter()
                    .all(|end| self.nodes[end.node.0].role.is_transit())
            })
            .count()
    }

    /// Every node.
    pub fn all(&self) -> impl Iterator<Item = (NodeIx, &NodeSpec)> {
        (0..).map(NodeIx).zip(&self.nodes)
    }

    /// The node with this name.
    pub fn find(&self, name: &str) -> Option<NodeIx> {
        let mut all = self.all();
        all.find(|(_, spec)| spec.name == name).map(|(ix, _)| ix)
    }

    /// The first cable between two nodes.
    pub fn between(&self, a: NodeIx, b: NodeIx) -> Option<CableIx> {
        let mut cables = (0..).map(CableIx).zip(&self.cables);
        let joins = |cable: &Cable| {
            let ends = cable.ends.map(|end| end.node);
            ends == [a, b] || ends == [b, a]
        };
        cables.find(|(_, cable)| joins(cable)).map(|(ix, _)| ix)
    }

    /// A cable's name, for people.
    pub fn cable_name(&self, cable: CableIx) -> String {
        let [a, b] = self.cables[cable.0]
            .ends
            .map(|end| &self.nodes[end.node.0].name);
        format!("{a}-{b}")
    }

    /// Adds racks of an AZ with their switches and sleds, and gives the switches by rack.
    fn racks(&mut self, site: u8, racks: usize, sleds: usize) -> Vec<Vec<NodeIx>> {
        (1..=racks).map(|at| self.rack(site, at, sleds)).collect()
    }

    fn rack(&mut self, site: u8, at: usize, sleds: usize) -> Vec<NodeIx> {
        let az = az(site);
        let number = u8::try_from(at).ok();
        let Some(number) = number.and_then(|number| RackNumber::new(number).ok()) else {
            return Vec::new();
        };
        let rack = RackPrefix::new(az, number);
        let name = if site == 0 {
            at.to_string()
        } else {
            format!("{at}x{site}")
        };
        let switches = [0xfd, 0xfe].map(|node| {
            let name = format!("r{name}{node:02x}");
            self.node(name, Role::Switch, az, prefix(rack, node))
        });
        for node in (1..=u8::MAX).take(sleds) {
            let sled = self.node(
                format!("r{name}s{node}"),
                Role::Sled,
                az,
                prefix(rack, node),
            );
            self.join_all(&[sled], &switches);
        }
        switches.into()
    }

    fn spine(&mut self, name: String) -> NodeIx {
        self.node(name, Role::Spine, az(0), None)
    }

    fn node(
        &mut self,
        name: String,
        role: Role,
        az: AzPrefix,
        prefix: Option<NodePrefix>,
    ) -> NodeIx {
        let ix = NodeIx(self.nodes.len());
        let [.., a, b, c] = ix.0.to_be_bytes();
        self.nodes.push(NodeSpec {
            name,
            role,
            hardware: MacAddr::new([0xa8, 0x40, 0x25, a, b, c]),
            az,
            prefix,
            cables: Vec::new(),
        });
        ix
    }

    fn join_all(&mut self, some: &[NodeIx], others: &[NodeIx]) {
        for one in some {
            for other in others {
                self.join(*one, *other);
            }
        }
    }

    fn join(&mut self, a: NodeIx, b: NodeIx) {
        let cable = CableIx(self.cables.len());
        let ends = [a, b].map(|node| {
            let cables = &mut self.nodes[node.0].cables;
            cables.push(cable);
            end(node, cables.len())
        });
        let quality = Quality::default();
        self.cables.push(Cable { ends, quality });
    }
}

fn prefix(rack: RackPrefix, node: u8) -> Option<NodePrefix> {
    let number = NodeNumber::new(node).ok()?;
    Some(NodePrefix::new(rack, number))
}

fn end(node: NodeIx, link: usize) -> End {
    let ([.., high, middle, low], link) = (
        node.0.to_be_bytes(),
        u32::try_from(link).unwrap_or(u32::MAX),
    );
    let [.., port_high, port_low] = link.to_be_bytes();
    let mac = MacAddr::new([2, high, middle, low, port_high, port_low]);
    // Modified EUI-64 of the hardware address (RFC 4291, appendix A).
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    octets[8..].copy_from_slice(&[0, high, middle, 0xff, 0xfe, low, port_high, port_low]);
    End {
        node,
        link: LinkId(link),
        mac,
        address: octets.into(),
    }
}

/// The AZs of the simulation: `fd00:5277::/48` and those after it.
fn az(number: u8) -> AzPrefix {
    match AzPrefix::new([0xfd, 0x00, 0x52, 0x77, 0x00, number]) {
        Ok(az) => az,
        Err(_) => unreachable!("fd00::/8 is of unique local addresses"),
    }
}
