//! Who reaches whom, over real frames: the whole rack, ids, tags and casts; the model is tried with all of them.

use std::collections::{BTreeMap, BTreeSet};

use rackweave_linux::tagged::TAGGED_MAX;
use rackweave_mgmt::port::{Position, SpPort, Unit};
use rackweave_mgmt::sp::Request;
use rackweave_mgmt::sp::message::{Port, Response};
use rackweave_mgmt::sp::probe::{self, PROBES_MAX, Probe, Witness};
use rackweave_rig::{SHORT, may_run, wait_until};
use rackweave_types::MacAddr;

use crate::gateway::Gateway;
use crate::place::{Place, first_mac};

/// Ids that are tried with each unit besides those that mean something.
const DRAWN: u64 = 12;

/// Numbers that look drawn, the same on every machine.
fn draw(seed: u64) -> u16 {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u16::try_from((mixed >> 40) & 0xfff).unwrap()
}

/// The tags that are tried.
fn tags(place: &Place, number: u64) -> Vec<Vec<u16>> {
    let ports = place
        .rack
        .ends(Position::A)
        .map(|(port, _)| port.vlan().get());
    let mut ids: Vec<u16> = ports.step_by(9).collect();
    ids.extend([0, 1, 0x301, 0x302, 0x3ff, 0xfff]);
    ids.extend((0..DRAWN).map(|draw_| draw(number * DRAWN + draw_)));
    let mut tags = vec![Vec::new()];
    for id in &ids {
        tags.push(vec![*id]);
        tags.extend([vec![0x301, *id], vec![0x302, *id], vec![*id, 0x301]]);
    }
    tags
}

/// All that a service processor has seen.
fn witnessed(gateway: &mut Gateway, unit: Unit) -> Vec<Witness> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        match gateway.answer(unit, &Request::Witnessed(from)) {
            Response::Witnessed(rows, _) if rows.is_empty() => return all,
            Response::Witnessed(rows, next) => {
                all.extend(rows);
                from = next;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Where a probe came up: at which gateway, with which VLANs.
type Arrived = BTreeMap<(Position, Vec<u16>, u64), usize>;

#[test]
fn what_service_processors_send_reaches_their_gateways_and_nobody_else() {
    if !may_run("what_service_processors_send_reaches_their_gateways_and_nobody_else") {
        return;
    }
    let place = Place::whole();
    let units = place.rack.units();
    let mut gateways = Position::ALL.map(|position| Gateway::new(&place, position));
    let (mut marker, mut expected) = (0, Arrived::new());
    for (number, unit) in units.iter().enumerate() {
        gateways[0].discover(*unit);
        let other = units[(number + 1) % units.len()];
        let casts = [
            [0xff; 6],
            [0x33, 0x33, 0, 0, 0, 1],
            first_mac(&place.rack, other).octets(),
        ];
        let mut probes = Vec::new();
        for tags in tags(&place, u64::try_from(number).unwrap()) {
            for destination in casts {
                marker += 1;
                if let Some(arrives) = arrives(&place, *unit, &tags) {
                    expected.insert((arrives.0, vec![arrives.1], marker), 1);
                }
                probes.push(Probe {
                    port: Port::One,
                    tags: tags.clone(),
                    destination,
                    marker,
                });
            }
        }
        for probes in probes.chunks(PROBES_MAX) {
            let done = gateways[0].answer(*unit, &Request::Inject(probes.to_vec()));
            assert_eq!(done, Response::Done);
        }
    }
    let arrived = |gateways: &[Gateway; 2]| {
        let mut arrived = Arrived::new();
        for (position, gateway) in Position::ALL.into_iter().zip(gateways) {
            for seen in &gateway.seen {
                *arrived
                    .entry((position, seen.tags.clone(), seen.marker))
                    .or_default() += 1;
            }
        }
        arrived
    };
    wait_until(SHORT, "all probes that may arrive have", || {
        for gateway in &mut gateways {
            gateway.turn();
        }
        Ok(arrived(&gateways).len() >= expected.len())
    })
    .unwrap();
    // Each unit is asked behind its probes, on the same wires.
    for unit in &units {
        assert_eq!(witnessed(&mut gateways[0], *unit), [], "{unit}");
    }
    let found = arrived(&gateways);
    assert!(
        found == expected,
        "{} of {} arrived",
        found.len(),
        expected.len()
    );
}

/// Which gateway a probe reaches, and with which VLAN, if it may.
fn arrives(place: &Place, unit: Unit, tags: &[u16]) -> Option<(Position, u16)> {
    let [tag] = tags else {
        return None;
    };
    let sp_port = SpPort::ALL.into_iter().find(|it| it.vlan().get() == *tag)?;
    Position::ALL.into_iter().find_map(|position| {
        let mut ends = place.rack.ends(position);
        let (port, _) = ends.find(|(_, end)| end.unit == unit && end.sp_port == sp_port)?;
        Some((position, port.vlan().get()))
    })
}

#[test]
fn what_a_gateway_sends_reaches_the_unit_of_its_tag_alone() {
    if !may_run("what_a_gateway_sends_reaches_the_unit_of_its_tag_alone") {
        return;
    }
    let place = Place::whole();
    let position = Position::B;
    let mut gateway = Gateway::new(&place, position);
    let technicians: Vec<_> = place
        .rack
        .technicians()
        .iter()
        .map(|port| {
            (
                *port,
                place.open(&format!("t{}", Place::port(position, port.get()))),
            )
        })
        .collect();
    let source = MacAddr::new([0xa8, 0x40, 0x25, 0xff, 0, 9]);
    let casts = [MacAddr::BROADCAST, MacAddr::new([0x33, 0x33, 0, 0, 0, 1])];
    for vid in 0..0x1000_u16 {
        for (cast, destination) in casts.iter().enumerate() {
            let marker = u64::from(vid) << 8 | u64::try_from(cast).unwrap();
            gateway.send(&probe::write(*destination, source, &[vid], marker));
            gateway.send(&probe::write(
                *destination,
                source,
                &[vid, 0x301],
                marker | 0x10,
            ));
            gateway.send(&probe::write(
                *destination,
                source,
                &[0x301, vid],
                marker | 0x20,
            ));
        }
        if vid % 64 == 0 {
            // Wires have room for so many.
            gateway.turn();
        }
    }
    gateway.send(&probe::write(casts[0], source, &[], 0x40));
    let ends: Vec<_> = place.rack.ends(position).collect();
    for (port, end) in ends {
        gateway.discover(end.unit);
        let markers = witnessed(&mut gateway, end.unit);
        let first = u64::from(port.vlan().get()) << 8;
        let expected = [first, first | 1].map(|marker| Witness {
            marker,
            port: Some(end.sp_port.into()),
            tags: vec![end.sp_port.vlan().get()],
        });
        assert_eq!(markers, expected, "{}", end.unit);
    }
    let mut buffer = vec![0; TAGGED_MAX];
    for (port, frames) in technicians {
        let mut markers = BTreeSet::new();
        while let Some(frame) = frames.receive(&mut buffer).unwrap() {
            let seen = probe::read(frame).unwrap();
            assert_eq!(seen.tags, [0_u16; 0]);
            markers.insert(seen.marker >> 8);
        }
        assert_eq!(markers, BTreeSet::from([u64::from(port.vlan().get())]));
    }
}
