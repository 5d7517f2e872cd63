//! The document that is checked in is the one that the handlers make.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Set where the document is to be written anew.
const WRITE: &str = "RACKWEAVE_WRITE_OPENAPI";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/controller.json")
}

#[test]
fn the_document_is_checked_in() {
    let document = rackweave_controller::cli::document();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path(), &document).unwrap();
    }
    let checked_in = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        checked_in == document,
        "docs/openapi/controller.json is not the API's any more: run this test with {WRITE}=1 and look at the difference"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let text = rackweave_controller::cli::document();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut missing = Vec::new();
    let mut rest = vec![&document];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                let lost = |text: &&str| {
                    let place = text.strip_prefix('#');
                    place.and_then(|place| document.pointer(place)).is_none()
                };
                missing.extend(reference.filter(lost));
                rest.extend(fields.values());
            }
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
    }
    assert_eq!(missing, Vec::<&str>::new());
    assert!(document["paths"]["/v1/projects/{project}/vpcs/{vpc}"]["put"].is_object());
}
