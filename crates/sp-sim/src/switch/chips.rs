//! Chips on interfaces.

use std::path::Path;

use rackweave_daemon::config;
use rackweave_mgmt::plan;
use rackweave_mgmt::rack::{Description, Rack};
use rackweave_mgmt::switch::{ChipPort, Switch, Tables};
use rackweave_types::Instant;

use super::config::Config;
use crate::machine::{Machine, Out};

/// A chip at work.
#[derive(Debug)]
pub(super) struct Chip {
    pub(super) name: String,
    pub(super) switch: Switch,
    /// What it was programmed with at the start.
    pub(super) first: Tables,
    /// The number of its first interface; the others follow in the order of its ports.
    at: usize,
    ports: Vec<ChipPort>,
    links: Vec<String>,
}

impl Chip {
    fn new(name: &str, tables: Tables, at: usize, link: impl Fn(ChipPort) -> String) -> Self {
        let ports: Vec<ChipPort> = tables.ports.keys().copied().collect();
        Self {
            name: name.into(),
            switch: Switch::new(tables.clone()),
            first: tables,
            at,
            links: ports.iter().map(|port| link(*port)).collect(),
            ports,
        }
    }

    /// Its ports, each with its interface's name and number.
    pub(super) fn ports(&self) -> impl Iterator<Item = (ChipPort, &str, usize)> {
        let numbered = self.ports.iter().zip(&self.links).zip(self.at..);
        numbered.map(|((port, link), number)| (*port, link.as_str(), number))
    }
}

/// All chips of the process.
#[derive(Debug)]
pub(super) struct Chips {
    pub(super) chips: Vec<Chip>,
    /// The chip and port of each interface, by its number.
    owners: Vec<(usize, ChipPort)>,
}

impl Chips {
    /// The chips of a configuration, programmed by the plan.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let mut chips = Self {
            chips: Vec::new(),
            owners: Vec::new(),
        };
        for vsc in &config.vsc7448 {
            let rack = rack(&vsc.rack)?;
            let upstream = plan::chip(rack.upstream());
            let tables = plan::vsc7448(&rack, config.learning);
            chips.add(&vsc.name, tables, |port| {
                if port == upstream {
                    vsc.uplink.clone()
                } else {
                    format!("{}{:02}", vsc.ports, port.0)
                }
            });
        }
        for ksz in &config.ksz8463 {
            let tables = plan::ksz8463(config.learning);
            chips.add(&ksz.unit, tables, |port| format!("{}-{}", ksz.unit, port.0));
        }
        Ok(chips)
    }

    fn add(&mut self, name: &str, tables: Tables, link: impl Fn(ChipPort) -> String) {
        let chip = Chip::new(name, tables, self.owners.len(), link);
        let index = self.chips.len();
        self.owners
            .extend(chip.ports.iter().map(|port| (index, *port)));
        self.chips.push(chip);
    }

    /// The chip with this name.
    pub(super) fn named(&mut self, name: &str) -> Option<&mut Chip> {
        self.chips.iter_mut().find(|chip| chip.name == name)
    }
}

fn rack(path: &Path) -> anyhow::Result<Rack> {
    let description: Description = config::read(path)?;
    Rack::check(&description).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}: {}", path.display(), faults.join("; "))
    })
}

impl Machine for Chips {
    fn links(&self) -> Vec<String> {
        let links = self.chips.iter().flat_map(|chip| &chip.links);
        links.cloned().collect()
    }

    fn receive(&mut self, _: Instant, link: usize, frame: &[u8], out: &mut Out) {
        let Some((index, port)) = self.owners.get(link) else {
            return;
        };
        let chip = &mut self.chips[*index];
        // What is dropped is counted at the port.
        let leaving = chip.switch.forward(*port, frame).unwrap_or_default();
        for egress in leaving {
            let place = chip.ports.binary_search(&egress.port);
            // A port that the chip was programmed with later has no cable.
            if let Ok(place) = place {
                out.send(chip.at + place, egress.frame);
            }
        }
    }

    fn tick(&mut self, _: Instant, _: &mut Out) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }
}
