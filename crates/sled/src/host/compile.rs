//! From a host state to programs, doing again only what a change concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rackweave_engine::mapping::MappingTable;
use rackweave_engine::program::Limits;
use rackweave_engine::{Existing, Program};
use rackweave_types::state::{ExistingConnections, HostState, MappingState, PortConfig, VpcState};
use rackweave_types::{Instant, MacAddr, PortId, Vni};
use rackweave_vpc::{ConfigError, ConfigObject, KEEP, mapping_changes, mapping_table};

use super::check::check;
use super::error::HostError;

/// A host state, ready to run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The state.
    pub state: Arc<HostState>,
    /// Its ports.
    pub ports: BTreeMap<PortId, CompiledPort>,
    tables: BTreeMap<Vni, Arc<MappingTable>>,
}

/// A port, ready to run.
#[derive(Clone, Debug)]
pub struct CompiledPort {
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// What it runs. The same `Arc` as before where nothing changed.
    pub program: Arc<Program>,
    /// How much state it may hold.
    pub limits: Limits,
    /// What becomes of connections that a change forbids.
    pub existing: Existing,
    /// The networks that the program's mapping tables are of.
    tables: Vec<Vni>,
}

/// Compiles a state. What did not change since `before` is taken over from there.
///
/// # Errors
/// All that is wrong: between objects, or, where that is in order, within them.
pub fn compile(
    state: HostState,
    before: Option<&Compiled>,
    now: Instant,
) -> Result<Compiled, Vec<HostError>> {
    let mut errors = check(&state);
    if !errors.is_empty() {
        return Err(errors);
    }
    if let Some(before) = before
        && before.state.underlay.sled != state.underlay.sled
    {
        return Err(vec![HostError {
            field: "underlay.sled".into(),
            line: None,
            object: String::new(),
            problem: format!(
                "the sled runs as {}; restart it to make it another one",
                before.state.underlay.sled
            ),
        }]);
    }
    let tables = tables(&state, before, now);
    let changed = Changed::new(&state, before);
    let mut ports = BTreeMap::new();
    for (at, port) in state.ports.iter().enumerate() {
        let Some(vpc) = state.vpcs.iter().find(|vpc| vpc.vni == port.vni) else {
            continue;
        };
        let compiled = match changed.same(port) {
            Some(same) => exchanged(same, &tables),
            None => anew(&state, port, vpc, &tables),
        };
        match compiled {
            Ok(compiled) => {
                ports.insert(port.id, compiled);
            }
            Err(error) => errors.push(located(&state, at, error)),
        }
    }
    if errors.is_empty() {
        Ok(Compiled {
            state: Arc::new(state),
            ports,
            tables,
        })
    } else {
        errors.dedup();
        Err(errors)
    }
}

/// What is wrong with a port's objects.
enum Fault {
    Config(ConfigError),
    Other(String),
}

/// The mapping tables: changed ones made from those of before, so that guests which move are still heard from where
/// they were.
fn tables(
    state: &HostState,
    before: Option<&Compiled>,
    now: Instant,
) -> BTreeMap<Vni, Arc<MappingTable>> {
    let table = |new: &MappingState| {
        let old = before.and_then(|before| {
            let mut tables = before.state.mappings.iter();
            let old = tables.find(|table| table.vni == new.vni)?;
            Some((old, before.tables.get(&new.vni)?))
        });
        match old {
            Some((old, table)) if old.entries == new.entries => Arc::clone(table),
            Some((old, table)) => Arc::new(table.with(&mapping_changes(old, new, now, KEEP))),
            None => Arc::new(mapping_table(new)),
        }
    };
    let all = state.mappings.iter();
    all.map(|new| (new.vni, table(new))).collect()
}

/// What of the state before may be taken over.
struct Changed<'a> {
    before: BTreeMap<PortId, (&'a PortConfig, &'a CompiledPort)>,
    vpcs: BTreeSet<Vni>,
}

