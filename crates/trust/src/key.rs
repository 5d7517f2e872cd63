//! Keys and signatures: Ed25519 (RFC 8032).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Octets of a signature.
pub const SIGNATURE_LENGTH: usize = 64;

/// A private key. It is never written but by [`Self::to_pem`], and wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key made of these octets, which nobody else can have drawn.
    #[must_use]
    pub fn new(drawn: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(drawn))
    }

    /// What others know the holder by.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature over `message`. What a message is about stands at its start, so that a signature over one kind of
    /// message never is one over another kind.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        self.0.sign(message).to_bytes()
    }

    /// As PKCS#8 in PEM (RFC 8410): for a file that its owner alone can read.
    ///
    /// # Errors
    /// Never with a key of ours; the encoder has the case.
    pub fn to_pem(&self) -> Result<impl AsRef<str> + use<>, BadKey> {
        self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| BadKey)
    }

    /// The key in a PKCS#8 PEM text (RFC 8410), which `openssl genpkey -algorithm ed25519` makes too.
    ///
    /// # Errors
    /// Where it holds no such key.
    pub fn from_pem(text: &str) -> Result<Self, BadKey> {
        let key = SigningKey::from_pkcs8_pem(text);
        key.map(Self).map_err(|_| BadKey)
    }
}

impl SecretKey {
    /// The key itself, for sealed boxes.
    pub(crate) const fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

/// Says whose key it is, and nothing of the secret.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// Something is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no ed25519 key")]
pub struct BadKey;

/// The signature is not the key's over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match")]
pub struct BadSignature;

/// What the holder of a private key is known by. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key of these octets.
    ///
    /// # Errors
    /// Where they are no point of the curve, or one of the few with which anybody could sign.
    pub fn from_bytes(octets: &[u8; 32]) -> Result<Self, BadKey> {
        let key = VerifyingKey::from_bytes(octets).map_err(|_| BadKey)?;
        // A second encoding of the same point would be the same key by another name.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != octets {
            return Err(BadKey);
        }
        Ok(Self(key))
    }

    /// Its octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Checks that the key's holder signed `message`.
    ///
    /// # Errors
    /// Where the holder did not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
        let verified = self.0.verify_strict(message, &signature);
        verified.map_err(|_| BadSignature)
    }
}

impl PublicKey {
    /// The point itself, for sealed boxes.
    pub(crate) const fn verifying_key(&self) -> &VerifyingKey {
        &self.0
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut octets = self.as_bytes().iter();
        octets.try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut octets = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(BadKey);
        }
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| char::from(d).to_digit(16);
            let value = digit(pair[0]).zip(digit(pair[1]));
            let value = value.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
            *octet = value.ok_or(BadKey)?;
        }
        Self::from_bytes(&octets)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_private_key_survives_its_file_and_shows_itself_nowhere_else() {
        let key = SecretKey::new(&[7; 32]);
        let pem = key.to_pem().unwrap();
        assert!(pem.as_ref().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let again = SecretKey::from_pem(pem.as_ref()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(
            format!("{key:?}"),
            format!("SecretKey(of {})", key.public())
        );
        assert!(SecretKey::from_pem("-----BEGIN NONSENSE-----").is_err());
    }

    #[test]
    fn a_key_with_which_anybody_signs_is_none() {
        // The neutral point, and its second encoding.
        let mut octets = [0; 32];
        octets[0] = 1;
        assert_eq!(PublicKey::from_bytes(&octets), Err(BadKey));
        assert_eq!(PublicKey::from_bytes(&[0xff; 32]), Err(BadKey));
    }

    #[test]
    fn text_is_the_octets() {
        let key = SecretKey::new(&[1; 32]).public();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("00".parse::<PublicKey>(), Err(BadKey));
        assert_eq!("+0".repeat(32).parse::<PublicKey>(), Err(BadKey));
    }

    proptest! {
        #[test]
        fn another_message_or_signature_is_refused(seed: [u8; 32], message: Vec<u8>, at: usize, bit in 0_u8..8) {
            let key = SecretKey::new(&seed);
            let mut signature = key.sign(&message);
            prop_assert_eq!(key.public().verify(&message, &signature), Ok(()));
            signature[at % SIGNATURE_LENGTH] ^= 1 << bit;
            prop_assert_eq!(key.public().verify(&message, &signature), Err(BadSignature));
        }

        #[test]
        fn no_text_or_octets_panic(text: String, octets: [u8; 32]) {
            let _ = text.parse::<PublicKey>();
            let _ = SecretKey::from_pem(&text);
            let _ = PublicKey::from_bytes(&octets);
        }
    }
}
