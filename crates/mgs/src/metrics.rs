//! What the gateway counts, as collectors read it.

use rackweave_daemon::metrics::{Counted, Family, Kind, Labels, Value, text};
use rackweave_linux::clock;

use crate::http::State;
use crate::seen::{Seen, place_of};

/// What every name begins with.
const PREFIX: &str = "rackweave_mgs";

impl Counted for State {
    async fn scrape(&self) -> Result<String, &'static str> {
        text(PREFIX, families(self)).map_err(|_| "the counters cannot be written")
    }

    async fn health(&self) -> Result<(), &'static str> {
        let seen = self.handle.seen();
        if !seen.uplink {
            return Err("the uplink is not there");
        }
        // The loop tells what it sees twice a second.
        if clock::now().since(seen.at).as_secs() >= 5 {
            return Err("the gateway's loop does not answer");
        }
        Ok(())
    }
}

fn one(value: Value) -> Vec<(Labels, Value)> {
    vec![(Labels::new(), value)]
}

fn count(value: usize) -> Value {
    Value::Count(u64::try_from(value).unwrap_or(u64::MAX))
}

fn families(state: &State) -> Vec<Family> {
    let seen = state.handle.seen();
    let judged = state.judged.borrow().clone();
    let gauge = |name, help, samples| Family::new(Kind::Gauge, name, help, samples);
    let uptime = clock::now().since(seen.started).as_secs_f64();
    let mut families = vec![
        gauge(
            "uptime",
            "Time since the gateway started.",
            one(Value::Seconds(uptime)),
        )
        .in_seconds(),
        gauge(
            "uplink_up",
            "Whether the uplink is there.",
            one(Value::Count(u64::from(seen.uplink))),
        ),
        gauge(
            "located",
            "Whether the gateway knows on which switch it sits.",
            one(Value::Count(u64::from(seen.place.is_some()))),
        ),
        gauge(
            "sps_found",
            "Service processors that are there.",
            one(count(seen.found())),
        ),
        gauge(
            "contradictions",
            "Answers that do not fit where the gateway is.",
            one(count(seen.contradictions.len())),
        ),
        gauge(
            "switch_drained",
            "Whether the own switch is held.",
            one(Value::Count(u64::from(
                judged
                    .switches
                    .switches
                    .iter()
                    .any(|it| it.own && it.drained),
            ))),
        ),
    ];
    if let Ok(findings) = &judged.findings {
        families.push(gauge(
            "cabling_findings",
            "What is wrong with cables.",
            one(count(findings.len())),
        ));
    }
    families.extend(selftest(state));
    families.extend(traffic(&seen));
    families
}

fn selftest(state: &State) -> Vec<Family> {
    let last = state.selftest.borrow();
    let Some(last) = last.as_ref() else {
        return Vec::new();
    };
    let gauge = |name, help, value| Family::new(Kind::Gauge, name, help, one(value));
    vec![
        gauge(
            "selftest_leaks",
            "Frames of the last self-test that arrived where they must not.",
            Value::Count(last.leaks_total),
        ),
        gauge(
            "selftest_controls_missing",
            "Frames of the last self-test that must arrive and did not.",
            Value::Count(u64::from(
                last.controls.saturating_sub(last.controls_arrived),
            )),
        ),
        gauge(
            "selftest_silent",
            "Service processors that did not take part in the last self-test to its end.",
            count(last.silent.len()),
        ),
    ]
}

fn traffic(seen: &Seen) -> Vec<Family> {
    let counter = |name, help, samples| Family::new(Kind::Counter, name, help, samples);
    let by_place = |value: fn(&crate::seen::LinkSeen) -> u64| -> Vec<(Labels, Value)> {
        let sample = |link| (vec![("place", place_of(link))], Value::Count(value(link)));
        seen.links.iter().map(sample).collect()
    };
    vec![
        counter(
            "frames",
            "Frames that came on the uplink.",
            one(Value::Count(seen.counters.frames)),
        ),
        counter(
            "frames_strange",
            "Frames that came on the uplink and were of no port.",
            one(Value::Count(seen.counters.strange)),
        ),
        counter(
            "frames_unsent",
            "Frames that the uplink did not take.",
            one(Value::Count(seen.unsent)),
        ),
        counter(
            "questions_answered",
            "Questions of service processors that were answered.",
            one(Value::Count(seen.counters.answered)),
        ),
        counter(
            "messages_refused",
            "Messages that proved nothing, were forged or replayed.",
            by_place(|link| link.refusals.refused),
        ),
        counter(
            "messages_strange",
            "Messages that were none, or answered nothing.",
            by_place(|link| link.refusals.strange),
        ),
    ]
}
