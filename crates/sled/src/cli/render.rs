//! Replies as people read them.

use std::fmt::Write;
use std::net::IpAddr;

use rackweave_api::sled::{
    Applied, Drops, End, Explanation, Flow, Flows, FrameSummary, PortInfo, Ports, Rules, Status,
    WorkerStatus,
};
use rackweave_daemon::table::{Table, duration};
use rackweave_types::Direction;

use crate::control::{end_text, protocol_name};

/// Lines of a name and a text each, and more below them.
struct Facts(String);

impl Facts {
    fn line(&mut self, name: &str, text: &str) {
        // Writing into a String cannot fail.
        let _written = writeln!(self.0, "{name:<11} {text}");
    }
}

pub(super) fn status(status: &Status, bold: bool) -> String {
    let mut facts = Facts(String::new());
    let up = duration(status.uptime_ms);
    facts.line(
        "sled",
        &format!("{}, process {}, up {up}", status.program, status.pid),
    );
    let place = status
        .sled
        .map_or_else(|| "not known yet".to_owned(), |sled| sled.to_string());
    facts.line(
        "underlay",
        &format!("{place} over {}", status.underlay.kind),
    );
    for other in &status.underlay.passed_over {
        facts.line("", &format!("not {}: {}", other.kind, other.why));
    }
    if let Some(controller) = &status.controller {
        let nobody = || "none is heard; what was said last holds".to_owned();
        let heard = controller.address.clone().unwrap_or_else(nobody);
        facts.line("controller", &heard);
        if let Some(fault) = &controller.fault {
            facts.line("", fault);
        }
    }
    let state = status.state.generation.map_or_else(
        || "none; give it one: `rackweave sled apply FILE`".to_owned(),
        |generation| format!("generation {generation} applied"),
    );
    facts.line("host state", &state);
    for error in &status.state.errors {
        facts.line("  refused", &format!("{}: {}", error.object, error.error));
    }
    facts.line("ports", &status.ports.to_string());
    facts.line("flows", &status.flows.to_string());
    let mut table = Table::new(&[">WORKER", ">CPU", "POLL", ">BUSY", ">SPINNING", ">ASLEEP"]);
    for worker in &status.workers {
        table.row(worker_row(worker));
    }
    format!("{}\n{}", facts.0, table.render(bold))
}

fn worker_row(worker: &WorkerStatus) -> Vec<String> {
    let times = [worker.busy_ns, worker.spin_ns, worker.sleep_ns];
    let all = times
        .iter()
        .map(|time| u128::from(*time))
        .sum::<u128>()
        .max(1);
    let share = |time: u64| {
        let permille = u128::from(time) * 1000 / all;
        format!("{}.{}%", permille / 10, permille % 10)
    };
    let cpu = worker
        .cpu
        .map_or_else(|| "any".to_owned(), |cpu| cpu.to_string());
    let [busy, spinning, asleep] = times.map(share);
    vec![
        worker.index.to_string(),
        cpu,
        worker.poll.clone(),
        busy,
        spinning,
        asleep,
    ]
}

pub(super) fn ports(ports: &Ports, bold: bool) -> String {
    let mut table = Table::new(&[
        "PORT",
        "INSTANCE",
        "MAC",
        "ADDRESSES",
        "EXTERNAL",
        ">VPC",
        "DEVICE",
        "STATE",
        ">FLOWS",
        ">LIMIT",
        ">OUT",
        ">IN",
        ">DROPS",
    ]);
    for port in &ports.ports {
        table.row(port_row(port));
    }
    if table.is_empty() {
        return "no ports: the host state has none\n".to_owned();
    }
    table.render(bold)
}

fn port_row(port: &PortInfo) -> Vec<String> {
    let list = |addresses: &[IpAddr]| {
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let device = port.device.as_ref().map(|device| {
        let name = device.name.clone().unwrap_or_default();
        let netns = device.netns.as_ref().map(|netns| format!(" in {netns}"));
        format!("{} {name}{}", device.kind, netns.unwrap_or_default())
            .trim_end()
            .to_owned()
    });
    let state = match (port.running, port.attached, &port.device) {
        (false, _, _) => "not running",
        (true, true, _) => "attached",
        (true, false, Some(device)) if device.kind == "system" => "running",
        (true, false, _) => "no guest",
    };
    let fault = port.fault.as_ref().map(|fault| format!(": {fault}"));
    let instance = port
        .instance
        .as_ref()
        .map(|instance| instance.hostname.clone());
    vec![
        port.id.to_string(),
        instance.unwrap_or_default(),
        port.mac.to_string(),
        list(&port.addresses),
        list(&port.external),
        port.vni.to_string(),
        device.unwrap_or_default(),
        format!("{state}{}", fault.unwrap_or_default()),
        port.flows.to_string(),
        port.flow_limit.to_string(),
        port.out.packets.to_string(),
        port.inbound.packets.to_string(),
        port.out
            .drops
            .saturating_add(port.inbound.drops)
            .to_string(),
    ]
}

pub(super) fn flows(flows: &Flows, bold: bool) -> String {
    let mut table = Table::new(&[
        "PORT",
        "PROTO",
        "GUEST",
        "",
        "REMOTE",
        "OUTSIDE",
        "STATE",
        ">AGE",
        ">IDLE",
        ">PKTS OUT",
        ">PKTS IN",
        ">BYTES OUT",
        ">BYTES IN",
        "NOTES",
    ]);
    for flow in &flows.flows {
        table.row(flow_row(flow));
    }
    let mut text = if table.is_empty() {
        "no such flows\n".to_owned()
    } else {
        table.render(bold)
    };
    if flows.cut {
        text.push_str(
            "… and more: raise --limit, or say which: --address, --port-number, --proto\n",
        );
    }
    text
}

fn flow_row(flow: &Flow) -> Vec<String> {
    let text = |end: End| end_text(end.address, end.port);
    let outside = match (flow.outside, flow.outside_remote) {
        (None, None) => String::new(),
        (Some(local), None) => text(local),
        (None, Some(remote)) => format!("{} {}", arrow(flow.began), text(remote)),
        (Some(local), Some(remote)) => {
            format!("{} {} {}", text(local), arrow(flow.began), text(remote))
        }
    };
    let old = flow.epochs.is_some_and(|epochs| {
        epochs
            .iter()
            .any(|epoch| *epoch != 0 && *epoch != flow.epoch)
    });
    let notes = [
        (flow.kept, "kept against the rules"),
        (flow.offloaded, "offloaded"),
        (old, "to be judged again"),
    ];
    let notes: Vec<&str> = notes
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, note)| note)
        .collect();
    vec![
        flow.port.to_string(),
        protocol_name(flow.protocol),
        text(flow.local),
        arrow(flow.began).to_owned(),
        text(flow.remote),
        outside,
        flow.state.clone(),
        duration(flow.age_ms),
        duration(flow.idle_ms),
        flow.packets[0].to_string(),
        flow.packets[1].to_string(),
        flow.bytes[0].to_string(),
        flow.bytes[1].to_string(),
        notes.join(", "),
    ]
}

