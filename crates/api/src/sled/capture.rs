//! Packets of a port, as they come.

use serde::{Deserialize, Serialize};

/// Asks for the packets of a port from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRequest {
    /// Its number, MAC, an address, its device's or its instance's name.
    pub port: String,
    /// Where; on both sides of the engine where there is none.
    #[serde(default)]
    pub points: Vec<Point>,
    /// At most so many packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// At most for so long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

/// Where packets are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Between the guest and the engine.
    Guest,
    /// Between the engine and the underlay.
    Wire,
}

/// A reply: a packet, or that there are no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Captured {
    /// The capture has begun: what comes from now on is seen.
    Begun(CaptureBegun),
    /// A packet.
    Packet(CapturedPacket),
    /// The last reply.
    End(CaptureEnd),
}

/// The capture has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureBegun {
    /// The port, as people know it: its number, and the name of its instance or device.
    pub port: String,
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedPacket {
    /// Where.
    pub point: Point,
    /// Whether it went from the guest towards the underlay, or the other way.
    pub direction: rackweave_types::Direction,
    /// When: nanoseconds since 1970 (UTC, without leap seconds).
    pub at_ns: u64,
    /// The frame, in hexadecimal digits.
    pub frame: String,
    /// What the engine decided, and what is still to be done to the frame.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// How a capture went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureEnd {
    /// Packets that were told.
    pub captured: u64,
    /// Packets that were seen and lost, because they came faster than they were taken.
    pub lost: u64,
}
