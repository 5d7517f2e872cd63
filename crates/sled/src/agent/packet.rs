//! Packets between the agent and a port: what is read of one that was punted, and the frames of answers.

use std::net::IpAddr;

use rackweave_types::MacAddr;
use rackweave_wire::ethernet::{self, EthernetRepr, EthernetView};
use rackweave_wire::ipv4::{self, Ipv4Repr, Ipv4View};
use rackweave_wire::ipv6::{self, FlowLabel, Ipv6Repr, Ipv6View};
use rackweave_wire::protocol::{EtherType, IpProtocol};
use rackweave_wire::tcp::{TcpFlags, TcpView};
use rackweave_wire::tos::{Dscp, Ecn};
use rackweave_wire::udp::{self, UdpPayloadLen, UdpRepr, UdpView};

/// Octets of IPv4 and UDP headers before a payload.
const UDP_V4: u16 = 28;
/// Octets of IPv6 and UDP headers before a payload.
const UDP_V6: u16 = 48;
/// The bits that tell an opening segment.
const OPENING: u16 = TcpFlags::SYN.bits() | TcpFlags::ACK.bits() | TcpFlags::RST.bits();
/// Hop limit of what the agent sends.
const HOPS: u8 = 64;

/// A transport packet: its addresses and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// Source address, one host's.
    pub(crate) src: IpAddr,
    /// Destination address.
    pub(crate) dst: IpAddr,
    /// The IP packet, without padding.
    pub(crate) ip: &'a [u8],
    /// What it carries.
    pub(crate) transport: Transport<'a>,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport<'a> {
    /// A datagram whose checksum is right.
    Udp {
        src_port: u16,
        dst_port: u16,
        payload: &'a [u8],
    },
    /// A segment; its checksum was not looked at.
    Tcp {
        src_port: u16,
        dst_port: u16,
        /// Whether it opens a connection: SYN without ACK or RST.
        opens: bool,
    },
}

/// Why a frame is no packet for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPacket {
    /// It is a fragment.
    Fragment,
    /// It is something else, or malformed.
    Malformed,
}

impl<'a> Packet<'a> {
    /// Reads a frame.
    pub(crate) fn parse(frame: &'a [u8]) -> Result<Self, NoPacket> {
        let frame = EthernetView::parse(frame).map_err(|_| NoPacket::Malformed)?;
        match frame.ether_type() {
            EtherType::IPV4 => Self::parse_v4(frame.payload()),
            EtherType::IPV6 => Self::parse_v6(frame.payload()),
            _ => Err(NoPacket::Malformed),
        }
    }

    fn parse_v4(bytes: &'a [u8]) -> Result<Self, NoPacket> {
        let view = Ipv4View::parse(bytes).map_err(|_| NoPacket::Malformed)?;
        if view.is_fragment() {
            return Err(NoPacket::Fragment);
        }
        let src = view.src();
        let host = !(src.is_unspecified() || src.is_multicast() || src.is_broadcast());
        if !host || src.is_loopback() || !view.checksum_ok() {
            return Err(NoPacket::Malformed);
        }
        let payload = view.payload();
        let len = u16::try_from(payload.len()).map_err(|_| NoPacket::Malformed)?;
        Ok(Self {
            src: src.into(),
            dst: view.dst().into(),
            ip: bytes.get(..view.total_len().into()).unwrap_or(bytes),
            transport: Transport::parse(view.protocol(), payload, view.pseudo_header(len), true)?,
        })
    }

    fn parse_v6(bytes: &'a [u8]) -> Result<Self, NoPacket> {
        let view = Ipv6View::parse(bytes).map_err(|_| NoPacket::Malformed)?;
        let upper = view.upper_layer().map_err(|_| NoPacket::Malformed)?;
        if upper.fragment.is_some() {
            return Err(NoPacket::Fragment);
        }
        let src = view.src();
        if src.is_unspecified() || src.is_multicast() || src.is_loopback() {
            return Err(NoPacket::Malformed);
        }
        let len = u32::try_from(upper.payload.len()).map_err(|_| NoPacket::Malformed)?;
        let sum = view.pseudo_header(upper.protocol, len);
        let whole = ipv6::HEADER_LEN + usize::from(view.payload_len());
        Ok(Self {
            src: src.into(),
            dst: view.dst().into(),
            ip: bytes.get(..whole).unwrap_or(bytes),
            transport: Transport::parse(upper.protocol, upper.payload, sum, false)?,
        })
    }
}

