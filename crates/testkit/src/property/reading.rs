//! Parsers are total: any bytes give a value or a typed error, and what was read can be written and read again.

use std::fmt::Display;

use rackweave_engine::parse::{Parsed, inner_destination, parse_outer};
use rackweave_wire::arp::{ArpRepr, ArpView};
use rackweave_wire::dhcpv4::Dhcpv4View;
use rackweave_wire::dhcpv6::Dhcpv6View;
use rackweave_wire::domain::{Compression, Names};
use rackweave_wire::ethernet::{EthernetRepr, EthernetView};
use rackweave_wire::geneve::{GeneveRepr, GeneveView};
use rackweave_wire::icmpv4::{Icmpv4Repr, Icmpv4View};
use rackweave_wire::icmpv6::{Icmpv6Repr, Icmpv6View};
use rackweave_wire::ipv4::{Ipv4Repr, Ipv4View};
use rackweave_wire::ipv6::{Ipv6Repr, Ipv6View};
use rackweave_wire::ndp::{NdpRepr, NdpView};
use rackweave_wire::pcapng::Blocks;
use rackweave_wire::protocol::IpProtocol;
use rackweave_wire::tcp::{TcpRepr, TcpView};
use rackweave_wire::udp::{UdpRepr, UdpView};
use rackweave_wire::vlan::{VlanRepr, VlanView};

use super::{Fault, hold};
use crate::source::Source;
use crate::traffic::{Event, Manner, Traffic};

/// An error says something.
pub(super) fn told<T, E: Display>(result: Result<T, E>) -> Result<Option<T>, Fault> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            hold(!error.to_string().is_empty(), || {
                "an error without a word".to_owned()
            })?;
            Ok(None)
        }
    }
}

