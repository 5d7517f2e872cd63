//! Whether a configuration can be run; checked whole before a program is made from it.
//!
//! A check returns the field it was not content with, as a path, and the problem; the caller puts
//! its own part of the path in front.

mod boundary;
mod port;
mod prefix;
mod rules;
mod vpc;

use alloc::format;
use alloc::string::String;

use crate::error::{ConfigError, ConfigObject, Problem};
use crate::network::Network;

/// The most addresses of a port.
pub const MAX_ADDRESSES: usize = 64;
/// The most combinations of hosts, protocols and ports of one firewall rule.
pub const MAX_COMBINATIONS: usize = 16_384;

/// A field and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    field: String,
    problem: Problem,
}

/// The outcome of a check.
type Checked = Result<(), Fault>;

/// Says that something is wrong with a field.
fn fault(field: impl Into<String>, problem: Problem) -> Checked {
    Err(Fault {
        field: field.into(),
        problem,
    })
}

/// Says that something is wrong with a field, if it is.
fn ensure(right: bool, field: &str, problem: Problem) -> Checked {
    if right { Ok(()) } else { fault(field, problem) }
}

/// Checks every element of a list.
fn each<T>(
    list: &str,
    elements: impl IntoIterator<Item = T>,
    mut check: impl FnMut(usize, T) -> Checked,
) -> Checked {
    for (at, element) in elements.into_iter().enumerate() {
        check(at, element).map_err(|mut fault| {
            let dot = if fault.field.is_empty() { "" } else { "." };
            fault.field = format!("{list}[{at}]{dot}{}", fault.field);
            fault
        })?;
    }
    Ok(())
}

/// Checks everything a port's program is made from; the first fault is told.
pub(crate) fn check(network: Network<'_>) -> Result<(), ConfigError> {
    let of = |object| {
        move |fault: Fault| ConfigError {
            object,
            field: fault.field,
            problem: fault.problem,
        }
    };
    boundary::underlay(network.underlay).map_err(of(ConfigObject::Underlay))?;
    boundary::boundary(network).map_err(of(ConfigObject::Boundary))?;
    let vpc = ConfigObject::Vpc(network.vpc.vni);
    vpc::vpc(network).map_err(of(vpc))?;
    rules::rule_sets(network.vpc).map_err(of(vpc))?;
    port::port(network).map_err(of(ConfigObject::Port(network.port.id)))
}
