//! The slow path: a packet's way through the layers. Pure: it reads state and changes none.

mod act;
mod trace;

use rackweave_types::Instant;

pub use trace::{LayerTrace, Trace};

use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::CompiledFlow;
use crate::nat::{Binding, Ports};
use crate::program::{Encapsulate, Program, ProgramSpec, Reject, Target};
use crate::respond::Responder;
use crate::shard::LayerBits;

/// What the layers decided about a packet.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that one action sets"
)]
pub(crate) struct Path<'p> {
    /// Where the way ended.
    pub(crate) end: End<'p>,
    /// The fields as the packet came.
    pub(crate) first: Fields,
    /// The fields as it leaves.
    pub(crate) last: Fields,
    /// Layers passed statefully, a bit each.
    pub(crate) stateful: u16,
    /// Whether a layer would deny the packet, and let it pass because its connection was there before the change.
    pub(crate) kept: bool,
    /// Whether TTL or hop limit is decremented.
    pub(crate) routed: bool,
    /// The longest IP packet that may pass; 0 where it is not limited.
    pub(crate) mtu: u16,
    /// The place on the underlay.
    pub(crate) target: Option<Target>,
    /// The tunnel header.
    pub(crate) encapsulate: Option<&'p Encapsulate>,
    /// Whether the tunnel was taken off.
    pub(crate) decapsulated: bool,
    /// The port that source translation chose.
    pub(crate) binding: Option<Binding>,
    /// The meter it counts against.
    pub(crate) meter: Option<u16>,
    /// Whether the packet came from where its source was before a move.
    pub(crate) moved: bool,
    /// Places of the counters of the rules that were met.
    pub(crate) met: [u32; ProgramSpec::MAX_LAYERS],
    /// How many of them.
    pub(crate) met_len: usize,
}

/// Where a packet's way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End<'p> {
    /// It leaves: for the wire, or for the guest.
    Forward,
    /// The engine answers.
    Hairpin(&'p Responder),
    /// The agent answers.
    Punt(u8),
    /// It is dropped, and the sender perhaps told.
    Drop(DropReason, Option<Refusal>),
}

/// What a sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A rule rejects.
    Reject(Reject),
    /// The packet is longer than the path allows.
    TooBig(Reject, u16),
    /// The packet may go no further.
    TimeExceeded(Reject),
}

/// The connection that a packet belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection<'a> {
    /// Its record.
    pub(crate) flow: &'a CompiledFlow,
    /// Whether the packet goes the way of the connection's first one.
    pub(crate) forth: bool,
    /// Whether the packet is an ICMP error about the connection.
    pub(crate) related: bool,
}

impl Connection<'_> {
    const fn passed(&self, bit: u16) -> bool {
        self.flow.stateful_layers & bit != 0
    }
}

/// What a walk may look at.
pub(crate) struct Context<'a, 'p> {
    pub(crate) program: &'p Program,
    pub(crate) connection: Option<Connection<'a>>,
    /// The bits of the layers.
    pub(crate) layers: &'a LayerBits,
    /// Ports for source translation.
    pub(crate) ports: Ports<'a>,
    /// Hash of the flow, which chooses within groups.
    pub(crate) entropy: u64,
    pub(crate) now: Instant,
    /// Whether connections that the rules of now forbid are cut.
    pub(crate) cut: bool,
}

/// One action's effect on the way.
enum Step<'p> {
    /// The next action of the rule.
    Action,
    /// The next layer.
    Layer,
    /// No further.
    End(End<'p>),
}

/// Sends a packet's fields through the layers.
pub(crate) fn walk<'p>(
    context: &Context<'_, 'p>,
    fields: Fields,
    mut trace: Option<&mut Trace>,
) -> Path<'p> {
    let mut path = Path::new(fields);
    let layers = context.program.layers();
    for at in 0..layers.len() {
        let index = match fields.direction {
            Direction::Out => at,
            Direction::In => layers.len() - 1 - at,
        };
        let Some(layer) = layers.get(index) else {
            break;
        };
        let bit = context.layers.bit(index);
        if let Some(connection) = &context.connection
            && connection.passed(bit)
            && (!connection.forth || connection.related)
        {
            path.stateful |= bit;
            if let Some(trace) = trace.as_deref_mut() {
                trace.skipped(&layer.name, &path.last);
            }
            continue;
        }
        let found = layer.set(fields.direction).find(&path.last);
        path.meet(found.counter);
        let step = act::all(context, found.actions, bit, &mut path);
        if let Some(trace) = trace.as_deref_mut() {
            trace.layer(&layer.name, &found, &path.last);
        }
        if let Step::End(end) = step {
            path.end = end;
            return path;
        }
    }
    path.finish();
    path
}

impl Path<'_> {
    fn new(fields: Fields) -> Self {
        Self {
            end: End::Drop(DropReason::Undecided, None),
            first: fields,
            last: fields,
            stateful: 0,
            kept: false,
            routed: false,
            mtu: 0,
            target: None,
            encapsulate: None,
            decapsulated: false,
            binding: None,
            meter: None,
            moved: false,
            met: [0; ProgramSpec::MAX_LAYERS],
            met_len: 0,
        }
    }

    fn meet(&mut self, counter: usize) {
        if let (Some(place), Ok(counter)) = (self.met.get_mut(self.met_len), u32::try_from(counter))
        {
            *place = counter;
            self.met_len += 1;
        }
    }

    /// All layers passed: the packet leaves if it was wrapped, or unwrapped.
    fn finish(&mut self) {
        let decided = match self.first.direction {
            Direction::Out => self.encapsulate.is_some() && self.target.is_some(),
            Direction::In => self.decapsulated,
        };
        if decided {
            self.end = End::Forward;
        }
    }
}
