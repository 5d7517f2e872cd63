//! Sending frames through ports, with every claim of the engine held against what it then does.

use std::net::IpAddr;

use rackweave_engine::{Direction, Frame, Port, Verdict};
use rackweave_types::state::PortConfig;
use rackweave_types::{Instant, Vni, reserved};

use crate::packet::{self, Ends};
use crate::verify::verify;
use crate::vpc::{BOUNDARY_MAC, Scene};

/// Why a frame did not go as it should.
pub type Fault = String;

/// The ends of a packet of a guest: every packet goes to the gateway.
///
/// # Errors
/// Where an address is not one.
pub fn from_guest(port: &PortConfig, src: &str, dst: &str) -> Result<Ends, Fault> {
    Ok(Ends {
        src_mac: port.mac,
        dst_mac: reserved::GATEWAY_MAC,
        src: address(src)?,
        dst: address(dst)?,
    })
}

/// The ends of a packet from the customer's network to an external address of a port.
///
/// # Errors
/// Where an address is not one.
pub fn from_outside(port: &PortConfig, src: &str, dst: &str) -> Result<Ends, Fault> {
    Ok(Ends {
        src_mac: BOUNDARY_MAC,
        dst_mac: port.mac,
        src: address(src)?,
        dst: address(dst)?,
    })
}

fn address(text: &str) -> Result<IpAddr, Fault> {
    text.parse().map_err(|_| format!("{text} is no address"))
}

/// Sends a frame through a port. Before, the port explains it; the explanation must name the very verdict and bytes
/// that come out. What leaves is checked from scratch.
///
/// # Errors
/// Where the explanation was wrong, or the frame that leaves is not valid.
pub fn send(
    port: &mut Port,
    direction: Direction,
    bytes: &[u8],
    now: Instant,
) -> Result<(Verdict, Frame), Fault> {
    let mut frame = Frame::new(bytes);
    let explained = port
        .explain(direction, &frame, now)
        .ok_or("a port has a shard")?;
    let verdict = port.process(direction, &mut frame, now);
    if (explained.verdict, explained.frame.bytes()) != (verdict, frame.bytes()) {
        return Err(format!("{verdict:?} was explained as {explained:#?}"));
    }
    if matches!(
        verdict,
        Verdict::Forward | Verdict::Hairpin | Verdict::Refuse(_)
    ) {
        verify(frame.bytes()).map_err(|error| format!("{error} in {:02x?}", frame.bytes()))?;
    }
    Ok((verdict, frame))
}

/// Sends a frame of one guest to another; the octets that arrive there.
///
/// # Errors
/// As [`send`], and where either port does not forward.
pub fn carry(from: &mut Port, to: &mut Port, bytes: &[u8], now: Instant) -> Result<Vec<u8>, Fault> {
    let frame = forwarded(send(from, Direction::Out, bytes, now)?)?;
    let frame = forwarded(send(to, Direction::In, frame.bytes(), now)?)?;
    Ok(frame.bytes().to_vec())
}

/// Sends a frame of a guest to boundary services; the inner octets that arrive there.
///
/// # Errors
/// As [`send`], and where the port does not forward to the boundary.
pub fn to_boundary(from: &mut Port, bytes: &[u8], now: Instant) -> Result<Vec<u8>, Fault> {
    let frame = forwarded(send(from, Direction::Out, bytes, now)?)?;
    let outer = rackweave_engine::parse::parse_outer(frame.bytes())
        .map_err(|reason| format!("not in a tunnel: {reason}"))?;
    if outer.vni != Vni::BOUNDARY {
        return Err(format!("left for network {}", outer.vni));
    }
    Ok(frame.bytes()[usize::from(outer.len)..].to_vec())
}

/// Gives a frame from boundary services to a port of the scene.
///
/// # Errors
/// As [`send`].
pub fn from_boundary(
    scene: &Scene,
    config: &PortConfig,
    to: &mut Port,
    inner: &[u8],
    now: Instant,
) -> Result<(Verdict, Frame), Fault> {
    let group = scene.boundary.groups.first().ok_or("no boundary group")?;
    let sled = scene.sled_of(config).sled.tunnel_endpoint();
    let outer = packet::geneve(group.address, sled, Vni::BOUNDARY, &packet::EXTERNAL, inner);
    send(to, Direction::In, &outer, now)
}

/// The frame, where the verdict is to forward it.
///
/// # Errors
/// The other verdict.
pub fn forwarded((verdict, frame): (Verdict, Frame)) -> Result<Frame, Fault> {
    match verdict {
        Verdict::Forward => Ok(frame),
        other => Err(format!("{other:?}")),
    }
}
