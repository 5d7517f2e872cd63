//! Conversations of one port of the [scene](crate::vpc): frames of both directions, where what comes back is an
//! answer to what left.

use std::error::Error;
use std::net::{IpAddr, Ipv6Addr};

use rackweave_engine::Direction;
use rackweave_engine::parse::{Parsed, parse_outer};
use rackweave_types::state::PortConfig;
use rackweave_types::{MacAddr, Vni};

use crate::exchange::{from_guest, from_outside};
use crate::packet::{self, Ends};
use crate::vpc::{Scene, VPC};

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    Echo,
    /// SCTP: any protocol without ports that the engine knows.
    Other,
}

/// One frame of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Say {
    /// Which conversation; counted round.
    pub talk: u8,
    /// Whether the other end speaks.
    pub answer: bool,
    /// TCP flags, where it is TCP.
    pub flags: u8,
    /// Octets of payload.
    pub len: u8,
    /// Which part of a datagram cut in two, where it is one of IPv4 UDP: 1 or 2.
    pub part: u8,
    /// The other end's router says that it was too big instead.
    pub error: bool,
}

/// How packets of the other end arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wire {
    ends: Ends,
    ports: (u16, u16),
    from: Ipv6Addr,
    to: Ipv6Addr,
    vni: Vni,
    external: bool,
}

#[derive(Clone, Copy, Debug)]
struct Talk {
    kind: Kind,
    ends: Ends,
    ports: (u16, u16),
    wire: Option<Wire>,
}

/// The conversations of one port.
#[derive(Clone, Debug)]
pub struct Talks {
    mac: MacAddr,
    talks: Vec<Talk>,
}

impl Talks {
    /// Conversations with the VPC and the world, begun by either end.
    ///
    /// # Errors
    /// Never: the literals are right.
    pub fn new(scene: &Scene, port: &PortConfig) -> Result<Self, Box<dyn Error>> {
        let v4 = port
            .addresses
            .first()
            .ok_or("the port has no address")?
            .address
            .to_string();
        let v6 = port
            .addresses
            .get(1)
            .ok_or("the port has one address")?
            .address
            .to_string();
        let peer = if port.id == scene.test.id {
            "10.0.1.6"
        } else {
            "10.0.1.5"
        };
        let begun = |kind, src: &str, dst: &str, ports| -> Result<Talk, Box<dyn Error>> {
            Ok(Talk {
                kind,
                ends: from_guest(port, src, dst)?,
                ports,
                wire: None,
            })
        };
        let mut talks = vec![
            begun(Kind::Tcp, &v4, peer, (40_000, 22))?,
            begun(Kind::Tcp, &v4, "192.0.2.80", (40_001, 443))?,
            begun(Kind::Tcp, &v4, "192.0.2.80", (40_002, 443))?,
            begun(Kind::Udp, &v4, "192.0.2.53", (40_003, 5_353))?,
            begun(Kind::Udp, &v4, peer, (40_004, 7))?,
            begun(Kind::Udp, &v6, "2001:db8:9::53", (40_005, 5_353))?,
            begun(Kind::Echo, &v4, "192.0.2.80", (77, 0))?,
            begun(Kind::Other, &v4, peer, (0, 0))?,
            begun(Kind::Tcp, &v6, "fd12:3456:789a:2::5", (40_006, 22))?,
        ];
        let other = if port.id == scene.test.id {
            &scene.web
        } else {
            &scene.test
        };
        let host = scene.sled_of(port).sled.tunnel_endpoint();
        let begins = |ends: Ends, ports: (u16, u16), from, vni, external| {
            let wire = Wire {
                ends,
                ports,
                from,
                to: host,
                vni,
                external,
            };
            let back = Ends {
                src: port.addresses[0].address,
                ..ends.reversed()
            };
            let back = Ends {
                dst_mac: rackweave_types::reserved::GATEWAY_MAC,
                ..back
            };
            Talk {
                kind: Kind::Tcp,
                ends: back,
                ports: (ports.1, ports.0),
                wire: Some(wire),
            }
        };
        let inside = Ends {
            src_mac: other.mac,
            dst_mac: port.mac,
            ..from_guest(other, peer, &v4)?
        };
        let from = scene.sled_of(other).sled.tunnel_endpoint();
        talks.push(begins(inside, (50_000, 22), from, Vni::new(VPC)?, false));
        if let Some(external) = port.external.first() {
            let outside = from_outside(port, "192.0.2.99", &external.outside.to_string())?;
            let from = "fd52:7761:6b65:ff10::1".parse()?;
            talks.push(begins(outside, (50_001, 80), from, Vni::BOUNDARY, true));
        }
        Ok(Self {
            mac: port.mac,
            talks,
        })
    }

