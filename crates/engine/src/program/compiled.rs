//! The form of a program that runs: validated, indexed, immutable, shared by the shards of a port.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::validate::{self, ProgramError};
use super::{
    Action, Layer, MeterSpec, NatPool, ProgramSpec, Rule, RuleId, RuleSet, Timeouts, Underlay,
};
use crate::classify::Classifier;
use crate::direction::Direction;
use crate::fields::Fields;
use crate::mapping::MappingTable;

/// A program that has been validated and can run.
#[derive(Clone, Debug)]
pub struct Program {
    layers: Arc<[CompiledLayer]>,
    tables: Vec<Arc<MappingTable>>,
    pools: Vec<NatPool>,
    meters: Vec<MeterSpec>,
    underlay: Underlay,
    timeouts: Timeouts,
    inbound_mtu: u32,
}

/// A layer that can run.
#[derive(Debug)]
pub(crate) struct CompiledLayer {
    pub(crate) name: Box<str>,
    outbound: CompiledSet,
    inbound: CompiledSet,
}

/// A rule set that can run.
#[derive(Debug)]
pub(crate) struct CompiledSet {
    classifier: Classifier,
    rules: Vec<CompiledRule>,
    default: Box<[Action]>,
    /// Place of the first rule's counter among all of the program; the default's follows the last rule's.
    first_counter: usize,
}

#[derive(Debug)]
struct CompiledRule {
    id: RuleId,
    actions: Box<[Action]>,
}

/// What a packet met in one layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    /// The rule, `None` for the set's default.
    pub(crate) rule: Option<RuleId>,
    /// What is to be done.
    pub(crate) actions: &'a [Action],
    /// Place of its counter.
    pub(crate) counter: usize,
}

impl Program {
    /// Validates a specification and builds the form that runs.
    ///
    /// # Errors
    /// The first thing that is wrong, with layer, rule and field.
    pub fn compile(
        spec: &ProgramSpec,
        tables: Vec<Arc<MappingTable>>,
    ) -> Result<Self, ProgramError> {
        validate::validate(spec, tables.len())?;
        let mut counters = 0;
        let layers = spec
            .layers
            .iter()
            .map(|layer| CompiledLayer::new(layer, &mut counters))
            .collect();
        Ok(Self {
            layers,
            tables,
            pools: spec.pools.clone(),
            meters: spec.meters.clone(),
            underlay: spec.underlay,
            timeouts: spec.timeouts,
            inbound_mtu: inbound_mtu(spec),
        })
    }

    /// This program with one mapping table exchanged; the rules are shared, not built again.
    ///
    /// # Errors
    /// Where the program has no table of that number.
    pub fn with_table(&self, index: u16, table: Arc<MappingTable>) -> Result<Self, NoSuchTable> {
        let mut program = self.clone();
        let place = program
            .tables
            .get_mut(usize::from(index))
            .ok_or(NoSuchTable(index))?;
        *place = table;
        Ok(program)
    }

    /// The names of the layers, in order.
    pub fn layer_names(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|layer| &*layer.name)
    }

    /// A mapping table.
    #[must_use]
    pub fn table(&self, index: u16) -> Option<&Arc<MappingTable>> {
        self.tables.get(usize::from(index))
    }

    pub(crate) fn layers(&self) -> &[CompiledLayer] {
        &self.layers
    }

    pub(crate) fn pool(&self, index: u16) -> Option<&NatPool> {
        self.pools.get(usize::from(index))
    }

    pub(crate) fn pools(&self) -> &[NatPool] {
        &self.pools
    }

    pub(crate) fn meters(&self) -> &[MeterSpec] {
        &self.meters
    }

    pub(crate) const fn underlay(&self) -> &Underlay {
        &self.underlay
    }

    pub(crate) const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The longest inbound IP packet that no rule finds too long.
    #[inline]
    pub(crate) const fn inbound_mtu(&self) -> u32 {
        self.inbound_mtu
    }

    /// How many rule counters the program needs: one for each rule and one for each default.
    pub(crate) fn counters(&self) -> usize {
        self.layers.last().map_or(0, |layer| {
            layer.inbound.first_counter + layer.inbound.rules.len() + 1
        })
    }

    /// Where each rule's counter is: layer, direction, rule (`None` is the default), place.
    pub(crate) fn counter_places(
        &self,
    ) -> impl Iterator<Item = (usize, Direction, Option<RuleId>, usize)> {
        self.layers.iter().enumerate().flat_map(|(index, layer)| {
            [Direction::Out, Direction::In]
                .into_iter()
                .flat_map(move |direction| {
                    let set = layer.set(direction);
                    let ids = set.rules.iter().map(|rule| Some(rule.id)).chain([None]);
                    ids.enumerate()
                        .map(move |(at, id)| (index, direction, id, set.first_counter + at))
                })
        })
    }
}

/// The least MTU that an inbound rule asks for. Which rules a connection's packets meet is not kept with it, so longer
/// packets are shown to the layers.
fn inbound_mtu(spec: &ProgramSpec) -> u32 {
    let sets = spec.layers.iter().map(|layer| &layer.inbound);
    let lists = sets.flat_map(|set| {
        set.rules
            .iter()
            .map(|rule| &rule.actions)
            .chain([&set.default])
    });
    let limits = lists.flatten().filter_map(|action| match action {
        Action::Mtu { mtu, .. } => Some(u32::from(*mtu)),
        _ => None,
    });
    limits.min().unwrap_or(u32::MAX)
}

/// The program has no mapping table of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchTable(pub u16);

impl core::fmt::Display for NoSuchTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the program has no mapping table {}", self.0)
    }
}

impl core::error::Error for NoSuchTable {}

impl CompiledLayer {
    fn new(layer: &Layer, counters: &mut usize) -> Self {
        Self {
            name: layer.name.as_str().into(),
            outbound: CompiledSet::new(&layer.outbound, counters),
            inbound: CompiledSet::new(&layer.inbound, counters),
        }
    }

    /// The rules for one direction.
    pub(crate) const fn set(&self, direction: Direction) -> &CompiledSet {
        match direction {
            Direction::Out => &self.outbound,
            Direction::In => &self.inbound,
        }
    }
}

impl CompiledSet {
    fn new(set: &RuleSet, counters: &mut usize) -> Self {
        let compile = |rule: &Rule| CompiledRule {
            id: rule.id,
            actions: rule.actions.as_slice().into(),
        };
        let first_counter = *counters;
        *counters += set.rules.len() + 1;
        Self {
            classifier: Classifier::build(&set.rules),
            rules: set.rules.iter().map(compile).collect(),
            default: set.default.as_slice().into(),
            first_counter,
        }
    }

    /// The first rule that matches, or the default.
    pub(crate) fn find(&self, fields: &Fields) -> Found<'_> {
        let place = self
            .classifier
            .lookup(fields)
            .and_then(|place| usize::try_from(place).ok());
        if let Some((place, rule)) = place.and_then(|place| Some((place, self.rules.get(place)?))) {
            return Found {
                rule: Some(rule.id),
                actions: &rule.actions,
                counter: self.first_counter + place,
            };
        }
        Found {
            rule: None,
            actions: &self.default,
            counter: self.first_counter + self.rules.len(),
        }
    }
}
