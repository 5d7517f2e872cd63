//! Requests and responses.
//!
//! They are CBOR arrays with numbered fields: fields that a later release adds are skipped by this one.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};

use super::probe::{Probe, Witness};
use crate::port::SpPort;

/// What a gateway asks of a service processor, or a service processor of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Request {
    /// Who is there? The one question that may be sent to all nodes, and needs no proof.
    #[n(0)]
    Discover,
    /// Answer if this reached you at this port, else be silent (seed "Sidecar Location").
    #[n(1)]
    ReplyIfAt(#[n(0)] Port),
    /// Where in the rack am I? From a service processor to a gateway (seed "SP Location").
    #[n(2)]
    WhereAmI,
    /// How is the unit?
    #[n(3)]
    State,
    /// What is the unit made of, from this index on?
    #[n(4)]
    Inventory(#[n(0)] u16),
    /// What do the sensors read, from this index on?
    #[n(5)]
    Sensors(#[n(0)] u16),
    /// Switch the unit's host on or off.
    #[n(6)]
    SetPower(#[n(0)] Power),
    /// Start the service processor anew.
    #[n(7)]
    Reset,
    /// Which targets does the ignition controller feel? Of switches only.
    #[n(8)]
    Ignition,
    /// Hold the serial console for an operator, called so.
    #[n(9)]
    ConsoleAttach(#[n(0)] String),
    /// What came out of the console from the first octet on? All before the second has been received.
    #[n(10)]
    ConsoleRead(#[n(0)] u64, #[n(1)] u64),
    /// Type this, as the octets from this one on.
    #[n(11)]
    ConsoleWrite(#[n(0)] u64, #[cbor(n(1), with = "minicbor::bytes")] Vec<u8>),
    /// Let the console go.
    #[n(12)]
    ConsoleDetach,
    /// Begin, or go on with, an update.
    #[n(13)]
    UpdateBegin(#[n(0)] Image),
    /// A piece of the image, from this octet on.
    #[n(14)]
    UpdateChunk(#[n(0)] u32, #[cbor(n(1), with = "minicbor::bytes")] Vec<u8>),
    /// How far is the update?
    #[n(15)]
    UpdateStatus,
    /// All is there: verify it, and start from it once.
    #[n(16)]
    UpdateFinish,
    /// The running image is good: keep it.
    #[n(17)]
    UpdateKeep,
    /// Forget the update.
    #[n(18)]
    UpdateAbort,
    /// Send these probes.
    #[n(19)]
    Inject(#[n(0)] Vec<Probe>),
    /// Which probes have reached you, from this number on?
    #[n(20)]
    Witnessed(#[n(0)] u64),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Response {
    /// Who is there.
    #[n(0)]
    Here(#[n(0)] Here),
    /// Where the unit is, in words.
    #[n(1)]
    YouAreAt(#[n(0)] String),
    /// How the unit is.
    #[n(2)]
    State(#[n(0)] State),
    /// Parts of the unit from the index that was asked for, and how many there are.
    #[n(3)]
    Inventory(#[n(0)] Vec<Part>, #[n(1)] u16),
    /// Readings from the index that was asked for, and how many there are.
    #[n(4)]
    Sensors(#[n(0)] Vec<Reading>, #[n(1)] u16),
    /// It is done.
    #[n(5)]
    Done,
    /// One bit for each port: whether ignition feels a target there.
    #[n(6)]
    Ignition(#[n(0)] u64),
    /// Octets of the console, from this one on: later than asked where those between were overwritten.
    #[n(7)]
    Console(#[n(0)] u64, #[cbor(n(1), with = "minicbor::bytes")] Vec<u8>),
    /// So many octets have been typed.
    #[n(8)]
    Typed(#[n(0)] u64),
    /// How far an update is.
    #[n(9)]
    Update(#[n(0)] Progress),
    /// It was not done.
    #[n(10)]
    Failed(#[n(0)] Failure),
    /// Probes that arrived, from the number that was asked for or the first that is kept, and where to go on.
    #[n(11)]
    Witnessed(#[n(0)] Vec<Witness>, #[n(1)] u64),
}

/// One of the two ways to a service processor, as it is written in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Port {
    /// [`SpPort::One`].
    #[n(1)]
    One,
    /// [`SpPort::Two`].
    #[n(2)]
    Two,
}

impl From<SpPort> for Port {
    fn from(port: SpPort) -> Self {
        match port {
            SpPort::One => Self::One,
            SpPort::Two => Self::Two,
        }
    }
}

impl From<Port> for SpPort {
    fn from(port: Port) -> Self {
        match port {
            Port::One => Self::One,
            Port::Two => Self::Two,
        }
    }
}

/// Who a service processor is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Here {
    /// What it belongs to.
    #[n(0)]
    pub kind: Kind,
    /// The unit's serial number.
    #[n(1)]
    pub serial: String,
    /// The first of the unit's addresses.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub first_mac: [u8; 6],
    /// At which of its ports the question reached it.
    #[n(3)]
    pub reached: Port,
    /// Drawn anew whenever the service processor starts: what proofs of requests are bound to.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub boot: [u8; 16],
    /// The highest version that it speaks.
    #[n(5)]
    pub version: u8,
}

/// What a service processor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Kind {
    /// A sled.
    #[n(0)]
    Sled,
    /// A power shelf controller.
    #[n(1)]
    Psc,
    /// A rack switch.
    #[n(2)]
    Switch,
}

/// How a unit is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct State {
    /// Whether its host runs.
    #[n(0)]
    pub power: Power,
    /// The firmware that runs.
    #[n(1)]
    pub firmware: String,
    /// Whether that firmware is on trial: it is left again at the next start unless it is kept.
    #[n(2)]
    pub on_trial: bool,
    /// Seconds since the service processor started.
    #[n(3)]
    pub uptime: u64,
    /// Messages that proved nothing, or were replayed.
    #[n(4)]
    pub refused: u64,
}

/// Whether a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Power {
    /// Off, but for the service processor.
    #[n(0)]
    Off,
    /// The host runs.
    #[n(1)]
    On,
}

/// A part of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Part {
    /// What it is.
    #[n(0)]
    pub name: String,
    /// Its serial number.
    #[n(1)]
    pub serial: String,
}

/// What a sensor reads.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reading {
    /// Which sensor.
    #[n(0)]
    pub name: String,
    /// The value, in thousandths of the unit.
    #[n(1)]
    pub milli: i64,
    /// The unit: `C`, `V`, `A`, `W`, `rpm`.
    #[n(2)]
    pub unit: String,
}

/// An image to update to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Image {
    /// What it is called.
    #[n(0)]
    pub name: String,
    /// Its length in octets.
    #[n(1)]
    pub len: u32,
    /// The BLAKE3 hash of all of it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub hash: [u8; 32],
}

/// How far an update is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Progress {
    /// The image that is being taken, if any.
    #[n(0)]
    pub image: Option<Image>,
    /// So many octets from the start are there: where to go on.
    #[n(1)]
    pub next: u32,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Failure {
    /// The unit has no such thing, or the release does not know the request.
    #[n(0)]
    Unsupported,
    /// The request needs proof, and has none that holds; here is what to bind it to.
    #[n(1)]
    Unproven(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]),
    /// Somebody else holds the console.
    #[n(2)]
    Held(#[n(0)] String),
    /// The console is not held by who asks.
    #[n(3)]
    NotHeld,
    /// There is no update under way.
    #[n(4)]
    NoUpdate,
    /// A piece lies beyond what has come, or beyond the image's end: go on from here.
    #[n(5)]
    OutOfPlace(#[n(0)] u32),
    /// The image is larger than the room for it.
    #[n(6)]
    TooLarge(#[n(0)] u32),
    /// What came is not what was announced.
    #[n(7)]
    WrongHash,
    /// The gateway does not know yet.
    #[n(8)]
    NotReady,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("the unit does not have this"),
            Self::Unproven(_) => f.write_str("the service processor takes no orders without its key: provision the key to this gateway"),
            Self::Held(by) => write!(f, "the console is held by {by}: ask them to detach"),
            Self::NotHeld => f.write_str("attach to the console first"),
            Self::NoUpdate => f.write_str("no update is under way"),
            Self::OutOfPlace(next) => write!(f, "the update goes on at octet {next}"),
            Self::TooLarge(room) => write!(f, "the image is larger than the {room} octets that there are for it"),
            Self::WrongHash => f.write_str("the image that came is not the one that was announced: send it again"),
            Self::NotReady => f.write_str("the gateway does not know where it is yet"),
        }
    }
}

impl core::error::Error for Failure {}

impl Request {
    /// Whether anybody may ask it: it tells no secret and changes nothing.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Discover | Self::ReplyIfAt(_) | Self::WhereAmI)
    }

    /// Whether to do it twice is to do something else than to do it once.
    #[must_use]
    pub const fn is_once(&self) -> bool {
        matches!(self, Self::SetPower(_) | Self::Reset | Self::UpdateFinish)
    }
}
