//! The routing daemon of sleds and switches.
