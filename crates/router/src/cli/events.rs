//! `rackweave router events`.

use std::time::Duration;

use clap::Args;
use rackweave_api::router::{Events, EventsRequest, Request};
use rackweave_daemon::output::{Failure, Output, write_all, written};

use super::show::{asking, connect};
use super::{ShowArgs, render};
use crate::view::millis;

/// Which events are listed.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  rackweave router events
  rackweave router events --since 10m
  rackweave router events --since 1m --follow --json    a JSON object for each event

Times are those of this machine in UTC. The history outlives a restart of the router, not of the machine.")]
pub(super) struct EventsArgs {
    /// Not longer ago than this, such as 30s, 10m, 2h; all that is kept where nothing is said.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Duration>,
    /// Also what happens from now on, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    show: ShowArgs,
}

/// A time with its unit.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with its unit: s, m, h or d, such as 10m".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match text.strip_prefix(digits) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = number.checked_mul(seconds).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

pub(super) fn events(args: &EventsArgs) -> Result<(), Failure> {
    let request = Request::Events(EventsRequest {
        since_ms: args.since.map(millis),
        follow: args.follow,
    });
    let mut client = connect(&args.show)?;
    let mut replies = client.request::<_, Events>(&request).map_err(asking)?;
    let mut all = Events::default();
    while let Some(part) = replies.next_reply().map_err(asking)? {
        if args.follow {
            let text = if args.show.json {
                render::event_lines(&part)
            } else {
                render::events(&part, false)
            };
            written(write_all(text.as_bytes()))?;
        } else {
            all.events.extend(part.events);
            all.forgotten = part.forgotten;
        }
    }
    if args.follow {
        return Ok(());
    }
    Output::new(args.show.json).show(&all, |all, bold| {
        if all.events.is_empty() {
            "nothing happened\n".to_owned()
        } else {
            render::events(all, bold)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(time("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(time("2d"), Ok(Duration::from_hours(48)));
        assert!(time("10").is_err() && time("m").is_err() && time("1y").is_err());
    }
}
