//! Maps with integer keys (RFC 8949), written and read.

use minicbor::{Decoder, Encoder};

/// Why a body makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is no map in CBOR, or ends before it should.
    #[error("its body is no cbor map")]
    Cbor,
    /// Something follows the map.
    #[error("something follows its body")]
    Trailing,
    /// A field that every such message has is not there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A field holds what it cannot hold.
    #[error("its {0} makes no sense")]
    Field(&'static str),
}

impl From<minicbor::decode::Error> for BodyError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Cbor
    }
}

/// Writes one map; the caller names how many fields follow.
pub(super) struct Writer<'a>(Encoder<&'a mut Vec<u8>>);

// The results of the encoder tell of a writer that fails, which a vector does not.
impl<'a> Writer<'a> {
    pub(super) fn map(bytes: &'a mut Vec<u8>, fields: usize) -> Self {
        let mut encoder = Encoder::new(bytes);
        let _ = encoder.map(u64::try_from(fields).unwrap_or(u64::MAX));
        Self(encoder)
    }

    pub(super) fn uint(&mut self, key: u8, value: u64) -> &mut Self {
        let _ = self.0.u8(key).and_then(|encoder| encoder.u64(value));
        self
    }

    pub(super) fn bytes(&mut self, key: u8, value: &[u8]) -> &mut Self {
        let _ = self.0.u8(key).and_then(|encoder| encoder.bytes(value));
        self
    }

    pub(super) fn text(&mut self, key: u8, value: &str) -> &mut Self {
        let _ = self.0.u8(key).and_then(|encoder| encoder.str(value));
        self
    }

    pub(super) fn flag(&mut self, key: u8, value: bool) -> &mut Self {
        let _ = self.0.u8(key).and_then(|encoder| encoder.bool(value));
        self
    }
}

/// Reads one map of definite length: `field` takes each key's value, and passes over what it does not know.
pub(super) fn read_map<'a>(
    decoder: &mut Decoder<'a>,
    mut field: impl FnMut(u64, &mut Decoder<'a>) -> Result<(), BodyError>,
) -> Result<(), BodyError> {
    let fields = decoder.map()?.ok_or(BodyError::Cbor)?;
    for _ in 0..fields {
        let key = decoder.u64()?;
        field(key, decoder)?;
    }
    Ok(())
}

/// As [`read_map`], where the map is all there is.
pub(super) fn read_body<'a>(
    body: &'a [u8],
    field: impl FnMut(u64, &mut Decoder<'a>) -> Result<(), BodyError>,
) -> Result<(), BodyError> {
    let mut decoder = Decoder::new(body);
    read_map(&mut decoder, field)?;
    if decoder.position() == body.len() {
        Ok(())
    } else {
        Err(BodyError::Trailing)
    }
}

/// A byte string of a length that is known.
pub(super) fn array<const N: usize>(
    decoder: &mut Decoder<'_>,
    name: &'static str,
) -> Result<[u8; N], BodyError> {
    decoder
        .bytes()?
        .try_into()
        .map_err(|_| BodyError::Field(name))
}
