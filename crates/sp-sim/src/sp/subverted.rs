//! What a subverted service processor tries: orders to everybody who hears it, and what it overhears again, as it was
//! and altered. It has its own key and no other.

use std::time::Duration;

use rackweave_mgmt::sp::SP_PORT;
use rackweave_mgmt::sp::auth::{Key, Sealer, Way};
use rackweave_mgmt::sp::envelope::{self, Message};
use rackweave_mgmt::sp::message::{Power, Request};
use rackweave_types::Instant;

/// How often it tries.
const EVERY: Duration = Duration::from_millis(50);
/// Frames that it remembers.
const REMEMBERED: usize = 64;
/// Where the payload of UDP in IPv6 begins, behind an Ethernet header with one tag.
const PAYLOAD: usize = 12 + 4 + 2 + 40 + 8;

/// A service processor that obeys somebody else.
#[derive(Debug)]
pub(super) struct Subverted {
    /// Its unit's key, if it has one.
    key: Option<Key>,
    id: u32,
    next: Instant,
    remembered: Vec<Vec<u8>>,
    /// Frames of others that it heard.
    pub(super) overheard: u64,
}

impl Subverted {
    /// One that has just been taken over.
    pub(super) const fn new(key: Option<Key>, now: Instant) -> Self {
        Self {
            key,
            id: 0x6666_0000,
            next: now,
            remembered: Vec::new(),
            overheard: 0,
        }
    }

    /// A frame that was for somebody else.
    pub(super) fn overhear(&mut self, frame: &[u8]) {
        self.overheard += 1;
        if is_order(frame) && self.remembered.len() < REMEMBERED {
            self.remembered.push(frame.to_vec());
        }
    }

    /// When it tries next.
    pub(super) const fn deadline(&self) -> Instant {
        self.next
    }

    /// What it sends now: datagrams to all, and whole frames.
    pub(super) fn attack(&mut self, now: Instant) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        if now < self.next {
            return (Vec::new(), Vec::new());
        }
        self.next = now.after(EVERY);
        let orders = [Request::Reset, Request::SetPower(Power::On)];
        let mut datagrams = Vec::new();
        for order in orders {
            self.id = self.id.wrapping_add(1);
            let message = Message::Request(order);
            let mut sealer = self
                .key
                .clone()
                .map(|key| Sealer::new(key, Way::ToSp, [0; 16], now.nanos()));
            for sealer in [None, sealer.as_mut()] {
                datagrams.extend(envelope::write(self.id, &message, sealer));
            }
        }
        let mut frames = Vec::new();
        for frame in self.remembered.drain(..) {
            frames.extend(altered(&frame));
            frames.push(frame);
        }
        (datagrams, frames)
    }
}

/// Whether a frame is to a service processor's port.
fn is_order(frame: &[u8]) -> bool {
    let udp_v6 = frame.get(16..18) == Some(&[0x86, 0xdd]) && frame.get(24) == Some(&17);
    udp_v6 && frame.get(60..62) == Some(&SP_PORT.to_be_bytes())
}

/// The frame with another message in it whose checksum is right all the same: two words of it change places.
fn altered(frame: &[u8]) -> Option<Vec<u8>> {
    let payload = frame.get(PAYLOAD..)?;
    let words: Vec<&[u8]> = payload.chunks_exact(2).collect();
    // Behind version and flags, which must stay as they are to be looked at further.
    let other = words.iter().skip(2).position(|word| *word != words[1])? + 2;
    let mut altered = frame.to_vec();
    for octet in 0..2 {
        altered.swap(PAYLOAD + 2 + octet, PAYLOAD + 2 * other + octet);
    }
    Some(altered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_altered_has_the_same_words_in_another_order() {
        let mut frame = vec![0; PAYLOAD];
        frame.extend([1, 2, 3, 4, 3, 4, 5, 6]);
        let altered = altered(&frame).unwrap();
        assert_eq!(altered[PAYLOAD..], [1, 2, 5, 6, 3, 4, 3, 4]);
        assert_eq!(super::altered(&frame[..PAYLOAD + 4]), None);
    }

    #[test]
    fn it_tries_again_and_again_and_replays_once() {
        let mut subverted = Subverted::new(Some(Key::new(&[1; 32])), Instant::START);
        let mut frame = vec![0; PAYLOAD];
        frame[16..18].copy_from_slice(&[0x86, 0xdd]);
        frame[24] = 17;
        frame[60..62].copy_from_slice(&SP_PORT.to_be_bytes());
        frame.extend([1, 2, 3, 4, 5, 6]);
        subverted.overhear(&frame);
        subverted.overhear(&[0; 60]);
        let (datagrams, frames) = subverted.attack(Instant::START);
        assert_eq!(
            (datagrams.len(), frames.len(), subverted.overheard),
            (4, 2, 2)
        );
        assert_eq!(subverted.attack(Instant::START), (vec![], vec![]));
        let (datagrams, frames) = subverted.attack(subverted.deadline());
        assert_eq!((datagrams.len(), frames.len()), (4, 0));
    }
}
