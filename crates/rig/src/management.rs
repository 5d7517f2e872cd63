//! A lab of a rack's management network, built by the program under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::fabric::Fabric;
use crate::process::{Output, tail};

/// A lab of this test with a management network, taken away when it is dropped.
#[derive(Debug)]
pub struct Management {
    lab: Fabric,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, of itself and the kernel for it.
    pub cpu: Duration,
    /// Memory that it holds, in octets.
    pub resident: u64,
}

impl Management {
    /// Has `program` build a management network; `more` is told it besides.
    ///
    /// # Errors
    /// What the program says.
    pub fn start(program: &str, more: &[&str]) -> Result<Self> {
        let management = Self {
            lab: Fabric::unmade(program),
        };
        let made = management
            .lab
            .lab(&[&["management", "--json"], more].concat());
        management.with_logs(made.map(drop))?;
        Ok(management)
    }

    /// The lab.
    pub const fn lab(&self) -> &Fabric {
        &self.lab
    }

    /// Runs `rackweave …` in a node, which is asked by it.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn run(&self, node: &str, words: &[&str]) -> Result<Output> {
        let program = self.lab.program().display().to_string();
        self.lab
            .try_lab(&[&["exec", node, "--", &program], words].concat())
    }

    /// Asks by `rackweave …` in a node (`mgs-a`), and gives the reply; a command that finds something wrong replies
    /// too.
    ///
    /// # Errors
    /// Where the reply is no JSON.
    pub fn ask(&self, node: &str, words: &[&str]) -> Result<Value> {
        let said = self.run(node, &[words, &["--json"]].concat())?;
        serde_json::from_str(&said.stdout)
            .with_context(|| format!("{node} said no JSON: {}{}", said.stdout, said.stderr))
    }

    /// Ends and starts a program, or all of them, and gives how many milliseconds it took until every gateway that was
    /// started had found all units.
    ///
    /// # Errors
    /// What the program says.
    pub fn cycle(&self, program: Option<&str>) -> Result<f64> {
        let mut words = vec!["cycle", "--management", "--json"];
        words.extend(program);
        let reply: Value = serde_json::from_str(&self.lab.lab(&words)?)?;
        reply["found_ms"]
            .as_f64()
            .context("a cycle takes milliseconds")
    }

    /// What a gateway finds wrong with cables, in words.
    ///
    /// # Errors
    /// What the program says.
    pub fn findings(&self, gateway: &str) -> Result<Vec<String>> {
        let cabling = self.ask(gateway, &["mgmt", "cabling"])?;
        let findings = cabling["findings"].as_array().context("findings")?;
        let texts = findings.iter().map(|finding| finding["text"].as_str());
        let texts: Option<Vec<_>> = texts.map(|text| text.map(str::to_owned)).collect();
        texts.with_context(|| format!("findings have a text: {cabling}"))
    }

    /// What `lab status` says of a program.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn program(&self, name: &str) -> Result<Value> {
        let status = self.lab.status()?;
        let programs = status["management"]["programs"]
            .as_array()
            .context("a management network has programs")?;
        let mut found = programs.iter().filter(|program| program["name"] == name);
        let found = found.next().with_context(|| format!("no program {name}"))?;
        Ok(found.clone())
    }

    /// The process of a program.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pid(&self, name: &str) -> Result<u32> {
        let pid = self.program(name)?["pid"].as_u64();
        let pid = pid.with_context(|| format!("{name} does not run"))?;
        Ok(u32::try_from(pid)?)
    }

    /// The socket on which a program is asked.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn socket(&self, name: &str) -> Result<PathBuf> {
        let program = self.program(name)?;
        Ok(program["socket"].as_str().context("a socket")?.into())
    }

    /// What the process of a program has used.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn usage(&self, name: &str) -> Result<Usage> {
        let process = Path::new("/proc").join(self.pid(name)?.to_string());
        // schedstat (Documentation/scheduler/sched-stats.rst): the first word is the time on a processor, in nanoseconds.
        let mut cpu = Duration::ZERO;
        for task in fs::read_dir(process.join("task"))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = stat.split_ascii_whitespace().next();
            cpu += Duration::from_nanos(on_cpu.context("a task has been on a processor")?.parse()?);
        }
        let status = fs::read_to_string(process.join("status"))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kib: u64 = resident.context("a process holds memory")?.parse()?;
        Ok(Usage {
            cpu,
            resident: kib * 1024,
        })
    }

    /// A test's result; where it is an error, with what the programs said last.
    ///
    /// # Errors
    /// That of the test.
    pub fn with_logs(&self, done: Result<()>) -> Result<()> {
        done.with_context(|| {
            let status = self.lab.status().unwrap_or_default();
            let programs = status["management"]["programs"].as_array();
            let logs = programs.into_iter().flatten().map(|program| {
                let log = program["log"].as_str().unwrap_or_default();
                let log = fs::read_to_string(log).unwrap_or_default();
                format!("---- {} said:\n{}", program["name"], tail(&log))
            });
            logs.collect::<Vec<_>>().join("\n")
        })
    }
}
