//! What the router makes of it: whom to ask, what is shown, what is counted.

use std::time::Duration;

use ipnet::Ipv6Net;
use rackweave_api::router::VerifiedPath;
use rackweave_daemon::metrics::{Family, Kind, Labels, Value};
use rackweave_routing::fabric::Fabric;
use rackweave_routing::probe::Aim;
use rackweave_types::Instant;

use super::{Results, Verify};
use crate::uses::Uses;

/// How often announced costs are read anew, where somebody is asked about.
const REFRESH: Duration = Duration::from_secs(1);

/// The door, and when what it compares with is read anew.
#[derive(Debug)]
pub(crate) struct Verifying {
    door: Option<Verify>,
    due: Option<Instant>,
}

impl Verifying {
    /// Opens the door. Where that fails, nothing is verified and all else goes on.
    pub(crate) fn start(port: u16) -> Self {
        let door = Verify::start(port).inspect_err(|error| {
            tracing::warn!(error = %chain(error), "paths are not verified end to end");
        });
        Self {
            door: door.ok(),
            due: None,
        }
    }

    /// Tells the door which destinations are in use, and what their ways cost by what neighbours announce.
    pub(crate) fn aim(&mut self, now: Instant, fabric: &Fabric, uses: &Uses) {
        let Some(door) = &self.door else {
            return;
        };
        let aims: Vec<Aim> = uses
            .all()
            .into_iter()
            .map(|to| {
                let ways = fabric.explain(Ipv6Net::from(to)).paths;
                let used = ways.iter().filter(|way| way.weight > 0);
                let announced = used.map(|way| way.cost.0).collect();
                Aim { to, announced }
            })
            .collect();
        self.due = (!aims.is_empty()).then(|| now.after(REFRESH));
        door.aim(aims);
    }

    /// When it wants to be told anew.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What was found until now.
    pub(crate) fn results(&self) -> Results {
        self.door.as_ref().map(Verify::results).unwrap_or_default()
    }
}

/// An error and what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What was found of destinations in the prefix, or of all.
pub(crate) fn verified(results: Results, of: Option<Ipv6Net>) -> Vec<VerifiedPath> {
    let paths = results.paths.into_iter();
    paths
        .filter(|path| of.is_none_or(|of| of.contains(&path.to)))
        .map(|path| VerifiedPath {
            to: path.to,
            source: u64::try_from(path.port).unwrap_or(u64::MAX),
            rtt_ns: path.rtt_ns,
            announced_ns: path.announced_ns,
            differs: path.differs,
            lost: path.lost,
        })
        .collect()
}

/// What is counted.
pub(crate) fn families(results: &Results) -> Vec<Family> {
    let counts = results.counts;
    let one = |result: &str, value| {
        let labels: Labels = vec![("result", result.to_owned())];
        (labels, Value::Count(value))
    };
    let different = results.paths.iter().filter(|path| path.differs).count();
    let different = Value::Count(u64::try_from(different).unwrap_or(u64::MAX));
    vec![
        Family::new(
            Kind::Counter,
            "path_probes",
            "End-to-end probes, by what became of them; those that differ were answered, too.",
            vec![
                one("sent", counts.asked),
                one("answered", counts.answered),
                one("unanswered", counts.unanswered),
                one("different", counts.different),
            ],
        ),
        Family::new(
            Kind::Gauge,
            "paths_different",
            "Paths in use that are not as slow as was announced.",
            vec![(Labels::new(), different)],
        ),
    ]
}
