//! Shards: which worker's state a packet belongs to.

use core::fmt;

use crate::program::NatPool;

/// One shard of a port, and how many there are: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShardId {
    index: u16,
    count: u16,
}

/// A count of shards that is not a power of two, or an index beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardError {
    /// The index.
    pub index: u16,
    /// The count.
    pub count: u16,
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "shard {} of {}: the count is a power of two, the index below it",
            self.index, self.count
        )
    }
}

impl core::error::Error for ShardError {}

impl ShardId {
    /// The only shard of a port.
    pub const ONLY: Self = Self { index: 0, count: 1 };

    /// Shard `index` of `count`.
    ///
    /// # Errors
    /// Where the count is not a power of two or the index not below it.
    pub const fn new(index: u16, count: u16) -> Result<Self, ShardError> {
        if count.is_power_of_two() && index < count {
            Ok(Self { index, count })
        } else {
            Err(ShardError { index, count })
        }
    }

    /// Which one.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// The shard that a hash falls to.
    #[must_use]
    pub(crate) const fn of_hash(self, hash: u64) -> u16 {
        // The high bits: the low ones place flows within a shard's index.
        (hash >> 48) as u16 & (self.count - 1)
    }

    /// The shard's aligned share of a block of ports: first port and count; `None` where there is less than one each.
    pub(crate) const fn share(self, pool: &NatPool) -> Option<(u16, u16)> {
        let count = pool.ports / self.count;
        if count == 0 {
            None
        } else {
            Some((pool.first_port + count * self.index, count))
        }
    }

    /// The shard that a port of a block belongs to; `None` where the port is not of the block.
    pub(crate) const fn of_port(self, pool: &NatPool, port: u16) -> Option<u16> {
        let at = port.wrapping_sub(pool.first_port);
        let share = pool.ports / self.count;
        if at >= pool.ports || share == 0 {
            None
        } else {
            Some(at / share)
        }
    }
}
