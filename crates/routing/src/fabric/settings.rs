//! What a node is told about itself.

use std::time::Duration;

use rackweave_trust::Assignment;
use rackweave_types::{AzPrefix, MacAddr, Role};

use crate::ddm::session::Security;

/// What a node is told about itself before it meets anybody.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its hardware address, of which its bootstrap prefix is made.
    pub hardware: MacAddr,
    /// Its identity: what it was named, else its machine's serial number, else its least hardware address.
    pub identity: String,
    /// What it does.
    pub role: Role,
    /// Its AZ, for a spine; others have it from their assignment.
    pub az: Option<AzPrefix>,
    /// Its role and /64, where its rack has stated them already.
    pub assignment: Option<Assignment>,
    /// How long a neighbour may be silent until its control is taken for dead.
    pub hold: Duration,
    /// Whether sessions are signed, and with what.
    pub security: Security,
}

impl Settings {
    /// How long a neighbour may be silent where nothing else is said.
    pub const HOLD: Duration = Duration::from_secs(3);

    /// An unsigned node that knows nothing but its hardware address and its role; the address is its identity.
    #[must_use]
    pub fn new(hardware: MacAddr, role: Role) -> Self {
        Self {
            hardware,
            identity: hardware.to_string(),
            role,
            az: None,
            assignment: None,
            hold: Self::HOLD,
            security: Security::Unsigned,
        }
    }
}
