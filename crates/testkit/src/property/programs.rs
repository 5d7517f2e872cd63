//! Programs are what is written, and what is wrong with them is told.

use std::sync::Arc;

use rackweave_engine::program::{Program, ProgramError, ProgramSpec};

use super::{Fault, hold};
use crate::program::{self, FAULTS, Plan, Scope, put_fault};
use crate::source::Source;

/// Any text is a program, or it is told why not; so it is with the text of a program in which some octets were
/// changed. A valid program is read back from what it is written as, and with one fault put into it, that fault is
/// told with its place.
///
/// # Errors
/// What does not hold.
pub fn programs(bytes: &[u8]) -> Result<(), Fault> {
    read(bytes)?;
    let mut source = Source::new(bytes);
    let mut plan = Plan::draw(&mut source, Scope::ALL);
    let mut text = written(&plan.spec)?;
    for _ in 0..=source.below(3) {
        let at = usize::from(source.word()) % text.len();
        text[at] = source.pick(b"0123456789-.:{}[],\"\\ \xff");
    }
    read(&text)?;
    plan.compile()
        .map_err(|error| format!("{error}: {plan:?}"))?;
    match put_fault(&mut source, &mut plan) {
        Some(expected) => faulty(&plan, &expected),
        None => Err("there are no faults".to_owned()),
    }
}

/// Puts each fault into a program drawn from these bytes; what each of them is told as.
///
/// # Errors
/// Where another fault is told, or none.
pub fn faults(bytes: &[u8]) -> Result<Vec<ProgramError>, Fault> {
    let mut source = Source::new(bytes);
    let plan = Plan::draw(&mut source, Scope::ALL);
    let put = |fault: &program::Fault| {
        let mut plan = plan.clone();
        let expected = fault(&mut source, &mut plan);
        faulty(&plan, &expected).map(|()| expected)
    };
    FAULTS.iter().map(put).collect()
}

fn faulty(plan: &Plan, expected: &ProgramError) -> Result<(), Fault> {
    written(&plan.spec)?;
    let told = plan.compile().map(|_| ());
    hold(told.as_ref() == Err(expected), || {
        format!("{told:?} instead of {expected:?}: {plan:?}")
    })
}

/// Reads what may be a program.
fn read(text: &[u8]) -> Result<(), Fault> {
    let Ok(spec) = serde_json::from_slice::<ProgramSpec>(text) else {
        return Ok(());
    };
    written(&spec)?;
    // Any answer will do, if there is one.
    let told = Program::compile(&spec, vec![Arc::default(); 2]).err();
    let says = told.is_none_or(|error| !error.to_string().is_empty());
    hold(says, || "an error without a word".to_owned())
}

/// The text of a program, which says all of it.
fn written(spec: &ProgramSpec) -> Result<Vec<u8>, Fault> {
    let text = serde_json::to_vec(spec).map_err(|error| error.to_string())?;
    let read: ProgramSpec = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    hold(read == *spec, || format!("{spec:?} was read as {read:?}"))?;
    Ok(text)
}
