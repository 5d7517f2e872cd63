//! Session tokens. Nothing is kept of one: it names its end and a number of its own, and a keyed hash (BLAKE3) over
//! these and the port proves that this process gave it to this port. So no guest can fill a table with them, and one
//! that leaks is of no use to another.

use std::fmt;
use std::time::Duration;

use rackweave_types::{Instant, PortId};

use crate::agent::random::Random;

const NONCE: usize = 8;
const PROOF: usize = 26;
/// End, nonce, proof: a multiple of three octets, so that the text needs no padding.
const TOKEN: usize = 8 + NONCE + PROOF;
/// Base 64 with characters that URLs and header fields take (RFC 4648, section 5).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Gives and checks tokens.
pub(crate) struct Tokens {
    key: [u8; 32],
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// With a key of its own: tokens of an earlier process are void.
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            key: random.octets(),
        }
    }

    /// A token for a port, good for so long.
    pub(crate) fn give(
        &self,
        port: PortId,
        ttl: Duration,
        now: Instant,
        random: &mut Random,
    ) -> String {
        let end = now.after(ttl).nanos().to_be_bytes();
        let nonce = random.octets::<NONCE>();
        let proof = self.proof(port, end, nonce);
        let octets: Vec<u8> = end.into_iter().chain(nonce).chain(proof).collect();
        encode(&octets)
    }

    /// How long a token is still good for this port; `None` where it is not.
    pub(crate) fn check(&self, port: PortId, token: &str, now: Instant) -> Option<Duration> {
        let octets = decode(token).filter(|octets| octets.len() == TOKEN)?;
        let (end, rest) = octets.split_first_chunk::<8>()?;
        let (nonce, proof) = rest.split_first_chunk::<NONCE>()?;
        // Every octet is compared, whichever differ: the time says nothing of them.
        let expected = self.proof(port, *end, *nonce);
        let pairs = proof.iter().zip(&expected);
        let differ = pairs.fold(0, |differ, (a, b)| differ | (a ^ b));
        let left = Instant::from_nanos(u64::from_be_bytes(*end)).since(now);
        (differ == 0 && !left.is_zero()).then_some(left)
    }

    fn proof(&self, port: PortId, end: [u8; 8], nonce: [u8; NONCE]) -> [u8; PROOF] {
        let mut hash = blake3::Hasher::new_keyed(&self.key);
        hash.update(&port.get().to_be_bytes());
        hash.update(&end);
        hash.update(&nonce);
        let mut proof = [0; PROOF];
        hash.finalize_xof().fill(&mut proof);
        proof
    }
}

/// Three octets become four digits; a rest is left out.
fn encode(octets: &[u8]) -> String {
    let (triples, _) = octets.as_chunks::<3>();
    let quads = triples.iter().flat_map(|[a, b, c]| {
        let bits = u32::from_be_bytes([0, *a, *b, *c]);
        [18, 12, 6, 0].map(|shift| {
            let at = usize::try_from((bits >> shift) & 0x3f).unwrap_or(0);
            char::from(DIGITS[at])
        })
    });
    quads.collect()
}

/// The octets of a text without padding whose length is a multiple of four.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (quads, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut octets = Vec::with_capacity(quads.len() * 3);
    for quad in quads {
        let mut bits = 0_u32;
        for digit in quad {
            let at = DIGITS.iter().position(|known| known == digit)?;
            bits = (bits << 6) | u32::try_from(at).ok()?;
        }
        octets.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PORT: PortId = PortId::new(7);

    #[test]
    fn a_token_is_good_for_its_port_and_time() {
        let mut random = Random::from_seed(&[1; 32]);
        let tokens = Tokens::new(&mut random);
        let now = Instant::from_nanos(5_000);
        let token = tokens.give(PORT, Duration::from_mins(1), now, &mut random);
        assert_eq!(token.len(), 56);
        let check = |port, at| tokens.check(port, &token, at);
        assert_eq!(check(PORT, now), Some(Duration::from_mins(1)));
        assert_eq!(check(PORT, now.after(Duration::from_mins(1))), None);
        assert_eq!(check(PortId::new(8), now), None);
        let others = Tokens::new(&mut random);
        assert_eq!(others.check(PORT, &token, now), None);
        let again = tokens.give(PORT, Duration::from_mins(1), now, &mut random);
        assert_ne!(token, again);
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_token(at in 0_usize..56, digit in "[A-Za-z0-9_-]", text in ".{0,80}") {
            let mut random = Random::from_seed(&[2; 32]);
            let tokens = Tokens::new(&mut random);
            let token = tokens.give(PORT, Duration::from_mins(1), Instant::START, &mut random);
            let mut forged = token.clone();
            forged.replace_range(at..=at, &digit);
            prop_assert_eq!(
                tokens.check(PORT, &forged, Instant::START).is_some(),
                forged == token
            );
            prop_assert!(tokens.check(PORT, &text, Instant::START).is_none());
        }

        #[test]
        fn what_is_encoded_is_decoded(octets in proptest::collection::vec(any::<[u8; 3]>(), 0..20)) {
            let octets = octets.concat();
            prop_assert_eq!(decode(&encode(&octets)), Some(octets));
        }
    }
}
