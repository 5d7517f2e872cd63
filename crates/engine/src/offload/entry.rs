//! What an executor gets of a connection.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::direction::Direction;
use crate::flow::CompiledFlow;
use crate::transform::OuterTemplate;

/// One connection for an executor: plain data of a fixed size, native byte order unless said otherwise, nothing in it
/// refers to anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OffloadEntry {
    /// What is matched and done. The numbers of template and peer mean nothing here; both are below.
    pub flow: CompiledFlow,
    /// The tunnel headers of outbound packets; zero where that half is not compiled.
    pub template: OuterTemplate,
    /// The tunnel end point that inbound packets must come from, network order; zero where that half is not compiled.
    pub peer: [u8; 16],
    /// The epoch for which the entry holds; in another one it is void.
    pub epoch: u32,
    /// The port's guest MTU in octets: a longer packet that carries the MSS option is one that was never cut.
    pub guest_mtu: u16,
    /// Which halves hold: [`OUT`](Self::OUT), [`IN`](Self::IN).
    pub halves: u8,
    /// Zero.
    pub reserved: [u8; 5],
    /// Nanoseconds without a packet after which the connection has ended.
    pub idle_timeout: u64,
    /// When the last packet came that the shard knows of, in nanoseconds.
    pub last_use: u64,
}

impl OffloadEntry {
    /// Bit of [`halves`](Self::halves): outbound packets.
    pub const OUT: u8 = 1;
    /// Bit of [`halves`](Self::halves): inbound packets.
    pub const IN: u8 = 2;

    /// Whether packets of this direction may be executed.
    #[must_use]
    pub const fn has(&self, direction: Direction) -> bool {
        let bit = match direction {
            Direction::Out => Self::OUT,
            Direction::In => Self::IN,
        };
        self.halves & bit != 0
    }
}
