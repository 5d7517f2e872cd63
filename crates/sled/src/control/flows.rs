//! Connections, as they are told.

use std::net::IpAddr;

use rackweave_api::sled::{End, Flow, FlowFilter};
use rackweave_engine::flow::{FlowClass, FlowKey};
use rackweave_engine::{FlowInfo, ListedFlow};
use rackweave_types::{Instant, PortId};

/// Where a connection was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) port: PortId,
    pub(crate) worker: u16,
    /// The program that the shard runs.
    pub(crate) epoch: u32,
}

/// Whether a connection is asked for.
pub(crate) fn is_wanted(filter: &FlowFilter, flow: &FlowInfo) -> bool {
    let ends = || {
        [&flow.guest, &flow.wire]
            .into_iter()
            .flat_map(|key| [local(key), remote(key)])
    };
    let address = filter
        .address
        .is_none_or(|net| ends().any(|end| net.contains(&end.address)));
    let port = filter
        .port
        .is_none_or(|port| ends().any(|end| end.port == port));
    let protocol = filter
        .protocol
        .is_none_or(|number| number == flow.guest.protocol);
    address && port && protocol
}

fn local(key: &FlowKey) -> End {
    End {
        address: IpAddr::from(key.local),
        port: key.local_port,
    }
}

fn remote(key: &FlowKey) -> End {
    End {
        address: IpAddr::from(key.remote),
        port: key.remote_port,
    }
}

/// A connection of a listing.
pub(crate) fn listed(place: Place, flow: &ListedFlow, now: Instant) -> Flow {
    Flow {
        epochs: Some(flow.epochs),
        offloaded: flow.offloaded,
        ..told(place, &flow.info, now)
    }
}

/// A connection.
pub(crate) fn told(place: Place, flow: &FlowInfo, now: Instant) -> Flow {
    let changed = |inside: End, outside: End| (inside != outside).then_some(outside);
    let millis = |since| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
    Flow {
        port: place.port,
        worker: place.worker,
        protocol: flow.guest.protocol,
        local: local(&flow.guest),
        remote: remote(&flow.guest),
        outside: changed(local(&flow.guest), local(&flow.wire)),
        outside_remote: changed(remote(&flow.guest), remote(&flow.wire)),
        began: flow.began,
        state: state(flow),
        age_ms: millis(flow.start),
        idle_ms: millis(flow.last_use),
        packets: flow.packets,
        bytes: flow.bytes,
        epochs: None,
        epoch: place.epoch,
        kept: flow.kept,
        offloaded: false,
    }
}

/// How a connection stands: TCP's state, or whether it was answered.
fn state(flow: &FlowInfo) -> String {
    match (flow.tcp, flow.class) {
        (Some(tcp), _) => tcp.name().to_owned(),
        (None, FlowClass::Answered) => "answered".to_owned(),
        (None, _) => "unanswered".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rackweave_engine::Direction;
    use rackweave_engine::addr::Addr;

    use super::*;

    fn info() -> FlowInfo {
        let ip = |text: &str| Addr::from(text.parse::<IpAddr>().unwrap());
        let guest = FlowKey {
            direction: Direction::Out,
            local: ip("10.0.1.5"),
            remote: ip("192.0.2.7"),
            local_port: 40_000,
            remote_port: 443,
            protocol: 17,
        };
        FlowInfo {
            guest,
            wire: FlowKey {
                direction: Direction::In,
                local: ip("198.51.100.1"),
                local_port: 16_384,
                ..guest
            },
            began: Direction::Out,
            class: FlowClass::Opening,
            tcp: None,
            packets: [1, 0],
            bytes: [60, 0],
            start: Instant::from_nanos(1_000_000),
            last_use: Instant::from_nanos(3_000_000),
            kept: false,
        }
    }

    #[test]
    fn a_connection_tells_how_it_is_seen_from_outside() {
        let place = Place {
            port: PortId::new(1),
            worker: 0,
            epoch: 4,
        };
        let flow = told(place, &info(), Instant::from_nanos(5_000_000));
        assert_eq!(flow.outside.unwrap().port, 16_384);
        assert_eq!(flow.outside_remote, None);
        assert_eq!((flow.age_ms, flow.idle_ms), (4, 2));
        assert_eq!(flow.state, "unanswered");
    }

    #[test]
    fn all_that_is_asked_for_must_hold_on_either_side_of_translation() {
        let flow = info();
        let wanted = |address: Option<&str>, port, protocol| {
            let address = address.map(|net| net.parse().unwrap());
            is_wanted(
                &FlowFilter {
                    address,
                    port,
                    protocol,
                },
                &flow,
            )
        };
        assert!(wanted(None, None, None));
        assert!(wanted(Some("10.0.1.0/24"), Some(443), Some(17)));
        assert!(wanted(Some("198.51.100.1/32"), Some(16_384), None));
        assert!(!wanted(Some("10.0.2.0/24"), None, None));
        assert!(!wanted(None, Some(80), None));
        assert!(!wanted(None, None, Some(6)));
    }
}
