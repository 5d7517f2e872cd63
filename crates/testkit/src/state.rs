//! The state of a port as people read it: connections, counters, rules.

use std::fmt::Write as _;

use rackweave_engine::flow::{FlowClass, FlowKey};
use rackweave_engine::{Direction, DropReason, FlowInfo, Port, RuleHits, Shard};
use rackweave_types::Instant;
use rackweave_vpc::RuleName;

use crate::number;

/// All of it, for a test that fails.
#[must_use]
pub fn whole(name: &str, port: &Port) -> String {
    let mut text = format!("state of port {name}\n");
    for (number, shard) in port.shards().iter().enumerate() {
        let (templates, peers) = shard.interned();
        let _ = writeln!(
            text,
            "  shard {number}: program {}, {} connections, {} packets for the agent, \
             {templates} outer headers, {peers} tunnel end points",
            shard.epoch(),
            shard.flow_count(),
            shard.punts_waiting(),
        );
    }
    for (title, rows) in [
        ("connections", flows(port)),
        ("counters", counters(port)),
        ("rules", rules(port, |_| true)),
    ] {
        let _ = writeln!(text, "  {title}");
        for line in table(&rows) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// The connections of a port, a row each under a row of headings.
#[must_use]
pub fn flows(port: &Port) -> Vec<Vec<String>> {
    let headings = [
        "protocol",
        "guest",
        "other end",
        "on the wire",
        "stands",
        "packets out/in",
        "octets out/in",
        "first",
        "last",
    ];
    let rows = port.shards().iter().flat_map(all_flows);
    [headings.map(String::from).to_vec()]
        .into_iter()
        .chain(rows.map(|flow| flow_row(&flow)))
        .collect()
}

fn all_flows(shard: &Shard) -> Vec<FlowInfo> {
    let (mut flows, mut cursor) = (Vec::new(), Some(0));
    while let Some(at) = cursor {
        let (page, next) = shard.flows(at, 4_096);
        flows.extend(page);
        cursor = next;
    }
    flows
}

fn flow_row(flow: &FlowInfo) -> Vec<String> {
    let FlowInfo { guest, wire, .. } = flow;
    let translated = (wire.local, wire.local_port) != (guest.local, guest.local_port);
    let on_wire = if translated {
        own_end(wire)
    } else {
        "same".to_owned()
    };
    let stands = match (flow.tcp, flow.class) {
        (Some(state), _) => format!("{state:?}"),
        (None, FlowClass::Opening) => "Unanswered".to_owned(),
        (None, class) => format!("{class:?}"),
    };
    vec![
        protocol(guest.protocol),
        own_end(guest),
        end(guest.remote, guest.remote_port, guest.protocol),
        on_wire,
        stands,
        format!("{}/{}", flow.packets[0], flow.packets[1]),
        format!("{}/{}", flow.bytes[0], flow.bytes[1]),
        time(flow.start),
        time(flow.last_use),
    ]
}

fn own_end(key: &FlowKey) -> String {
    end(key.local, key.local_port, key.protocol)
}

/// An address with its port, or the identifier of an ICMP query.
fn end(addr: rackweave_engine::addr::Addr, port: u16, protocol: u8) -> String {
    let addr = std::net::IpAddr::from(addr);
    match protocol {
        number::ICMP | number::ICMPV6 if port == 0 => addr.to_string(),
        number::ICMP | number::ICMPV6 => format!("{addr} id {port}"),
        _ => std::net::SocketAddr::new(addr, port).to_string(),
    }
}

/// A protocol's name, or its number.
#[must_use]
pub fn protocol(protocol: u8) -> String {
    match protocol {
        number::TCP => "tcp".to_owned(),
        number::UDP => "udp".to_owned(),
        number::ICMP => "icmp".to_owned(),
        number::ICMPV6 => "icmpv6".to_owned(),
        other => format!("protocol {other}"),
    }
}

/// A time in milliseconds since the start.
#[must_use]
pub fn time(at: Instant) -> String {
    let nanos = at.nanos();
    format!("{}.{:06} ms", nanos / 1_000_000, nanos % 1_000_000)
}

/// What a port has counted that is not nought: name, out, in.
#[must_use]
pub fn counters(port: &Port) -> Vec<Vec<String>> {
    let counters = port.counters();
    let both = [
        ("received", counters.received),
        ("forwarded", counters.forwarded),
        ("answered", counters.hairpinned),
        ("given to the agent", counters.punted),
        ("handed to another shard", counters.handed_over),
    ];
    let mut rows = vec![["", "out", "in"].map(String::from).to_vec()];
    let mut row = |name: &str, [out, into]: [u64; 2]| {
        if (out, into) != (0, 0) {
            rows.push(vec![name.to_owned(), out.to_string(), into.to_string()]);
        }
    };
    for (name, count) in both {
        row(name, count);
    }
    for reason in DropReason::ALL {
        let of = |direction| counters.dropped(direction, *reason);
        let name = format!("dropped: {reason}");
        row(&name, [of(Direction::Out), of(Direction::In)]);
    }
    let octets = [0, 1].map(|side: usize| counters.traffic[side].total().bytes);
    row("octets received", octets);
    let single = [
        ("refusals sent", counters.refusals),
        ("from a host left behind", counters.from_previous_host),
        ("connections begun", counters.flows_created),
        ("connections timed out", counters.flows_expired),
        ("connections evicted", counters.flows_evicted),
        ("connections cut", counters.flows_cut),
    ];
    for (name, count) in single.into_iter().filter(|(_, count)| *count > 0) {
        rows.push(vec![name.to_owned(), count.to_string()]);
    }
    rows
}

/// The rules of a port with the packets that met them, those that are wanted: direction, rule,
/// packets.
#[must_use]
pub fn rules(port: &Port, wanted: impl Fn(&RuleHits) -> bool) -> Vec<Vec<String>> {
    let mut rows = vec![["", "rule", "packets"].map(String::from).to_vec()];
    for shard in port.shards() {
        for hits in shard.rule_hits().into_iter().filter(&wanted) {
            let direction = match hits.direction {
                Direction::Out => "out",
                Direction::In => "in",
            };
            let name = match hits.rule.map(|id| (id, RuleName::of(id))) {
                Some((_, Some(name))) if name.part == 0 => name.to_string(),
                Some((_, Some(name))) => format!("{name}, part {}", name.part),
                Some((id, None)) => format!("{}: {:#018x}", hits.layer, id.0),
                None => format!("{}: default", hits.layer),
            };
            rows.push(vec![direction.to_owned(), name, hits.hits.to_string()]);
        }
    }
    rows
}

/// Rows of cells as lines with aligned columns.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::packet::{self, FrameBuilder};
    use crate::vpc::Scene;

    #[test]
    fn everything_that_happened_stands_in_it() -> Result<(), Box<dyn Error>> {
        let scene = Scene::new()?;
        let mut port = scene.start(&scene.test)?;
        let frames = [
            FrameBuilder::udp("10.0.1.5:5000", "192.0.2.1:53").build(),
            FrameBuilder::udp("10.0.1.7:5000", "192.0.2.1:53").build(),
            packet::arp_request(scene.test.mac, "10.0.1.5".parse()?, "10.0.1.1".parse()?),
        ];
        for frame in &frames {
            let now = Instant::from_nanos(1_234_567);
            port.process(
                Direction::Out,
                &mut rackweave_engine::Frame::new(frame),
                now,
            );
        }
        let text = whole("test", &port);
        for wanted in [
            "state of port test",
            "udp       10.0.1.5:5000  192.0.2.1:53  198.51.100.1:",
            "Unanswered  1/0             28/0           1.234567 ms",
            "dropped: rule_denied  1    0",
            "answered",
            "out  guard: forged address",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
        Ok(())
    }

    #[test]
    fn columns_are_aligned() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        let rows = [row(["a", "bb"]), row(["ccc", ""]), row(["", "d"])];
        assert_eq!(table(&rows), ["a    bb", "ccc", "     d"]);
    }
}
