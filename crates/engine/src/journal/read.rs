//! Reading a journal: from bytes, which claim anything, to what thawing takes.

use alloc::string::String;
use alloc::vec::Vec;

use rackweave_types::Instant;

use super::error::Problem;
use super::header::{Header, digest};
use super::medium;
use super::slot::{Found, Lost, Slot};
use crate::freeze::{self, Flow, Part, flag, flow_fault};
use crate::program::Program;

/// A journal, read.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) part: Part,
    pub(crate) header: Header,
    /// How many slots cannot be read.
    pub(crate) damaged: u32,
    /// The outside ports that the connections of damaged slots held, where they can be told; `None` for one where it
    /// cannot.
    pub(crate) lost_ports: Vec<Option<u16>>,
    /// When the journal was written last.
    pub(crate) last: Instant,
}

/// Reads a journal for a port with this program. Whatever is damaged but the headers costs itself alone.
pub(crate) fn read(bytes: &[u8], program: &Program, now: Instant) -> Result<Sheet, Problem> {
    let header = Header::read(bytes)?;
    let mut sheet = Sheet {
        part: Part::new(freeze::Header {
            index: header.index.get(),
            count: header.count.get(),
            layers: names(&header, program),
        }),
        header,
        damaged: 0,
        lost_ports: Vec::new(),
        last: Instant::START,
    };
    let draft = draft(bytes, &header);
    let len = usize::try_from(header.slot_len.get()).unwrap_or(usize::MAX);
    let first = usize::try_from(header.slots_at.get()).unwrap_or(usize::MAX);
    let slots = bytes.get(first..).unwrap_or(&[]).chunks_exact(len);
    let mut there = 0;
    for (place, octets) in (0..header.high.get()).zip(slots) {
        there += 1;
        match Slot::read(place, octets) {
            Found::Vacant => {}
            Found::Whole(slot) => sheet.take(place, &slot),
            Found::Damaged(lost) => match draft {
                // The process ended while it wrote this slot.
                Some((drafted, slot)) if drafted == place => sheet.take(place, &slot),
                _ => sheet.lose(lost),
            },
        }
    }
    // The bytes were cut short: what stood behind them is lost.
    let cut = header.high.get() - there;
    if cut > 0 {
        sheet.damaged = sheet.damaged.saturating_add(cut);
        sheet.lost_ports.push(None);
    }
    sheet.age(beat(bytes), now);
    Ok(sheet)
}

/// The names of the layers by their bits. One that the program does not have is of no use to it.
fn names(header: &Header, program: &Program) -> Vec<String> {
    let known: Vec<_> = program
        .layer_names()
        .map(|name| (digest(name), name))
        .collect();
    let name = |wanted: [u8; 16]| known.iter().find(|(digest, _)| *digest == wanted);
    header
        .layers
        .iter()
        .map(|layer| name(layer.name).map_or_else(String::new, |(_, name)| (*name).into()))
        .collect()
}

/// The slot that was written last, and its place.
fn draft(bytes: &[u8], header: &Header) -> Option<(u32, Slot)> {
    let (place, _) = bytes.get(medium::DRAFT_AT..)?.split_first_chunk()?;
    let place = u32::from_le_bytes(*place);
    let len = usize::try_from(header.slot_len.get()).ok()?;
    let octets = bytes
        .get(medium::DRAFT_AT + medium::DRAFT_HEAD..)?
        .get(..len)?;
    match Slot::read(place, octets) {
        Found::Whole(slot) => Some((place, slot)),
        Found::Vacant | Found::Damaged(_) => None,
    }
}

fn beat(bytes: &[u8]) -> Instant {
    let beat = bytes
        .get(medium::BEAT_AT..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .map(u64::from_le_bytes);
    Instant::from_nanos(beat.unwrap_or(0))
}

impl Sheet {
    fn take(&mut self, place: u32, slot: &Slot) {
        let mut flow = slot.flow();
        if flow_fault(&flow).is_some() {
            self.lose(Lost::Unknown);
            debug_assert!(place < self.header.high.get(), "a place that is used");
            return;
        }
        for (bit, layer) in self.header.layers.iter().enumerate() {
            if slot.sequence() < layer.since.get() {
                flow.stateful &= !(1 << bit);
            }
        }
        if slot.sequence() < self.header.cut_since.get() {
            flow.flags |= flag::BEFORE_CUT;
        }
        self.part.flows.push(flow);
    }

    fn lose(&mut self, lost: Lost) {
        self.damaged += 1;
        match lost {
            Lost::Unknown => self.lost_ports.push(None),
            Lost::Port(port) => self.lost_ports.push(Some(port)),
            Lost::NoPort => {}
        }
    }

    /// Turns times into ages. The time in which nobody served the port counts for nobody's idleness; a beat that is
    /// not to be believed is replaced by the last packet's time.
    fn age(&mut self, beat: Instant, now: Instant) {
        let used = self.part.flows.iter().map(|flow| flow.idle).max();
        let beat = if beat <= now { beat.nanos() } else { 0 };
        let last = beat.max(used.unwrap_or(0));
        self.last = Instant::from_nanos(last);
        for Flow { age, idle, .. } in &mut self.part.flows {
            *age = now.nanos().saturating_sub(*age);
            *idle = last - *idle;
        }
    }
}
