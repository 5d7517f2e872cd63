//! One measured figure.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::area::Known;

/// What an area's program prints for a figure, and what `--json` passes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Its name, unique in the area.
    pub(crate) figure: String,
    /// What was measured; `null` where it could not be had, and then `why` says the cause.
    pub(crate) value: Option<f64>,
    /// The unit of `value` and `peer_value`: `ns`, `bytes`, `ratio`.
    pub(crate) unit: String,
    /// What a user would pick instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<String>,
    /// What the peer shows for the same figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer_value: Option<f64>,
    /// `value / peer_value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    /// How the measurement was made shorter, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scale: Option<String>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Row {
    /// Reads a program's line; a row that breaks the contract is an error.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let row: Self = serde_json::from_str(line)?;
        ensure!(
            row.value.is_some() || row.why.is_some(),
            "no value, and no `why`"
        );
        ensure!(
            row.peer.is_some() == row.peer_value.is_some(),
            "`peer` and `peer_value` come together"
        );
        ensure!(
            row.ratio.is_some() == (row.value.is_some() && row.peer.is_some()),
            "`ratio` comes with a value and a peer, and only then"
        );
        Ok(row)
    }

    /// The row of a figure that could not be had.
    pub(crate) fn without(known: &Known, why: &str) -> Self {
        Self {
            figure: known.figure.clone(),
            value: None,
            unit: known.unit.clone(),
            peer: None,
            peer_value: None,
            ratio: None,
            scale: None,
            why: Some(why.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_passed_on_as_it_came() {
        for line in [
            r#"{"figure":"a","value":1.5,"unit":"ns"}"#,
            r#"{"figure":"a","value":1.5,"unit":"ns","peer":"p","peer_value":3.0,"ratio":0.5}"#,
            r#"{"figure":"a","value":null,"unit":"ns","scale":"1/10","why":"no time"}"#,
        ] {
            assert_eq!(
                serde_json::to_string(&Row::parse(line).unwrap()).unwrap(),
                line
            );
        }
    }

    #[test]
    fn a_row_that_breaks_the_contract_is_refused() {
        for (line, says) in [
            (r#"{"figure":"a","value":null,"unit":"ns"}"#, "`why`"),
            (
                r#"{"figure":"a","value":1,"unit":"ns","peer":"p"}"#,
                "`peer_value`",
            ),
            (
                r#"{"figure":"a","value":1,"unit":"ns","peer":"p","peer_value":2}"#,
                "`ratio`",
            ),
            (r#"{"figure":"a","value":1,"unit":"ns","other":2}"#, "other"),
            ("figures follow", "expected"),
        ] {
            let error = Row::parse(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
