//! The frame around the sections: magic, versions, lengths, digest.

use alloc::vec::Vec;

use super::error::{PartError, Problem};

/// The first octets of every frozen shard.
const MAGIC: [u8; 8] = *b"rwfrozen";
/// The version that is written.
const VERSION: u16 = 1;
/// The oldest version whose readers can read what is written.
const OLDEST_READER: u16 = 1;
const HEAD_LEN: usize = 12;
const DIGEST_LEN: usize = 32;

/// Begins a frame.
pub(super) fn begin() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&OLDEST_READER.to_be_bytes());
    bytes
}

/// Begins a section; returns where its length is to be put.
pub(super) fn begin_section(bytes: &mut Vec<u8>, id: u16) -> usize {
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.len()
}

/// Ends the section that began before `start`; says whether its length can be told.
pub(super) fn end_section(bytes: &mut [u8], start: usize) -> bool {
    let Ok(len) = u32::try_from(bytes.len() - start) else {
        return false;
    };
    let Some(place) = bytes.get_mut(start - 4..start) else {
        return false;
    };
    place.copy_from_slice(&len.to_be_bytes());
    true
}

/// Ends a frame.
pub(super) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes
}

/// A section of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'b> {
    pub(super) id: u16,
    /// Octets from the start of the frame to its items.
    pub(super) offset: usize,
    pub(super) items: &'b [u8],
}

/// Opens a frame: what is around the sections is right.
pub(super) fn open(bytes: &[u8]) -> Result<Sections<'_>, PartError> {
    let fail = |offset, problem| Err(PartError { offset, problem });
    if bytes.len() < HEAD_LEN + DIGEST_LEN {
        return fail(bytes.len(), Problem::TooShort);
    }
    let (signed, digest) = bytes.split_at(bytes.len() - DIGEST_LEN);
    let [m0, m1, m2, m3, m4, m5, m6, m7, v0, v1, o0, o1, ..] = *signed else {
        return fail(bytes.len(), Problem::TooShort);
    };
    if [m0, m1, m2, m3, m4, m5, m6, m7] != MAGIC {
        return fail(0, Problem::Magic);
    }
    let version = u16::from_be_bytes([v0, v1]);
    let oldest_reader = u16::from_be_bytes([o0, o1]);
    if version == 0 || oldest_reader > VERSION || oldest_reader > version {
        return fail(
            MAGIC.len(),
            Problem::Version {
                version,
                oldest_reader,
            },
        );
    }
    if blake3::hash(signed).as_bytes() != digest {
        return fail(signed.len(), Problem::Digest);
    }
    Ok(Sections {
        bytes: signed,
        at: HEAD_LEN,
    })
}

/// The sections of a frame, one after the other.
#[derive(Debug)]
pub(super) struct Sections<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Iterator for Sections<'b> {
    type Item = Result<Section<'b>, PartError>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.at;
        let rest = self.bytes.get(offset..).filter(|rest| !rest.is_empty())?;
        // Whatever is wrong ends the walk.
        self.at = self.bytes.len();
        let Some((&[i0, i1, l0, l1, l2, l3], rest)) = rest.split_first_chunk() else {
            return Some(Err(PartError {
                offset,
                problem: Problem::TooShort,
            }));
        };
        let (id, len) = (
            u16::from_be_bytes([i0, i1]),
            u32::from_be_bytes([l0, l1, l2, l3]),
        );
        let items = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let Some(items) = items else {
            return Some(Err(PartError {
                offset,
                problem: Problem::Overlong { section: id, len },
            }));
        };
        let start = offset + 6;
        self.at = start + items.len();
        Some(Ok(Section {
            id,
            offset: start,
            items,
        }))
    }
}
