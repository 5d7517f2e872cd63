//! What holds for any bytes: each property takes the bytes that choose a case. Property tests draw them, and fuzz
//! targets (`fuzz/`) try them.

mod answers;
mod bgp;
mod explained;
mod frozen;
mod hostile;
mod journaled;
mod management;
mod modelled;
mod neighbors;
mod programs;
mod racks;
mod reading;
mod shards;
mod stage;
mod twins;

pub use answers::answers;
pub use bgp::bgp;
pub use explained::{explained, reached};
pub use frozen::{goes_on, thaw};
pub use hostile::hostile;
pub use journaled::recover;
pub use management::{gateway, service_processor};
pub use modelled::modelled;
pub use neighbors::{neighbors, sessions};
pub use programs::{faults, programs};
pub use racks::racks;
pub use reading::{frame, wire};
pub use shards::shards;
pub use twins::{batches, established};

/// What does not hold, and where.
pub type Fault = String;

/// Says what must hold.
fn hold(holds: bool, what: impl FnOnce() -> Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(what()) }
}
