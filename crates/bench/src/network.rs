//! The port that is measured, as objects of the state and as the program made from them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use rackweave_engine::mapping::MappingTable;
use rackweave_engine::program::Limits;
use rackweave_engine::{Program, Settings, Shard, ShardId};
use rackweave_types::MacAddr;
use rackweave_types::state::{BoundaryState, PortConfig, SledUnderlay, VpcState};

/// The guest's Ethernet address.
pub const GUEST_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 1]);
/// The Ethernet address that boundary services use inside the tunnel.
pub const BOUNDARY_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0, 1]);
/// The boundary's end of the tunnels.
pub const BOUNDARY: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0xff10, 0, 0, 0, 1);
/// The sled's end of the tunnels.
pub const SLED: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0x0101, 0, 0, 0, 1);
/// The guest's addresses.
pub const INSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, 5)),
    IpAddr::V6(Ipv6Addr::new(0xfd12, 0x3456, 0x789a, 1, 0, 0, 0, 5)),
];
/// What the world sees in their place.
pub const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 0x10)),
];

/// Words for hashing; any will do, and fixed ones make runs alike.
pub const SECRET: [u64; 2] = [0x5261_636b_7765_6176, 0x6265_6e63_686d_6172];

/// The port's program, made once.
///
/// # Errors
/// Where the objects in `network/` do not make one.
pub fn program() -> Result<Arc<Program>> {
    static PROGRAM: OnceLock<Arc<Program>> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(Arc::clone(program));
    }
    let made = Arc::new(make()?);
    Ok(Arc::clone(PROGRAM.get_or_init(|| made)))
}

fn make() -> Result<Program> {
    let port: PortConfig = serde_json::from_str(include_str!("../network/port.json"))
        .context("cannot read network/port.json")?;
    let vpc: VpcState = serde_json::from_str(include_str!("../network/vpc.json"))
        .context("cannot read network/vpc.json")?;
    let boundary: BoundaryState = serde_json::from_str(include_str!("../network/boundary.json"))
        .context("cannot read network/boundary.json")?;
    let underlay: SledUnderlay = serde_json::from_str(include_str!("../network/underlay.json"))
        .context("cannot read network/underlay.json")?;
    let made = rackweave_vpc::program(&port, &vpc, &boundary, &underlay)
        .context("the objects in network/ make no program")?;
    let tables = made
        .tables
        .iter()
        .map(|_| Arc::<MappingTable>::default())
        .collect();
    Program::compile(&made.spec, tables).context("the program does not compile")
}

/// Limits that leave room for this many connections.
#[must_use]
pub fn limits(flows: u32) -> Limits {
    Limits {
        flows,
        ..Limits::default()
    }
}

/// The port's only shard, with room for this many connections.
///
/// # Errors
/// Where there is no program or not enough memory.
pub fn shard(flows: u32) -> Result<Shard> {
    let settings = Settings {
        shard: ShardId::ONLY,
        secret: SECRET,
        limits: limits(flows),
    };
    Shard::new(settings, program()?).context("cannot make a shard")
}
