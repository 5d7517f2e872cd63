//! Who is who: the tree of keys from AZ root over racks to nodes, and what racks state about their nodes.
//!
//! Pure: keys are made from octets that the caller drew, signatures are checked at a time that the caller names.
#![forbid(unsafe_code)]

mod assignment;

pub use assignment::Assignment;