const fn arrow(began: Direction) -> &'static str {
    match began {
        Direction::Out => "->",
        Direction::In => "<-",
    }
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "out",
        Direction::In => "in",
    }
}

pub(super) fn rules(rules: &Rules, bold: bool) -> String {
    let mut table = Table::new(&["DIRECTION", "LAYER", ">PRIORITY", "RULE", ">HITS", "SAYS"]);
    for rule in &rules.rules {
        table.row(vec![
            direction(rule.direction).to_owned(),
            rule.layer.clone(),
            rule.priority
                .map(|priority| priority.to_string())
                .unwrap_or_default(),
            rule.name.clone(),
            rule.hits.to_string(),
            rule.text.clone(),
        ]);
    }
    if table.is_empty() {
        return "no such rules\n".to_owned();
    }
    table.render(bold)
}

pub(super) fn drops(drops: &Drops, bold: bool) -> String {
    let mut table = Table::new(&[
        "PORT",
        "BY",
        "DIRECTION",
        "REASON",
        ">COUNT",
        "MEANING",
        "NEXT STEP",
    ]);
    for drop in &drops.drops {
        table.row(vec![
            drop.port.map(|port| port.to_string()).unwrap_or_default(),
            drop.by.clone(),
            drop.direction.map_or("", direction).to_owned(),
            drop.reason.clone(),
            drop.count.to_string(),
            drop.meaning.clone(),
            drop.next.clone(),
        ]);
    }
    if table.is_empty() {
        return "nothing was dropped\n".to_owned();
    }
    table.render(bold)
}

pub(super) fn explanation(told: &Explanation, bold: bool) -> String {
    let mut facts = Facts(String::new());
    let way = direction(told.direction);
    facts.line(
        "port",
        &format!("{}, {way}, worker {}", told.port, told.worker),
    );
    facts.line("packet", &frame(&told.packet));
    for assumed in &told.assumed {
        facts.line("assumed", assumed);
    }
    let connection = match (told.established, &told.flow) {
        (true, _) => "established: its record decides; the layers would say",
        (false, Some(_)) => "known, this way of it not yet: the layers decide",
        (false, None) => "new: the layers decide",
    };
    facts.line("connection", connection);
    let mut table = Table::new(&["", "LAYER", "RULE", "DOES", "CHANGES", "SAYS"]);
    for step in &told.layers {
        table.row(vec![
            if step.ends { "x" } else { " " }.to_owned(),
            step.layer.clone(),
            step.rule.clone(),
            step.does.join(", "),
            step.changes.join(", "),
            step.text.clone(),
        ]);
    }
    let mut text = facts.0;
    if !table.is_empty() {
        text = format!("{text}\n{}\n", table.render(bold));
    }
    let mut facts = Facts(text);
    let verdict = &told.verdict;
    let reason = verdict.reason.as_ref().map(|reason| format!(" ({reason})"));
    facts.line(
        "verdict",
        &format!(
            "{}{}: {}",
            verdict.kind,
            reason.unwrap_or_default(),
            verdict.meaning
        ),
    );
    if !verdict.next.is_empty() {
        facts.line("next", &verdict.next);
    }
    if let Some(result) = &told.result {
        facts.line("leaves", &frame(result));
    }
    facts.0
}

/// A frame in a line.
fn frame(frame: &FrameSummary) -> String {
    let macs = format!("{} > {}", frame.src_mac, frame.dst_mac);
    let tunnel = frame.outer.map(|outer| {
        let external = if outer.external { ", external" } else { "" };
        format!(
            ", in geneve {} > {}, vni {}{external}, source port {}",
            outer.src, outer.dst, outer.vni, outer.src_port
        )
    });
    format!(
        "{} ({macs}, {} octets{})",
        frame.text,
        frame.len,
        tunnel.unwrap_or_default()
    )
}

pub(super) fn applied(applied: &Applied, _bold: bool) -> String {
    format!(
        "generation {} applied: {} ports added, {} changed, {} removed, {} unchanged\n",
        applied.generation, applied.added, applied.changed, applied.removed, applied.unchanged
    )
}

#[cfg(test)]
mod tests;
