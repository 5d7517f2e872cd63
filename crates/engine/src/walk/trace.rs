//! What each layer did to a packet, for a person to read.

use alloc::string::String;
use alloc::vec::Vec;

use crate::fields::Fields;
use crate::program::{Action, Found, RuleId};

/// A packet's way through the layers, in the order in which it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The layers that were asked.
    pub layers: Vec<LayerTrace>,
}

/// What one layer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerTrace {
    /// The layer's name.
    pub layer: String,
    /// The rule that matched, `None` for the default or where the layer was passed statefully.
    pub rule: Option<RuleId>,
    /// Whether the layer was passed because the connection had passed it before.
    pub stateful: bool,
    /// The actions of the rule or the default.
    pub actions: Vec<Action>,
    /// The packet's fields behind the layer.
    pub after: Fields,
}

impl Trace {
    pub(super) fn layer(&mut self, name: &str, found: &Found<'_>, after: &Fields) {
        self.layers.push(LayerTrace {
            layer: name.into(),
            rule: found.rule,
            stateful: false,
            actions: found.actions.to_vec(),
            after: *after,
        });
    }

    pub(super) fn skipped(&mut self, name: &str, after: &Fields) {
        self.layers.push(LayerTrace {
            layer: name.into(),
            rule: None,
            stateful: true,
            actions: Vec::new(),
            after: *after,
        });
    }
}
