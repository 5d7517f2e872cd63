//! A boundary as small as can be: Geneve of the sleds on one side, the world outside on the other.
//!
//! It says nothing of its own and remembers nothing: a packet from outside goes to who holds its destination, a guest's
//! packet goes out as it is in the tunnel. A large segment goes out with its segment size, and its checksum is left for
//! the kernel to finish.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, poll};
use rackweave_types::{MacAddr, PortRange, Vni, reserved};

use crate::site::{BOUNDARY, OUTSIDE_LINK, OUTSIDE_V4, OUTSIDE_V6, Site};
use crate::sys::{open_tun, prepare_tunnel_socket};

/// The boundary's inner Ethernet address.
pub(crate) const BOUNDARY_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0x00, 0x01]);

/// `struct virtio_net_hdr`.
const OFFLOAD_LEN: usize = 10;
const ETHERNET_LEN: usize = 14;
const GENEVE_LEN: usize = 8;
/// The EXTERNAL option, which says that a packet is from an external address.
const EXTERNAL: [u8; 4] = [0xff, 0x52, reserved::GENEVE_OPTION_EXTERNAL, 0];
/// How many milliseconds a thread waits before it looks whether it shall end.
const LOOK: u8 = 100;

/// Who holds an external address, or some ports of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The external address.
    pub outside: IpAddr,
    /// The ports; all where there is none, and what has no ports too.
    pub ports: Option<PortRange>,
    /// The holder's sled.
    pub sled: Ipv6Addr,
    /// The holder's Ethernet address.
    pub mac: MacAddr,
}

/// A boundary, which runs until it is dropped.
#[derive(Debug)]
pub struct Boundary {
    ended: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Boundary {
    /// Starts one at the edge of a site.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn start(site: &Site, holders: Vec<Holder>) -> Result<Self> {
        let tun = site.outside.enter(|| open_tun(OUTSIDE_LINK))??;
        site.outside.ip(&format!(
            "link set dev {OUTSIDE_LINK} mtu 1500 up\n\
             address add {OUTSIDE_V4}/32 dev lo\n\
             address add {OUTSIDE_V6}/128 dev lo nodad\n\
             route add default dev {OUTSIDE_LINK} src {OUTSIDE_V4}\n\
             route add ::/0 dev {OUTSIDE_LINK} src {OUTSIDE_V6}\n"
        ))?;
        let here = (BOUNDARY, reserved::GENEVE_PORT);
        let socket = site.edge.enter(|| UdpSocket::bind(here))?;
        let socket = socket.context("the boundary's socket")?;
        prepare_tunnel_socket(&socket)?;
        let (ended, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let out = Outward {
            socket: socket.try_clone()?,
            tun: tun.try_clone()?,
            refused: Arc::clone(&refused),
        };
        let inward = Inward {
            tun,
            socket,
            holders,
            refused: Arc::clone(&refused),
        };
        let (first, second) = (Arc::clone(&ended), Arc::clone(&ended));
        let threads = vec![
            thread::spawn(move || out.serve(&first)),
            thread::spawn(move || inward.serve(&second)),
        ];
        Ok(Self {
            ended,
            refused,
            threads,
        })
    }

    /// How many packets it could not read or deliver.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Boundary {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has no result; where it panicked, the test saw no traffic.
            let _ = thread.join();
        }
    }
}

/// From the sleds to the world outside.
struct Outward {
    socket: UdpSocket,
    tun: File,
    refused: Arc<AtomicU64>,
}

