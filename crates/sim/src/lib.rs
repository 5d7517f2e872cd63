//! Whole racks in virtual time, from a seed.
#![forbid(unsafe_code)]
