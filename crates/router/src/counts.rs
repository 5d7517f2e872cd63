//! What the run loop counts.

use std::collections::BTreeMap;

use rackweave_routing::fabric::{Event, EventKind, Input, Output};

/// What passed between the node's machine and its doors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Inputs by kind.
    pub(crate) inputs: BTreeMap<&'static str, u64>,
    /// Outputs by kind.
    pub(crate) outputs: BTreeMap<&'static str, u64>,
    /// Events by kind.
    pub(crate) events: BTreeMap<EventKind, u64>,
    /// Octets of datagrams received and sent.
    pub(crate) octets: [u64; 2],
}

impl Counts {
    pub(crate) fn input(&mut self, input: &Input) {
        if let Input::Datagram { bytes, .. } = input {
            self.octets[0] += u64::try_from(bytes.len()).unwrap_or(0);
        }
        *self.inputs.entry(input_name(input)).or_default() += 1;
    }

    pub(crate) fn output(&mut self, output: &Output) {
        match output {
            Output::Send { bytes, .. } => {
                self.octets[1] += u64::try_from(bytes.len()).unwrap_or(0);
            }
            Output::Event(event) => self.event(event),
            _ => {}
        }
        *self.outputs.entry(output_name(output)).or_default() += 1;
    }

    pub(crate) fn event(&mut self, event: &Event) {
        *self.events.entry(event.kind).or_default() += 1;
    }
}

const fn input_name(input: &Input) -> &'static str {
    match input {
        Input::Link(_) => "link",
        Input::LinkGone(_) => "link_gone",
        Input::Solicited { .. } => "solicitation",
        Input::Advertised { .. } => "advertisement",
        Input::Datagram { .. } => "datagram",
        Input::Liveness { .. } => "liveness",
        Input::Measured { .. } => "measured",
        Input::Fib { .. } => "fib_answer",
        Input::Filtered { .. } => "filtered",
        Input::Kernel(_) => "fib_dump",
        Input::Originate { .. } => "originate",
        Input::Withdraw { .. } => "withdraw",
        Input::Assigned(_) => "assigned",
        Input::Restarting => "restarting",
        Input::Tick => "tick",
        _ => "other",
    }
}

const fn output_name(output: &Output) -> &'static str {
    match output {
        Output::Solicit { .. } => "solicitation",
        Output::Advertise { .. } => "advertisement",
        Output::Send { .. } => "datagram",
        Output::Watch { .. } => "watch",
        Output::Unwatch { .. } => "unwatch",
        Output::Install(_) => "install",
        Output::Remove(_) => "remove",
        Output::AddAddress(_) => "add_address",
        Output::RemoveAddress(_) => "remove_address",
        Output::Filter { .. } => "filter",
        Output::Event(_) => "event",
        _ => "other",
    }
}
