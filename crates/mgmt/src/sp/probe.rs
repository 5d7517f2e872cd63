//! Frames that prove isolation: whoever cooperates sends them with right and wrong tags, and says which it saw.
//!
//! ```text
//! destination │ source │ tags as told │ 0x88b5 │ "rackweave probe" 1 │ marker, big-endian │ zeros to the least length
//! ```
//! The type is the one that IEEE 802 leaves to local experiments. Nothing else can be sent so: a probe is no message.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};
use rackweave_types::MacAddr;

use super::message::{Failure, Port, Response};
use crate::port::SpPort;

/// Probes that one request carries at most.
pub const PROBES_MAX: usize = 16;
/// Tags that a probe has at most.
pub const TAGS_MAX: usize = 2;
/// What was seen that one response carries at most.
const ROWS: usize = 32;
/// Sightings that are kept; then the oldest go.
const KEPT: usize = 1_024;
/// The type of the frames.
const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];
/// The type of tags, those of outer ones included.
const TAG_TYPES: [[u8; 2]; 3] = [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]];
/// What a probe begins with; the last octet is its version.
const NAME: &[u8; 16] = b"rackweave probe\x01";
/// The least octets of a frame without its checksum (IEEE 802.3, 4A.2.3).
const LEAST: usize = 60;

/// A frame to send.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Probe {
    /// From which port's address; where the service processor has a link for each port, out of which.
    #[n(0)]
    pub port: Port,
    /// The VLAN numbers of its tags, the outermost first, as they lie on the service processor's wire.
    #[n(1)]
    pub tags: Vec<u16>,
    /// The address that it is for.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub destination: [u8; 6],
    /// Which one it is.
    #[n(3)]
    pub marker: u64,
}

/// A probe that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Witness {
    /// Which one it is.
    #[n(0)]
    pub marker: u64,
    /// At which port, where its outermost tag is a port's.
    #[n(1)]
    pub port: Option<Port>,
    /// The VLAN numbers of its tags, the outermost first, as it lay on the wire.
    #[n(2)]
    pub tags: Vec<u16>,
}

/// A probe as it was read from a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whom it is for.
    pub destination: MacAddr,
    /// Who sent it.
    pub source: MacAddr,
    /// The VLAN numbers of its tags, the outermost first.
    pub tags: Vec<u16>,
    /// Which one it is.
    pub marker: u64,
}

/// The frame of a probe.
#[must_use]
pub fn write(destination: MacAddr, source: MacAddr, tags: &[u16], marker: u64) -> Vec<u8> {
    let mut frame = Vec::from(destination.octets());
    frame.extend(source.octets());
    for tag in tags {
        frame.extend(TAG_TYPES[0]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(ETHER_TYPE);
    frame.extend(NAME);
    frame.extend(marker.to_be_bytes());
    frame.resize(frame.len().max(LEAST), 0);
    frame
}

/// The probe in a frame, if it is one.
#[must_use]
pub fn read(frame: &[u8]) -> Option<Seen> {
    const VLAN: u16 = 0x0fff;
    let (destination, rest) = frame.split_first_chunk::<6>()?;
    let (source, mut rest) = rest.split_first_chunk::<6>()?;
    let mut tags = Vec::new();
    loop {
        let (kind, behind) = rest.split_first_chunk::<2>()?;
        rest = behind;
        if !TAG_TYPES.contains(kind) {
            if *kind != ETHER_TYPE {
                return None;
            }
            break;
        }
        let (control, behind) = rest.split_first_chunk::<2>()?;
        tags.push(u16::from_be_bytes(*control) & VLAN);
        rest = behind;
    }
    let (marker, _) = rest.strip_prefix(NAME)?.split_first_chunk::<8>()?;
    Some(Seen {
        destination: MacAddr::new(*destination),
        source: MacAddr::new(*source),
        tags,
        marker: u64::from_be_bytes(*marker),
    })
}

/// Probes that reached a service processor, by the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Witnesses {
    kept: VecDeque<Witness>,
    /// How many are forgotten.
    first: u64,
}

impl Witnesses {
    /// A frame reached the service processor, on its wire. Whether it is a probe.
    pub fn see(&mut self, frame: &[u8]) -> bool {
        let Some(seen) = read(frame) else {
            return false;
        };
        let outermost = seen.tags.first().copied();
        let port = SpPort::ALL
            .into_iter()
            .find(|port| Some(port.vlan().get()) == outermost);
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.first += 1;
        }
        let mut tags = seen.tags;
        // Deeper tags are those of somebody who sends no probes of ours; a response has room for these.
        tags.truncate(TAGS_MAX + 1);
        self.kept.push_back(Witness {
            marker: seen.marker,
            port: port.map(Port::from),
            tags,
        });
        true
    }

    /// How many have arrived.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.first + u64::try_from(self.kept.len()).unwrap_or_default()
    }

    /// Those from a number on that are still kept, and the number after the last that is given.
    pub(super) fn since(&self, from: u64) -> Response {
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let rows: Vec<Witness> = self.kept.iter().skip(skipped).take(ROWS).cloned().collect();
        let behind = skipped.min(self.kept.len()) + rows.len();
        let next = self.first + u64::try_from(behind).unwrap_or_default();
        Response::Witnessed(rows, next)
    }
}

