//! Service processors on interfaces.

use rackweave_types::Instant;

use super::config::Config;
use super::unit::Unit;
use crate::machine::{Machine, Out};

/// All service processors of the process; each has the interface with its number.
#[derive(Debug)]
pub(super) struct Units(pub(super) Vec<Unit>);

impl Units {
    /// The service processors of a configuration, which all start now.
    pub(super) fn new(config: &Config, now: Instant) -> anyhow::Result<Self> {
        let units = config.sp.iter().map(|sp| Unit::new(sp, now));
        units.collect::<anyhow::Result<_>>().map(Self)
    }
}

impl Machine for Units {
    fn links(&self) -> Vec<String> {
        let Self(units) = self;
        units
            .iter()
            .map(|unit| format!("{}-sp", unit.name))
            .collect()
    }

    fn receive(&mut self, now: Instant, link: usize, frame: &[u8], _: &mut Out) {
        let Self(units) = self;
        if let Some(unit) = units.get_mut(link) {
            unit.receive(now, frame);
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Out) {
        let Self(units) = self;
        for (link, unit) in units.iter_mut().enumerate() {
            if unit.due().is_some_and(|due| due <= now) {
                unit.poll(now, link, out);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let Self(units) = self;
        units.iter().filter_map(Unit::due).min()
    }
}
