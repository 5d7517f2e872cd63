//! Replies as people read them.

use std::fmt::Write;

use rackweave_api::router::{
    Event, Events, Explanation, LldpNeighbors, Neighbor, Neighbors, Path, Paths, Route, Routes,
    Sleds, Status, VerifiedPath, Way,
};
use rackweave_daemon::table::{Table, duration};

/// How the router is.
pub(super) fn status(status: &Status, bold: bool) -> String {
    let node = &status.node;
    let mut text = String::new();
    let mut fact = |name: &str, value: String| {
        // Writing into a String cannot fail.
        let _written = writeln!(text, "{name:<10} {value}");
    };
    fact(
        "router",
        format!(
            "{}, process {}, up {}",
            status.program,
            status.pid,
            duration(status.uptime_ms)
        ),
    );
    let signed = if node.signed { "signed" } else { "unsigned" };
    fact(
        "node",
        format!("{} ({}), {signed}", node.identity, node.role),
    );
    fact("bootstrap", node.bootstrap.to_string());
    let none = || "none yet: `rackweave rack init` gives it one".to_owned();
    fact(
        "prefix",
        node.prefix.map_or_else(none, |prefix| prefix.to_string()),
    );
    if node.holding {
        fact(
            "holding",
            "routes of the router before, until neighbours have said all".to_owned(),
        );
    }
    fact(
        "neighbors",
        format!("{} of {} with a session", status.sessions, status.neighbors),
    );
    fact(
        "routes",
        format!("{} of {} in the kernel", status.routes_held, status.routes),
    );
    for one in &status.originated {
        let ready = if one.ready { "announced" } else { "not ready" };
        let ends = one
            .ends_in_ms
            .map(|left| format!(", its asker is gone and it ends in {}", duration(left)));
        fact(
            "originates",
            format!(
                "{} for {}, {ready}{}",
                one.prefix,
                one.asker,
                ends.unwrap_or_default()
            ),
        );
    }
    for problem in &status.problems {
        fact("problem", problem.clone());
    }
    text.push('\n');
    let mut table = Table::new(&["LINK", "STATE", "MAC", ">NEIGHBORS"]);
    for link in &status.links {
        table.row(vec![
            link.name.clone(),
            if link.up { "up" } else { "down" }.to_owned(),
            link.mac.to_string(),
            link.neighbors.to_string(),
        ]);
    }
    text + &table.render(bold)
}

/// The neighbours.
pub(super) fn neighbors(all: &Neighbors, bold: bool) -> String {
    if all.neighbors.is_empty() {
        return "no neighbours: `rackweave router status` says whether links are up\n".to_owned();
    }
    let mut table = Table::new(&[
        "LINK",
        "NEIGHBOR",
        "ROLE",
        "PREFIX",
        "SESSION",
        ">SINCE",
        "LIVE",
        ">RTT",
        ">LOSS",
        ">PREFIXES",
        ">REFUSED",
    ]);
    for one in &all.neighbors {
        table.row(neighbor(one));
    }
    let mut text = table.render(bold);
    for one in &all.neighbors {
        for refused in &one.refused {
            // Writing into a String cannot fail.
            let _written = writeln!(
                text,
                "refused of {}: {}: {}",
                name(one),
                refused.prefix,
                refused.why
            );
        }
    }
    text
}

fn name(one: &Neighbor) -> String {
    let identity = one.identity.clone();
    identity.unwrap_or_else(|| one.address.to_string())
}

fn neighbor(one: &Neighbor) -> Vec<String> {
    let live = match (one.link_up, one.live) {
        (false, _) => "link down",
        (true, true) => "yes",
        (true, false) => "no",
    };
    let refused: u64 = one.refused_messages.iter().map(|kind| kind.count).sum();
    vec![
        one.link.clone(),
        name(one),
        one.role.map(|role| role.to_string()).unwrap_or_default(),
        one.prefix
            .map(|prefix| prefix.to_string())
            .unwrap_or_default(),
        one.session.clone(),
        duration(one.session_ms),
        live.to_owned(),
        one.rtt_ns.map(micros).unwrap_or_default(),
        one.loss_ppm.map(percent).unwrap_or_default(),
        one.announced.to_string(),
        refused.to_string(),
    ]
}

