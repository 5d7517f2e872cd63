//! Replies as people read them.

use std::fmt::Write as _;

use rackweave_api::mgs::{
    Cabling, Location, PortRole, Position, Power, Selftest, Sensors, Sp, SpKind, SpList, SpState,
    SwitchStatus, Switches, UpdateStage, UpdateStatus, Vlans, Where,
};
use rackweave_daemon::table::{Table, duration};

const fn position(position: Position) -> &'static str {
    match position {
        Position::A => "switch A",
        Position::B => "switch B",
    }
}

const fn kind(kind: SpKind) -> &'static str {
    match kind {
        SpKind::Sled => "sled",
        SpKind::Psc => "psc",
        SpKind::Switch => "switch",
    }
}

const fn power(power: Power) -> &'static str {
    match power {
        Power::On => "on",
        Power::Off => "off",
    }
}

fn fact(text: &mut String, name: &str, value: impl AsRef<str>) {
    // Writing into a text cannot fail.
    let _written = writeln!(text, "{name:<12} {}", value.as_ref());
}

pub(super) fn sps(list: &SpList, bold: bool) -> String {
    let mut table = Table::new(&["PLACE", "KIND", "SERIAL", "MAC", ">A", ">B", "SEEN FROM"]);
    for sp in &list.sps {
        let port = |at: Position| {
            let link = sp.links.iter().find(|link| link.position == at);
            link.map_or_else(|| "-".to_owned(), |link| link.port.to_string())
        };
        let seen: Vec<&str> = sp
            .links
            .iter()
            .filter(|link| link.found)
            .map(|link| position(link.position))
            .collect();
        let seen = match (seen.is_empty(), sp.found) {
            (true, true) => "this gateway".to_owned(),
            (true, false) => "nowhere".to_owned(),
            (false, _) => seen.join(", "),
        };
        table.row(vec![
            sp.name.clone(),
            sp.kind.map_or("-", kind).to_owned(),
            sp.serial.clone().unwrap_or_else(|| "-".to_owned()),
            sp.mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string()),
            port(Position::A),
            port(Position::B),
            seen,
        ]);
    }
    let found = list.sps.iter().filter(|sp| sp.found).count();
    let place = match (list.position, &list.rack) {
        (Some(at), Some(rack)) => format!("{} of a {rack}", position(at)),
        _ => "a switch that it does not know yet".to_owned(),
    };
    let mut text = table.render(bold);
    let _written = writeln!(
        text,
        "\n{found} of {} are there, as the gateway sees it that sits on {place}",
        list.sps.len()
    );
    text
}

pub(super) fn sp(state: &SpState, bold: bool) -> String {
    let mut text = place(&state.sp);
    fact(&mut text, "power", power(state.power));
    let trial = if state.on_trial { ", on trial" } else { "" };
    fact(&mut text, "firmware", format!("{}{trial}", state.firmware));
    fact(
        &mut text,
        "up",
        duration(state.uptime_s.saturating_mul(1000)),
    );
    fact(&mut text, "refused", format!("{} messages", state.refused));
    if !state.parts.is_empty() {
        let mut table = Table::new(&["PART", "SERIAL"]);
        for part in &state.parts {
            table.row(vec![part.name.clone(), part.serial.clone()]);
        }
        text.push('\n');
        text.push_str(&table.render(bold));
    }
    text
}

fn place(sp: &Sp) -> String {
    let mut text = String::new();
    fact(&mut text, "place", &sp.unit);
    if let Some(serial) = &sp.serial {
        fact(&mut text, "serial", serial);
    }
    if let Some(mac) = sp.mac {
        fact(&mut text, "mac", mac.to_string());
    }
    for link in &sp.links {
        let mut value = format!("port {}", link.port);
        let _written = match (link.found, link.sp_port) {
            (true, Some(port)) => write!(value, ", reached at SP port {port}"),
            (true, None) => write!(value, ", reached"),
            (false, _) => write!(value, ", not reached"),
        };
        if let Some(address) = link.address {
            let _written = write!(value, ", {address}");
        }
        fact(&mut text, position(link.position), value);
    }
    text
}

pub(super) fn sensors(sensors: &Sensors, bold: bool) -> String {
    let mut table = Table::new(&["SENSOR", ">VALUE", "UNIT"]);
    for reading in &sensors.readings {
        let sign = if reading.milli < 0 { "-" } else { "" };
        let milli = reading.milli.unsigned_abs();
        table.row(vec![
            reading.name.clone(),
            format!("{sign}{}.{:03}", milli / 1000, milli % 1000),
            reading.unit.clone(),
        ]);
    }
    table.render(bold)
}

pub(super) fn located(located: &Where, _bold: bool) -> String {
    let mut text = place(&located.sp);
    let ports: Vec<String> = located.answered_at.iter().map(u8::to_string).collect();
    let answered = if ports.is_empty() {
        "at neither of its ports".to_owned()
    } else {
        format!("at SP port {}", ports.join(" and "))
    };
    fact(&mut text, "answers", answered);
    if let Some(contradiction) = &located.contradiction {
        fact(&mut text, "contradicts", contradiction);
    }
    text
}

