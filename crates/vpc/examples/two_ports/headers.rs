//! A frame's headers in words, outermost first.

use std::error::Error;

use rackweave_types::{MacAddr, reserved};
use rackweave_wire::ethernet::EthernetView;
use rackweave_wire::geneve::GeneveView;
use rackweave_wire::ipv4::Ipv4View;
use rackweave_wire::ipv6::Ipv6View;
use rackweave_wire::protocol::{EtherType, IpProtocol};
use rackweave_wire::tcp::TcpView;
use rackweave_wire::udp::UdpView;

use crate::page::row;

/// A row for each header: its name, indented inside a tunnel, and what it says.
///
/// # Errors
/// Where a header is malformed.
pub(crate) fn of(frame: &[u8]) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let mut rows = Vec::new();
    ethernet(frame, "", &mut rows)?;
    Ok(rows)
}

type Rows = Vec<Vec<String>>;

fn ethernet(frame: &[u8], indent: &str, rows: &mut Rows) -> Result<(), Box<dyn Error>> {
    let view = EthernetView::parse(frame)?;
    let what = format!("{} -> {}", mac(view.src()), mac(view.dst()));
    rows.push(row([&format!("{indent}Ethernet"), &what]));
    match view.ether_type() {
        EtherType::IPV4 => {
            let ip = Ipv4View::parse(view.payload())?;
            let what = format!("{} -> {}, TTL {}", ip.src(), ip.dst(), ip.ttl());
            rows.push(row([&format!("{indent}IPv4"), &what]));
            upper(ip.protocol(), ip.payload(), indent, rows)
        }
        EtherType::IPV6 => {
            let ip = Ipv6View::parse(view.payload())?;
            let what = format!("{} -> {}, hop limit {}", ip.src(), ip.dst(), ip.hop_limit());
            rows.push(row([&format!("{indent}IPv6"), &what]));
            upper(ip.next_header(), ip.payload(), indent, rows)
        }
        other => {
            rows.push(row([indent, &other.to_string()]));
            Ok(())
        }
    }
}

fn upper(
    protocol: IpProtocol,
    bytes: &[u8],
    indent: &str,
    rows: &mut Rows,
) -> Result<(), Box<dyn Error>> {
    match protocol {
        IpProtocol::TCP => {
            let tcp = TcpView::parse(bytes)?;
            let len = tcp.payload().len();
            let payload = text(tcp.payload());
            let payload = payload.map(|first| format!(", {len} octets: {first}"));
            let what = format!(
                "{} -> {}, {}{}",
                tcp.src_port(),
                tcp.dst_port(),
                tcp.flags(),
                payload.unwrap_or_default()
            );
            rows.push(row([&format!("{indent}TCP"), &what]));
            Ok(())
        }
        IpProtocol::UDP => {
            let udp = UdpView::parse(bytes)?;
            let ports = format!("{} -> {}", udp.src_port(), udp.dst_port());
            if udp.dst_port() == reserved::GENEVE_PORT {
                let what = format!("{ports}; the source port is the connection's hash");
                rows.push(row([&format!("{indent}UDP"), &what]));
                geneve(udp.payload(), indent, rows)
            } else {
                rows.push(row([&format!("{indent}UDP"), &ports]));
                Ok(())
            }
        }
        other => {
            rows.push(row([indent, &other.to_string()]));
            Ok(())
        }
    }
}

fn geneve(bytes: &[u8], indent: &str, rows: &mut Rows) -> Result<(), Box<dyn Error>> {
    let view = GeneveView::parse(bytes)?;
    let options = match view.options().count() {
        0 => "no options".to_owned(),
        count => format!("{count} options"),
    };
    let what = format!("VNI {}, {options}; inside is", view.vni());
    rows.push(row([&format!("{indent}Geneve"), &what]));
    ethernet(view.payload(), &format!("{indent}  "), rows)
}

/// A hardware address; the gateway's is named.
pub(crate) fn mac(mac: MacAddr) -> String {
    if mac == reserved::GATEWAY_MAC {
        format!("{mac} (gateway)")
    } else {
        mac.to_string()
    }
}

/// The first line of a payload; `None` where there is none.
fn text(payload: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(payload);
    text.lines().next().map(|line| format!("{line:?}"))
}
