//! What a node proves itself with.

use crate::chain::Chain;
use crate::key::{SIGNATURE_LENGTH, SecretKey};

/// A node's private key and the certificates that say whose it is.
#[derive(Clone, Debug)]
pub struct Credentials {
    secret: SecretKey,
    chain: Chain,
}

/// A private key and a certificate do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the node certificate is of another key than the private key; take both from one directory that `rackweave keys` made"
)]
pub struct CredentialsError;

impl Credentials {
    /// Joins a private key with its certificates; whether somebody trusts these is not looked at.
    ///
    /// # Errors
    /// Where the node's certificate is of another key.
    pub fn new(secret: SecretKey, chain: Chain) -> Result<Self, CredentialsError> {
        if chain.node.claims().key == secret.public() {
            Ok(Self { secret, chain })
        } else {
            Err(CredentialsError)
        }
    }

    /// What to show to others.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The signature of the node over `message`, which begins with what it is about.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        self.secret.sign(message)
    }

    /// The private key, to open what was [sealed](crate::seal) for the node.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}
