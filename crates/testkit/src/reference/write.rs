//! Packets, written anew.

use std::net::IpAddr;

use rackweave_engine::addr::Addr;
use rackweave_engine::flow::FlowKey;
use rackweave_engine::frame::{Checksum, Offload};
use rackweave_engine::hash::entropy;
use rackweave_engine::program::{Encapsulate, Target, Underlay};
use rackweave_engine::{Direction, DropReason, Frame};
use rackweave_wire::checksum::{combine, finish, finish_udp, sum};

use super::action::Way;
use super::header::{Header, Tunnel, word};
use super::quote::Quote;
use super::{Flow, Outcome, Side};
use crate::number::{ICMP, ICMPV6, TCP, UDP};
use crate::packet::pseudo_header;

/// A packet that came.
pub(super) struct Packet<'a> {
    pub(super) frame: &'a Frame,
    pub(super) header: &'a Header,
    pub(super) tunnel: Option<&'a Tunnel>,
    pub(super) underlay: Underlay,
}

impl Packet<'_> {
    fn inner(&self) -> &[u8] {
        let at = self.tunnel.map_or(0, |tunnel| tunnel.len);
        &self.frame.bytes()[at..]
    }

    /// What it quotes, where it is an ICMP error.
    pub(super) fn quote(&self) -> Option<Quote> {
        Quote::read(self.inner().get(self.header.l4 + 8..self.header.end)?)
    }

    /// The frame that leaves.
    pub(super) fn forward(&self, way: &Way) -> Result<Outcome, Outcome> {
        self.finish(self.inner().to_vec(), way)
    }

    /// The frame that leaves of an ICMP error: what it quotes is what the hearer sent.
    pub(super) fn relay(&self, way: &Way, quote: &Quote, flow: &Flow) -> Result<Outcome, Outcome> {
        let mut inner = self.inner().to_vec();
        let far = flow.far(way.first.direction);
        let (src, dst) = match way.first.direction {
            Direction::In => (far.local, far.remote),
            Direction::Out => (far.remote, far.local),
        };
        let quoted = &mut inner[self.header.l4 + 8..self.header.end];
        let mut changes = Changes::default();
        changes.address(quoted, if quote.v4 { 12 } else { 8 }, quote.v4, src.0);
        changes.address(quoted, if quote.v4 { 16 } else { 24 }, quote.v4, dst.0);
        if quote.v4 {
            let len = quote.l4.min(quoted.len());
            header_checksum(&mut quoted[..len]);
        }
        let pseudo = quote.protocol != ICMP;
        if !pseudo {
            changes = Changes::default();
        }
        match quote.protocol {
            TCP | UDP => {
                changes.word(quoted, quote.l4, src.1);
                changes.word(quoted, quote.l4 + 2, dst.1);
            }
            ICMP | ICMPV6 => changes.word(quoted, quote.l4 + 4, src.1 | dst.1),
            _ => {}
        }
        if let Some(at) = checksum_at(quote.protocol).map(|at| quote.l4 + at) {
            changes.adjust(quoted, at, quote.protocol);
        }
        self.finish(inner, way)
    }

    /// Rewrites the inner headers, and puts the tunnel around them or leaves it off.
    fn finish(&self, mut inner: Vec<u8>, way: &Way) -> Result<Outcome, Outcome> {
        let offload = self.inner_offload();
        let (first, last) = (&way.first, &way.last);
        inner[..6].copy_from_slice(&last.dst_mac.octets());
        inner[6..12].copy_from_slice(&last.src_mac.octets());
        if self.header.is_ip() {
            if let Some(tunnel) = self.tunnel {
                self.take_over(tunnel.tos, &mut inner)?;
            }
            self.network(way, &mut inner);
            let (before, after) = (Side::of(first), Side::of(last));
            if before != after || self.header.is_error {
                self.transport(way, offload, &mut inner);
            }
        }
        let leaves = |bytes: &[u8], offload| {
            let mut frame = Frame::new(bytes);
            frame.offload = offload;
            Outcome::Leaves(frame)
        };
        match (&way.encapsulate, way.target) {
            (Some(encapsulate), Some(target)) if self.tunnel.is_none() => {
                inner.truncate(self.header.end);
                let outer = self.outer(way, encapsulate, target, offload, inner.len())?;
                let added = u16::try_from(outer.len()).unwrap_or(u16::MAX);
                let checksum = match offload.checksum {
                    Checksum::Partial { start, offset } => Checksum::Partial {
                        start: start + added,
                        offset,
                    },
                    other => other,
                };
                Ok(leaves(
                    &[outer, inner].concat(),
                    Offload {
                        checksum,
                        ..offload
                    },
                ))
            }
            _ => Ok(leaves(&inner, offload)),
        }
    }

    /// What is still to be done to the inner frame.
    fn inner_offload(&self) -> Offload {
        let Some(tunnel) = self.tunnel else {
            return self.frame.offload;
        };
        let mut offload = self.frame.offload;
        if let Checksum::Partial { start, offset } = offload.checksum {
            let start = start - u16::try_from(tunnel.len).unwrap_or(0);
            offload.checksum = Checksum::Partial { start, offset };
        }
        let ported = matches!(self.header.fields.protocol, TCP | UDP);
        if offload.segment.is_none()
            && ported
            && let Some(segment) = self.header.cut(Some(tunnel), offload)
            && let Some(offset) = checksum_at(self.header.fields.protocol)
        {
            let [start, offset] = [self.header.l4, offset].map(|at| u16::try_from(at).unwrap_or(0));
            offload.checksum = Checksum::Partial { start, offset };
            offload.segment = Some(segment);
        }
        offload
    }

    /// Takes over DSCP and congestion from the tunnel (RFC 6040, figure 4).
    fn take_over(&self, outer: u8, inner: &mut [u8]) -> Result<(), Outcome> {
        let tos = self.header.tos;
        let ecn = match (tos & 3, outer & 3) {
            (0, 3) => return Err(Outcome::Dropped(DropReason::EcnNotCapable)),
            (0, _) => 0,
            (_, 3) => 3,
            // ECT(0) inside, ECT(1) outside.
            (2, 1) => 1,
            (ecn, _) => ecn,
        };
        let tos = outer & 0xfc | ecn;
        let ip = &mut inner[self.header.l3..];
        if self.header.is_v4() {
            ip[1] = tos;
        } else {
            ip[0] = 0x60 | tos >> 4;
            ip[1] = tos << 4 | ip[1] & 0xf;
        }
        Ok(())
    }

    /// Addresses, TTL, header checksum.
    fn network(&self, way: &Way, inner: &mut [u8]) {
        let ip = &mut inner[self.header.l3..];
        let (src, dst) = (way.last.src.octets(), way.last.dst.octets());
        if self.header.is_v4() {
            ip[8] = way.last.ttl;
            ip[12..16].copy_from_slice(&src[12..]);
            ip[16..20].copy_from_slice(&dst[12..]);
            let len = 4 * usize::from(ip[0] & 0xf);
            header_checksum(&mut ip[..len]);
        } else {
            ip[7] = way.last.ttl;
            ip[8..24].copy_from_slice(&src);
            ip[24..40].copy_from_slice(&dst);
        }
    }

    /// Ports, identifier, checksum.
    fn transport(&self, way: &Way, offload: Offload, inner: &mut [u8]) {
        if self.header.is_later_fragment() {
            return;
        }
        let (first, last) = (&way.first, &way.last);
        let protocol = last.protocol;
        let upper = &mut inner[self.header.l4..self.header.end];
        let mut changes = Changes::default();
        if protocol != ICMP {
            changes.exchanged(&first.src.octets(), &last.src.octets());
            changes.exchanged(&first.dst.octets(), &last.dst.octets());
        }
        match protocol {
            TCP | UDP => {
                changes.word(upper, 0, last.src_port);
                changes.word(upper, 2, last.dst_port);
            }
            ICMP | ICMPV6
                if !self.header.is_error
                    && matches!(last.icmp_type, 0 | 8 | 13 | 14 | 128 | 129) =>
            {
                changes.word(upper, 4, last.src_port | last.dst_port);
            }
            _ => {}
        }
        let Some(at) = checksum_at(protocol) else {
            return;
        };
        let missing = protocol == UDP && word(upper, at) == Some(0);
        if missing {
            return;
        }
        if self.header.fragment.is_some() {
            // Most of what the checksum covers is elsewhere.
            changes.adjust(upper, at, protocol);
            return;
        }
        let pseudo = match protocol {
            ICMP => 0,
            _ => pseudo(last.src, last.dst, protocol, upper.len()),
        };
        let check = if let Checksum::Partial { .. } = offload.checksum {
            pseudo
        } else {
            upper[at..at + 2].fill(0);
            let all = combine(pseudo, sum(upper));
            if protocol == UDP {
                finish_udp(all)
            } else {
                finish(all)
            }
        };
        upper[at..at + 2].copy_from_slice(&check.to_be_bytes());
    }

    /// The tunnel's headers (design, contract "On the wire").
    fn outer(
        &self,
        way: &Way,
        encapsulate: &Encapsulate,
        target: Target,
        offload: Offload,
        inner_len: usize,
    ) -> Result<Vec<u8>, Outcome> {
        let mut options = Vec::new();
        if let Some(segment) = offload.segment
            && self.header.end - self.header.l3 > usize::from(self.underlay.guest_mtu)
        {
            options.extend([0xff, 0x52, 0x02, 1]);
            options.extend(segment.size.to_be_bytes());
            options.extend([0, 0]);
        }
        if let Some(source) = encapsulate.source {
            options.extend([0xff, 0x52, 0x03, 2]);
            options.extend(source.to_be_bytes());
        }
        if encapsulate.external {
            options.extend([0xff, 0x52, 0x81, 0]);
        }
        let udp_len = u16::try_from(16 + options.len() + inner_len)
            .map_err(|_| Outcome::Dropped(DropReason::EncapsulationTooLong))?;
        let side = Side::of(&way.first);
        let entropy = entropy(&FlowKey {
            direction: Direction::Out,
            local: side.local.0,
            remote: side.remote.0,
            local_port: side.local.1,
            remote_port: side.remote.1,
            protocol: way.first.protocol,
        });
        let tos = self.header.tos;
        let words = u8::try_from(options.len() / 4).unwrap_or(u8::MAX);
        let mut outer = Vec::new();
        outer.extend(self.underlay.dst_mac.octets());
        outer.extend(self.underlay.src_mac.octets());
        outer.extend([0x86, 0xdd, 0x60 | tos >> 4, tos << 4]);
        outer.extend(entropy.to_be_bytes());
        outer.extend(udp_len.to_be_bytes());
        outer.extend([UDP, 64]);
        outer.extend(self.underlay.source.octets());
        outer.extend(target.underlay.octets());
        outer.extend(entropy.to_be_bytes());
        outer.extend(6081_u16.to_be_bytes());
        outer.extend(udp_len.to_be_bytes());
        outer.extend([0, 0]);
        outer.extend([words, u8::from(encapsulate.external) << 6, 0x65, 0x58]);
        outer.extend((encapsulate.vni.get() << 8).to_be_bytes());
        outer.extend(options);
        Ok(outer)
    }
}

