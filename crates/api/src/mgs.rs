//! What one can ask the management gateway, over HTTP; `docs/openapi/mgs.json` is the same for other languages.

mod cabling;
mod console;
mod location;
mod selftest;
mod sp;
mod update;
mod vlans;

pub use cabling::{
    Cabling, CablingFinding, FindingKind, Overridden, OverrideRequest, PortView, SwitchStatus,
    Switches, View,
};
pub use console::{ConsoleRequest, ConsoleSession, ConsoleStatus};
pub use location::{Candidate, Contradiction, Location, Position};
pub use selftest::{Leak, Selftest};
pub use sp::{
    Part, Power, PowerRequest, Reading, Sensors, Sp, SpKind, SpLink, SpList, SpState, Where,
};
pub use update::{UpdateStage, UpdateStatus};
pub use vlans::{Chip, ChipPort, PortRole, VlanMembers, Vlans};

/// The gateway's name, as commands and units have it.
pub const SERVICE: &str = "mgs";
/// Where a gateway has its socket and lock where nothing else is said.
pub const RUN_DIR: &str = "/run/rackweave/mgs";
/// The API's socket in the run directory.
pub const SOCKET: &str = "mgs.sock";
