//! What is ours as the API has it, and the other way round.

use rackweave_api::mgs as api;
use rackweave_mgmt::cabling::{Dead, Finding};
use rackweave_mgmt::port::{Position, SwitchPort, Unit};
use rackweave_mgmt::sp::message::{Kind, Power};

use crate::gateway::selftest::{Leak, Report};
use crate::gateway::update::{Progress, Stage};
use crate::seen::{LinkSeen, Seen, name_of, name_of_port};

pub(crate) const fn to_position(position: Position) -> api::Position {
    match position {
        Position::A => api::Position::A,
        Position::B => api::Position::B,
    }
}

pub(crate) const fn position_of(position: api::Position) -> Position {
    match position {
        api::Position::A => Position::A,
        api::Position::B => Position::B,
    }
}

pub(crate) const fn to_kind(kind: Kind) -> api::SpKind {
    match kind {
        Kind::Sled => api::SpKind::Sled,
        Kind::Psc => api::SpKind::Psc,
        Kind::Switch => api::SpKind::Switch,
    }
}

pub(crate) const fn to_power(power: Power) -> api::Power {
    match power {
        Power::Off => api::Power::Off,
        Power::On => api::Power::On,
    }
}

pub(crate) const fn power_of(power: api::Power) -> Power {
    match power {
        api::Power::Off => Power::Off,
        api::Power::On => Power::On,
    }
}

/// A service processor and its links, with what the other gateway sees.
pub(crate) fn to_sp(seen: &Seen, link: &LinkSeen, peer: Option<&api::View>) -> api::Sp {
    let found = link.found.as_ref();
    let unit = link.unit();
    let mut links = Vec::new();
    if let Some((rack, position)) = &seen.place {
        links.push(api::SpLink {
            position: to_position(*position),
            port: link.port.get(),
            found: found.is_some(),
            sp_port: found.map(|found| found.reached.number()),
            address: found.map(|found| found.address),
            heard_ms: link.heard.map(|heard| millis(seen.at.since(heard))),
        });
        let other = position.other();
        let port = unit.and_then(|unit| rack.port_of(other, unit));
        let theirs = peer.filter(|peer| peer.position == Some(to_position(other)));
        if let (Some(port), Some(theirs)) = (port, theirs) {
            let view = theirs.ports.iter().find(|view| view.port == port.get());
            links.push(api::SpLink {
                position: to_position(other),
                port: port.get(),
                found: view.is_some_and(|view| view.sp.is_some()),
                sp_port: view.and_then(|view| view.sp_port),
                address: None,
                heard_ms: None,
            });
        }
    }
    links.sort_by_key(|link| link.position);
    api::Sp {
        name: unit.map_or_else(|| name_of_port(link.port), name_of),
        unit: unit.map_or_else(|| link.port.to_string(), |unit| unit.to_string()),
        port: link.port.get(),
        found: found.is_some(),
        kind: found.map(|found| to_kind(found.kind)),
        serial: found.map(|found| found.serial.clone()),
        mac: found.map(|found| found.unit.first()),
        version: found.map(|found| found.version),
        links,
    }
}

pub(crate) fn to_finding(finding: &Finding) -> api::CablingFinding {
    use api::FindingKind as K;
    let numbers = |ports: &[Option<SwitchPort>]| -> Vec<u8> {
        ports.iter().flatten().map(|port| port.get()).collect()
    };
    let one = |port: &SwitchPort| vec![port.get()];
    let (kind, position, units, ports): (_, Option<Position>, &[Unit], _) = match finding {
        Finding::Swapped {
            position,
            units,
            ports,
        } => (K::Swapped, Some(*position), units, numbers(ports)),
        Finding::SwappedSomewhere { units } => (K::SwappedSomewhere, None, units, Vec::new()),
        Finding::Turned { unit } => (K::Turned, None, &[*unit], Vec::new()),
        Finding::Stranger { position, unit, .. } => {
            (K::Stranger, Some(*position), &[*unit], Vec::new())
        }
        Finding::AtOdds { unit, .. } => (K::AtOdds, None, &[*unit], Vec::new()),
        Finding::Missing {
            position,
            unit,
            port,
        } => (K::Missing, Some(*position), &[*unit], one(port)),
        Finding::Mixed {
            position,
            unit,
            port,
        } => (K::Mixed, Some(*position), &[*unit], one(port)),
        Finding::Dead {
            position,
            unit,
            port,
            what,
        } => {
            let kind = match what {
                Dead::Management => K::DeadManagement,
                Dead::ServiceProcessor => K::DeadServiceProcessor,
                Dead::Data => K::DeadData,
                Dead::Ignition => K::DeadIgnition,
            };
            (kind, Some(*position), &[*unit], one(port))
        }
    };
    api::CablingFinding {
        kind,
        position: position.map(to_position),
        units: units.iter().copied().map(name_of).collect(),
        ports,
        text: finding.to_string(),
    }
}

pub(crate) fn to_update(progress: &Progress) -> api::UpdateStatus {
    use api::UpdateStage as S;
    let (stage, error) = match &progress.stage {
        Stage::Begin | Stage::Look => (S::Waiting, None),
        Stage::Send => (S::Sending, None),
        Stage::Finish => (S::Verifying, None),
        Stage::Reset | Stage::Start | Stage::Check | Stage::Keep => (S::Starting, None),
        Stage::Done => (S::Done, None),
        Stage::Failed(why) => (S::Failed, Some(why.clone())),
    };
    api::UpdateStatus {
        image: progress.image.name.clone(),
        len: progress.image.len,
        sent: progress.sent,
        stage,
        error,
    }
}

pub(crate) fn to_selftest(report: &Report, seen: &Seen, at_unix_ms: u64) -> api::Selftest {
    let name = |port: SwitchPort| {
        let link = seen.links.iter().find(|link| link.port == port);
        let unit = link.and_then(LinkSeen::unit);
        unit.map_or_else(|| name_of_port(port), name_of)
    };
    let who = |port: Option<SwitchPort>| port.map_or_else(|| "gateway".to_owned(), name);
    let leak = |leak: &Leak| api::Leak {
        from: who(leak.from),
        tags: leak.tags.clone(),
        destination: leak.destination,
        at: who(leak.at),
        arrived_with: leak.arrived_with.clone(),
    };
    api::Selftest {
        at_unix_ms,
        took_ms: millis(report.took),
        took_part: report.took_part,
        silent: report.silent.iter().copied().map(name).collect(),
        sent: report.sent,
        controls: report.controls,
        controls_arrived: report.controls_arrived,
        leaks: report.leaks.iter().map(leak).collect(),
        leaks_total: report.leaks_total,
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
