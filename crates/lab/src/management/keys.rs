//! The key of each service processor, which its gateways know too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rackweave_linux::random;
use rackweave_mgmt::port::Unit;

use super::serial;
use crate::step::StepError;

/// Keys of service processors as 64 hexadecimal digits.
#[derive(Debug)]
pub(super) struct Keys(BTreeMap<Unit, String>);

impl Keys {
    /// A key drawn for each unit.
    ///
    /// # Errors
    /// Where the kernel has no randomness.
    pub(super) fn draw(units: &[Unit]) -> Result<Self, StepError> {
        let mut keys = BTreeMap::new();
        for unit in units {
            let octets: [u8; 32] = random::bytes().map_err(|error| {
                StepError::new("cannot draw keys of service processors").because(&error)
            })?;
            let digits = octets.iter().fold(String::new(), |mut digits, octet| {
                let _never = write!(digits, "{octet:02x}");
                digits
            });
            keys.insert(*unit, digits);
        }
        Ok(Self(keys))
    }

    pub(super) fn of(&self, unit: Unit) -> &str {
        self.0.get(&unit).map_or("", String::as_str)
    }

    /// The file of a gateway: serial numbers and keys.
    pub(super) fn file(&self) -> String {
        self.0
            .iter()
            .fold(String::new(), |mut text, (unit, digits)| {
                let _never = writeln!(text, "{} = {digits:?}", serial(*unit));
                text
            })
    }
}

/// Writes a file that nobody else may read.
///
/// # Errors
/// What the file system says.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), StepError> {
    let written = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    written()
        .map_err(|error| StepError::new(format!("cannot write {}", path.display())).because(&error))
}
