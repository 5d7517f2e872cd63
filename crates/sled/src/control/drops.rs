//! Why packets were dropped, by everybody who drops.

use rackweave_api::sled::{Drop, Drops};
use rackweave_types::PortId;

use super::AgentCount;
use super::gather::Gathered;
use super::reasons;
use crate::queue::Losses;

/// What a queue lost, by name.
pub(crate) fn losses(losses: &Losses) -> [(&'static str, u64); 3] {
    [
        ("full", losses.full),
        ("unsendable", losses.unsendable),
        ("malformed", losses.malformed),
    ]
}

/// Every reason that something was dropped for: at this port, or all over the sled.
pub(crate) fn drops(gathered: &Gathered, agent: &[AgentCount], port: Option<PortId>) -> Drops {
    let mut drops = Vec::new();
    let asked = |id: &PortId| port.is_none_or(|port| port == *id);
    for (id, count) in gathered.ports.iter().filter(|(id, _)| asked(id)) {
        for (direction, reason, count) in count.each_drop() {
            let advice = reasons::engine(reason);
            drops.push(Drop {
                port: Some(*id),
                by: "engine".to_owned(),
                direction: Some(direction),
                reason: reason.name().to_owned(),
                count,
                meaning: advice.meaning.to_owned(),
                next: advice.next.to_owned(),
            });
        }
    }
    if port.is_none() {
        sled_wide(gathered, agent, &mut drops);
    }
    Drops { drops }
}

/// What was dropped where no port is known.
fn sled_wide(gathered: &Gathered, agent: &[AgentCount], drops: &mut Vec<Drop>) {
    let mut counts: Vec<(&'static str, &'static str, u64)> = Vec::new();
    let mut count = |by, reason, more| {
        let known = counts.iter_mut().find(|(b, r, _)| (*b, *r) == (by, reason));
        match known {
            Some((_, _, count)) => *count += more,
            None => counts.push((by, reason, more)),
        }
    };
    for worker in &gathered.workers {
        for (reason, more) in worker.totals.drops.each() {
            count("worker", reason, more);
        }
    }
    for worker in &gathered.workers {
        for (reason, more) in losses(&worker.guest_losses) {
            count("guest", reason, more);
        }
        for (reason, more) in losses(&worker.wire_losses) {
            count("wire", reason, more);
        }
    }
    for &(name, _, more) in agent {
        if name.starts_with("dropped_") {
            count("agent", name, more);
        }
    }
    for (by, reason, count) in counts.into_iter().filter(|(_, _, count)| *count > 0) {
        let advice = reasons::other(by, reason);
        drops.push(Drop {
            port: None,
            by: by.to_owned(),
            direction: None,
            reason: reason.to_owned(),
            count,
            meaning: advice.meaning.to_owned(),
            next: advice.next.to_owned(),
        });
    }
}
