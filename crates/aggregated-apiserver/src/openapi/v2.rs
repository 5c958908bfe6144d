//! One Swagger 2.0 document for everything.

use serde_json::{Map, Value, json};

use super::{Definition, complete, info, operations};
use crate::api::ApiGroup;

const STYLE: operations::Style = operations::Style {
    reference: |name| format!("#/definitions/{name}"),
    responses: |reference| {
        json!({
            "200": {"description": "OK", "schema": reference},
            "401": {"description": "Unauthorized"},
        })
    },
    parameter: |name| json!({"name": name, "in": "path", "required": true, "type": "string", "uniqueItems": true}),
    extras: |operation| {
        operation.insert("produces".to_owned(), json!(["application/json"]));
        operation.insert("consumes".to_owned(), json!(["*/*"]));
        operation.insert("schemes".to_owned(), json!(["https"]));
    },
};

/// The document.
pub(crate) fn document(groups: &[ApiGroup], definitions: &[Definition], version: &str) -> Value {
    let mut paths = Map::new();
    let mut all = Map::new();
    // Definitions outside of the served kinds are parts that others refer to.
    for definition in definitions {
        all.insert(definition.name.clone(), definition.described());
    }
    for group in groups {
        for version in &group.versions {
            let complete = complete(group, version, definitions);
            paths.extend(operations::paths(group, version, &complete, &STYLE));
            all.extend(complete.iter().map(|definition| (definition.name.clone(), definition.described())));
        }
    }
    json!({"swagger": "2.0", "info": info(version), "paths": paths, "definitions": all})
}
