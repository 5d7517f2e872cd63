//! Interfaces by name: cables that are there or not, and are opened anew when they come back.

use std::io;

use rackweave_linux::poll::{PollError, Poller};
use rackweave_linux::tagged::{TAGGED_MAX, TaggedFrames};

/// Frames that are taken from one interface before the others are looked at.
const AT_ONCE: usize = 64;

/// One interface.
#[derive(Debug)]
struct Wire {
    name: String,
    frames: Option<TaggedFrames>,
}

/// All interfaces of a process, by their numbers.
#[derive(Debug)]
pub(crate) struct Wires {
    wires: Vec<Wire>,
    buffer: Box<[u8]>,
}

impl Wires {
    /// Interfaces with these names, in this order, all still to be opened.
    pub(crate) fn new(names: Vec<String>) -> Self {
        let wire = |name| Wire { name, frames: None };
        Self {
            wires: names.into_iter().map(wire).collect(),
            buffer: vec![0; TAGGED_MAX].into_boxed_slice(),
        }
    }

    /// Whether an interface is there.
    pub(crate) fn is_up(&self, link: usize) -> bool {
        self.wires
            .get(link)
            .is_some_and(|wire| wire.frames.is_some())
    }

    /// Opens those that are not open, and are there; each is then waited for with its number. Whether some are missing.
    pub(crate) fn open_missing(&mut self, poller: &Poller) -> Result<bool, PollError> {
        let mut missing = false;
        for (link, wire) in self.wires.iter_mut().enumerate() {
            if wire.frames.is_some() {
                continue;
            }
            let Ok(frames) = TaggedFrames::open(&wire.name) else {
                missing = true;
                continue;
            };
            poller.add(&frames, u64::try_from(link).unwrap_or(u64::MAX))?;
            tracing::debug!(link = wire.name, "a cable is plugged in");
            wire.frames = Some(frames);
        }
        Ok(missing)
    }

    /// Gives the frames that wait at an interface, so many at most. Whether it is still there.
    pub(crate) fn receive(&mut self, link: usize, mut each: impl FnMut(&[u8])) -> bool {
        let Some(wire) = self.wires.get_mut(link) else {
            return true;
        };
        for _ in 0..AT_ONCE {
            let Some(frames) = &wire.frames else {
                return false;
            };
            match frames.receive(&mut self.buffer) {
                Ok(Some(frame)) => each(frame),
                Ok(None) => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::debug!(link = wire.name, %error, "a cable is pulled");
                    wire.frames = None;
                }
            }
        }
        true
    }

    /// Sends a frame; where the interface is not there or has no room, it is lost, as it is on a cable.
    pub(crate) fn send(&self, link: usize, frame: &[u8]) {
        let frames = self.wires.get(link).and_then(|wire| wire.frames.as_ref());
        if let Some(Err(error)) = frames.map(|frames| frames.send(frame)) {
            tracing::trace!(link, %error, "a frame is lost");
        }
    }
}
