//! The one place for chores.
fn main() {}
