//! A journal's header: whose it is, and what its slots are to be read with.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::error::Problem;
use super::slot::Slot;
use super::{ink, medium};
use crate::program::ProgramSpec;

/// The first octets of every journal.
const MAGIC: [u8; 8] = *b"rwjournl";
/// The version that is written.
const VERSION: u16 = 1;
/// The oldest version whose readers can read what is written.
const OLDEST_READER: u16 = 1;
/// The longest slot that a reader follows.
const LONGEST_SLOT: usize = 1_024;

/// A header: all integers little-endian, 472 octets. The next version's may be longer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(crate) struct Header {
    magic: [u8; 8],
    version: U16,
    oldest_reader: U16,
    /// Octets of the header that its checksum covers.
    length: U16,
    reserved: [u8; 2],
    /// Of all before it and all after it.
    checksum: U64,
    /// Counts what was written here.
    generation: U64,
    /// The secret words of the shard's hashes: with them the connections stay in their shards, and one end of the
    /// guest keeps its outside port.
    pub(crate) secret: [U64; 2],
    /// Which shard, and of how many.
    pub(crate) index: U16,
    pub(crate) count: U16,
    /// Octets of a slot, and where the first one begins.
    pub(super) slot_len: U32,
    pub(super) slots_at: U32,
    /// How many slots there are, and before which all used ones stand.
    pub(crate) capacity: U32,
    pub(crate) high: U32,
    reserved_2: [u8; 4],
    /// Slots written before this one hold connections not looked at since a change that asked to cut.
    pub(crate) cut_since: U64,
    /// Until when outside ports of unknown owners rest; 0 where none do.
    pub(crate) rest_until: U64,
    /// What the bits of layers mean.
    pub(crate) layers: [LayerName; ProgramSpec::MAX_LAYERS],
}

/// What one bit of layers means.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub(crate) struct LayerName {
    /// Slots written before this one mean another layer by the bit.
    pub(crate) since: U64,
    /// The first octets of the name's BLAKE3; zeros where the bit means no layer.
    pub(crate) name: [u8; 16],
}

/// What stands for a layer's name.
pub(crate) fn digest(name: &str) -> [u8; 16] {
    let [digest @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        *blake3::hash(name.as_bytes()).as_bytes();
    digest
}

impl Header {
    /// Octets of a header of this version.
    pub(crate) const LEN: usize = size_of::<Self>();
    /// Where the checksum stands, and what is behind it.
    const CHECKSUM_AT: usize = 16;
    const BEHIND: usize = Self::CHECKSUM_AT + 8;

    /// The header of a new journal.
    pub(crate) fn new(secret: [u64; 2], index: u16, count: u16, capacity: u32) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION.into(),
            oldest_reader: OLDEST_READER.into(),
            length: u16::try_from(Self::LEN).unwrap_or(u16::MAX).into(),
            secret: secret.map(U64::new),
            index: index.into(),
            count: count.into(),
            slot_len: u32::try_from(Slot::LEN).unwrap_or(u32::MAX).into(),
            slots_at: u32::try_from(medium::SLOTS_AT).unwrap_or(u32::MAX).into(),
            capacity: capacity.into(),
            ..Self::new_zeroed()
        }
    }

    /// The next header to write, with its checksum.
    pub(super) fn sealed(&mut self) -> Self {
        self.generation = self.generation.get().wrapping_add(1).into();
        let (before, behind) = covered(self.as_bytes());
        self.checksum = ink::checksum(ink::checksum(0, before), behind).into();
        *self
    }

    /// The header of a journal: of the two that are there the whole one, of two whole ones the later.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let copies = medium::HEADERS.map(|at| Self::copy(bytes.get(at..).unwrap_or(&[])));
        let whole = copies.iter().filter_map(|copy| copy.ok());
        let Some(header) = whole.max_by_key(|header| header.generation.get()) else {
            // What keeps the better of the two from being read.
            return Err(copies.iter().fold(Problem::Magic, further));
        };
        header
            .fault()
            .map_or(Ok(header), |field| Err(Problem::Value { field }))
    }

    fn copy(bytes: &[u8]) -> Result<Self, Problem> {
        let (header, _) = Self::read_from_prefix(bytes).map_err(|_| Problem::TooShort)?;
        if header.magic != MAGIC {
            return Err(Problem::Magic);
        }
        let (version, oldest_reader) = (header.version.get(), header.oldest_reader.get());
        if version == 0 || oldest_reader > VERSION || oldest_reader > version {
            return Err(Problem::Version {
                version,
                oldest_reader,
            });
        }
        let length = usize::from(header.length.get());
        let whole = bytes
            .get(..length)
            .filter(|_| (Self::LEN..=medium::HEADER_ROOM).contains(&length))
            .map(covered)
            .is_some_and(|(before, behind)| {
                header.checksum.get() == ink::checksum(ink::checksum(0, before), behind)
            });
        if whole {
            Ok(header)
        } else {
            Err(Problem::Headers)
        }
    }

    /// The field of a value that no shard writes.
    fn fault(&self) -> Option<&'static str> {
        let (index, count) = (self.index.get(), self.count.get());
        let (slot_len, slots_at) = (self.slot_len.get(), self.slots_at.get());
        let long = usize::try_from(slot_len).unwrap_or(usize::MAX);
        let far = usize::try_from(slots_at).unwrap_or(usize::MAX);
        if !count.is_power_of_two() {
            Some("count")
        } else if index >= count {
            Some("index")
        } else if !(Slot::LEN..=LONGEST_SLOT).contains(&long) {
            Some("slot length")
        } else if far < medium::DRAFT_AT + medium::DRAFT_HEAD + long {
            Some("slots' place")
        } else if self.high > self.capacity {
            Some("high")
        } else {
            None
        }
    }
}

fn covered(header: &[u8]) -> (&[u8], &[u8]) {
    let before = header.get(..Header::CHECKSUM_AT).unwrap_or(&[]);
    (before, header.get(Header::BEHIND..).unwrap_or(&[]))
}

/// The problem that says more.
fn further(known: Problem, copy: &Result<Header, Problem>) -> Problem {
    match (known, copy) {
        (Problem::Headers, _) | (_, Ok(_)) => known,
        (_, Err(problem @ (Problem::Headers | Problem::Version { .. }))) => *problem,
        (Problem::Magic, Err(Problem::TooShort)) => Problem::TooShort,
        _ => known,
    }
}
