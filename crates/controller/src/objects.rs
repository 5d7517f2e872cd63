//! Objects between the API's form and that of intent.

use rackweave_api::http::Problem;
use rackweave_control::model::{Object, Spec};
use rackweave_control::{Kind, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An object as it is kept; the API shows its parts.
#[derive(Deserialize)]
struct Kept {
    meta: Meta,
    spec: Value,
    #[serde(default)]
    given: Value,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    name: String,
    #[serde(default)]
    description: String,
    generation: u64,
}

/// An object as the API shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    meta: Meta,
    spec: Value,
    given: Value,
}

/// An object as the API shows it.
pub(crate) fn shown(object: &Object) -> Value {
    // What is kept is always of this form: `encode` has just written it.
    let kept: Result<Kept, _> = serde_json::from_slice(&object.encode());
    let shown = kept.map(|kept| Shown {
        meta: kept.meta,
        spec: kept.spec,
        given: match kept.given {
            Value::Null => Value::Object(serde_json::Map::new()),
            given => given,
        },
    });
    shown
        .and_then(|shown| serde_json::to_value(&shown))
        .unwrap_or_default()
}

/// What is asked for, from the API's form.
///
/// # Errors
/// The field that is not of its form.
pub(crate) fn spec<S: Serialize>(kind: Kind, spec: &S) -> Result<Spec, Problem> {
    let value = serde_json::to_value(spec).map_err(|error| Problem::internal(error.to_string()))?;
    let mut track = serde_path_to_error::Track::new();
    let read = Spec::read(
        kind,
        serde_path_to_error::Deserializer::new(value, &mut track),
    );
    read.map_err(|error| {
        let field = track.path().to_string();
        let field = match field.as_str() {
            "." | "?" => "spec".to_owned(),
            field => format!("spec.{field}"),
        };
        Problem::bad_request(error.to_string()).field(field)
    })
}

/// A name, from the API's form.
///
/// # Errors
/// Why it is none.
pub(crate) fn name(text: &str, field: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: rackweave_control::NameError| {
        Problem::bad_request(error.to_string()).field(field)
    })
}
