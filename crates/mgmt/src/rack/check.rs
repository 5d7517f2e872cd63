//! The rules that a description must keep.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::describe::{Description, backplane};
use crate::port::{Position, SwitchPort};

/// The version of the format that is read.
const VERSION: u32 = 1;
/// The VLANs that the plan has room for.
const CUBBIES: usize = 32;
const PSCS: usize = 2;
const TECHNICIANS: usize = 2;

/// A rule that a description breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule.
    pub rule: Rule,
    /// Where in the description.
    pub place: Place,
    /// What is wrong, for people: names ports and units.
    pub what: String,
}

/// A field of a description: a table, the index of its row where it has several, and the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The table; empty at the top.
    pub table: &'static str,
    /// Which of the table's rows.
    pub row: Option<usize>,
    /// The field.
    pub field: &'static str,
}

/// The rules of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The format's version is known.
    Version,
    /// A type has a name.
    Name,
    /// There are no more units of a kind than the plan has VLANs for, and at least one cubby.
    Count,
    /// A number names one unit.
    UnitOnce,
    /// A port of a switch leads to one place.
    PortOnce,
    /// The gateways run in two cubbies that there are.
    Scrimlet,
    /// The same port of switch A and of switch B never ends at the same port of service processors: else a gateway
    /// that asks "reply if this reached you there" could not tell on which switch it sits (seed "Sidecar Location").
    Ambiguous,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "version",
            Self::Name => "name",
            Self::Count => "count",
            Self::UnitOnce => "unit-once",
            Self::PortOnce => "port-once",
            Self::Scrimlet => "scrimlet",
            Self::Ambiguous => "ambiguous",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.table, self.row) {
            ("", _) => f.write_str(self.field),
            (table, Some(row)) => write!(f, "{table}[{row}].{}", self.field),
            (table, None) => write!(f, "{table}.{}", self.field),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (rule {})", self.place, self.what, self.rule)
    }
}

impl core::error::Error for Fault {}

/// Every rule that is broken.
pub(super) fn faults(description: &Description) -> Vec<Fault> {
    let mut found = Found(Vec::new());
    head(description, &mut found);
    numbers(description, &mut found);
    for position in Position::ALL {
        ports(description, position, &mut found);
    }
    scrimlets(description, &mut found);
    ambiguities(description, &mut found);
    found.0
}

struct Found(Vec<Fault>);

impl Found {
    fn push(&mut self, rule: Rule, place: Place, what: String) {
        self.0.push(Fault { rule, place, what });
    }
}

const fn place(table: &'static str, row: Option<usize>, field: &'static str) -> Place {
    Place { table, row, field }
}

fn head(description: &Description, found: &mut Found) {
    if description.version != VERSION {
        let what = format!("version {} is not known, {VERSION} is", description.version);
        found.push(Rule::Version, place("", None, "version"), what);
    }
    if description.name.trim().is_empty() {
        let what = "a type of rack has a name".into();
        found.push(Rule::Name, place("", None, "name"), what);
    }
    if description.cubby.is_empty() {
        let what = "a rack has at least one cubby".into();
        found.push(Rule::Count, place("", None, "cubby"), what);
    }
    let counts = [
        ("", "cubby", description.cubby.len(), CUBBIES),
        ("", "psc", description.psc.len(), PSCS),
        (
            "switches",
            "technicians",
            description.switches.technicians.len(),
            TECHNICIANS,
        ),
    ];
    for (table, field, count, most) in counts
        .into_iter()
        .filter(|(_, _, count, most)| count > most)
    {
        let what = format!("there are {count}, and VLANs for {most}");
        found.push(Rule::Count, place(table, None, field), what);
    }
}

fn numbers(description: &Description, found: &mut Found) {
    let kinds = [
        (
            "cubby",
            description
                .cubby
                .iter()
                .map(|it| it.number)
                .collect::<Vec<_>>(),
        ),
        ("psc", description.psc.iter().map(|it| it.number).collect()),
    ];
    for (table, numbers) in kinds {
        for (row, number) in numbers.iter().enumerate() {
            if numbers[..row].contains(number) {
                let what = format!("{table} {number} is there already");
                found.push(Rule::UnitOnce, place(table, Some(row), "number"), what);
            }
        }
    }
}

/// The ports of one switch in the order of the description, with where they stand and what they are for.
fn uses(description: &Description, position: Position) -> Vec<(SwitchPort, Place, String)> {
    let switches = &description.switches;
    let mut uses = Vec::from([
        (
            switches.upstream,
            place("switches", None, "upstream"),
            String::from("the gateway"),
        ),
        (
            switches.onboard,
            place("switches", None, "onboard"),
            String::from("its own SP"),
        ),
        (
            switches.peer,
            place("switches", None, "peer"),
            String::from("the other switch's SP"),
        ),
    ]);
    uses.extend(switches.technicians.iter().map(|port| {
        (
            *port,
            place("switches", None, "technicians"),
            String::from("a technician"),
        )
    }));
    let field = match position {
        Position::A => "a",
        Position::B => "b",
    };
    uses.extend(backplane(description).enumerate().map(|(index, cables)| {
        let (port, end) = cables.at(position);
        (
            port,
            row(description, index, field),
            format!("{}", end.unit),
        )
    }));
    uses
}

/// The place of a field of the unit at this index of the backplane.
fn row(description: &Description, index: usize, field: &'static str) -> Place {
    match index.checked_sub(description.cubby.len()) {
        None => place("cubby", Some(index), field),
        Some(index) => place("psc", Some(index), field),
    }
}

fn ports(description: &Description, position: Position, found: &mut Found) {
    let mut seen = BTreeMap::new();
    for (port, at, whom) in uses(description, position) {
        let Some(first) = seen.get(&port) else {
            seen.insert(port, whom);
            continue;
        };
        // What both switches have in common is found once.
        if position == Position::A || at.table != "switches" {
            let what = format!("{port} of {position} leads to {first}, and cannot lead to {whom}");
            found.push(Rule::PortOnce, at, what);
        }
    }
}

fn scrimlets(description: &Description, found: &mut Found) {
    let scrimlets = &description.scrimlets;
    for (field, number) in [("a", scrimlets.a), ("b", scrimlets.b)] {
        if description.cubby.iter().all(|cubby| cubby.number != number) {
            let what = format!("there is no cubby {number}");
            found.push(Rule::Scrimlet, place("scrimlets", None, field), what);
        }
    }
    if scrimlets.a == scrimlets.b {
        let what = format!("cubby {} cannot be attached to both switches", scrimlets.a);
        found.push(Rule::Scrimlet, place("scrimlets", None, "b"), what);
    }
}

fn ambiguities(description: &Description, found: &mut Found) {
    let at_a: BTreeMap<_, _> = backplane(description)
        .map(|cables| cables.at(Position::A))
        .collect();
    for (index, cables) in backplane(description).enumerate() {
        let (port, end) = cables.at(Position::B);
        let Some(other) = at_a.get(&port).filter(|other| other.sp_port == end.sp_port) else {
            continue;
        };
        let what = format!(
            "{port} ends at {} of {} on switch A and of {} on switch B: \
             an answer from there would not tell the switches apart",
            end.sp_port, other.unit, end.unit
        );
        found.push(Rule::Ambiguous, row(description, index, "b"), what);
    }
}
