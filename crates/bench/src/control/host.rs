//! A host without guests: what it hears comes as far as the programs of its ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use rackweave_api::control::ObjectError;
use rackweave_daemon::follow::{Change, Node};
use rackweave_engine::Program;
use rackweave_engine::mapping::MappingTable;
use rackweave_types::state::{HostState, PortConfig};
use rackweave_types::{Generation, PortId, Vni};
use rackweave_vpc::mapping_table;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Moment;

/// A host has a state in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Which one.
    pub(super) host: usize,
    /// The state.
    pub(super) generation: Generation,
    /// Since when.
    pub(super) at: Moment,
    /// Whether it was told all of it.
    pub(super) whole: bool,
    /// How many programs of ports became others.
    pub(super) compiled: usize,
}

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    number: usize,
    tables: BTreeMap<Vni, (Generation, Arc<MappingTable>)>,
    programs: BTreeMap<PortId, Arc<Program>>,
    errors: Vec<ObjectError>,
    tell: UnboundedSender<Heard>,
}

impl Host {
    pub(super) const fn new(number: usize, tell: UnboundedSender<Heard>) -> Self {
        Self {
            number,
            tables: BTreeMap::new(),
            programs: BTreeMap::new(),
            errors: Vec::new(),
            tell,
        }
    }

    /// Brings a state into force: the programs of its ports, with the tables that they look into.
    fn enforce(&mut self, state: &HostState) -> Vec<ObjectError> {
        let mut tables = BTreeMap::new();
        for table in &state.mappings {
            let kept = self.tables.remove(&table.vni);
            let kept = kept.filter(|(generation, _)| *generation == table.generation);
            let made = || (table.generation, Arc::new(mapping_table(table)));
            tables.insert(table.vni, kept.unwrap_or_else(made));
        }
        self.tables = tables;
        let mut errors = Vec::new();
        self.programs.clear();
        for port in &state.ports {
            match self.program(state, port) {
                Ok(program) => {
                    self.programs.insert(port.id, Arc::new(program));
                }
                Err(error) => errors.push(ObjectError {
                    object: format!("port {}", port.id),
                    error,
                }),
            }
        }
        errors
    }

    fn program(&self, state: &HostState, port: &PortConfig) -> Result<Program, String> {
        let vpc = state.vpcs.iter().find(|vpc| vpc.vni == port.vni);
        let vpc = vpc.ok_or("its VPC is not there")?;
        let made = rackweave_vpc::program(port, vpc, &state.boundary, &state.underlay);
        let made = made.map_err(|error| error.to_string())?;
        let tables = made.tables.iter().map(|vni| {
            let table = self.tables.get(vni);
            table.map_or_else(Arc::default, |(_, table)| Arc::clone(table))
        });
        Program::compile(&made.spec, tables.collect()).map_err(|error| error.to_string())
    }
}

impl Node for Host {
    type State = HostState;

    async fn apply(&mut self, state: &HostState, change: &Change) -> Vec<ObjectError> {
        if *change != Change::Nothing {
            self.errors = self.enforce(state);
        }
        let heard = Heard {
            host: self.number,
            generation: state.generation,
            at: Moment::now(),
            whole: matches!(change, Change::Whole),
            compiled: self.programs.len(),
        };
        // Nobody listens any more where the measuring is over.
        let _over = self.tell.send(heard);
        self.errors.clone()
    }

    async fn errors(&mut self) -> Vec<ObjectError> {
        self.errors.clone()
    }
}
