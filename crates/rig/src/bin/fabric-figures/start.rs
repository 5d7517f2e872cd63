//! How long a fabric takes from nothing.

use anyhow::{Context, Result};
use serde_json::Value as Json;

use crate::figure::{Value, median_of};
use crate::{Bench, say};

/// Power cycles of the whole lab.
pub(crate) fn cold_start(bench: &Bench) -> Result<Value> {
    let mut times = Vec::new();
    while times.len() < bench.runs && (times.is_empty() || bench.has_time()) {
        let reply: Json = serde_json::from_str(&bench.fabric.lab(&["cycle", "--json"])?)?;
        let ms = reply["reached_ms"].as_f64().context("a cycle takes time")?;
        say(&format!("cold start: {ms} ms"));
        times.push(ms);
    }
    median_of("", times)
}
