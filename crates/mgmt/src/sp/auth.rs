//! Keys of service processors, and counters that no replay passes.
//!
//! A key is provisioned with the service processor and known to the gateways of its rack. A tag covers the datagram, the
//! way it goes, the service processor's boot nonce and a counter; each side takes a counter once, the highest last. So
//! nobody who only carries frames, a subverted switch included, can command a service processor, or answer for one.

use core::fmt;

/// Octets of a tag.
pub const TAG: usize = 16;
const CONTEXT: &str = "rackweave 2026-11-21 management network, service processor key";

/// What a service processor and its gateways share.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// The key that follows from what was provisioned.
    #[must_use]
    pub fn new(provisioned: &[u8; 32]) -> Self {
        Self(blake3::derive_key(CONTEXT, provisioned))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Which way a message goes: a tag of one way proves nothing the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the service processor.
    ToSp,
    /// To the gateway.
    ToMgs,
}

/// What a message proves, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It carries no tag.
    Unproven,
    /// Its tag is not of this key, boot and way, or a bit was changed.
    Forged,
    /// Its counter was taken before.
    Replayed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unproven => "the message proves nothing",
            Self::Forged => "the message is not from who has the key",
            Self::Replayed => "the message was here before",
        })
    }
}

impl core::error::Error for Refused {}

/// Writes tags.
#[derive(Clone, Debug)]
pub struct Sealer {
    key: Key,
    way: Way,
    boot: [u8; 16],
    counter: u64,
}

impl Sealer {
    /// Tags of messages that go this way, for the service processor's boot with this nonce, with counters
    /// above `above`: whoever begins anew must begin higher, such as with the date.
    #[must_use]
    pub const fn new(key: Key, way: Way, boot: [u8; 16], above: u64) -> Self {
        Self {
            key,
            way,
            boot,
            counter: above,
        }
    }

    /// The last counter that was used.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// The next counter.
    pub const fn next_counter(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The tag of these octets, which hold their counter.
    #[must_use]
    pub fn tag(&self, octets: &[u8]) -> [u8; TAG] {
        tag(&self.key, self.way, &self.boot, octets)
    }
}

/// Reads tags.
#[derive(Clone, Debug)]
pub struct Opener {
    key: Key,
    way: Way,
    boot: [u8; 16],
    highest: u64,
    /// Which of the 64 counters up to the highest were taken.
    taken: u64,
}

impl Opener {
    /// Takes messages that go this way, of the service processor's boot with this nonce.
    #[must_use]
    pub const fn new(key: Key, way: Way, boot: [u8; 16]) -> Self {
        Self {
            key,
            way,
            boot,
            highest: 0,
            taken: 0,
        }
    }

    /// Whether these octets with this counter and tag are to be believed; a counter is believed once.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn open(&mut self, counter: u64, octets: &[u8], found: &[u8; TAG]) -> Result<(), Refused> {
        let expected = blake3::Hash::from(padded(tag(&self.key, self.way, &self.boot, octets)));
        // Hashes are compared in constant time.
        if expected != blake3::Hash::from(padded(*found)) {
            return Err(Refused::Forged);
        }
        self.take(counter)
    }

    fn take(&mut self, counter: u64) -> Result<(), Refused> {
        if counter > self.highest {
            let ahead = counter - self.highest;
            self.taken = if ahead < 64 {
                (self.taken << ahead) | 1
            } else {
                1
            };
            self.highest = counter;
            return Ok(());
        }
        let behind = self.highest - counter;
        if behind >= 64 || self.taken & (1 << behind) != 0 {
            return Err(Refused::Replayed);
        }
        self.taken |= 1 << behind;
        Ok(())
    }
}

fn tag(key: &Key, way: Way, boot: &[u8; 16], octets: &[u8]) -> [u8; TAG] {
    let way = match way {
        Way::ToSp => 0,
        Way::ToMgs => 1,
    };
    let mut hasher = blake3::Hasher::new_keyed(&key.0);
    hasher.update(&[way]).update(boot).update(octets);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&hasher.finalize().as_bytes()[..TAG]);
    tag
}

fn padded(tag: [u8; TAG]) -> [u8; 32] {
    let mut padded = [0; 32];
    padded[..TAG].copy_from_slice(&tag);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Sealer, Opener) {
        let key = Key::new(&[7; 32]);
        (
            Sealer::new(key.clone(), Way::ToSp, [1; 16], 100),
            Opener::new(key, Way::ToSp, [1; 16]),
        )
    }

    #[test]
    fn a_counter_is_believed_once_in_any_order_within_64() {
        let (mut sealer, mut opener) = pair();
        let sent: [_; 70] = core::array::from_fn(|_| {
            let counter = sealer.next_counter();
            (counter, sealer.tag(&counter.to_be_bytes()))
        });
        let mut open = |index: usize| {
            let (counter, tag) = &sent[index];
            opener.open(*counter, &counter.to_be_bytes(), tag)
        };
        assert_eq!(open(69), Ok(()));
        assert_eq!(open(6), Ok(()));
        assert_eq!(open(68), Ok(()));
        for index in [69, 6, 68] {
            assert_eq!(open(index), Err(Refused::Replayed));
        }
        assert_eq!(open(5), Err(Refused::Replayed), "too old to tell");
    }

    #[test]
    fn another_key_boot_way_or_bit_proves_nothing() {
        let (mut sealer, opener) = pair();
        let counter = sealer.next_counter();
        let octets = [1, 2, 3];
        let tag = sealer.tag(&octets);
        let others = [
            Opener::new(Key::new(&[8; 32]), Way::ToSp, [1; 16]),
            Opener::new(Key::new(&[7; 32]), Way::ToSp, [2; 16]),
            Opener::new(Key::new(&[7; 32]), Way::ToMgs, [1; 16]),
        ];
        for mut other in others {
            assert_eq!(other.open(counter, &octets, &tag), Err(Refused::Forged));
        }
        for bit in 0..8 * TAG {
            let mut changed = tag;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                opener.clone().open(counter, &octets, &changed),
                Err(Refused::Forged)
            );
        }
        assert_eq!(
            opener.clone().open(counter, &[1, 2, 4], &tag),
            Err(Refused::Forged)
        );
        assert_eq!(opener.clone().open(counter, &octets, &tag), Ok(()));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(alloc::format!("{:?}", Key::new(&[7; 32])), "Key(…)");
    }
}
