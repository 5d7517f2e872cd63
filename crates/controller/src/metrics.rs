//! What a controller counts, as collectors read it.

use std::time::Duration;

use rackweave_daemon::metrics::{Counted, Family, Kind, Labels, Value, text};
use rackweave_linux::clock;
use tokio::time::timeout;

use crate::app::App;
use crate::world::Figures;

/// What every name begins with.
const PREFIX: &str = "rackweave_controller";
/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl Counted for App {
    async fn scrape(&self) -> Result<String, &'static str> {
        let figures = self.world.look(|world| world.figures()).await;
        let figures = figures.map_err(|_| "the controller ends")?;
        let uptime = clock::now().since(self.started).as_secs_f64();
        text(PREFIX, families(&figures, uptime)).map_err(|_| "the counters cannot be written")
    }

    async fn health(&self) -> Result<(), &'static str> {
        match timeout(PATIENCE, self.store.head()).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err("the store does not answer"),
        }
    }
}

fn families(figures: &Figures, uptime: f64) -> Vec<Family> {
    let one = |value| vec![(Labels::new(), value)];
    let gauge = |name, help, value| Family::new(Kind::Gauge, name, help, one(value));
    let counter = |name, help, value| {
        let samples = one(Value::Count(value));
        Family::new(Kind::Counter, name, help, samples)
    };
    let number = |value: usize| Value::Count(u64::try_from(value).unwrap_or(u64::MAX));
    let build = vec![("program", rackweave_daemon::program())];
    let (hosts, feed) = (figures.counts, figures.feed);
    vec![
        Family::new(
            Kind::Info,
            "build",
            "The release that runs.",
            vec![(build, Value::None)],
        ),
        gauge(
            "uptime",
            "Time since the controller started.",
            Value::Seconds(uptime),
        )
        .in_seconds(),
        gauge(
            "revision",
            "The last change that was made.",
            Value::Count(figures.revision),
        ),
        gauge(
            "objects",
            "Objects that were asked for.",
            number(figures.objects),
        ),
        gauge(
            "hosts",
            "Sleds and switches that are described.",
            number(figures.hosts),
        ),
        gauge(
            "hosts_connected",
            "Those of them that listen to this controller.",
            number(figures.here),
        ),
        gauge(
            "hosts_behind",
            "Those of them that have not said that they have the newest state.",
            number(figures.behind),
        ),
        gauge(
            "host_errors",
            "Objects that hosts could not put into force.",
            number(figures.errors),
        ),
        counter("deltas", "Changes that hosts were told.", hosts.deltas),
        counter(
            "whole_states",
            "Whole states that hosts were told.",
            hosts.wholes,
        ),
        counter("reports", "Reports of hosts.", hosts.reports),
        counter(
            "host_differences",
            "Hosts that had another state than the planned one, and were told all of it again.",
            hosts.differences,
        ),
        counter(
            "hosts_slow",
            "Streams that were ended because their host did not read.",
            hosts.slow,
        ),
        counter(
            "store_listings",
            "How often all of the store was read.",
            feed.listings,
        ),
        counter(
            "store_checks",
            "How often what the store told was compared with what it holds.",
            feed.checks,
        ),
        counter(
            "store_differences",
            "How often the store had not told a change.",
            feed.differences,
        ),
    ]
}
