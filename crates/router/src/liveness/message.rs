//! What is said on the process's socket, in the framing of every local socket (`rackweave_api::local`).

use std::net::Ipv6Addr;

use rackweave_routing::bfd::Settings;
use rackweave_routing::bfd::message::State;
use rackweave_routing::probe::Estimate;
use serde::{Deserialize, Serialize};

/// The socket's name in the run directory.
pub const SOCKET: &str = "liveness.sock";
/// What the process calls itself.
pub(super) const SERVICE: &str = "liveness";

/// What the process is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Watch a neighbour; where it is watched, with this key and these settings from now on. One reply: `done`.
    Watch(Watch),
    /// Watch a neighbour no longer. One reply: `done`.
    Unwatch(Target),
    /// All that is watched. One reply: `sessions`.
    List {},
    /// Tell each session, and again whenever it changes. Replies without end: `session`.
    Follow {},
    /// End. One reply: `done`.
    Stop {},
}

/// A neighbour that is to be watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    #[serde(flatten)]
    pub(super) target: Target,
    /// What beacons are tagged with.
    pub(super) key: [u8; 32],
    /// How BFD is run.
    pub(super) bfd: Settings,
}

/// A neighbour on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The link, by the kernel's number.
    pub link: u32,
    /// The neighbour's link-local address.
    pub peer: Ipv6Addr,
}

/// What the process replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// It is done.
    Done {},
    /// All that is watched.
    Sessions(Vec<SessionStatus>),
    /// One that is watched; the news of a stream.
    Session(SessionStatus),
    /// It is watched no longer; the news of a stream.
    Gone(Target),
}

/// How a neighbour that is watched is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Which.
    #[serde(flatten)]
    pub target: Target,
    /// The state of its BFD session.
    pub state: State,
    /// What brought it there, for people.
    pub reason: String,
    /// How often it went down since it is watched.
    pub downs: u32,
    /// Whether the neighbour's liveness outlives its router (C bit).
    pub independent: bool,
    /// The silence in microseconds after which it is held dead, once it was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_us: Option<u64>,
    /// Delay and loss as last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

impl SessionStatus {
    /// Whether frames pass both ways.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another release's process or router reads these: they do not change, fields are only added.
    #[test]
    fn the_lines_are_frozen() {
        let target = Target {
            link: 3,
            peer: "fe80::1".parse().unwrap(),
        };
        let watch = Request::Watch(Watch {
            target,
            key: [1; 32],
            bfd: Settings::default(),
        });
        let ones = ["1"; 32].join(",");
        let line = format!(
            "{{\"watch\":{{\"link\":3,\"peer\":\"fe80::1\",\"key\":[{ones}],\"bfd\":{{\"desired_min_tx\":10000,\
             \"required_min_rx\":10000,\"multiplier\":3}}}}}}"
        );
        assert_eq!(serde_json::to_string(&watch).unwrap(), line);
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), watch);
        let reply = Reply::Session(SessionStatus {
            target,
            state: State::Up,
            reason: "the neighbour is heard".into(),
            downs: 0,
            independent: true,
            detection_us: Some(30_000),
            estimate: Some(Estimate {
                rtt_ns: 60_000,
                loss_ppm: 0,
            }),
        });
        let line = "{\"session\":{\"link\":3,\"peer\":\"fe80::1\",\"state\":\"up\",\"reason\":\"the neighbour is heard\",\
                    \"downs\":0,\"independent\":true,\"detection_us\":30000,\"estimate\":{\"rtt_ns\":60000,\
                    \"loss_ppm\":0}}}";
        assert_eq!(serde_json::to_string(&reply).unwrap(), line);
        assert_eq!(serde_json::from_str::<Reply>(line).unwrap(), reply);
        for (request, line) in [
            (
                Request::Unwatch(target),
                "{\"unwatch\":{\"link\":3,\"peer\":\"fe80::1\"}}",
            ),
            (Request::List {}, "{\"list\":{}}"),
            (Request::Follow {}, "{\"follow\":{}}"),
            (Request::Stop {}, "{\"stop\":{}}"),
        ] {
            assert_eq!(serde_json::to_string(&request).unwrap(), line);
        }
    }
}
