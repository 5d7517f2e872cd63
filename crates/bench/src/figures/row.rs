//! What is printed: `xtask/src/figures/row.rs` reads it.

use serde::Serialize;

/// A figure, as `--list` names it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Known<'a> {
    pub(crate) figure: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) about: &'a str,
}

/// A figure that was measured, or why it was not.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) value: Option<f64>,
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) peer: Option<Peer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// What a user would pick instead.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Peer {
    peer: String,
    pub(crate) peer_value: f64,
}

impl Peer {
    /// The best public implementation of the same engine: built and run on this kind of machine
    /// when the targets were set, not in this run.
    pub(crate) fn quoted(value: f64) -> Self {
        Self {
            peer: "best public engine (quoted, not measured in this run)".to_owned(),
            peer_value: value,
        }
    }
}