/// A time in nanoseconds, for people.
fn micros(ns: u32) -> String {
    match ns {
        0..10_000_000 => format!("{}us", ns / 1000),
        _ => format!("{}ms", ns / 1_000_000),
    }
}

fn percent(ppm: u32) -> String {
    format!("{}.{}%", ppm / 10_000, ppm % 10_000 / 1000)
}

/// The routes.
pub(super) fn routes(all: &Routes, bold: bool) -> String {
    if all.routes.is_empty() {
        return "no routes: `rackweave router neighbors` says who is heard\n".to_owned();
    }
    let mut table = Table::new(&["PREFIX", "SCOPE", "WAYS", ">HOPS", ">COST", "KERNEL"]);
    for one in &all.routes {
        table.row(route(one));
    }
    table.render(bold)
}

fn route(one: &Route) -> Vec<String> {
    let kernel = match &one.problem {
        Some(problem) => format!("{}: {problem}", one.kernel),
        None => one.kernel.clone(),
    };
    vec![
        one.prefix.to_string(),
        one.scope.clone().unwrap_or_default(),
        ways(&one.ways),
        one.hops.to_string(),
        micros(one.cost_ns),
        kernel,
    ]
}

/// The ways with their shares.
fn ways(ways: &[Way]) -> String {
    if ways.is_empty() {
        return "unreachable".to_owned();
    }
    let total: u32 = ways.iter().map(|way| u32::from(way.weight)).sum();
    let way = |way: &Way| {
        let to = way.neighbor.clone().unwrap_or_else(|| way.via.to_string());
        let share = u32::from(way.weight) * 100 / total.max(1);
        if ways.len() == 1 {
            format!("{to} on {}", way.link)
        } else {
            format!("{to} on {} {share}%", way.link)
        }
    };
    ways.iter().map(way).collect::<Vec<_>>().join(", ")
}

/// What neighbours announce.
pub(super) fn paths(all: &Paths, bold: bool) -> String {
    if all.paths.is_empty() {
        return "nobody announces it\n".to_owned();
    }
    let mut table = Table::new(&[
        "PREFIX", "THROUGH", "LINK", "ORIGIN", ">HOPS", ">COST", ">WEIGHT", "WHY",
    ]);
    for one in &all.paths {
        table.row(path(one));
    }
    let mut text = table.render(bold);
    if !all.verified.is_empty() {
        let mut table = Table::new(&[
            "VERIFIED",
            ">SOURCE",
            ">RTT",
            ">ANNOUNCED",
            ">LOST",
            "RESULT",
        ]);
        for one in &all.verified {
            table.row(verified(one));
        }
        text.push('\n');
        text.push_str(&table.render(bold));
    }
    text
}

fn verified(one: &VerifiedPath) -> Vec<String> {
    let time = |ns: Option<u32>| ns.map_or_else(|| "-".to_owned(), micros);
    let result = match (one.rtt_ns, one.differs) {
        (None, _) => "no answer",
        (Some(_), true) => "not as announced",
        (Some(_), false) => "as announced",
    };
    vec![
        one.to.to_string(),
        one.source.to_string(),
        time(one.rtt_ns),
        time(one.announced_ns),
        format!("{} of 8", one.lost),
        result.to_owned(),
    ]
}

fn path(one: &Path) -> Vec<String> {
    let stale = if one.stale { " (stale)" } else { "" };
    vec![
        one.prefix.to_string(),
        one.neighbor.clone().unwrap_or_else(|| one.via.to_string()),
        one.link.clone(),
        one.origin.to_string(),
        one.nodes.len().to_string(),
        micros(one.cost_ns),
        one.weight.to_string(),
        format!("{}{stale}", one.why),
    ]
}