/// Where an upper layer has its checksum.
const fn checksum_at(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        ICMP | ICMPV6 => Some(2),
        _ => None,
    }
}

fn pseudo(src: Addr, dst: Addr, protocol: u8, len: usize) -> u16 {
    pseudo_header(IpAddr::from(src), IpAddr::from(dst), protocol, len)
}

fn header_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let check = finish(sum(header));
    header[10..12].copy_from_slice(&check.to_be_bytes());
}

/// What was changed under a checksum, for where not all that it covers is there: the sum of all words that came minus
/// those that went, modulo 2^16 - 1.
#[derive(Clone, Copy, Debug, Default)]
struct Changes(u32);

impl Changes {
    fn exchanged(&mut self, old: &[u8], new: &[u8]) {
        for (old, new) in old.chunks(2).zip(new.chunks(2)) {
            let [old, new] = [old, new].map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
            self.0 = (self.0 + new + 0xffff - old) % 0xffff;
        }
    }

    fn put(&mut self, bytes: &mut [u8], at: usize, new: &[u8]) {
        if let Some(place) = bytes.get_mut(at..at + new.len()) {
            self.exchanged(place, new);
            place.copy_from_slice(new);
        }
    }

    fn word(&mut self, bytes: &mut [u8], at: usize, new: u16) {
        self.put(bytes, at, &new.to_be_bytes());
    }

    fn address(&mut self, bytes: &mut [u8], at: usize, v4: bool, new: Addr) {
        let octets = new.octets();
        self.put(bytes, at, if v4 { &octets[12..] } else { &octets });
    }

    /// Makes a checksum right again that was right before.
    fn adjust(self, bytes: &mut [u8], at: usize, protocol: u8) {
        let Some(old) = word(bytes, at) else {
            return;
        };
        if protocol == UDP && old == 0 {
            return;
        }
        let sum = (u32::from(!old) + self.0) % 0xffff;
        let check = !u16::try_from(sum).unwrap_or(0);
        // Of the two zeros, a sum of words that are not all 0 is 0xffff.
        let check = match check {
            0xffff if protocol != UDP => 0,
            check => check,
        };
        bytes[at..at + 2].copy_from_slice(&check.to_be_bytes());
    }
}
