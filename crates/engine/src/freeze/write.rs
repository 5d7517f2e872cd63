//! Writing a frozen shard, section by section.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::{Encode, Encoder};

use super::frame;

/// The numbers of the sections; a number is never used for something else.
pub(super) mod id {
    pub(in super::super) const SHARD: u16 = 1;
    pub(in super::super) const FLOWS: u16 = 2;
    pub(in super::super) const TOTALS: u16 = 3;
    pub(in super::super) const TRAFFIC: u16 = 4;
    pub(in super::super) const DROPS: u16 = 5;
    pub(in super::super) const RULE_HITS: u16 = 6;
    pub(in super::super) const METERS: u16 = 7;
    pub(in super::super) const FRAGMENTS: u16 = 8;
    pub(in super::super) const PUNTS: u16 = 9;
}

/// Writes one frozen shard: a section at a time, then the digest.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

/// An item of a section, which knows where it belongs.
pub(crate) trait Item: Encode<()> {
    /// The number of its section.
    const SECTION: u16;
    /// The section's name in errors.
    const NAME: &'static str;
}

macro_rules! items {
    ($($item:ident in $section:ident $name:literal,)+) => {
        $(impl Item for super::item::$item {
            const SECTION: u16 = id::$section;
            const NAME: &'static str = $name;
        })+
    };
}

items! {
    Header in SHARD "shard",
    Flow in FLOWS "flows",
    Totals in TOTALS "totals",
    Cell in TRAFFIC "traffic",
    Drops in DROPS "drops",
    Hits in RULE_HITS "rule hits",
    Meter in METERS "meters",
    Fragment in FRAGMENTS "fragments",
    Punted in PUNTS "punts",
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: frame::begin(),
        }
    }

    /// Writes the section of these items; more than 4 GiB of them become several sections, which are read as one.
    pub(crate) fn section<T: Item>(&mut self, items: impl Iterator<Item = T>) {
        let mut start = frame::begin_section(&mut self.bytes, T::SECTION);
        for item in items {
            if self.bytes.len() - start > SECTION_FULL {
                self.end(start);
                start = frame::begin_section(&mut self.bytes, T::SECTION);
            }
            let written: Result<(), minicbor::encode::Error<Infallible>> =
                Encoder::new(&mut self.bytes).encode(item).map(|_| ());
            debug_assert!(written.is_ok(), "memory takes every item");
        }
        self.end(start);
    }

    fn end(&mut self, start: usize) {
        let ended = frame::end_section(&mut self.bytes, start);
        debug_assert!(ended, "a full section is ended in time");
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        frame::seal(self.bytes)
    }
}

/// A section that is longer is ended, and another begun.
const SECTION_FULL: usize = 1 << 31;
