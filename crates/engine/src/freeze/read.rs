//! Reading a frozen shard: from bytes, which claim anything, to items that can be applied.

use alloc::string::ToString;
use alloc::vec::Vec;

use minicbor::{Decode, Decoder};

use super::error::{PartError, Problem};
use super::frame::{self, Section};
use super::item::{Cell, Drops, Flow, Fragment, Header, Hits, Meter, Punted, Totals};
use super::write::{Item, id};
use crate::program::ProgramSpec;

/// One frozen shard, read.
///
/// Memory is bounded by the bytes: no length in them is believed, and every item is shorter in memory than a few
/// times its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) header: Header,
    pub(crate) flows: Vec<Flow>,
    pub(crate) totals: Totals,
    pub(crate) traffic: Vec<Cell>,
    pub(crate) drops: Vec<Drops>,
    pub(crate) hits: Vec<Hits>,
    pub(crate) meters: Vec<Meter>,
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) punts: Vec<Punted>,
}

impl Part {
    /// A shard of which nothing is known.
    pub(crate) fn new(header: Header) -> Self {
        Self {
            header,
            flows: Vec::new(),
            totals: Totals::default(),
            traffic: Vec::new(),
            drops: Vec::new(),
            hits: Vec::new(),
            meters: Vec::new(),
            fragments: Vec::new(),
            punts: Vec::new(),
        }
    }
}

/// Reads one frozen shard. Sections that are not known are skipped.
pub(crate) fn read(bytes: &[u8]) -> Result<Part, PartError> {
    let mut headers: Vec<Header> = Vec::new();
    let mut totals: Vec<Totals> = Vec::new();
    let (mut flows, mut traffic, mut drops, mut hits) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut meters, mut fragments, mut punts) = (Vec::new(), Vec::new(), Vec::new());
    for section in frame::open(bytes)? {
        let section = section?;
        match section.id {
            id::SHARD => once(section, &mut headers)?,
            id::FLOWS => items(section, &mut flows, flow_fault)?,
            id::TOTALS => once(section, &mut totals)?,
            id::TRAFFIC => items(section, &mut traffic, cell_fault)?,
            id::DROPS => items(section, &mut drops, no_fault)?,
            id::RULE_HITS => items(section, &mut hits, no_fault)?,
            id::METERS => items(section, &mut meters, no_fault)?,
            id::FRAGMENTS => items(section, &mut fragments, no_fault)?,
            id::PUNTS => items(section, &mut punts, no_fault)?,
            _ => {}
        }
    }
    let header = headers.pop().ok_or(PartError {
        offset: bytes.len(),
        problem: Problem::Missing {
            section: Header::NAME,
        },
    })?;
    let totals = totals.pop().unwrap_or_default();
    Ok(Part {
        header,
        flows,
        totals,
        traffic,
        drops,
        hits,
        meters,
        fragments,
        punts,
    })
}

/// Reads a section's items; `fault` names the field of a value that no shard has.
fn items<'b, T>(
    section: Section<'b>,
    into: &mut Vec<T>,
    fault: fn(&T) -> Option<&'static str>,
) -> Result<(), PartError>
where
    T: Item + Decode<'b, ()>,
{
    let mut decoder = Decoder::new(section.items);
    while decoder.position() < section.items.len() {
        let start = decoder.position();
        let item: T = decoder.decode().map_err(|error| PartError {
            offset: section.offset + error.position().unwrap_or(start),
            problem: Problem::Item {
                section: T::NAME,
                what: error.to_string(),
            },
        })?;
        if let Some(field) = fault(&item) {
            let problem = Problem::Value {
                section: T::NAME,
                field,
            };
            return Err(PartError {
                offset: section.offset + start,
                problem,
            });
        }
        into.push(item);
    }
    Ok(())
}

/// Reads a section that has one item and stands once.
fn once<'b, T>(section: Section<'b>, into: &mut Vec<T>) -> Result<(), PartError>
where
    T: Item + Decode<'b, ()> + Whole,
{
    items(section, into, T::fault)?;
    if into.len() > 1 {
        return Err(PartError {
            offset: section.offset,
            problem: Problem::Repeated { section: T::NAME },
        });
    }
    Ok(())
}

/// An item that stands once.
trait Whole {
    /// The field of a value that no shard has.
    fn fault(&self) -> Option<&'static str>;
}

impl Whole for Header {
    fn fault(&self) -> Option<&'static str> {
        if !self.count.is_power_of_two() {
            return Some("count");
        }
        if self.index >= self.count {
            return Some("index");
        }
        (self.layers.len() > ProgramSpec::MAX_LAYERS).then_some("layers")
    }
}

impl Whole for Totals {
    fn fault(&self) -> Option<&'static str> {
        None
    }
}

/// A connection has addresses of one family on both sides.
pub(crate) fn flow_fault(flow: &Flow) -> Option<&'static str> {
    let v4 = flow.guest.local.is_v4();
    let alike = |view: &super::item::View| view.local.is_v4() == v4 && view.remote.is_v4() == v4;
    if !alike(&flow.guest) {
        return Some("guest");
    }
    if !flow.wire.as_ref().is_none_or(alike) {
        return Some("wire");
    }
    flow.vni
        .is_some_and(|vni| rackweave_types::Vni::new(vni).is_err())
        .then_some("vni")
}

fn cell_fault(cell: &Cell) -> Option<&'static str> {
    match cell {
        Cell { cast: 3.., .. } => Some("cast"),
        Cell { network: 3.., .. } => Some("network"),
        Cell { transport: 4.., .. } => Some("transport"),
        _ => None,
    }
}

fn no_fault<T>(_: &T) -> Option<&'static str> {
    None
}
