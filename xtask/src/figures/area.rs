//! The areas, and how each area's program is called.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::row::Row;
use super::{QUICK_KILLED, QUICK_TOLD_SECONDS};
use crate::child::{self, Ending, Interrupt};
use crate::workspace;

const AREAS: [Area; 5] = [
    Area {
        name: "engine",
        about: "The packet engine, with the VPC network on top of it",
        program: Program::Binary("engine-figures"),
        built: &[("rackweave-bench", "engine-figures")],
    },
    Area {
        name: "sled",
        about: "Guest to guest through two sleds, beside what a user would run instead; needs root",
        program: Program::Script("bench/figures.py"),
        built: &[
            ("rackweave", "rackweave"),
            ("rackweave-bench", "bench-load"),
        ],
    },
    Area {
        name: "fabric",
        about: "The routed underlay of two racks in network namespaces, and of many in virtual time; needs root",
        program: Program::Binary("fabric-figures"),
        built: &[
            ("rackweave-rig", "fabric-figures"),
            ("rackweave", "rackweave"),
            ("rackweave-sim", "rackweave-sim"),
        ],
    },
    Area {
        name: "control",
        about: "The plan of a large AZ, and how its changes come to nodes",
        program: Program::Binary("control-figures"),
        built: &[
            ("rackweave-bench", "control-figures"),
            ("rackweave", "rackweave"),
        ],
    },
    Area {
        name: "management",
        about: "The management network of a whole rack in network namespaces, and every case of it in the model of its chips; needs root",
        program: Program::Binary("management-figures"),
        built: &[
            ("rackweave-rig", "management-figures"),
            ("rackweave", "rackweave"),
        ],
    },
];

/// A part of the system that is measured by one program.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    program: Program,
    /// Packages and their binaries that it needs, built for release.
    built: &'static [(&'static str, &'static str)],
}

/// What measures an area.
#[derive(Debug)]
enum Program {
    /// A binary of the workspace, by its name.
    Binary(&'static str),
    /// A script, by its path from the workspace's root.
    Script(&'static str),
}

impl Program {
    const fn name(&self) -> &'static str {
        match self {
            Self::Binary(name) | Self::Script(name) => name,
        }
    }
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
        let mut command = workspace::cargo();
        command.args(["build", "--quiet", "--release"]);
        for (package, binary) in self.built {
            command.args(["--package", package, "--bin", binary]);
        }
        let ending = child::run(&mut command, interrupt, None, |_| Ok(()))?;
        match ending {
            Ending::Exited(status) if !status.success() => {
                bail!("cannot build {} ({status})", self.program.name())
            }
            ending => Ok(ending),
        }
    }

    /// The figures that the program knows.
    pub(crate) fn list(&self, interrupt: &Interrupt) -> Result<Vec<Known>> {
        let mut command = self.command();
        command.arg("--list");
        let mut known = Vec::new();
        let ending = child::run(&mut command, interrupt, None, |line| {
            known.push(
                serde_json::from_str(&line).with_context(|| misread(self.program.name(), &line))?,
            );
            Ok(())
        })?;
        match ending {
            Ending::Exited(status) if status.success() => Ok(known),
            ending => bail!(
                "{} did not list its figures ({ending:?})",
                self.program.name()
            ),
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
        let mut command = self.command();
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
            |line| on_row(Row::parse(&line).with_context(|| misread(self.program.name(), &line))?),
        )
    }

    /// The program, built.
    fn command(&self) -> Command {
        match self.program {
            Program::Binary(binary) => {
                let mut command = workspace::cargo();
                let package = self.built.iter().find(|(_, built)| *built == binary);
                command.args(["run", "--quiet", "--release", "--bin", binary]);
                command.args(
                    package
                        .iter()
                        .flat_map(|(package, _)| ["--package", package]),
                );
                command.arg("--");
                command
            }
            Program::Script(path) => Command::new(workspace::root().join(path)),
        }
    }
}

fn misread(program: &str, line: &str) -> String {
    format!("{program} printed what is no figure: {line}")
}
