//! DNS options (RFC 8106 section 5).

use zerocopy::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::HEADER_LEN;
use crate::domain;
use crate::error::BufferTooSmall;
use crate::ndp::{Lifetime, NdpError};
use crate::raw;

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    reserved: [u8; 2],
    lifetime: U32,
}

/// Lifetime and addresses of a recursive DNS server option.
pub(super) fn servers(kind: u8, data: &[u8]) -> Result<(Lifetime, &[[u8; 16]]), NdpError> {
    let wrong = NdpError::OptionData {
        kind,
        got: HEADER_LEN + data.len(),
    };
    let (raw, rest) = Raw::ref_from_prefix(data).map_err(|_| wrong)?;
    match rest.as_chunks::<16>() {
        (servers @ [_, ..], []) => Ok((Lifetime::from_secs(raw.lifetime.get()), servers)),
        _ => Err(wrong),
    }
}

/// Lifetime and names of a DNS search list option, padding cut off.
pub(super) fn names(kind: u8, data: &[u8]) -> Result<(Lifetime, &[u8]), NdpError> {
    let wrong = NdpError::OptionData {
        kind,
        got: HEADER_LEN + data.len(),
    };
    let (raw, rest) = Raw::ref_from_prefix(data).map_err(|_| wrong)?;
    let names = rest
        .get(..names_end(kind, rest)?)
        .filter(|names| !names.is_empty());
    Ok((Lifetime::from_secs(raw.lifetime.get()), names.ok_or(wrong)?))
}

/// Where the names end and the padding begins.
pub(super) fn names_end(kind: u8, bytes: &[u8]) -> Result<usize, NdpError> {
    let (mut at, mut name_at) = (0, 0);
    while let Some(len) = bytes.get(at).copied().map(usize::from) {
        let cut = NdpError::Names { kind, offset: at };
        // RFC 8106 section 5.2: padding is zeros, and no name is compressed.
        if len == 0 && at == name_at {
            let padding = bytes.get(at..).unwrap_or_default();
            return if padding.iter().all(|byte| *byte == 0) {
                Ok(at)
            } else {
                Err(cut)
            };
        }
        at += 1 + len;
        if len > domain::MAX_LABEL_LEN || at > bytes.len() || at - name_at > domain::MAX_LEN {
            return Err(cut);
        }
        if len == 0 {
            name_at = at;
        }
    }
    if at == name_at {
        Ok(at)
    } else {
        Err(NdpError::Names { kind, offset: at })
    }
}

/// Writes the fixed part of both options, and gives what follows.
pub(super) fn put_lifetime(
    lifetime: Lifetime,
    buffer: &mut [u8],
) -> Result<&mut [u8], BufferTooSmall> {
    raw::put(
        &Raw {
            reserved: [0; 2],
            lifetime: lifetime.as_secs().into(),
        },
        buffer,
    )
}
