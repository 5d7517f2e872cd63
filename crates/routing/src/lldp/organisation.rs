//! Elements that organisations define for themselves, and those that nobody here knows (IEEE 802.1AB, 8.6).

use std::fmt;

/// Whose an element is: the first three octets of its Ethernet addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Organisation(pub [u8; 3]);

impl Organisation {
    /// IEEE 802.3: Ethernet itself.
    pub const ETHERNET: Self = Self([0x00, 0x12, 0x0f]);
    /// IEEE 802.1: bridges and VLANs.
    pub const BRIDGING: Self = Self([0x00, 0x80, 0xc2]);
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02x}-{b:02x}-{c:02x}")
    }
}

/// An element that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// Of a type that the standard keeps for later.
    Reserved {
        /// The type: 9 to 126.
        kind: u8,
        /// Its content.
        octets: Box<[u8]>,
    },
    /// An organisation's own.
    Organisation {
        /// Whose.
        organisation: Organisation,
        /// What of it.
        subtype: u8,
        /// What follows.
        octets: Box<[u8]>,
    },
}
