//! Objects that are declared together: what that would change, and doing it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Action, Revision};

/// What shall be: objects, in any order. What is there already and is not named stays, unless `prune` says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What shall be there, and be so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10000)]
    pub objects: Vec<Declared>,
    /// What shall go, with all that stands under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10000)]
    pub delete: Vec<Named>,
    /// Whether what stands in a declared project and is not declared goes; what came with a VPC by itself stays.
    #[serde(default)]
    pub prune: bool,
    /// The digest of the preview that somebody has agreed to: if the steps would be others now, nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// An object as it is declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Its kind: `subnet`, `firewall-rule`.
    pub kind: String,
    /// Its name, behind those that it stands under: `shop/prod/web`.
    pub path: String,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 512)]
    pub description: String,
    /// What is asked for, as the kind has it.
    #[schema(value_type = Object)]
    pub spec: Value,
}

/// An object by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its kind.
    pub kind: String,
    /// Its name, behind those that it stands under.
    pub path: String,
}

/// What a declaration would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// The last change that was made before.
    pub revision: Revision,
    /// What would be done, in this order.
    pub steps: Vec<Step>,
    /// What the steps come to: as `digest` of a declaration it makes sure that nothing else is done.
    pub digest: String,
    /// How many hosts would hear of it.
    pub hosts: usize,
    /// These, by prefix; for operators alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// The connections that it would touch; missing where they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<FlowsTouched>,
}

/// What was declared is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// The last change that was made before.
    pub before: Revision,
    /// The last change of these; the same as before where nothing was to be done.
    pub revision: Revision,
    /// What was done, in this order.
    pub steps: Vec<Step>,
}

/// One step of a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With an object of this kind.
    pub kind: String,
    /// Its name, behind those that it stands under.
    pub path: String,
    /// Its place in the declaration; none where it goes because it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The generation that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The fields that change, of one that is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// A field that changes: `spec.ipv4`, `description`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// What it is; missing where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub before: Option<Value>,
    /// What it would be; missing where it would not be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub after: Option<Value>,
}

/// The connections that a change would touch, as hosts say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowsTouched {
    /// Hosts that were asked.
    pub asked: usize,
    /// Hosts that said so in time.
    pub answered: usize,
    /// Connections that would be judged again.
    pub touched: u64,
    /// Those of them that the change would cut.
    pub cut: u64,
    /// The ports that have such connections; at most 1,000.
    #[serde(default)]
    pub ports: Vec<PortFlows>,
}

/// What a host would do with its connections if it were told of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodePreview {
    /// The ports that have connections which the change would touch.
    #[schema(max_items = 10000)]
    pub ports: Vec<PortFlows>,
}

/// The connections of a port that a change would touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortFlows {
    /// The port, as the state names it: the NIC's id.
    pub port: String,
    /// Whose NIC it is, behind its project: `shop/web-1/eth0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<String>,
    /// Connections that it has.
    pub flows: u64,
    /// Those that would be judged again.
    pub touched: u64,
    /// Those that would be cut.
    pub cut: u64,
    /// Some of those that would be cut or judged again, in words: `tcp 10.0.1.5:4711 > 10.0.1.9:443`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub examples: Vec<String>,
}
