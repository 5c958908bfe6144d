//! The reference page of the kinds, made from their schemas.

use std::fmt::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::crds;

/// Deeper fields belong to types of Kubernetes that are documented there.
const OPAQUE: [&str; 2] = ["selector", "conditions"];

/// The page. `generated` is the sentence that says where it comes from.
///
/// # Errors
/// As [`crds`].
pub fn reference(generated: &str) -> Result<String, serde_json::Error> {
    let mut page = format!(
        "# Kinds of the metrics adapter\n\n{generated}\n\nWhat breaks a rule is refused by the API server. Durations are \
         written as `30s`, `5m` or `1h30m`, amounts per replica as quantities such as `100`, `1500m` or `2k`.\n"
    );
    for crd in crds()? {
        kind(&mut page, &crd)?;
    }
    Ok(page)
}

fn kind(page: &mut String, crd: &CustomResourceDefinition) -> Result<(), serde_json::Error> {
    let names = &crd.spec.names;
    let Some(version) = crd.spec.versions.first() else { return Ok(()) };
    let schema = serde_json::to_value(version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()))?;
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "\n## {}\n\n`{}/{}`, {}, short `{}`. {}",
        names.kind,
        crd.spec.group,
        version.name,
        crd.spec.scope.to_lowercase(),
        names.short_names.iter().flatten().map(String::as_str).collect::<Vec<_>>().join("`, `"),
        text(&schema, "description"),
    );
    for (part, title) in [("spec", "Spec"), ("status", "Status")] {
        let Some(schema) = schema.pointer(&format!("/properties/{part}")) else { continue };
        let _ = writeln!(page, "\n### {title}\n\n{}\n", line(&text(schema, "description")));
        page.push_str("| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
        fields(page, schema, "");
        let mut rules = Vec::new();
        collect_rules(&mut rules, schema, "");
        if !rules.is_empty() {
            let _ = writeln!(page, "\nRules:\n\n{}", rules.join("\n"));
        }
    }
    Ok(())
}

fn fields(page: &mut String, schema: &Value, path: &str) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (shape, inner) = match field.get("items") {
            Some(items) => (format!("list of {}", type_of(items)), items),
            None => (type_of(field), field),
        };
        let default = match field.get("default") {
            // Those of the parts stand with the parts.
            Some(Value::Object(_)) | None if required.contains(&name.as_str()) => "required".to_owned(),
            Some(Value::Object(_)) | None => String::new(),
            Some(value) => format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        };
        let _ = writeln!(page, "| `{here}` | {shape} | {default} | {} |", line(&text(field, "description")));
        if !OPAQUE.contains(&name.as_str()) {
            let mark = if field.get("items").is_some() { "[]" } else { "" };
            fields(page, inner, &format!("{here}{mark}"));
        }
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    if schema["x-kubernetes-int-or-string"] == Value::Bool(true) {
        return "amount".to_owned();
    }
    let bounds = bounds(schema);
    match (schema["type"].as_str().unwrap_or("object"), schema["format"].as_str()) {
        ("string", Some("duration")) => "duration".to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        ("object", _) if schema.get("additionalProperties").is_some() => "map of strings".to_owned(),
        (other, _) => format!("{other}{bounds}"),
    }
}

fn bounds(schema: &Value) -> String {
    let number = |key: &str| schema[key].as_f64();
    let above = schema["exclusiveMinimum"] == Value::Bool(true);
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) if above => format!(" above {least}, at most {most}"),
        (Some(least), Some(most)) => format!(" {least} to {most}"),
        (Some(least), None) => format!(" from {least}"),
        (None, Some(most)) => format!(" up to {most}"),
        (None, None) => String::new(),
    }
}

fn collect_rules(rules: &mut Vec<String>, schema: &Value, path: &str) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = text(rule, "message");
        let place = if path.is_empty() { String::new() } else { format!("`{path}`: ") };
        rules.push(format!("- {place}{}", line(&message)));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect_rules(rules, field, &here);
        if let Some(items) = field.get("items") {
            collect_rules(rules, items, &format!("{here}[]"));
        }
    }
}

fn text(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().to_owned()
}

/// In one line, as a cell of a table takes it.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
