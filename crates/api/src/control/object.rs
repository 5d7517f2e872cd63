//! Objects as they are read and written, whatever their kind.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a user says of an object that is made or replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Body<S> {
    /// Its name, unique among its siblings: 1 to 63 lower-case letters, digits and hyphens, a letter first, no hyphen
    /// last. It cannot be changed; where an object is replaced it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
    pub name: Option<String>,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub description: Option<String>,
    /// What is asked for.
    pub spec: S,
}

/// An object as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Object<S> {
    /// Names it over its life, also where another one of its name follows it.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub id: String,
    /// The object that it belongs to, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub parent: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Counts its changes; also its `etag`.
    pub generation: u64,
    /// What was asked for.
    pub spec: S,
    /// What was given to it: addresses, numbers.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub given: serde_json::Value,
}

/// Some objects of a list, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The objects.
    pub items: Vec<T>,
    /// What to say as `after` for the next page; none where this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