impl Outward {
    fn serve(mut self, ended: &AtomicBool) {
        let mut datagram = vec![0; 1 << 17];
        while !ended.load(Ordering::Relaxed) {
            let mut wait = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut wait, LOOK).is_ok_and(|ready| ready == 0) {
                continue;
            }
            // An error is that of a datagram sent before, told by ICMP.
            let Ok(length) = self.socket.recv(&mut datagram) else {
                continue;
            };
            let sent = open(&datagram[..length]).is_some_and(|inner| {
                let mut packet = inner.packet.to_vec();
                let offload = inner.mss.and_then(|mss| offload(&mut packet, mss));
                let offload = offload.unwrap_or([0; OFFLOAD_LEN]);
                let parts = [IoSlice::new(&offload), IoSlice::new(&packet)];
                self.tun.write_vectored(&parts).is_ok()
            });
            if !sent {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// From the world outside to the sleds.
struct Inward {
    tun: File,
    socket: UdpSocket,
    holders: Vec<Holder>,
    refused: Arc<AtomicU64>,
}

impl Inward {
    fn serve(mut self, ended: &AtomicBool) {
        let mut read = vec![0; 1 << 16];
        while !ended.load(Ordering::Relaxed) {
            let mut wait = [PollFd::new(self.tun.as_fd(), PollFlags::POLLIN)];
            if poll(&mut wait, LOOK).is_ok_and(|ready| ready == 0) {
                continue;
            }
            let Ok(length) = self.tun.read(&mut read) else {
                return;
            };
            let sent = read.get(OFFLOAD_LEN..length).is_some_and(|packet| {
                let Some((holder, ethertype)) = self.holder(packet) else {
                    return false;
                };
                let datagram = wrap(packet, holder.mac, ethertype);
                let to = SocketAddrV6::new(holder.sled, reserved::GENEVE_PORT, 0, 0);
                self.socket.send_to(&datagram, to).is_ok()
            });
            if !sent {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Who holds the destination of a packet, and the packet's `EtherType`.
    fn holder(&self, packet: &[u8]) -> Option<(&Holder, [u8; 2])> {
        let view = View::of(packet)?;
        let port = view.destination_port(packet);
        let holds = |holder: &&Holder| {
            holder.outside == view.destination
                && holder
                    .ports
                    .zip(port)
                    .is_none_or(|(ports, port)| ports.contains(port))
        };
        let ethertype = match view.destination {
            IpAddr::V4(_) => [0x08, 0x00],
            IpAddr::V6(_) => [0x86, 0xdd],
        };
        Some((self.holders.iter().find(holds)?, ethertype))
    }
}

/// What a tunnel packet holds.
struct Inner<'a> {
    packet: &'a [u8],
    mss: Option<u16>,
}

/// Reads a Geneve header and its options (RFC 8926, section 3).
fn open(datagram: &[u8]) -> Option<Inner<'_>> {
    let options_len = usize::from(*datagram.first()? & 0x3f) * 4;
    let mut options = datagram.get(GENEVE_LEN..GENEVE_LEN + options_len)?;
    let mut mss = None;
    while let Some((head, rest)) = options.split_at_checked(4) {
        let (data, rest) = rest.split_at_checked(usize::from(head[3] & 0x1f) * 4)?;
        if head[2] == reserved::GENEVE_OPTION_MSS {
            mss = Some(u16::from_be_bytes([*data.first()?, *data.get(1)?]));
        }
        options = rest;
    }
    let packet = datagram.get(GENEVE_LEN + options_len + ETHERNET_LEN..)?;
    Some(Inner { packet, mss })
}

/// A packet from outside as it goes to a sled.
fn wrap(packet: &[u8], mac: MacAddr, ethertype: [u8; 2]) -> Vec<u8> {
    let [_, vni @ ..] = Vni::BOUNDARY.get().to_be_bytes();
    let mut datagram = vec![1, 0, 0x65, 0x58];
    datagram.extend(vni);
    datagram.push(0);
    datagram.extend(EXTERNAL);
    datagram.extend(mac.octets());
    datagram.extend(BOUNDARY_MAC.octets());
    datagram.extend(ethertype);
    datagram.extend(packet);
    datagram
}

/// Where an IP packet goes, and where its payload is.
struct View {
    destination: IpAddr,
    source: IpAddr,
    protocol: u8,
    payload: usize,
}

impl View {
    fn of(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        let v4 = |at: usize| {
            let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        };
        let v6 = |at: usize| {
            let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        };
        Some(match first >> 4 {
            4 => Self {
                destination: v4(16)?,
                source: v4(12)?,
                protocol: *packet.get(9)?,
                payload: usize::from(first & 0xf) * 4,
            },
            6 => Self {
                destination: v6(24)?,
                source: v6(8)?,
                protocol: *packet.get(6)?,
                payload: 40,
            },
            _ => return None,
        })
    }

    /// The port by which a holder is found: that of TCP and UDP, and the identifier of an echo reply.
    fn destination_port(&self, packet: &[u8]) -> Option<u16> {
        let at = match self.protocol {
            6 | 17 => self.payload + 2,
            1 | 58 => self.payload + 4,
            _ => return None,
        };
        let octets = packet.get(at..at + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(octets))
    }
}

/// The virtio-net header of a large TCP segment, whose checksum field is set to what the kernel adds to (virtio 1.2,
/// section 5.1.6.2).
fn offload(packet: &mut [u8], mss: u16) -> Option<[u8; OFFLOAD_LEN]> {
    const NEEDS_CHECKSUM: u8 = 1;
    const CHECKSUM_IN_TCP: u16 = 16;
    let view = View::of(packet)?;
    let segment = packet.get(view.payload..)?;
    let header_len = view.payload + usize::from(*segment.get(12)? >> 4) * 4;
    let sum = pseudo_header_sum(&view, segment.len());
    let at = view.payload + usize::from(CHECKSUM_IN_TCP);
    packet
        .get_mut(at..at + 2)?
        .copy_from_slice(&sum.to_be_bytes());
    let kind = if view.source.is_ipv4() { 1 } else { 4 };
    let mut header = [0; OFFLOAD_LEN];
    header[..2].copy_from_slice(&[NEEDS_CHECKSUM, kind]);
    let start = u16::try_from(view.payload).ok()?;
    let header_len = u16::try_from(header_len).ok()?;
    for (at, value) in [header_len, mss, start, CHECKSUM_IN_TCP]
        .into_iter()
        .enumerate()
    {
        let at = 2 + at * 2;
        header[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }
    Some(header)
}

/// The sum over the pseudo header of TCP (RFC 9293, section 3.1; RFC 8200, section 8.1).
fn pseudo_header_sum(view: &View, length: usize) -> u16 {
    let words = |addr: IpAddr| -> u64 {
        let octets = match addr {
            IpAddr::V4(addr) => addr.octets().to_vec(),
            IpAddr::V6(addr) => addr.octets().to_vec(),
        };
        let pairs = octets.chunks_exact(2);
        pairs
            .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum()
    };
    let length = u64::try_from(length).unwrap_or(0);
    let mut sum = words(view.source) + words(view.destination) + length + u64::from(view.protocol);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_opens_again() {
        let packet = [0x45, 0, 0, 20];
        let datagram = wrap(&packet, BOUNDARY_MAC, [8, 0]);
        let inner = open(&datagram).unwrap();
        assert_eq!((inner.packet, inner.mss), (&packet[..], None));
        assert!(open(&datagram[..10]).is_none());
    }

    #[test]
    fn a_large_segment_says_its_segment_size() {
        let mut datagram = vec![2, 0, 0x65, 0x58, 0, 0, 99, 0];
        datagram.extend([0xff, 0x52, reserved::GENEVE_OPTION_MSS, 1, 0x05, 0xb4, 0, 0]);
        datagram.extend([0; ETHERNET_LEN]);
        assert_eq!(open(&datagram).unwrap().mss, Some(1460));
    }

    /// An echo request from a guest's external address, with the sequence number 1 and the checksums right.
    const ECHO: [u8; 28] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x8e, 0xa5, 198, 51, 100, 7, 192, 0, 2, 1, // IPv4
        8, 0, 0xb7, 0xfe, 0x40, 0, 0, 1, // ICMP
    ];

    #[test]
    fn an_echo_goes_out_and_its_answer_comes_in() {
        if !crate::may_run("an_echo_goes_out_and_its_answer_comes_in") {
            return;
        }
        let site = Site::new().unwrap();
        let mac = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 1]);
        let sled = crate::site::end_point(0).unwrap();
        let holder = Holder {
            outside: "198.51.100.7".parse().unwrap(),
            ports: Some(PortRange::new(16_384, 17_407).unwrap()),
            sled,
            mac,
        };
        let boundary = Boundary::start(&site, vec![holder]).unwrap();
        let at = (sled, reserved::GENEVE_PORT);
        let socket = site.sleds[0]
            .enter(|| UdpSocket::bind(at))
            .unwrap()
            .unwrap();
        socket.set_nonblocking(true).unwrap();
        let request = wrap(&ECHO, BOUNDARY_MAC, [8, 0]);
        let mut answer = [0; 1500];
        crate::wait_until(crate::SHORT, "the answer", || {
            socket.send_to(&request, (BOUNDARY, reserved::GENEVE_PORT))?;
            Ok(socket.recv(&mut answer)? == request.len())
        })
        .unwrap();
        let inner = open(&answer[..request.len()]).unwrap().packet;
        assert_eq!(inner[12..20], [192, 0, 2, 1, 198, 51, 100, 7]);
        assert_eq!(inner[20], 0, "an echo reply");
        assert_eq!(answer[12..18], mac.octets());
        drop(boundary);
    }
}