pub(super) fn update(status: &UpdateStatus, _bold: bool) -> String {
    let percent = u64::from(status.sent) * 100 / u64::from(status.len.max(1));
    let what = match status.stage {
        UpdateStage::Waiting => "waits for the service processor".to_owned(),
        UpdateStage::Sending => format!(
            "{} of {} octets are there ({percent} %)",
            status.sent, status.len
        ),
        UpdateStage::Verifying => "the service processor verifies it".to_owned(),
        UpdateStage::Starting => "the service processor starts from it".to_owned(),
        UpdateStage::Done => "runs for good".to_owned(),
        UpdateStage::Failed => "does not run".to_owned(),
    };
    format!("{}: {what}\n", status.image)
}

pub(super) fn location(location: &Location, _bold: bool) -> String {
    let mut text = String::new();
    let up = duration(location.uptime_ms);
    fact(
        &mut text,
        "gateway",
        format!("{}, up {up}", location.program),
    );
    match (&location.rack, location.position) {
        (Some(rack), Some(at)) => {
            fact(
                &mut text,
                "sits on",
                format!("{} of a {rack}", position(at)),
            );
        }
        _ => fact(&mut text, "sits on", "it does not know yet"),
    }
    for candidate in &location.in_doubt {
        let value = format!("{} of a {}", position(candidate.position), candidate.rack);
        fact(&mut text, "it may be", value);
    }
    let found = format!(
        "{} of {} service processors",
        location.found, location.ports
    );
    fact(&mut text, "found", found);
    if let Some(millis) = location.discovered_ms {
        fact(
            &mut text,
            "discovered",
            format!("{} after its start", duration(millis)),
        );
    }
    for contradiction in &location.contradictions {
        fact(&mut text, "contradicts", &contradiction.text);
    }
    text
}

pub(super) fn vlans(vlans: &Vlans, bold: bool) -> String {
    let mut text = format!("chips of a {}\n", vlans.rack);
    for chip in &vlans.chips {
        let trunks = chip
            .ports
            .iter()
            .filter(|port| port.role == PortRole::Trunk);
        let trunks: Vec<String> = trunks.map(|port| port.port.to_string()).collect();
        let _written = writeln!(
            text,
            "\n{}: {} VLANs; port {} takes tagged frames alone, all others untagged frames alone",
            chip.chip,
            chip.vlans.len(),
            trunks.join(", ")
        );
        let mut table = Table::new(&["VLAN", "PORTS", "FOR"]);
        for vlan in &chip.vlans {
            let ports: Vec<String> = vlan.ports.iter().map(u8::to_string).collect();
            table.row(vec![
                format!("{:#05x}", vlan.vlan),
                ports.join(" "),
                vlan.purpose.clone(),
            ]);
        }
        text.push_str(&table.render(bold));
    }
    text
}

pub(super) fn cabling(cabling: &Cabling, _bold: bool) -> String {
    let mut text = String::new();
    if !cabling.complete {
        return text;
    }
    for finding in &cabling.findings {
        let _written = writeln!(text, "{}", finding.text);
    }
    if cabling.findings.is_empty() {
        let _written = writeln!(
            text,
            "all cables are where they belong; {} units are known by their place",
            cabling.known
        );
    }
    text
}

pub(super) fn switches(switches: &Switches, _bold: bool) -> String {
    switches
        .switches
        .iter()
        .map(|it| switch(it, false))
        .collect()
}

pub(super) fn switch(status: &SwitchStatus, _bold: bool) -> String {
    let mut text = String::new();
    let serial = status.serial.as_deref().unwrap_or("no serial number");
    let state = if status.drained { "held" } else { "in use" };
    fact(
        &mut text,
        position(status.position),
        format!("{state} ({serial})"),
    );
    for reason in &status.reasons {
        fact(&mut text, "  because", reason);
    }
    if let Some(by) = &status.overridden {
        fact(&mut text, "  in spite", format!("{}: {}", by.who, by.why));
    }
    text
}

pub(super) fn selftest(selftest: &Selftest, bold: bool) -> String {
    let mut text = String::new();
    fact(
        &mut text,
        "took part",
        format!(
            "{} service processors, {}",
            selftest.took_part,
            duration(selftest.took_ms)
        ),
    );
    if !selftest.silent.is_empty() {
        fact(&mut text, "silent", selftest.silent.join(", "));
    }
    fact(&mut text, "sent", format!("{} frames", selftest.sent));
    fact(
        &mut text,
        "arrived",
        format!(
            "{} of the {} that must",
            selftest.controls_arrived, selftest.controls
        ),
    );
    fact(&mut text, "leaks", selftest.leaks_total.to_string());
    if !selftest.leaks.is_empty() {
        let tags = |tags: &[u16]| -> String {
            let tags: Vec<String> = tags.iter().map(|tag| format!("{tag:#05x}")).collect();
            if tags.is_empty() {
                "none".to_owned()
            } else {
                tags.join(" ")
            }
        };
        let mut table = Table::new(&["FROM", "TAGS", "FOR", "ARRIVED AT", "WITH TAGS"]);
        for leak in &selftest.leaks {
            table.row(vec![
                leak.from.clone(),
                tags(&leak.tags),
                leak.destination.to_string(),
                leak.at.clone(),
                tags(&leak.arrived_with),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render(bold));
    }
    text
}
