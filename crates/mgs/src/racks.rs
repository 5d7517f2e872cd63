//! Files of types of racks: what is wrong in one is said with file, line and rule.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rackweave_mgmt::location::UnitKind;
use rackweave_mgmt::port::{Position, SpPort, SwitchPort, Unit};
use rackweave_mgmt::rack::{Description, Fault, Place, Rack};
use toml::de::{DeTable, DeValue};

/// Why a file is of no type of rack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RackFileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It breaks rules.
    #[error("{}", Lines(.0))]
    Broken(Vec<Broken>),
    /// Two files describe types of one name.
    #[error("{} and {} both describe `{name}`: give one of them another name", first.display(), second.display())]
    Twice {
        /// The name.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// Nothing that service processors answer would tell two types apart.
    #[error(
        "{} and {} cannot be told apart: whatever {position} of a `{one}` is answered, {other} of a `{two}` would be too; \
         name one of them, or change a port of one (rule ambiguous)",
        first.display(),
        second.display()
    )]
    Alike {
        /// The file of one type.
        first: PathBuf,
        /// That type.
        one: String,
        /// The switch of it.
        position: Position,
        /// The file of the other one.
        second: PathBuf,
        /// The other type.
        two: String,
        /// The switch of that.
        other: Position,
    },
    /// There is no file at all.
    #[error(
        "racks: name at least one file that describes a type of rack, such as dist/racks/rack-1.toml"
    )]
    None,
}

/// A rule that a file breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub line: usize,
    /// What is wrong, and which rule says so.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

struct Lines<'l>(&'l [Broken]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, broken) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            broken.fmt(f)?;
        }
        Ok(())
    }
}

/// The types of racks in these files.
///
/// # Errors
/// What is wrong with the first one that cannot be used.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Rack>, RackFileError> {
    let mut racks: Vec<Rack> = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let rack = read(path)?;
        if let Some(first) = racks.iter().position(|before| before.name() == rack.name()) {
            return Err(RackFileError::Twice {
                name: rack.name().into(),
                first: paths[first].clone(),
                second: paths[index].clone(),
            });
        }
        racks.push(rack);
    }
    if racks.is_empty() {
        return Err(RackFileError::None);
    }
    match alike(&racks) {
        Some(((first, position), (second, other))) => Err(RackFileError::Alike {
            first: paths[first].clone(),
            one: racks[first].name().into(),
            position,
            second: paths[second].clone(),
            two: racks[second].name().into(),
            other,
        }),
        None => Ok(racks),
    }
}

/// A type and a switch of it, as an index among others.
type Candidate = (usize, Position);

/// Two types, and a switch of each, where all that the one is answered fits the other as well.
fn alike(racks: &[Rack]) -> Option<(Candidate, Candidate)> {
    let candidates = || {
        let indices = 0..racks.len();
        indices.flat_map(|index| Position::ALL.map(|position| (index, position)))
    };
    candidates().find_map(|one| {
        let mut others = candidates().filter(|two| two.0 != one.0);
        let fits = |two: &Candidate| {
            let answers = answers(&racks[two.0], two.1);
            answers_of(racks, one).all(|answer| answers.contains(&answer))
        };
        others.find(fits).map(|two| (one, two))
    })
}

fn answers_of(racks: &[Rack], (index, position): Candidate) -> impl Iterator<Item = Answer> {
    answers(&racks[index], position).into_iter()
}

/// What is answered where, as far as it tells anything: the switches' own service processors answer alike everywhere.
fn answers(rack: &Rack, position: Position) -> Vec<Answer> {
    let tells = rack
        .ends(position)
        .filter(|(_, end)| !matches!(end.unit, Unit::Switch(_)));
    tells
        .map(|(port, end)| (port, end.sp_port, UnitKind::at(end.unit)))
        .collect()
}

/// At which port is answered, reached at which port of whom.
type Answer = (SwitchPort, SpPort, UnitKind);

/// The type of rack that a file describes.
///
/// # Errors
/// [`RackFileError`].
pub fn read(path: &Path) -> Result<Rack, RackFileError> {
    let text = std::fs::read_to_string(path).map_err(|source| RackFileError::Read {
        path: path.into(),
        source,
    })?;
    parse(path, &text).map_err(RackFileError::Broken)
}

fn parse(path: &Path, text: &str) -> Result<Rack, Vec<Broken>> {
    let broken = |at: usize, what: String| Broken {
        path: path.into(),
        line: line(text, at),
        what,
    };
    let description: Description = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![broken(at, format!("{} (rule form)", error.message()))]
    })?;
    Rack::check(&description).map_err(|faults| {
        let parsed = DeTable::parse(text).ok();
        let table = parsed.as_ref().map(toml::Spanned::get_ref);
        let at = |fault: &Fault| {
            table
                .and_then(|table| find(table, fault.place))
                .unwrap_or(0)
        };
        faults
            .iter()
            .map(|fault| broken(at(fault), fault.to_string()))
            .collect()
    })
}

/// Where in a file a field stands; where its table does, if the field is not there.
fn find(file: &DeTable<'_>, place: Place) -> Option<usize> {
    if place.table.is_empty() {
        return key(file, place.field);
    }
    let value = file.get(place.table)?.get_ref();
    let table = match (value, place.row) {
        (DeValue::Table(table), _) => table,
        (DeValue::Array(rows), Some(row)) => match rows.get(row)?.get_ref() {
            DeValue::Table(table) => table,
            _ => return key(file, place.table),
        },
        _ => return key(file, place.table),
    };
    let first = table.keys().map(|key| key.span().start).min();
    key(table, place.field)
        .or(first)
        .or_else(|| key(file, place.table))
}

fn key(table: &DeTable<'_>, name: &str) -> Option<usize> {
    let key = table.keys().find(|key| key.get_ref() == name)?;
    Some(key.span().start)
}

/// The line of an octet, from 1.
pub(crate) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.split(|octet| *octet == b'\n').count()
}
