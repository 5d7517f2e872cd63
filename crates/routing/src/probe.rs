//! Delay and loss, of links and of paths.
//!
//! Two neighbours send each other beacons, 50 a second, and for a second after something looked odd 200 a second.
//! [`message`] is what is on the wire, [`Beacons`] the machine of one neighbour, [`Estimate`] what it finds.
//!
//! **Round trip.** A beacon tells the number of the newest one that its sender had from the other side (the echo). How
//! long the sender held that is in its *next* beacon, because only then the kernel has told when the first one left. So
//! four stamps of the kernel make a round trip: left here, arrived there, left there, arrived here; neither clock is
//! compared with the other, and no program's wait for a processor is in it.
//!
//! ```text
//! beacon 7 ──left──▸ arrived ┐ held
//! arrived ◂───────── left ───┘ beacon 31, echo 7
//! arrived ◂───────────────── beacon 32: "31 held its echo for … ns"
//! round trip = arrived(31) − left(7) − held(31)
//! ```
//!
//! **Loss** in both directions: gaps in the other side's numbers, and what the other side says that it received of ours.
//!
//! **Paths** are only verified: [`Paths`] asks destinations in use from several source ports, which the kernel's hash
//! sends on several paths ([`question`] on the wire), and compares the round trip with the sum of what was announced.
//!
//! **What is reported** (`estimate`): the median of the newest 17 round trips, once 14 of them are above or below what
//! was reported by more than a fifth and 250 µs. Loss: of the newest 64 beacons when three or more are lost and it is much
//! more than was reported, of the newest 256 when it is somewhat more, and again when it has fallen to less than half.

pub mod message;
pub mod question;

mod beacons;
mod estimate;
mod losses;
mod paths;

pub use beacons::{Beacons, Outgoing};
pub use estimate::Estimate;
pub use paths::{Aim, Asked, PathCounts, Paths, Verified};

/// Where beacons go, unless configured otherwise.
pub const PORT: u16 = 6091;
/// Where questions go, unless configured otherwise.
pub const PATHS_PORT: u16 = 6092;

/// When the kernel saw a datagram: nanoseconds of a clock of this machine. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

impl Stamp {
    /// Nanoseconds since an earlier one; negative where the clock was set back.
    fn since(self, earlier: Self) -> i64 {
        i64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(i64::MAX)
    }
}
