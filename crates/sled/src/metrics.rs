//! What the sled counts, as collectors read it.
//!
//! What is counted and under which names is in `docs/metrics.md`.

mod families;
mod scrape;
#[cfg(test)]
mod tests;