impl<'a> Transport<'a> {
    fn parse(
        protocol: IpProtocol,
        payload: &'a [u8],
        pseudo_sum: u16,
        v4: bool,
    ) -> Result<Self, NoPacket> {
        match protocol {
            IpProtocol::UDP => {
                let view = UdpView::parse(payload).map_err(|_| NoPacket::Malformed)?;
                // RFC 768: zero where the sender made none; RFC 8200, section 8.1: not over IPv6.
                let unsummed = v4 && view.checksum() == 0;
                let short = usize::from(view.length()) != payload.len();
                if short || !(unsummed || view.checksum_ok(pseudo_sum)) {
                    return Err(NoPacket::Malformed);
                }
                Ok(Self::Udp {
                    src_port: view.src_port(),
                    dst_port: view.dst_port(),
                    payload: view.payload(),
                })
            }
            IpProtocol::TCP => {
                let view = TcpView::parse(payload).map_err(|_| NoPacket::Malformed)?;
                let flags = view.flags();
                Ok(Self::Tcp {
                    src_port: view.src_port(),
                    dst_port: view.dst_port(),
                    opens: flags.bits() & OPENING == TcpFlags::SYN.bits(),
                })
            }
            _ => Err(NoPacket::Malformed),
        }
    }
}

/// The longest UDP payload from this address that fits into packets of `mtu` octets.
pub(crate) fn udp_room(src: IpAddr, mtu: u16) -> usize {
    let headers = if src.is_ipv4() { UDP_V4 } else { UDP_V6 };
    mtu.saturating_sub(headers).into()
}

/// The two ends of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Ethernet source.
    pub(crate) src: MacAddr,
    /// Ethernet destination.
    pub(crate) dst: MacAddr,
}

impl Link {
    /// An IP packet in its frame; `None` where it is none.
    pub(crate) fn frame(self, ip: &[u8]) -> Option<Box<[u8]>> {
        let ether_type = match ip.first()? >> 4 {
            4 => EtherType::IPV4,
            6 => EtherType::IPV6,
            _ => return None,
        };
        let mut frame = vec![0; ethernet::HEADER_LEN + ip.len()];
        self.emit(ether_type, &mut frame)?;
        frame[ethernet::HEADER_LEN..].copy_from_slice(ip);
        Some(frame.into())
    }

    /// A datagram in its frame; `None` where the addresses are not of one family, or it is too long for a packet.
    pub(crate) fn udp(
        self,
        (src, src_port): (IpAddr, u16),
        (dst, dst_port): (IpAddr, u16),
        payload: &[u8],
    ) -> Option<Box<[u8]>> {
        let header = UdpRepr {
            src_port,
            dst_port,
            payload_len: UdpPayloadLen::new(u16::try_from(payload.len()).ok()?).ok()?,
        };
        let len = header.length();
        let ip_len = match src {
            IpAddr::V4(_) => ipv4::MIN_HEADER_LEN,
            IpAddr::V6(_) => ipv6::HEADER_LEN,
        };
        let mut frame = vec![0; ethernet::HEADER_LEN + ip_len + usize::from(len)];
        let (head, packet) = frame.split_at_mut(ethernet::HEADER_LEN);
        let (ip, datagram) = packet.split_at_mut(ip_len);
        let (ether_type, sum) = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let repr = Ipv4Repr::new(src, dst, IpProtocol::UDP, len.into()).ok()?;
                repr.emit(ip).ok()?;
                (EtherType::IPV4, repr.pseudo_header())
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let repr = Ipv6Repr {
                    src,
                    dst,
                    next_header: IpProtocol::UDP,
                    hop_limit: HOPS,
                    dscp: Dscp::default(),
                    ecn: Ecn::NotEct,
                    flow_label: FlowLabel::default(),
                    payload_len: len,
                };
                repr.emit(ip).ok()?;
                (EtherType::IPV6, repr.pseudo_header())
            }
            _ => return None,
        };
        self.emit(ether_type, head)?;
        header.emit(datagram).ok()?;
        datagram[udp::HEADER_LEN..].copy_from_slice(payload);
        udp::fill_checksum(datagram, sum).ok()?;
        Some(frame.into())
    }

    fn emit(self, ether_type: EtherType, buffer: &mut [u8]) -> Option<()> {
        let header = EthernetRepr {
            dst: self.dst,
            src: self.src,
            ether_type,
        };
        header.emit(buffer).ok()
    }
}
