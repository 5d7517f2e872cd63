//! The beacon on the wire: 48 octets, big-endian.
//!
//! | octets | what |
//! |---|---|
//! | 0–3 | `rwbn` |
//! | 4 | version, 1 |
//! | 5 | bit 0: the sender looks closer; others are ignored |
//! | 6–7 | zero when sent, ignored when received |
//! | 8–11 | the sender's instance: drawn anew when it begins to count |
//! | 12–15 | number, from 1 |
//! | 16–19 | the receiver's instance, as the sender knows it; 0 for none |
//! | 20–23 | echo: the newest number of that instance that arrived |
//! | 24–27 | how many of that instance's arrived |
//! | 28–31 | nanoseconds from the arrival of the previous beacon's echo to its own departure; all ones: not known |
//! | 32–47 | tag: keyed BLAKE3 over all before, cut to 16 octets |

/// Octets of a beacon.
pub const LEN: usize = 48;
const MAGIC: [u8; 4] = *b"rwbn";
const VERSION: u8 = 1;
const TAGGED: usize = 32;
const CLOSER: u8 = 1;
const UNKNOWN: u32 = u32::MAX;

/// What the beacons of two neighbours are tagged with.
pub type Key = [u8; 32];

/// A beacon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beacon {
    /// Whether the sender looks closer: the receiver is asked to send more often, too.
    pub closer: bool,
    /// The sender's instance.
    pub instance: u32,
    /// Its number of this beacon.
    pub seq: u32,
    /// The receiver's instance; 0 where the sender heard of none.
    pub echo_instance: u32,
    /// The newest number of that instance that arrived.
    pub echo: u32,
    /// How many of it arrived; it wraps.
    pub received: u32,
    /// How long the sender held the echo of its previous beacon, in nanoseconds.
    pub held: Option<u32>,
}

/// Why octets are no beacon for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BeaconError {
    /// Another length, or not ours at all.
    #[error("{got} octets are no beacon")]
    Foreign {
        /// How many.
        got: usize,
    },
    /// Another version.
    #[error("beacon version {got} is not spoken here")]
    Version {
        /// Which.
        got: u8,
    },
    /// The tag is not that of a key of ours.
    #[error("the beacon is tagged with another key")]
    Tag,
    /// Our own came back, or it is of an instance that is over, or for another of ours.
    #[error("the beacon is of another time")]
    Instance,
    /// The number was there already, or is too old to tell.
    #[error("the beacon number {seq} came before")]
    Replayed {
        /// The number.
        seq: u32,
    },
}

impl Beacon {
    /// The octets, tagged.
    #[must_use]
    pub fn emit(&self, key: &Key) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = if self.closer { CLOSER } else { 0 };
        let held = self.held.unwrap_or(UNKNOWN);
        let numbers = [
            self.instance,
            self.seq,
            self.echo_instance,
            self.echo,
            self.received,
            held,
        ];
        for (at, number) in bytes[8..TAGGED].chunks_exact_mut(4).zip(numbers) {
            at.copy_from_slice(&number.to_be_bytes());
        }
        let tag = blake3::keyed_hash(key, &bytes[..TAGGED]);
        bytes[TAGGED..].copy_from_slice(&tag.as_bytes()[..LEN - TAGGED]);
        bytes
    }

    /// Reads a beacon that is tagged with one of the keys; which one.
    ///
    /// # Errors
    /// Where it is none, or tagged with another key.
    pub fn parse(bytes: &[u8], keys: &[Key]) -> Result<(Self, usize), BeaconError> {
        let foreign = BeaconError::Foreign { got: bytes.len() };
        let raw: &[u8; LEN] = bytes.try_into().map_err(|_| foreign)?;
        if raw[..4] != MAGIC {
            return Err(foreign);
        }
        if raw[4] != VERSION {
            return Err(BeaconError::Version { got: raw[4] });
        }
        let (said, tag) = raw.split_at(TAGGED);
        let with = keys.iter().position(|key| {
            let expected = blake3::keyed_hash(key, said);
            // No early end: the time tells nothing of how much was right.
            let differs = expected.as_bytes().iter().zip(tag);
            differs.fold(0, |all, (a, b)| all | (a ^ b)) == 0
        });
        let number =
            |at: usize| u32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        let beacon = Self {
            closer: raw[5] & CLOSER != 0,
            instance: number(8),
            seq: number(12),
            echo_instance: number(16),
            echo: number(20),
            received: number(24),
            held: Some(number(28)).filter(|held| *held != UNKNOWN),
        };
        Ok((beacon, with.ok_or(BeaconError::Tag)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = [7; 32];

    fn frozen() -> Beacon {
        Beacon {
            closer: true,
            instance: 0x0102_0304,
            seq: 5,
            echo_instance: 0x0607_0809,
            echo: 10,
            received: 11,
            held: Some(1_000_000),
        }
    }

    /// The bytes of version 1 never change; nor does this test.
    #[test]
    fn the_bytes_are_frozen() {
        let expected = [
            0x72, 0x77, 0x62, 0x6e, 1, 1, 0, 0, 1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9, 0, 0, 0, 10, 0,
            0, 0, 11, 0, 0x0f, 0x42, 0x40,
        ];
        let bytes = frozen().emit(&KEY);
        assert_eq!(bytes[..TAGGED], expected);
        assert_eq!(bytes[TAGGED..], FROZEN_TAG);
        assert_eq!(Beacon::parse(&bytes, &[[1; 32], KEY]), Ok((frozen(), 1)));
    }

    const FROZEN_TAG: [u8; 16] = [
        187, 59, 219, 28, 31, 223, 109, 166, 203, 128, 204, 91, 12, 76, 117, 66,
    ];

    proptest! {
        #[test]
        fn any_octet_that_is_altered_is_noticed(at in 0..LEN, bit in 0..8_u32, cut in 0..LEN) {
            let mut bytes = frozen().emit(&KEY);
            prop_assert!(Beacon::parse(&bytes[..cut], &[KEY]).is_err());
            bytes[at] ^= 1 << bit;
            prop_assert!(Beacon::parse(&bytes, &[KEY]).is_err());
        }

        #[test]
        fn what_was_said_is_read(numbers: [u32; 5], closer: bool, held in proptest::option::of(0..UNKNOWN)) {
            let [instance, seq, echo_instance, echo, received] = numbers;
            let beacon = Beacon { closer, instance, seq, echo_instance, echo, received, held };
            prop_assert_eq!(Beacon::parse(&beacon.emit(&KEY), &[KEY]), Ok((beacon, 0)));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(Beacon::parse(&bytes, &[KEY]).is_err());
        }
    }
}
