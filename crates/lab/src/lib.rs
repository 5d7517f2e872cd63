//! A rack on one machine.
