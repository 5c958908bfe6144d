//! The schemas that a program declares, and the OpenAPI documents made of them.

use serde_json::Value;

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
