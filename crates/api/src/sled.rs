//! What one can ask the host agent, on `RUN_DIR/sled.sock`.
//!
//! | request | reply | who |
//! |---|---|---|
//! | [`status`](Request::Status) | [`Status`] | the group |
//! | [`ports`](Request::Ports) | [`Ports`] | the group |
//! | [`flows`](Request::Flows) | many [`Flows`] | the group |
//! | [`rules`](Request::Rules) | [`Rules`] | the group |
//! | [`drops`](Request::Drops) | [`Drops`] | the group |
//! | [`explain`](Request::Explain) | [`Explanation`] | the group |
//! | [`capture`](Request::Capture) | many [`Captured`] | root: packets are the guests' |
//! | [`apply`](Request::Apply) | [`Applied`] | root |
//! | [`stop`](Request::Stop) | [`Stopped`] | root |
//!
//! Words that a later release may add to (verdicts, states, reasons, kinds of devices) are texts, so that an older
//! client shows them.

mod capture;
mod change;
mod drops;
mod explain;
mod flows;
mod ports;
mod rules;
mod status;

use rackweave_types::state::HostState;
use serde::{Deserialize, Serialize};

pub use capture::{CaptureBegun, CaptureEnd, CaptureRequest, Captured, CapturedPacket, Point};
pub use change::{Applied, ObjectError, Stopped};
pub use drops::{Drop, Drops, DropsRequest};
pub use explain::{
    Description, ExplainRequest, Explanation, FrameSummary, LayerStep, OuterSummary, PacketSpec,
    Verdict,
};
pub use flows::{End, Flow, FlowFilter, Flows, FlowsRequest};
pub use ports::{Device, InstanceName, PortInfo, Ports, PortsRequest, Traffic};
pub use rules::{Rule, Rules, RulesRequest};
pub use status::{
    ControllerStatus, PassedOver, StateStatus, Status, StatusRequest, UnderlayStatus, WorkerStatus,
};

/// The service of the sled's socket, as its hello names it.
pub const SERVICE: &str = "sled";
/// The socket's name in the run directory.
pub const SOCKET: &str = "sled.sock";
/// Where the sled has its sockets where nothing else is said.
pub const RUN_DIR: &str = "/run/rackweave/sled";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How the sled is.
    Status(StatusRequest),
    /// Its ports.
    Ports(PortsRequest),
    /// Connections.
    Flows(FlowsRequest),
    /// The rules of a port, with how often each was met.
    Rules(RulesRequest),
    /// Why packets were dropped.
    Drops(DropsRequest),
    /// What would become of a packet, and why.
    Explain(ExplainRequest),
    /// Packets of a port, as they come.
    Capture(CaptureRequest),
    /// Replaces the host state.
    Apply(ApplyRequest),
    /// Ends the sled; guests' devices and connections wait for the next one.
    Stop(StopRequest),
}

impl Request {
    /// The names of all requests, as they stand on the socket.
    pub const NAMES: [&'static str; 9] = [
        "status", "ports", "flows", "rules", "drops", "explain", "capture", "apply", "stop",
    ];
}

/// The host state that is to hold from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplyRequest {
    /// All of it.
    pub state: Box<HostState>,
}

/// Ends the sled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {}
