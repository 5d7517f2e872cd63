//! The areas, and how each area's program is called.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::row::Row;
use super::{QUICK_KILLED, QUICK_TOLD_SECONDS};
use crate::child::{self, Ending, Interrupt};
use crate::workspace;

const AREAS: [Area; 1] = [Area {
    name: "engine",
    about: "The packet engine, with the VPC network on top of it",
    package: "rackweave-bench",
    program: "engine-figures",
}];

/// A part of the system that is measured by one program.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    package: &'static str,
    program: &'static str,
}

/// A figure as the area's program lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) figure: String,
    pub(crate) unit: String,
    pub(crate) about: String,
}

/// The names of all areas.
pub(crate) fn names() -> [&'static str; AREAS.len()] {
    AREAS.map(|area| area.name)
}

/// The area of that name.
pub(crate) fn named(name: &str) -> Option<&'static Area> {
    AREAS.iter().find(|area| area.name == name)
}

impl Area {
    /// Builds the program, so that its own time is all measuring.
    pub(crate) fn build(&self, interrupt: &Interrupt) -> Result<Ending> {
        let ending = child::run(&mut self.cargo("build"), interrupt, None, |_| Ok(()))?;
        match ending {
            Ending::Exited(status) if !status.success() => {
                bail!("cannot build {} ({status})", self.program)
            }
            ending => Ok(ending),
        }
    }

    /// The figures that the program knows.
    pub(crate) fn list(&self, interrupt: &Interrupt) -> Result<Vec<Known>> {
        let mut command = self.cargo("run");
        command.args(["--", "--list"]);
        let mut known = Vec::new();
        let ending = child::run(&mut command, interrupt, None, |line| {
            known.push(serde_json::from_str(&line).with_context(|| misread(self.program, &line))?);
            Ok(())
        })?;
        match ending {
            Ending::Exited(status) if status.success() => Ok(known),
            ending => bail!("{} did not list its figures ({ending:?})", self.program),
        }
    }

    /// Measures `wanted`, handing over each row as it comes.
    pub(crate) fn measure(
        &self,
        quick: bool,
        wanted: &[&Known],
        interrupt: &Interrupt,
        mut on_row: impl FnMut(Row) -> Result<()>,
    ) -> Result<Ending> {
        let mut command = self.cargo("run");
        command.arg("--");
        if quick {
            command
                .args(["--quick", "--seconds"])
                .arg(QUICK_TOLD_SECONDS.to_string());
        }
        command
            .arg("--only")
            .args(wanted.iter().map(|known| &known.figure));
        child::run(
            &mut command,
            interrupt,
            quick.then_some(QUICK_KILLED),
            |line| on_row(Row::parse(&line).with_context(|| misread(self.program, &line))?),
        )
    }

    fn cargo(&self, verb: &str) -> Command {
        let mut command = workspace::cargo();
        command.args([verb, "--quiet", "--release", "--package", self.package]);
        command.args(["--bin", self.program]);
        command
    }
}

fn misread(program: &str, line: &str) -> String {
    format!("{program} printed what is no figure: {line}")
}