/// Why packets go where they go.
pub(super) fn explanation(told: &Explanation, bold: bool) -> String {
    let mut text = format!("{}\n", told.summary);
    if let Some(one) = &told.route {
        // Writing into a String cannot fail.
        let _written = writeln!(
            text,
            "route {}: {} (kernel: {})",
            one.prefix,
            ways(&one.ways),
            one.problem.as_ref().unwrap_or(&one.kernel)
        );
    }
    if !told.paths.is_empty() {
        let mut table = Table::new(&[
            "PREFIX", "THROUGH", "LINK", "ORIGIN", ">HOPS", ">COST", ">WEIGHT", "WHY",
        ]);
        for one in &told.paths {
            table.row(path(one));
        }
        text.push('\n');
        text.push_str(&table.render(bold));
    }
    for refused in &told.refused {
        let _written = writeln!(text, "refused of {}: {}", refused.neighbor, refused.why);
    }
    for announced in &told.announced {
        let _written = writeln!(text, "announced {announced}");
    }
    text
}

/// The sleds and switches of the rack.
pub(super) fn sleds(all: &Sleds, bold: bool) -> String {
    let mut table = Table::new(&[
        "PREFIX",
        "NODE",
        "ROLE",
        "HARDWARE",
        "BOOTSTRAP",
        "REACHABLE",
    ]);
    for one in &all.sleds {
        let reachable = match (one.own, one.reachable) {
            (true, _) => "this node",
            (false, true) => "yes",
            (false, false) => "no",
        };
        table.row(vec![
            one.prefix
                .map(|prefix| prefix.to_string())
                .unwrap_or_default(),
            one.identity.clone().unwrap_or_default(),
            one.role.map(|role| role.to_string()).unwrap_or_default(),
            one.hardware.to_string(),
            one.bootstrap.to_string(),
            reachable.to_owned(),
        ]);
    }
    table.render(bold)
}

/// Who is at the other end of each link.
pub(super) fn lldp(all: &LldpNeighbors, bold: bool) -> String {
    if all.neighbors.is_empty() {
        return "nobody says who it is\n".to_owned();
    }
    let mut table = Table::new(&[
        "LINK",
        "SYSTEM",
        "CHASSIS",
        "PORT",
        "DOES",
        ">HEARD",
        "DESCRIPTION",
    ]);
    for one in &all.neighbors {
        table.row(vec![
            one.link.clone(),
            one.system_name.clone().unwrap_or_default(),
            one.chassis.clone(),
            one.port.clone(),
            one.enabled.clone().unwrap_or_default().join(","),
            format!("{}s ago", one.heard_seconds),
            one.system_description.clone().unwrap_or_default(),
        ]);
    }
    table.render(bold)
}

/// What happened, a line each.
pub(super) fn events(all: &Events, _: bool) -> String {
    let mut text = String::new();
    if all.forgotten > 0 {
        // Writing into a String cannot fail.
        let _written = writeln!(text, "({} events are forgotten)", all.forgotten);
    }
    for Event {
        unix_ms,
        kind,
        what,
    } in &all.events
    {
        let _written = writeln!(text, "{}  {kind:<9} {what}", moment(*unix_ms));
    }
    text
}

/// What happened, a JSON object on each line.
pub(super) fn event_lines(all: &Events) -> String {
    let lines = all
        .events
        .iter()
        .filter_map(|one| serde_json::to_string(one).ok());
    lines.map(|line| line + "\n").collect()
}

/// A date and time in UTC (ISO 8601), from milliseconds since 1970.
fn moment(unix_ms: u64) -> String {
    let (seconds, millis) = (unix_ms / 1000, unix_ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The Gregorian date so many days after 1970-01-01. Years are counted from March, so that the leap day is the last one
/// of its year and months have a regular length.
fn date(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_utc() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_287_599_999, "2026-11-21T18:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(moment(unix_ms), text);
        }
    }

    #[test]
    fn shares_are_told_where_there_are_several_ways() {
        let way = |name: &str, weight| Way {
            link: "up0".to_owned(),
            via: "fe80::1".parse().unwrap(),
            neighbor: Some(name.to_owned()),
            weight,
        };
        assert_eq!(ways(&[]), "unreachable");
        assert_eq!(ways(&[way("SW0", 16)]), "SW0 on up0");
        assert_eq!(
            ways(&[way("SW0", 12), way("SW1", 4)]),
            "SW0 on up0 75%, SW1 on up0 25%"
        );
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(
            (micros(153_999), micros(12_000_000)),
            ("153us".to_owned(), "12ms".to_owned())
        );
        assert_eq!(percent(104_200), "10.4%");
    }
}
