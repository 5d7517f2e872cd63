//! Programs: a network as data, which the engine runs and which can be replaced while packets flow.
//!
//! A [`ProgramSpec`] is what is written, stored and sent: ordered layers of rules, each of predicates and actions,
//! and what the actions refer to. [`Program::compile`] validates it whole and builds the
//! form that runs; an invalid specification gives a [`ProgramError`] that names layer, rule and field, and nothing
//! is half applied.

mod action;
mod compiled;
mod layer;
mod predicate;
mod resource;
mod tag;
mod validate;

pub use action::{Action, Encapsulate, Reject, Select, Target};
pub(crate) use compiled::Found;
pub use compiled::{NoSuchTable, Program};
pub use layer::{Layer, Rule, RuleId, RuleSet};
pub use predicate::{Match, PortRange, PortRangeError};
pub use resource::{Limits, MeterSpec, NatPool, ProgramSpec, Timeouts, Underlay};
pub use tag::{Tag, TagError, TagSet};
pub use validate::{Problem, ProgramError};
