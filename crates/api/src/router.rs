//! What one can ask the routing daemon, at `RUN_DIR/router.sock`.

mod lldp;

pub use lldp::{LldpManagement, LldpNeighbor, LldpUnknown};
