//! The configuration file of `rackweave sp-sim`.

use std::fmt;
use std::path::PathBuf;

use rackweave_api::sp_sim::RUN_DIR;
use rackweave_daemon::config::ControlConfig;
use rackweave_mgmt::sp::message::Kind;
use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

/// What `rackweave sp-sim run` is told (TOML); unknown fields are errors. It holds keys: let nobody else read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Control socket.
    pub run_dir: PathBuf,
    /// The service processors.
    pub sp: Vec<Sp>,
    /// Who may ask and change.
    pub control: ControlConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            run_dir: RUN_DIR.into(),
            sp: Vec::new(),
            control: ControlConfig::default(),
        }
    }
}

/// A service processor; its interface is `UNIT-sp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sp {
    /// The unit, as the simulation calls it.
    pub unit: String,
    /// What the unit is.
    pub kind: UnitKind,
    /// Its serial number.
    pub serial: String,
    /// The first of its addresses: a multiple of 16.
    pub first_mac: MacAddr,
    /// What was provisioned as its key, in hexadecimal digits; without one it obeys everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyText>,
    /// Ports where the ignition controller feels targets; of switches.
    #[serde(default)]
    pub ignition: Vec<u8>,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A sled.
    Sled,
    /// A power shelf controller.
    Psc,
    /// A rack switch.
    Switch,
}

impl UnitKind {
    /// The word of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Psc => "psc",
            Self::Switch => "switch",
        }
    }
}

impl From<UnitKind> for Kind {
    fn from(kind: UnitKind) -> Self {
        match kind {
            UnitKind::Sled => Self::Sled,
            UnitKind::Psc => Self::Psc,
            UnitKind::Switch => Self::Switch,
        }
    }
}

/// 32 octets in 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyText(pub [u8; 32]);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits")]
pub struct NoKey;

impl TryFrom<String> for KeyText {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Self, NoKey> {
        let octets = octets_of(&text).ok_or(NoKey)?;
        octets.try_into().map(Self).map_err(|_| NoKey)
    }
}

impl From<KeyText> for String {
    fn from(KeyText(octets): KeyText) -> Self {
        use fmt::Write;
        octets.iter().fold(Self::new(), |mut text, octet| {
            // Writing into a text does not fail.
            let _written = write!(text, "{octet:02x}");
            text
        })
    }
}

/// The octets that hexadecimal digits stand for, two for each.
pub(super) fn octets_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        let both = pair.len() == 2 && pair.bytes().all(|it| it.is_ascii_hexdigit());
        both.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_digits_and_is_not_shown() {
        let text = "0f".repeat(32);
        let key = KeyText::try_from(text.clone()).unwrap();
        assert_eq!(key.0, [0x0f; 32]);
        assert_eq!(
            (format!("{key:?}"), String::from(key)),
            ("KeyText(…)".into(), text)
        );
        for wrong in [
            "",
            "0f",
            &"0g".repeat(32),
            &"+f".repeat(32),
            &"0f".repeat(33),
        ] {
            assert_eq!(KeyText::try_from(wrong.to_owned()), Err(NoKey));
        }
    }

    #[test]
    fn a_field_that_is_not_known_is_named() {
        let text = "[[sp]]\nunit = \"c05\"\nkind = \"sled\"\nserial = \"S\"\nfirst_mac = \"a8:40:25:00:00:10\"\nkeys = 1";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sp.toml");
        std::fs::write(&path, text).unwrap();
        let error = rackweave_daemon::config::read::<Config>(&path).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `keys`"),
            "{error}"
        );
    }
}