/// Reads a header; what its repr holds is the same after it was written and read again. A view's payload follows.
macro_rules! reread {
    ($bytes:expr, $view:ident, $repr:ident, $payload:expr) => {{
        if let Some(view) = told($view::parse($bytes))? {
            if let Some(repr) = told($repr::parse(&view).map_err(|error| error))? {
                let mut buffer = vec![0; repr.buffer_len()];
                repr.emit(&mut buffer).map_err(|error| error.to_string())?;
                let payload: fn(&$view<'_>) -> Vec<u8> = $payload;
                buffer.extend(payload(&view));
                let again = $view::parse(&buffer).map_err(|error| format!("{error}: {repr:?}"))?;
                let read = $repr::parse(&again).map_err(|error| format!("{error}: {repr:?}"))?;
                hold(read == repr, || format!("{repr:?} was read as {read:?}"))?;
            }
        }
        Ok(())
    }};
}

/// Every parser of `rackweave-wire`; the first byte says which.
///
/// # Errors
/// What does not hold.
pub fn wire(bytes: &[u8]) -> Result<(), Fault> {
    let Some((which, bytes)) = bytes.split_first() else {
        return Ok(());
    };
    match which % 16 {
        0 => reread!(bytes, EthernetView, EthernetRepr, |view| view
            .payload()
            .to_vec()),
        1 => reread!(bytes, VlanView, VlanRepr, |view| view.payload().to_vec()),
        2 => arp(bytes),
        3 => ipv4(bytes),
        4 => ipv6(bytes),
        5 => reread!(bytes, TcpView, TcpRepr, |view| view.payload().to_vec()),
        6 => udp(bytes),
        7 => reread!(bytes, GeneveView, GeneveRepr, |view| view
            .payload()
            .to_vec()),
        8 => reread!(bytes, Icmpv4View, Icmpv4Repr, |_| Vec::new()),
        9 => reread!(bytes, Icmpv6View, Icmpv6Repr, |_| Vec::new()),
        10 => ndp(bytes),
        11 => dhcpv4(bytes),
        12 => dhcpv6(bytes),
        13 => names(bytes),
        14 => pcapng(bytes),
        _ => quoted(bytes),
    }
}

fn arp(bytes: &[u8]) -> Result<(), Fault> {
    let Some(view) = told(ArpView::parse(bytes))? else {
        return Ok(());
    };
    let repr = ArpRepr::parse(&view);
    let mut buffer = vec![0; repr.buffer_len()];
    repr.emit(&mut buffer).map_err(|error| error.to_string())?;
    let again = ArpView::parse(&buffer).map_err(|error| error.to_string())?;
    hold(ArpRepr::parse(&again) == repr, || format!("{repr:?}"))
}

fn ipv4(bytes: &[u8]) -> Result<(), Fault> {
    let Some(view) = told(Ipv4View::parse(bytes))? else {
        return Ok(());
    };
    let options = view.options().map(|option| told(option).map(drop));
    options.collect::<Result<Vec<()>, _>>()?;
    reread!(bytes, Ipv4View, Ipv4Repr, |view| view.payload().to_vec())
}

fn ipv6(bytes: &[u8]) -> Result<(), Fault> {
    let Some(view) = told(Ipv6View::parse(bytes))? else {
        return Ok(());
    };
    if let Some(upper) = told(view.upper_layer())? {
        hold(upper.payload.len() <= view.payload().len(), || {
            format!("{upper:?}")
        })?;
    }
    let repr = Ipv6Repr::parse(&view);
    let mut buffer = vec![0; repr.buffer_len()];
    repr.emit(&mut buffer).map_err(|error| error.to_string())?;
    buffer.extend(view.payload());
    let again = Ipv6View::parse(&buffer).map_err(|error| error.to_string())?;
    hold(Ipv6Repr::parse(&again) == repr, || format!("{repr:?}"))
}

fn udp(bytes: &[u8]) -> Result<(), Fault> {
    let Some(view) = told(UdpView::parse(bytes))? else {
        return Ok(());
    };
    let repr = UdpRepr::parse(&view);
    let mut buffer = vec![0; repr.buffer_len()];
    repr.emit(&mut buffer).map_err(|error| error.to_string())?;
    buffer.extend(view.payload());
    let again = UdpView::parse(&buffer).map_err(|error| error.to_string())?;
    hold(UdpRepr::parse(&again) == repr, || format!("{repr:?}"))
}

fn ndp(bytes: &[u8]) -> Result<(), Fault> {
    if let Some(view) = told(NdpView::parse(bytes))? {
        let options = view.options().map(|option| told(option).map(drop));
        options.collect::<Result<Vec<()>, _>>()?;
    }
    reread!(bytes, NdpView, NdpRepr, |_| Vec::new())
}

fn dhcpv4(bytes: &[u8]) -> Result<(), Fault> {
    let Some(view) = told(Dhcpv4View::parse(bytes))? else {
        return Ok(());
    };
    told(view.message_type())?;
    told(view.requested_address())?;
    told(view.server_id())?;
    told(view.client_id())?;
    told(view.max_message_size())?;
    told(view.subnet_mask())?;
    told(view.routers())?;
    told(view.dns_servers())?;
    told(view.domain_search())?;
    told(view.classless_routes())?;
    told(view.interface_mtu())?;
    let asked = view.parameter_list().map_or(0, |list| list.len());
    hold(
        view.options().count() <= bytes.len() && asked <= bytes.len(),
        || "more options than octets".to_owned(),
    )
}

fn dhcpv6(bytes: &[u8]) -> Result<(), Fault> {
    let Some(view) = told(Dhcpv6View::parse(bytes))? else {
        return Ok(());
    };
    told(view.client_id())?;
    told(view.server_id())?;
    told(view.option_request())?;
    told(view.preference())?;
    told(view.elapsed_time())?;
    told(view.status())?;
    told(view.rapid_commit())?;
    told(view.dns_servers())?;
    told(view.domain_list())?;
    for association in view.associations() {
        if let Some(association) = told(association)? {
            for address in association.addresses() {
                told(address)?;
            }
        }
    }
    hold(view.options().count() <= bytes.len(), || {
        "more options than octets".to_owned()
    })
}

fn names(bytes: &[u8]) -> Result<(), Fault> {
    for compression in [Compression::Allowed, Compression::Forbidden] {
        let names = Names::new(bytes, compression);
        let mut count = 0;
        for name in names {
            told(name)?;
            count += 1;
        }
        hold(count <= bytes.len() + 1, || format!("{count} names"))?;
    }
    Ok(())
}

fn pcapng(bytes: &[u8]) -> Result<(), Fault> {
    let mut blocks = Blocks::new(bytes);
    for _ in 0..=bytes.len() {
        match blocks.next() {
            Some(block) => told(block).map(drop)?,
            None => return Ok(()),
        }
    }
    Err("more blocks than octets".to_owned())
}

/// The readers of what ICMP errors quote.
fn quoted(bytes: &[u8]) -> Result<(), Fault> {
    told(Ipv4View::parse_quoted(bytes))?;
    told(Ipv6View::parse_quoted(bytes))?;
    told(UdpView::parse_quoted(bytes))?;
    Ok(())
}

/// The engine's one-pass reading of a frame: places lie within, and where the views of `rackweave-wire` read the
/// same frame, they read the same.
///
/// # Errors
/// What does not hold.
pub fn frame(bytes: &[u8]) -> Result<(), Fault> {
    whole(bytes)?;
    // The bytes as they are seldom make a frame; those that they choose are nearly valid.
    let mut source = Source::new(bytes);
    let mut traffic = Traffic::new(Manner {
        hostile: true,
        clear_times: false,
    });
    while !source.is_empty() {
        if let Event::Packet(_, frame) = traffic.next(&mut source) {
            whole(frame.bytes())?;
        }
    }
    Ok(())
}

/// A frame of either direction.
fn whole(bytes: &[u8]) -> Result<(), Fault> {
    if let Some(outer) = told(parse_outer(bytes))? {
        let at = usize::from(outer.len);
        hold(at <= bytes.len(), || {
            format!("{outer:?} of {}", bytes.len())
        })?;
        told(inner_destination(bytes))?;
        inner(&bytes[at..])?;
        let geneve = GeneveView::parse(&bytes[62..]).map_err(|error| error.to_string())?;
        hold(
            geneve.vni() == outer.vni && geneve.header_len() + 62 == at,
            || format!("{outer:?}, {geneve:?}"),
        )?;
    }
    inner(bytes)
}

fn inner(bytes: &[u8]) -> Result<(), Fault> {
    let Some(parsed) = told(Parsed::parse(bytes))? else {
        return Ok(());
    };
    let (l3, l4) = (usize::from(parsed.l3), usize::from(parsed.l4));
    let end = usize::try_from(parsed.end).unwrap_or(usize::MAX);
    hold(l3 <= l4 && l4 <= end && end <= bytes.len(), || {
        format!("{parsed:?} of {} octets", bytes.len())
    })?;
    if !parsed.is_ip() {
        return Ok(());
    }
    let packet = &bytes[l3..];
    let (src, dst, len) = if parsed.is_v4() {
        let view = Ipv4View::parse(packet).map_err(|error| error.to_string())?;
        hold(view.checksum_ok(), || "a wrong header checksum".to_owned())?;
        (
            view.src().into(),
            view.dst().into(),
            usize::from(view.total_len()),
        )
    } else {
        let view = Ipv6View::parse(packet).map_err(|error| error.to_string())?;
        let len = 40 + usize::from(view.payload_len());
        (view.src().into(), view.dst().into(), len)
    };
    hold(
        (src, dst, l3 + len) == (parsed.src, parsed.dst, end),
        || format!("{parsed:?}: {src} to {dst}, {len} octets"),
    )?;
    if parsed.is_later_fragment() || parsed.protocol != IpProtocol::TCP.get() {
        return Ok(());
    }
    let view = TcpView::parse(&bytes[l4..end]).map_err(|error| error.to_string())?;
    let ports = (view.src_port(), view.dst_port());
    hold(ports == (parsed.src_port, parsed.dst_port), || {
        format!("{parsed:?}: {ports:?}")
    })
}
