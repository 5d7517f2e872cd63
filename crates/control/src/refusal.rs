//! Why a request is refused.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_types::Generation;

use crate::key::Kind;
use crate::name::Name;

/// A request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", self.place())]
pub struct Refusal {
    /// The offending field, such as `ipv4[0]`; empty where it is the request as a whole.
    pub field: String,
    /// What is wrong there.
    pub problem: Problem,
}

impl Refusal {
    /// The request as a whole.
    pub(crate) const fn whole(problem: Problem) -> Self {
        Self {
            field: String::new(),
            problem,
        }
    }

    /// A field of it.
    pub(crate) fn of(field: impl Into<String>, problem: Problem) -> Self {
        Self {
            field: field.into(),
            problem,
        }
    }

    fn place(&self) -> String {
        if self.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.field)
        }
    }
}

/// What sort of problem it is: what the one who asked can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Ask otherwise.
    Invalid,
    /// There is no such object.
    NotFound,
    /// The name is taken.
    Exists,
    /// It contradicts what is there.
    Conflict,
    /// Something else needs it.
    InUse,
    /// It was changed in the meantime: look again.
    Stale,
    /// There is no more for this project.
    Quota,
    /// There is no more for anybody.
    Exhausted,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Nothing was described yet: the AZ comes first.
    NoAz,
    /// There is no such object.
    NoSuch(Kind, String),
    /// The parent is of another kind, missing, or too much.
    Parent(Option<Kind>),
    /// The spec is of another kind than the object.
    OtherKind(Kind),
    /// Another object of this kind has the name.
    NameTaken(Kind, Name),
    /// It was changed since.
    Stale {
        /// What it is now.
        found: Generation,
        /// What the request was made for.
        expected: Generation,
    },
    /// It never changes.
    Fixed,
    /// Something needs it.
    InUse {
        /// What needs it.
        by: String,
        /// How many of it there are.
        count: usize,
    },
    /// It came with its VPC and goes with it.
    System,
    /// A project may have so many, and has them.
    Quota {
        /// Of what.
        kind: Kind,
        /// How many.
        limit: u32,
    },
    /// A prefix meets another.
    Overlap {
        /// The other.
        with: IpNet,
        /// Whose it is.
        of: String,
    },
    /// A prefix or address is not within what it should be.
    Outside(String),
    /// A prefix has bits behind its length.
    HostBits(IpNet),
    /// A prefix is longer or shorter than it may be.
    Length(&'static str),
    /// No host can have such an address.
    NotUnicast,
    /// The network keeps the address for itself.
    Reserved,
    /// The address is held.
    Taken(IpAddr),
    /// An address of the other family is due, or one that is not there.
    Family,
    /// It stands there twice.
    Twice,
    /// A number is not within its bounds.
    Bounds {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// The filters of a rule can match no packet.
    MatchesNothing,
    /// A rule has too many combinations of hosts, protocols and ports.
    TooMany {
        /// How many.
        count: usize,
        /// How many it may have.
        max: usize,
    },
    /// More objects change at once than can be stored at once.
    TooMuch {
        /// How many.
        count: usize,
        /// How many may change.
        max: usize,
    },
    /// Ports are asked for with a protocol that has none.
    NoPorts,
    /// Nothing is left.
    Exhausted(String),
    /// No sled has room.
    NoRoom,
    /// The project has no default pool of this sort.
    NoDefaultPool(&'static str),
    /// Something that cannot be, in words.
    Wrong(&'static str),
}

impl Problem {
    /// What sort it is.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        match self {
            Self::NoSuch(..) => ProblemKind::NotFound,
            Self::NameTaken(..) => ProblemKind::Exists,
            Self::Stale { .. } => ProblemKind::Stale,
            Self::InUse { .. } | Self::System => ProblemKind::InUse,
            Self::Quota { .. } => ProblemKind::Quota,
            Self::NoAz
            | Self::TooMuch { .. }
            | Self::Overlap { .. }
            | Self::Taken(_)
            | Self::NoDefaultPool(_) => ProblemKind::Conflict,
            Self::Exhausted(_) | Self::NoRoom => ProblemKind::Exhausted,
            _ => ProblemKind::Invalid,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAz => f.write_str("the az is not described yet; create it first"),
            Self::NoSuch(kind, name) => write!(f, "there is no {kind} {name}"),
            Self::Parent(Some(kind)) => write!(f, "it belongs to a {kind}, which is to be named"),
            Self::Parent(None) => f.write_str("it belongs to nothing but the az"),
            Self::OtherKind(kind) => write!(f, "the object is a {kind}"),
            Self::NameTaken(kind, name) => write!(f, "there is a {kind} {name} already"),
            Self::Stale { found, expected } => write!(
                f,
                "it was changed in the meantime: generation {found}, not {expected}; read it again"
            ),
            Self::Fixed => f.write_str("it never changes; delete the object and create another"),
            Self::InUse { by, count } => {
                write!(f, "it is in use: {by}")?;
                if *count > 1 {
                    write!(f, " and {} more", count - 1)?;
                }
                Ok(())
            }
            Self::System => f.write_str("it came with its vpc and goes with it"),
            Self::Quota { kind, limit } => write!(
                f,
                "the quota is {limit} of kind {kind}; delete one, or ask an operator for more"
            ),
            Self::Overlap { with, of } => write!(f, "it overlaps {with} of {of}"),
            Self::Outside(what) => write!(f, "it is not within {what}"),
            Self::HostBits(net) => write!(f, "bits are set behind the prefix; it may be {net}"),
            Self::Length(due) => write!(f, "the length of the prefix is to be {due}"),
            Self::NotUnicast => f.write_str("hosts cannot have such addresses"),
            Self::Reserved => f.write_str("the network keeps this address for itself"),
            Self::Taken(address) => write!(f, "{address} is held already"),
            Self::Family => f.write_str("there is no address of this family on both ends"),
            Self::Twice => f.write_str("it stands there twice"),
            Self::Bounds { min, max } => write!(f, "it is not within {min} to {max}"),
            Self::MatchesNothing => f.write_str("no packet matches such filters"),
            Self::TooMany { count, max } => write!(
                f,
                "{count} combinations of hosts, protocols and ports are above {max}; split the rule"
            ),
            Self::TooMuch { count, max } => write!(
                f,
                "{count} objects would change at once, and {max} may; delete or change what belongs to it first"
            ),
            Self::NoPorts => f.write_str("only tcp and udp have ports"),
            Self::Exhausted(what) => write!(f, "{what} has nothing left"),
            Self::NoRoom => f.write_str("no sled in service has room for it"),
            Self::NoDefaultPool(what) => write!(
                f,
                "the project has no default pool with {what}; name one, or ask an operator"
            ),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}
