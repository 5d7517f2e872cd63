//! The keys that were provisioned with service processors: a file of its own, for the gateway's eyes only.
//!
//! ```toml
//! "BRM42220005" = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! ```

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rackweave_mgmt::sp::Key;

use crate::racks::line;

/// What others than its owner may do with the file: nothing.
const OTHERS: u32 = 0o077;

/// Keys by serial number of the unit.
#[derive(Clone, Debug, Default)]
pub struct Keys(BTreeMap<String, Key>);

/// Why a file of keys cannot be used. What stands in it is never told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error("{} is open to others than its owner (mode {mode:03o}): `chmod 600 {}`", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not lines of serial numbers and keys.
    #[error("{}:{line}: a line is a serial number and a key: \"SERIAL\" = \"64 hexadecimal digits\"", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Which line.
        line: usize,
    },
    /// A key is none.
    #[error("{}: the key of {serial} is not 64 hexadecimal digits", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Whose.
        serial: String,
    },
}

impl Keys {
    /// Reads a file.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        let failed = |source| KeysError::Read {
            path: path.into(),
            source,
        };
        let mode = std::fs::metadata(path)
            .map_err(failed)?
            .permissions()
            .mode();
        if mode & OTHERS != 0 {
            return Err(KeysError::Open {
                path: path.into(),
                mode: mode & 0o777,
            });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let lines: BTreeMap<String, String> =
            toml::from_str(&text).map_err(|error| KeysError::Form {
                path: path.into(),
                line: line(&text, error.span().map_or(0, |span| span.start)),
            })?;
        let key = |(serial, digits): (String, String)| match octets(&digits) {
            Some(octets) => Ok((serial, Key::new(&octets))),
            None => Err(KeysError::Key {
                path: path.into(),
                serial,
            }),
        };
        lines
            .into_iter()
            .map(key)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The key of a unit.
    #[must_use]
    pub fn of(&self, serial: &str) -> Option<&Key> {
        self.0.get(serial)
    }

    /// Whether there is none at all: then nobody is asked for proof.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<(String, Key)> for Keys {
    fn from_iter<I: IntoIterator<Item = (String, Key)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

fn octets(digits: &str) -> Option<[u8; 32]> {
    let mut octets = [0; 32];
    if digits.len() != 2 * octets.len() || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *octet = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn read(text: &str, mode: u32) -> Result<Keys, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let name = path.display().to_string();
        Keys::read(&path).map_err(|error| error.to_string().replace(&name, "KEYS"))
    }

    #[test]
    fn keys_are_read_by_serial_number() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        let keys = read(
            &format!("A1 = \"{digits}\"\n\"B 2\" = \"{digits}\"\n"),
            0o600,
        )
        .unwrap();
        assert_eq!(keys.len(), 2);
        assert!(keys.of("A1").is_some() && keys.of("B 2").is_some() && keys.of("C3").is_none());
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_told() {
        let open = read("", 0o640).unwrap_err();
        assert_eq!(
            open,
            "KEYS is open to others than its owner (mode 640): `chmod 600 KEYS`"
        );
        let short = read("A1 = \"5ec2e7\"", 0o600).unwrap_err();
        assert_eq!(short, "KEYS: the key of A1 is not 64 hexadecimal digits");
        let form = read("A1 = \"00\"\nB2 = 5\n", 0o600).unwrap_err();
        assert!(form.starts_with("KEYS:2: a line is"), "{form}");
    }
}
