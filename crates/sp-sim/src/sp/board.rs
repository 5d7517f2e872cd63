//! What a simulated service processor has under its dispatcher: identity, host, sensors, images, ignition.

use rackweave_mgmt::sp::dispatch::{Board, Health, Host as HostHandler, Identity, Wire};
use rackweave_mgmt::sp::message::{Failure, Image, Kind, Part, Power, Reading};
use rackweave_mgmt::sp::update::Flash;
use rackweave_types::{Instant, MacAddr};

use super::config::{Sp, UnitKind};
use super::firmware::{Firmware, ROOM};
use super::host::Host;

/// A unit without its network.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) kind: UnitKind,
    pub(super) serial: String,
    pub(super) first_mac: MacAddr,
    parts: Vec<Part>,
    pub(super) readings: Vec<Reading>,
    pub(super) host: Host,
    pub(super) firmware: Firmware,
    /// One bit for each port where a target is felt.
    pub(super) ignition: u64,
    /// When the service processor started, and now.
    pub(super) started: Instant,
    pub(super) now: Instant,
    /// It was told to start anew.
    pub(super) reset: bool,
    /// How often.
    pub(super) resets: u64,
    /// Frames to send.
    pub(super) injected: Vec<Vec<u8>>,
}

impl Body {
    pub(super) fn new(sp: &Sp, now: Instant) -> Self {
        Self {
            kind: sp.kind,
            serial: sp.serial.clone(),
            first_mac: sp.first_mac,
            parts: parts(sp),
            readings: readings(sp.kind),
            host: Host::new(&sp.unit),
            firmware: Firmware::delivered(),
            ignition: sp.ignition.iter().fold(0, |bits, port| bits | bit(*port)),
            started: now,
            now,
            reset: false,
            resets: 0,
            injected: Vec::new(),
        }
    }

    /// Has the ignition controller feel a target, or none; whether the port is one.
    pub(super) fn feel(&mut self, port: u8, present: bool) -> bool {
        if present {
            self.ignition |= bit(port);
        } else {
            self.ignition &= !bit(port);
        }
        bit(port) != 0
    }
}

fn bit(port: u8) -> u64 {
    1_u64.checked_shl(port.into()).unwrap_or_default()
}

fn parts(sp: &Sp) -> Vec<Part> {
    let part = |name: &str, serial: String| Part {
        name: name.into(),
        serial,
    };
    let names: &[&str] = match sp.kind {
        UnitKind::Sled => &["cpu0", "nic0", "nvme0", "nvme1"],
        UnitKind::Psc => &["psu0", "psu1", "psu2", "psu3", "psu4", "psu5"],
        UnitKind::Switch => &["asic0", "vsc7448"],
    };
    let named = names
        .iter()
        .map(|name| part(name, format!("{}-{name}", sp.serial)));
    let dimms = (0..16).filter(|_| sp.kind == UnitKind::Sled);
    let dimms = dimms.map(|slot| part(&format!("dimm{slot}"), format!("{}-d{slot}", sp.serial)));
    named.chain(dimms).collect()
}

fn readings(kind: UnitKind) -> Vec<Reading> {
    let reading = |name: &str, milli, unit: &str| Reading {
        name: name.into(),
        milli,
        unit: unit.into(),
    };
    match kind {
        UnitKind::Sled => vec![
            reading("inlet", 21_500, "C"),
            reading("cpu", 48_250, "C"),
            reading("input", 54_100, "V"),
            reading("fan0", 4_200_000, "rpm"),
        ],
        UnitKind::Psc => vec![
            reading("inlet", 22_000, "C"),
            reading("output", 54_200, "V"),
            reading("load", 41_000, "A"),
        ],
        UnitKind::Switch => vec![reading("inlet", 23_000, "C"), reading("asic", 61_000, "C")],
    }
}

impl Identity for Body {
    fn kind(&self) -> Kind {
        self.kind.into()
    }
    fn serial(&self) -> &str {
        &self.serial
    }
    fn first_mac(&self) -> [u8; 6] {
        self.first_mac.octets()
    }
    fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Health for Body {
    fn firmware(&self) -> (String, bool) {
        let (name, on_trial) = self.firmware.running();
        (name.into(), on_trial)
    }
    fn uptime(&self) -> u64 {
        self.now.since(self.started).as_secs()
    }
    fn readings(&self) -> Vec<Reading> {
        self.readings.clone()
    }
}

impl HostHandler for Body {
    fn power(&self) -> Power {
        if self.host.is_on() {
            Power::On
        } else {
            Power::Off
        }
    }
    fn set_power(&mut self, power: Power) -> Result<(), Failure> {
        if self.kind == UnitKind::Psc {
            return Err(Failure::Unsupported);
        }
        self.host.switch(power == Power::On);
        Ok(())
    }
    fn type_in(&mut self, octets: &[u8]) {
        self.host.type_in(octets);
    }
}

impl Board for Body {
    fn reset(&mut self) {
        self.resets += 1;
        self.reset = true;
    }
    fn ignition(&self) -> Option<u64> {
        (self.kind == UnitKind::Switch).then_some(self.ignition)
    }
}

impl Flash for Body {
    fn room(&self) -> u32 {
        ROOM
    }
    fn write(&mut self, at: u32, octets: &[u8]) {
        self.firmware.write(at, octets);
    }
    fn try_once(&mut self, image: &Image) {
        self.firmware.try_once(image);
    }
    fn keep(&mut self) {
        self.firmware.keep();
    }
}

impl Wire for Body {
    fn inject(&mut self, frame: Vec<u8>) {
        self.injected.push(frame);
    }
}
