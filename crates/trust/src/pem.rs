//! Certificates as text: the armour of RFC 7468 around our octets.

use ed25519_dalek::pkcs8::spki::der::pem::{LineEnding, decode_vec, encode_string};

use crate::envelope::FormatError;

/// Why a text is not the certificate that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// It has not the form of RFC 7468.
    #[error("it is no PEM text")]
    Armour,
    /// It is something else, as its first line says.
    #[error("its first line does not say {0}")]
    Label(&'static str),
    /// What the armour holds is no such certificate.
    #[error("what it holds cannot be read")]
    Content(#[from] FormatError),
}

/// The text of these octets.
pub(crate) fn armour(label: &str, bytes: &[u8]) -> String {
    // Labels are ours, and certificates short: the encoder knows no other reason to fail.
    encode_string(label, LineEnding::LF, bytes).unwrap_or_default()
}

/// The octets of a text with this label.
pub(crate) fn disarm(label: &'static str, text: &str) -> Result<Vec<u8>, PemError> {
    let (found, bytes) = decode_vec(text.as_bytes()).map_err(|_| PemError::Armour)?;
    if found == label {
        Ok(bytes)
    } else {
        Err(PemError::Label(label))
    }
}
