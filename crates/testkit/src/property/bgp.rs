//! What a customer's router sends in a session, damaged or made up.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use rackweave_routing::bgp::config::{Config, PeerConfig, RemoteAs, RemoteKind};
use rackweave_routing::bgp::message::{Capabilities, Message, Open, Terms, announce, frame};
use rackweave_routing::bgp::policy::Policy;
use rackweave_routing::bgp::{ConnId, Family, Input, Output, SessionState, Speaker};
use rackweave_types::{Asn, Instant};

use super::{Fault, hold};

const TERMS: Terms = Terms {
    external: true,
    four_octets: true,
    extended_next_hop: true,
    ipv4: true,
    ipv6: true,
};
const CONN: ConnId = ConnId(1);

/// Octets in a running session: the first of a message says its type, the second how many of what follows are its body.
/// What is read as a route can be written and read again, and the speaker counts what it holds right.
///
/// # Errors
/// What does not hold.
pub fn bgp(bytes: &[u8]) -> Result<(), Fault> {
    let mut speaker = session()?;
    let mut rest = bytes;
    while let Some((kind, len, tail)) = split(rest) {
        let (body, after) = tail.split_at(len.min(tail.len()));
        rest = after;
        let message = message(kind, body);
        if let Ok(Some(frame)) = frame(&message)
            && let Ok(Message::Update(update)) = Message::parse(frame, &TERMS)
        {
            for reach in &update.reach {
                again(reach)?;
            }
        }
        let mut out = Vec::new();
        let input = Input::Received {
            conn: CONN,
            bytes: message,
        };
        speaker.handle(Instant::START, input, &mut out);
        let kernel = out.iter().filter_map(|output| match output {
            Output::Install { prefix, .. } | Output::Remove(prefix) => Some((*prefix, Ok(()))),
            _ => None,
        });
        let kernel = Input::Kernel(kernel.collect());
        speaker.handle(Instant::START, kernel, &mut Vec::new());
        counted(&speaker)?;
    }
    Ok(())
}

fn split(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let [kind, len, tail @ ..] = bytes else {
        return None;
    };
    Some((*kind, usize::from(*len), tail))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    let len = u16::try_from(19 + body.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(body);
    bytes
}

/// A route is written as it was read.
fn again(reach: &rackweave_routing::bgp::message::Reach) -> Result<(), Fault> {
    let Ok(messages) = announce(&TERMS, &reach.attributes, &reach.prefixes) else {
        return Ok(());
    };
    let mut prefixes = Vec::new();
    for message in messages {
        let read = frame(&message).ok().flatten();
        let read = read.map(|frame| Message::parse(frame, &TERMS));
        let Some(Ok(Message::Update(update))) = read else {
            return Err(format!(
                "{reach:?} is written as {message:?}, which is not read"
            ));
        };
        for one in update.reach {
            hold(one.attributes == reach.attributes, || {
                format!(
                    "{:?} is read again as {:?}",
                    reach.attributes, one.attributes
                )
            })?;
            prefixes.extend(one.prefixes.iter());
        }
    }
    let said: Vec<_> = reach.prefixes.iter().collect();
    hold(prefixes == said, || {
        format!("{said:?} are read again as {prefixes:?}")
    })
}

fn counted(speaker: &Speaker) -> Result<(), Fault> {
    let Some(peer) = speaker.peers().next() else {
        return Err("the peer is gone".to_owned());
    };
    let held = speaker.routes(Some("peer"), None, usize::MAX).count();
    hold(peer.received == held, || {
        format!(
            "{} prefixes are counted, and {held} are held",
            peer.received
        )
    })
}

/// A speaker with a session.
fn session() -> Result<Speaker, Fault> {
    let number = |number| Asn::new(number).map_err(|error| error.to_string());
    let (own, its) = (number(65_001)?, number(65_002)?);
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    let peer = PeerConfig {
        address: Some(address),
        import: Policy::accept_all(),
        export: Policy::accept_all(),
        ..PeerConfig::new(RemoteAs::Any(RemoteKind::External))
    };
    let config = Config {
        asn: own,
        router_id: Ipv4Addr::new(192, 0, 2, 1),
        multipath: 4,
        restart_s: 120,
        peers: BTreeMap::from([("peer".to_owned(), peer)]),
        statics: Vec::new(),
    };
    let mut speaker = Speaker::new(Instant::START, own, config.router_id, false, 7);
    let open = Open {
        asn: its,
        hold: 90,
        id: Ipv4Addr::new(192, 0, 2, 2),
        capabilities: Capabilities {
            families: Family::ALL.to_vec(),
            multiprotocol: true,
            route_refresh: true,
            extended_next_hop: true,
            four_octet_as: Some(its),
            restart: None,
            others: Vec::new(),
        },
    };
    let received = |bytes| Input::Received { conn: CONN, bytes };
    let inputs = [
        Input::Config(Box::new(config)),
        Input::Accepted {
            conn: CONN,
            local: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            remote: address,
            link: None,
        },
        received(open.emit()),
        received(Message::keepalive()),
    ];
    for input in inputs {
        speaker.handle(Instant::START, input, &mut Vec::new());
    }
    let up = speaker
        .peers()
        .all(|peer| peer.state == SessionState::Established);
    hold(up, || "there is no session".to_owned())?;
    Ok(speaker)
}
