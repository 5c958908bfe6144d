//! An index, and one OpenAPI 3.0 document per group version.

use serde_json::{Map, Value, json};

use super::{Definition, complete, info, operations};
use crate::api::ApiGroup;

const STYLE: operations::Style = operations::Style {
    reference: |name| format!("#/components/schemas/{name}"),
    responses: |reference| {
        json!({
            "200": {"description": "OK", "content": {"application/json": {"schema": reference}}},
            "401": {"description": "Unauthorized"},
        })
    },
    parameter: |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}}),
    extras: |_| {},
};

/// Where the document of each `apis/GROUP/VERSION` is. The hash in the address lets clients keep what did not change.
pub(crate) fn index(hashes: &[(&str, &str)]) -> Value {
    let mut paths = Map::new();
    for (path, hash) in hashes {
        paths.insert((*path).to_owned(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}));
    }
    json!({"paths": paths})
}

/// The documents by `apis/GROUP/VERSION`.
pub(crate) fn documents(groups: &[ApiGroup], definitions: &[Definition], version: &str) -> Vec<(String, Value)> {
    let mut documents = Vec::new();
    for group in groups {
        for served in &group.versions {
            let complete = complete(group, served, definitions);
            let paths = operations::paths(group, served, &complete, &STYLE);
            let mut schemas = Map::new();
            for definition in definitions.iter().chain(&complete) {
                schemas.insert(definition.name.clone(), refer_to_components(definition.described()));
            }
            let document = json!({
                "openapi": "3.0.0", "info": info(version), "paths": paths, "components": {"schemas": schemas},
            });
            documents.push((format!("apis/{}/{}", group.name, served.name), document));
        }
    }
    documents
}

/// References are declared for the older format.
fn refer_to_components(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| match (key.as_str(), &value) {
                    ("$ref", Value::String(target)) => {
                        let target = target.replacen("#/definitions/", "#/components/schemas/", 1);
                        (key, Value::String(target))
                    }
                    _ => (key, refer_to_components(value)),
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(refer_to_components).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{ApiResource, ApiVersion},
        attributes::Verb,
        openapi::v2,
    };

    fn greetings() -> (Vec<ApiGroup>, Vec<Definition>) {
        let resources = vec![
            ApiResource::namespaced("greetings", "Greeting", &[Verb::Get, Verb::List, Verb::Watch]),
            ApiResource::cluster("worlds/greeting", "Unknown", &[Verb::Get]),
        ];
        let definition = |kind: &str, schema| Definition {
            name: format!("dev.example.v1.{kind}"),
            group: "example.dev".to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            schema,
        };
        let definitions = vec![
            definition(
                "Greeting",
                json!({"type": "object", "properties": {"part": {"$ref": "#/definitions/dev.example.v1.Part"}}}),
            ),
            definition("Part", json!({"type": "object"})),
        ];
        (vec![ApiGroup::new("example.dev", vec![ApiVersion::new("v1", resources)])], definitions)
    }

    /// Every reference of a document leads somewhere.
    fn dangling(document: &Value, value: &Value) -> Vec<String> {
        match value {
            Value::Object(map) => map
                .iter()
                .flat_map(|(key, value)| match (key.as_str(), value.as_str()) {
                    ("$ref", Some(target)) => {
                        let found = document.pointer(target.trim_start_matches('#')).is_some();
                        if found { vec![] } else { vec![target.to_owned()] }
                    }
                    _ => dangling(document, value),
                })
                .collect(),
            Value::Array(items) => items.iter().flat_map(|item| dangling(document, item)).collect(),
            _ => vec![],
        }
    }

    #[test]
    fn the_older_document_has_paths_and_kinds() {
        let (groups, definitions) = greetings();
        let document = v2::document(&groups, &definitions, "v1.2.3");
        assert_eq!(document["swagger"], "2.0");
        assert_eq!(document["info"]["version"], "v1.2.3");
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(
            paths,
            [
                "/apis/example.dev/v1/namespaces/{namespace}/greetings",
                "/apis/example.dev/v1/namespaces/{namespace}/greetings/{name}",
                "/apis/example.dev/v1/worlds/{name}/greeting",
            ]
        );
        let get = &document["paths"]["/apis/example.dev/v1/namespaces/{namespace}/greetings/{name}"]["get"];
        assert_eq!(get["operationId"], "getExampleDevV1Greetings");
        assert_eq!(get["responses"]["200"]["schema"]["$ref"], "#/definitions/dev.example.v1.Greeting");
        let kinds = &document["definitions"]["dev.example.v1.Greeting"]["x-kubernetes-group-version-kind"];
        assert_eq!(kinds, &json!([{"group": "example.dev", "version": "v1", "kind": "Greeting"}]));
        assert!(document["definitions"].get("dev.example.v1.Unknown").is_some());
        assert_eq!(dangling(&document, &document), [] as [&str; 0]);
    }

    #[test]
    fn the_newer_documents_refer_to_components() {
        let (groups, definitions) = greetings();
        let documents = documents(&groups, &definitions, "v1");
        let [(path, document)] = documents.as_slice() else { panic!("one document per version") };
        assert_eq!(path, "apis/example.dev/v1");
        assert_eq!(document["openapi"], "3.0.0");
        let part = &document["components"]["schemas"]["dev.example.v1.Greeting"]["properties"]["part"]["$ref"];
        assert_eq!(part, "#/components/schemas/dev.example.v1.Part");
        assert_eq!(dangling(document, document), [] as [&str; 0]);
        let index = index(&[(path.as_str(), "AB")]);
        let url = &index["paths"]["apis/example.dev/v1"]["serverRelativeURL"];
        assert_eq!(url, "/openapi/v3/apis/example.dev/v1?hash=AB");
    }
}