    /// The frame that is said, as it reaches the port; `None` where nothing is known to answer to.
    #[must_use]
    pub fn frame(&self, say: Say) -> Option<(Direction, Vec<u8>)> {
        let talk = self.talk(say.talk)?;
        if !say.answer {
            let request = talk
                .wire
                .is_none_or(|wire| wire.ports.1 != 22 && wire.ports.1 != 80);
            return Some((
                Direction::Out,
                inner(talk.kind, &talk.ends, talk.ports, request, say),
            ));
        }
        let wire = talk.wire?;
        let inner = if say.error {
            error(&wire, talk.kind)?
        } else {
            inner(talk.kind, &wire.ends, wire.ports, false, say)
        };
        let options = if wire.external {
            &packet::EXTERNAL[..]
        } else {
            &[]
        };
        Some((
            Direction::In,
            packet::geneve(wire.from, wire.to, wire.vni, options, &inner),
        ))
    }

    /// Learns from a frame that left how the other end sees the conversation.
    pub fn learn(&mut self, say: Say, left: &[u8]) {
        let mac = self.mac;
        let len = self.talks.len();
        let Some(talk) = self.talks.get_mut(usize::from(say.talk) % len.max(1)) else {
            return;
        };
        let Some(wire) = wire(mac, left) else { return };
        if say.part != 2 {
            talk.wire = Some(wire);
        }
    }

    fn talk(&self, number: u8) -> Option<&Talk> {
        self.talks
            .get(usize::from(number) % self.talks.len().max(1))
    }
}

/// How the other end answers a frame that left.
fn wire(mac: MacAddr, left: &[u8]) -> Option<Wire> {
    let outer = parse_outer(left).ok()?;
    let inner = left.get(usize::from(outer.len)..)?;
    let parsed = Parsed::parse(inner).ok()?;
    let address = |at: usize| Some(Ipv6Addr::from(*left.get(at..)?.first_chunk::<16>()?));
    let ends = Ends {
        src_mac: parsed.dst_mac,
        dst_mac: mac,
        src: IpAddr::from(parsed.dst),
        dst: IpAddr::from(parsed.src),
    };
    let id = parsed.src_port | parsed.dst_port;
    let ports = if parsed.protocol == 1 || parsed.protocol == 58 {
        (id, 0)
    } else {
        (parsed.dst_port, parsed.src_port)
    };
    Some(Wire {
        ends,
        ports,
        from: address(38)?,
        to: address(22)?,
        vni: outer.vni,
        external: outer.external,
    })
}

fn inner(kind: Kind, ends: &Ends, ports: (u16, u16), request: bool, say: Say) -> Vec<u8> {
    let payload = vec![say.flags ^ say.len; usize::from(say.len)];
    match kind {
        Kind::Tcp => packet::tcp(ends, ports, say.flags, &payload),
        Kind::Udp if say.part != 0 && ends.src.is_ipv4() => {
            let whole = packet::udp(ends, ports, &[say.len; 96]);
            let mut parts = packet::fragments(&whole, u16::from(say.talk), 64);
            parts.swap_remove(usize::from(say.part != 1))
        }
        Kind::Udp => packet::udp(ends, ports, &payload),
        Kind::Echo => packet::echo(ends, request, ports.0, 1, &payload),
        Kind::Other => packet::ip(ends, packet::Header::new(132), &payload),
    }
}

/// A too-big message of a router about what the guest sent, as the router saw it.
fn error(wire: &Wire, kind: Kind) -> Option<Vec<u8>> {
    let router = match wire.ends.src {
        IpAddr::V4(_) => wire.ends.src,
        IpAddr::V6(_) => return None,
    };
    let say = Say {
        talk: 0,
        answer: false,
        flags: 0x10,
        len: 20,
        part: 0,
        error: false,
    };
    let ports = if kind == Kind::Echo {
        wire.ports
    } else {
        (wire.ports.1, wire.ports.0)
    };
    let about = inner(kind, &wire.ends.reversed(), ports, true, say);
    let ends = Ends {
        src: router,
        ..wire.ends
    };
    Some(packet::icmp(&ends, 3, 4, [0, 0, 5, 0], about.get(14..)?))
}