/// The frames of probes, each from the address of its port.
pub(super) fn frames(
    probes: &[Probe],
    source: impl Fn(SpPort) -> MacAddr,
) -> Result<Vec<Vec<u8>>, Failure> {
    let too_much = probes.len() > PROBES_MAX || probes.iter().any(|it| it.tags.len() > TAGS_MAX);
    if too_much {
        return Err(Failure::Unsupported);
    }
    let frame = |probe: &Probe| {
        let destination = MacAddr::new(probe.destination);
        let source = source(probe.port.into());
        write(destination, source, &probe.tags, probe.marker)
    };
    Ok(probes.iter().map(frame).collect())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn next(response: Response) -> (usize, u64) {
        match response {
            Response::Witnessed(rows, next) => (rows.len(), next),
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_probe_is_read_as_it_was_written(
            destination: [u8; 6],
            source: [u8; 6],
            tags in proptest::collection::vec(0..0x1000_u16, 0..4),
            marker: u64,
        ) {
            let (destination, source) = (MacAddr::new(destination), MacAddr::new(source));
            let frame = write(destination, source, &tags, marker);
            prop_assert!(frame.len() >= LEAST);
            prop_assert_eq!(read(&frame), Some(Seen { destination, source, tags, marker }));
        }

        #[test]
        fn no_frame_panics(frame in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _seen = read(&frame);
        }
    }

    #[test]
    fn what_was_seen_is_told_in_parts_and_the_oldest_go() {
        let mut witnesses = Witnesses::default();
        assert_eq!(next(witnesses.since(0)), (0, 0));
        let count = u64::try_from(KEPT).unwrap() + 10;
        for marker in 0..count {
            let tags = [SpPort::Two.vlan().get()];
            assert!(witnesses.see(&write(
                MacAddr::BROADCAST,
                MacAddr::BROADCAST,
                &tags,
                marker
            )));
        }
        assert!(!witnesses.see(&[0; 60]));
        let (mut from, mut all) = (0, 0);
        loop {
            let (rows, then) = next(witnesses.since(from));
            if rows == 0 {
                break;
            }
            (from, all) = (then, all + rows);
        }
        assert_eq!((from, all), (count, KEPT));
        assert_eq!(next(witnesses.since(count + 9)), (0, count));
        let last = Witness {
            marker: count - 1,
            port: Some(Port::Two),
            tags: vec![0x302],
        };
        assert_eq!(
            witnesses.since(count - 1),
            Response::Witnessed(vec![last], count)
        );
    }
}