impl<'a> Changed<'a> {
    fn new(state: &HostState, before: Option<&'a Compiled>) -> Self {
        let mut changed = Self {
            before: BTreeMap::new(),
            vpcs: BTreeSet::new(),
        };
        let Some(before) = before else {
            return changed;
        };
        let old = &before.state;
        if old.boundary != state.boundary || old.underlay != state.underlay {
            return changed;
        }
        let same = |vpc: &&VpcState| old.vpcs.iter().any(|old| old == *vpc);
        let vpcs = state.vpcs.iter();
        changed.vpcs = vpcs.filter(same).map(|vpc| vpc.vni).collect();
        let ports = old.ports.iter();
        let compiled =
            ports.filter_map(|port| Some((port.id, (port, before.ports.get(&port.id)?))));
        changed.before = compiled.collect();
        changed
    }

    /// The port as it was, where its rules are the same.
    fn same(&self, port: &PortConfig) -> Option<&'a CompiledPort> {
        let (old, compiled) = self.before.get(&port.id)?;
        (*old == port && self.vpcs.contains(&port.vni)).then_some(*compiled)
    }
}

/// A port whose rules are the same: only its tables may be others.
fn exchanged(
    same: &CompiledPort,
    tables: &BTreeMap<Vni, Arc<MappingTable>>,
) -> Result<CompiledPort, Fault> {
    let mut port = same.clone();
    for (index, vni) in (0_u16..).zip(&same.tables) {
        let new = tables.get(vni).cloned().unwrap_or_default();
        let old = port.program.table(index);
        if old.is_some_and(|old| Arc::ptr_eq(old, &new) || (old.is_empty() && new.is_empty())) {
            continue;
        }
        let program = port.program.with_table(index, new);
        port.program = Arc::new(program.map_err(|error| Fault::Other(error.to_string()))?);
    }
    Ok(port)
}

/// A port compiled from its objects.
fn anew(
    state: &HostState,
    port: &PortConfig,
    vpc: &VpcState,
    tables: &BTreeMap<Vni, Arc<MappingTable>>,
) -> Result<CompiledPort, Fault> {
    let program = rackweave_vpc::program(port, vpc, &state.boundary, &state.underlay);
    let program = program.map_err(Fault::Config)?;
    let used = program.tables.iter();
    let used = used.map(|vni| tables.get(vni).cloned().unwrap_or_default());
    let compiled = Program::compile(&program.spec, used.collect());
    Ok(CompiledPort {
        mac: port.mac,
        program: Arc::new(compiled.map_err(|error| Fault::Other(error.to_string()))?),
        limits: program.limits,
        existing: match vpc.existing_connections {
            ExistingConnections::Keep => Existing::Keep,
            ExistingConnections::Cut => Existing::Cut,
        },
        tables: program.tables,
    })
}

/// Where in the state an object's fault is.
fn located(state: &HostState, port: usize, fault: Fault) -> HostError {
    let (root, object, field, problem) = match fault {
        Fault::Config(error) => {
            let root = match error.object {
                ConfigObject::Port(_) => format!("ports[{port}]"),
                ConfigObject::Vpc(vni) => {
                    let place = state.vpcs.iter().position(|vpc| vpc.vni == vni);
                    place.map_or_else(|| "vpcs".into(), |place| format!("vpcs[{place}]"))
                }
                ConfigObject::Boundary => "boundary".into(),
                _ => "underlay".into(),
            };
            let object = error.object.to_string();
            (root, object, error.field, error.problem.to_string())
        }
        Fault::Other(problem) => (
            format!("ports[{port}]"),
            String::new(),
            String::new(),
            problem,
        ),
    };
    let dot = if field.is_empty() { "" } else { "." };
    HostError {
        field: format!("{root}{dot}{field}"),
        line: None,
        object,
        problem,
    }
}
