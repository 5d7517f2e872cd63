//! What only one can read: a secret on its way to the holder of a key, such as a rack's key to those that keep it.
//!
//! ```text
//! X25519 key, made for this box alone   ChaCha20-Poly1305 (RFC 8439) of the secret, with its tag
//!                 32                                  the secret's length + 16
//! ```
//!
//! The receiver's Ed25519 key is used as its X25519 key of the same secret (RFC 7748, 4.1: the two curves are one). The
//! box's key is derived from the shared secret and both public keys, and used once: the nonce is zero.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ed25519_dalek::SigningKey;
use x25519_dalek::{PublicKey as Point, SharedSecret, StaticSecret};

use crate::key::{PublicKey, SecretKey};

/// What keys of boxes are derived for, and nothing else.
const CONTEXT: &str = "rackweave 2026-11 sealed box v1";
/// Octets of the box's own key.
const HEAD: usize = 32;

/// The box was made for another key or another purpose, or was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed box cannot be opened with this key")]
pub struct NotOpened;

fn cipher(shared: &SharedSecret, own: &Point, to: &Point) -> ChaCha20Poly1305 {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(shared.as_bytes());
    hasher.update(own.as_bytes());
    hasher.update(to.as_bytes());
    ChaCha20Poly1305::new(&Key::from(*hasher.finalize().as_bytes()))
}

/// The X25519 key of the one who holds this Ed25519 key.
fn point(key: &PublicKey) -> Point {
    Point::from(key.verifying_key().to_montgomery().to_bytes())
}

/// Seals `secret` for the holder of `to`. `drawn` is drawn anew for each box; `purpose` has to be named again to open
/// it. Who sealed it is not proven: sign the message that carries it.
///
/// # Errors
/// Where no secret can be shared with such a key, or the secret is longer than 256 GiB.
pub fn seal(
    to: &PublicKey,
    drawn: [u8; 32],
    purpose: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    let own = StaticSecret::from(drawn);
    let (head, to) = (Point::from(&own), point(to));
    let shared = own.diffie_hellman(&to);
    if !shared.was_contributory() {
        return Err(NotOpened);
    }
    let payload = Payload {
        msg: secret,
        aad: purpose,
    };
    let body = cipher(&shared, &head, &to).encrypt(&Nonce::default(), payload);
    let mut sealed = head.as_bytes().to_vec();
    sealed.extend(body.map_err(|_| NotOpened)?);
    Ok(sealed)
}

/// The secret that was sealed for this key and purpose.
///
/// # Errors
/// Where it was sealed for another, or altered.
pub fn open(key: &SecretKey, purpose: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
    let (head, body) = sealed.split_first_chunk::<HEAD>().ok_or(NotOpened)?;
    let head = Point::from(*head);
    let secret = StaticSecret::from(SigningKey::to_scalar_bytes(key.signing_key()));
    let shared = secret.diffie_hellman(&head);
    if !shared.was_contributory() {
        return Err(NotOpened);
    }
    let payload = Payload {
        msg: body,
        aad: purpose,
    };
    let cipher = cipher(&shared, &head, &point(&key.public()));
    let opened = cipher.decrypt(&Nonce::default(), payload);
    opened.map_err(|_| NotOpened)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_the_holder_opens_it(seed: [u8; 32], drawn: [u8; 32], secret: Vec<u8>, at: usize, by in 1_u8..) {
            let key = SecretKey::new(&seed);
            let mut sealed = seal(&key.public(), drawn, b"test", &secret).unwrap();
            prop_assert_eq!(open(&key, b"test", &sealed), Ok(secret));
            prop_assert_eq!(open(&key, b"other", &sealed), Err(NotOpened));
            let mut other = seed;
            other[0] ^= 1;
            prop_assert_eq!(open(&SecretKey::new(&other), b"test", &sealed), Err(NotOpened));
            let at = at % sealed.len();
            // The topmost bit of the box's key is ignored by X25519, but not by the derivation.
            sealed[at] ^= by;
            prop_assert_eq!(open(&key, b"test", &sealed), Err(NotOpened));
        }

        #[test]
        fn no_octets_panic(bytes: Vec<u8>) {
            prop_assert_eq!(open(&SecretKey::new(&[1; 32]), b"test", &bytes), Err(NotOpened));
        }
    }
}
