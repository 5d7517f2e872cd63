//! Router advertisements: what the link is, to whoever asks (RFC 4861, section 6.2.6; RFC 8106).

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::slice;

use rackweave_wire::icmpv6::{self, Icmpv6Type};
use rackweave_wire::ndp::{
    Lifetime, Milliseconds, NdpOption, NdpRepr, PrefixInformation, RouterAdvertisement,
    RouterLifetime, RouterPreference,
};
use rackweave_wire::options::Options;

use super::neighbor::{ALL_NODES, ALL_NODES_MAC, asker};
use super::packet::{HOPS, Link, check_upper, emit_ndp};
use super::{NoAnswer, RouterAdvert, name};
use crate::addr::Addr;
use crate::frame::Frame;
use crate::parse::{ETHERTYPE_IPV6, Parsed, protocol};

/// `ff02::2`, every router of the link.
const ALL_ROUTERS: Addr = Addr::from_bits(0xff02_0000_0000_0000_0000_0000_0000_0002);
/// The least MTU of an IPv6 link (RFC 8200, section 5).
const MIN_MTU: u16 = 1280;
/// An IPv6 header.
const IPV6_LEN: usize = 40;
/// An advertisement without options (RFC 4861, section 4.2).
const FIXED_LEN: usize = icmpv6::HEADER_LEN + 8;

/// Answers a router solicitation, to the solicitor or, where it has no address yet, to all nodes.
pub(super) fn answer(
    advert: &RouterAdvert,
    frame: &mut Frame,
    parsed: &Parsed,
) -> Result<(), NoAnswer> {
    if parsed.is_v4()
        || parsed.protocol != protocol::ICMPV6
        || Icmpv6Type(parsed.icmp_type) != Icmpv6Type::ROUTER_SOLICITATION
    {
        return Err(NoAnswer::NotForUs);
    }
    let router = Addr::from(advert.router);
    if parsed.dst != ALL_ROUTERS && parsed.dst != router {
        return Err(NoAnswer::NotForUs);
    }
    check_upper(frame, parsed)?;
    // RFC 4861, section 6.1.1: "If the IP source address is the unspecified address, there is no
    // source link-layer address option in the message."
    if parsed.src == Addr::NONE && parsed.link_layer.is_some() {
        return Err(NoAnswer::Malformed("source address"));
    }
    let (dst, dst_mac) = asker(parsed)?;
    let link = Link::new(frame, parsed, advert.mac, dst_mac)?;
    advertise(advert, frame, &link, dst)
}

/// Makes the advertisement that nobody asked for, to all nodes of the link.
pub(super) fn unsolicited(advert: &RouterAdvert, frame: &mut Frame) -> Result<(), NoAnswer> {
    let link = Link::untagged(advert.mac, ALL_NODES_MAC, ETHERTYPE_IPV6);
    advertise(advert, frame, &link, ALL_NODES)
}

/// Makes the advertisement to `dst`.
fn advertise(
    advert: &RouterAdvert,
    frame: &mut Frame,
    link: &Link,
    dst: Addr,
) -> Result<(), NoAnswer> {
    let servers: Vec<_> = advert.dns.iter().map(Ipv6Addr::octets).collect();
    let names = name::list(&advert.search);
    let mut options = options(advert, &servers, &names);
    // RFC 4861, section 6.2.3 would let the rest go in further advertisements; no port has so much
    // to say.
    let mut room = usize::from(advert.mtu.max(MIN_MTU)) - IPV6_LEN - FIXED_LEN;
    options.retain(|option| {
        let len = Options::new(slice::from_ref(option)).map_or(usize::MAX, |one| one.buffer_len());
        let fits = len <= room;
        room -= if fits { len } else { 0 };
        fits
    });
    let message = NdpRepr::RouterAdvertisement {
        router: RouterAdvertisement {
            hop_limit: HOPS,
            managed: advert.managed,
            other: advert.other,
            preference: RouterPreference::Medium,
            lifetime: RouterLifetime::from_secs(advert.lifetime),
            reachable: Milliseconds::new(0),
            retransmit: Milliseconds::new(0),
        },
        options: Options::new(&options).map_err(|_| NoAnswer::NoRoom)?,
    };
    emit_ndp(frame, link, Addr::from(advert.router), dst, &message)
}

/// The options of an advertisement, the needed ones first.
fn options<'a>(
    advert: &RouterAdvert,
    servers: &'a [[u8; 16]],
    names: &'a [u8],
) -> Vec<NdpOption<'a>> {
    let mut options = vec![
        NdpOption::SourceLinkLayer(advert.mac),
        NdpOption::Mtu(advert.mtu.into()),
    ];
    options.extend(advert.prefixes.iter().map(|advertised| {
        let lifetime = Lifetime::from_secs(advertised.lifetime);
        NdpOption::PrefixInformation(PrefixInformation {
            prefix: advertised.prefix,
            on_link: advertised.on_link,
            autonomous: advertised.autonomous,
            valid: lifetime,
            preferred: lifetime,
        })
    }));
    let lifetime = Lifetime::from_secs(advert.lifetime.into());
    if !servers.is_empty() {
        options.push(NdpOption::RecursiveDns { lifetime, servers });
    }
    if !names.is_empty() {
        options.push(NdpOption::SearchList { lifetime, names });
    }
    options
}

#[cfg(test)]
pub(super) mod tests;
