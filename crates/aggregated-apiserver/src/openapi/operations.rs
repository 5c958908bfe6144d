//! Paths and operations of resources. The aggregator keeps only definitions that an operation refers to.

use serde_json::{Map, Value, json};

use super::Definition;
use crate::{
    api::{ApiGroup, ApiResource, ApiVersion, Scope},
    attributes::Verb,
};

/// How a document writes what differs between versions of OpenAPI.
pub(super) struct Style {
    /// Reference to a definition.
    pub(super) reference: fn(&str) -> String,
    /// The answer of an operation that refers to a definition.
    pub(super) responses: fn(Value) -> Value,
    /// A text parameter in the path.
    pub(super) parameter: fn(&str) -> Value,
    /// What every operation says beside.
    pub(super) extras: fn(&mut Map<String, Value>),
}

/// Every path of a version with its operations.
pub(super) fn paths(
    group: &ApiGroup,
    version: &ApiVersion,
    definitions: &[Definition],
    style: &Style,
) -> Map<String, Value> {
    let mut paths = Map::new();
    for resource in &version.resources {
        let reference = definitions
            .iter()
            .find(|definition| definition.is_of(group, version) && definition.kind == resource.kind)
            .map_or_else(|| json!({"type": "object"}), |found| json!({"$ref": (style.reference)(&found.name)}));
        let kind = json!({"group": group.name, "version": version.name, "kind": resource.kind});
        for verb in &resource.verbs {
            let Some((method, on_object)) = operation(*verb) else { continue };
            let path = path(group, version, resource, on_object);
            let mut operation = Map::new();
            operation.insert("operationId".to_owned(), id(group, version, resource, *verb).into());
            operation.insert("responses".to_owned(), (style.responses)(reference.clone()));
            operation.insert("x-kubernetes-action".to_owned(), verb.as_str().into());
            operation.insert("x-kubernetes-group-version-kind".to_owned(), kind.clone());
            (style.extras)(&mut operation);
            let item = paths.entry(path).or_insert_with(|| parameters(resource, on_object, style));
            if let Value::Object(item) = item {
                item.insert(method.to_owned(), Value::Object(operation));
            }
        }
    }
    paths
}

/// Method, and whether the path ends in the name of an object.
fn operation(verb: Verb) -> Option<(&'static str, bool)> {
    match verb {
        Verb::Get => Some(("get", true)),
        Verb::List => Some(("get", false)),
        Verb::Create => Some(("post", false)),
        Verb::Update => Some(("put", true)),
        Verb::Patch => Some(("patch", true)),
        Verb::Delete => Some(("delete", true)),
        Verb::DeleteCollection => Some(("delete", false)),
        Verb::Watch | Verb::Proxy | Verb::Head | Verb::Post | Verb::Put | Verb::Options => None,
    }
}

fn path(group: &ApiGroup, version: &ApiVersion, resource: &ApiResource, on_object: bool) -> String {
    let mut path = format!("/apis/{}/{}", group.name, version.name);
    if resource.scope == Scope::Namespaced {
        path.push_str("/namespaces/{namespace}");
    }
    match resource.name.split_once('/') {
        Some((parent, subresource)) => format!("{path}/{parent}/{{name}}/{subresource}"),
        None if on_object => format!("{path}/{}/{{name}}", resource.name),
        None => format!("{path}/{}", resource.name),
    }
}

fn parameters(resource: &ApiResource, on_object: bool, style: &Style) -> Value {
    let mut parameters = Vec::new();
    if resource.scope == Scope::Namespaced {
        parameters.push((style.parameter)("namespace"));
    }
    if on_object || resource.name.contains('/') {
        parameters.push((style.parameter)("name"));
    }
    json!({"parameters": parameters})
}

/// Unique in the document, letters and digits only.
fn id(group: &ApiGroup, version: &ApiVersion, resource: &ApiResource, verb: Verb) -> String {
    let mut id = verb.as_str().to_owned();
    for part in [&group.name, &version.name, &resource.name] {
        let words = part.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        for word in words {
            let mut letters = word.chars();
            id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            id.push_str(letters.as_str());
        }
    }
    id
}
