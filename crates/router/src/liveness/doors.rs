//! The sockets of a link.

use std::io;
use std::net::Ipv6Addr;

use rackweave_linux::poll::{PollError, Poller};
use rackweave_linux::timestamp::{Batch, StampError, StampSettings, StampedSocket};
use rackweave_routing::{bfd, probe};

use super::LivenessPorts;

/// Only what did not pass a router counts: it comes as it was sent (RFC 5881, section 5; RFC 5082).
const HOP_LIMIT: u8 = 255;
/// Source ports of BFD (RFC 5881, section 4): 49,152 and up.
const SOURCE_PORTS: u32 = 16_384;

/// Why a link has no sockets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum DoorsError {
    /// One cannot be opened.
    #[error("no socket for {what}")]
    Open {
        /// For what.
        what: &'static str,
        source: StampError,
    },
    /// One cannot be waited for.
    #[error(transparent)]
    Poll(#[from] PollError),
}

/// Which socket of a link has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bfd,
    Beacon,
}

/// The sockets of one link, waited for in a poller by tokens that [`token`] makes.
#[derive(Debug)]
pub(super) struct Doors {
    bfd_in: StampedSocket,
    bfd_out: StampedSocket,
    beacons: StampedSocket,
    ports: LivenessPorts,
    /// Beacons whose departure is not told yet.
    leaving: bool,
    pub(super) refused: Refused,
}

/// What the kernel did not send, or what was not for us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// The kernel did not send it.
    pub(super) sends: u64,
    /// It came from beyond the link.
    pub(super) far: u64,
    /// It was no message of a session.
    pub(super) unmatched: u64,
}

impl Refused {
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            sends: self.sends + other.sends,
            far: self.far + other.far,
            unmatched: self.unmatched + other.unmatched,
        }
    }
}

impl Doors {
    /// Opens the sockets of a link.
    pub(super) fn open(
        link: u32,
        ports: LivenessPorts,
        ready: &Poller,
    ) -> Result<Self, DoorsError> {
        let settings = |port, departures| StampSettings {
            link: Some(link),
            address: Ipv6Addr::UNSPECIFIED,
            port,
            hop_limit: HOP_LIMIT,
            departures,
        };
        let open = |what, port, departures| {
            let opened = StampedSocket::open(settings(port, departures));
            opened.map_err(|source| DoorsError::Open { what, source })
        };
        let bfd_in = open("bfd", ports.bfd, false)?;
        // One source port for the sessions of a link; the next ones where another program has it.
        let first = u16::try_from(link % SOURCE_PORTS).unwrap_or(0);
        let mut sources = (0..64).map(|step| bfd::SOURCE_PORT + (first + step) % 16_384);
        let bfd_out = sources
            .find_map(|port| StampedSocket::open(settings(port, false)).ok())
            .map_or_else(|| open("sending bfd", bfd::SOURCE_PORT + first, false), Ok)?;
        let beacons = open("beacons", ports.beacons, true)?;
        ready.add(&bfd_in, token(link, Kind::Bfd))?;
        ready.add(&beacons, token(link, Kind::Beacon))?;
        Ok(Self {
            bfd_in,
            bfd_out,
            beacons,
            ports,
            leaving: false,
            refused: Refused::default(),
        })
    }

    /// Sends a control message.
    pub(super) fn send_bfd(&mut self, to: Ipv6Addr, bytes: &[u8]) {
        let sent = self.bfd_out.send(to, self.ports.bfd, bytes, 0);
        self.refused.sends += u64::from(sent.is_err());
    }

    /// Sends a beacon of the neighbour with this place among all.
    pub(super) fn send_beacon(&mut self, to: Ipv6Addr, beacon: &probe::Outgoing, tag: u64) {
        let sent = self
            .beacons
            .send(to, self.ports.beacons, &beacon.bytes, tag);
        self.refused.sends += u64::from(sent.is_err());
        self.leaving |= sent.is_ok();
    }

    /// Fills the batch with control messages; whether there may be more.
    pub(super) fn receive_bfd(&self, batch: &mut Batch) -> io::Result<bool> {
        self.bfd_in.receive(batch)?;
        Ok(batch.is_full())
    }

    /// Fills the batch with beacons; whether there may be more.
    pub(super) fn receive_beacons(&self, batch: &mut Batch) -> io::Result<bool> {
        self.beacons.receive(batch)?;
        Ok(batch.is_full())
    }

    /// Tells what departures the kernel knows.
    pub(super) fn departed(
        &mut self,
        batch: &mut Batch,
        mut told: impl FnMut(u64, probe::Stamp),
    ) -> io::Result<()> {
        if !self.leaving {
            return Ok(());
        }
        self.leaving = false;
        loop {
            self.beacons.departed(batch)?;
            for departure in self.beacons.departures(batch) {
                told(departure.tag, probe::Stamp(departure.at.0));
            }
            if !batch.is_full() {
                return Ok(());
            }
        }
    }
}

/// The token by which a poller names a socket.
pub(super) fn token(link: u32, kind: Kind) -> u64 {
    u64::from(link) << 1 | u64::from(kind == Kind::Beacon)
}

/// The socket that a token names.
pub(super) fn socket(token: u64) -> (u32, Kind) {
    let link = u32::try_from(token >> 1).unwrap_or(0);
    match token & 1 {
        0 => (link, Kind::Bfd),
        _ => (link, Kind::Beacon),
    }
}

/// Whether a datagram comes from the link itself.
pub(super) const fn near(hop_limit: u8) -> bool {
    hop_limit == HOP_LIMIT
}
