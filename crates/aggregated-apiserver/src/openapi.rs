//! The schemas that a program declares, and the OpenAPI documents made of them.

mod operations;
pub(crate) mod v2;
pub(crate) mod v3;

use serde_json::{Value, json};

use crate::api::{ApiGroup, ApiVersion};

/// The schema of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Unique name, by custom the reversed domain with version and kind, for instance `dev.example.v1.Greeting`.
    pub name: String,
    /// API group of the kind.
    pub group: String,
    /// API version of the kind.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// JSON schema. References to other definitions are written `#/definitions/NAME`.
    pub schema: Value,
}

impl Definition {
    /// The schema with the extension by which clients find the kind.
    fn described(&self) -> Value {
        let mut schema = self.schema.clone();
        if let Value::Object(schema) = &mut schema {
            let kind = json!([{"group": self.group, "version": self.version, "kind": self.kind}]);
            schema.insert("x-kubernetes-group-version-kind".to_owned(), kind);
        }
        schema
    }

    fn is_of(&self, group: &ApiGroup, version: &ApiVersion) -> bool {
        self.group == group.name && self.version == version.name
    }
}

/// The definitions of a version, completed by an object of unknown content for every kind without one.
fn complete(group: &ApiGroup, version: &ApiVersion, definitions: &[Definition]) -> Vec<Definition> {
    let mut found: Vec<Definition> =
        definitions.iter().filter(|definition| definition.is_of(group, version)).cloned().collect();
    for resource in &version.resources {
        if found.iter().any(|definition| definition.kind == resource.kind) {
            continue;
        }
        let mut domain: Vec<&str> = group.name.split('.').collect();
        domain.reverse();
        found.push(Definition {
            name: format!("{}.{}.{}", domain.join("."), version.name, resource.kind),
            group: group.name.to_string(),
            version: version.name.to_string(),
            kind: resource.kind.to_string(),
            schema: json!({"type": "object"}),
        });
    }
    found
}

fn info(version: &str) -> Value {
    json!({"title": "Kubernetes aggregated API", "version": version})
}
