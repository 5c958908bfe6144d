//! Reference pages, made from the code: what the doc comments and defaults say is what is printed.

mod page;
mod routes;

use std::fmt::Write as _;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

pub use self::{
    page::{PageError, command_line, configuration, keep},
    routes::{EVERYBODY, RouteDoc, TRUSTED, routes, sections},
};

/// Deepest nesting that is followed; guards against a type that holds itself.
const MAX_DEPTH: usize = 12;

/// Stands on every generated page.
pub const GENERATED: &str = "This page is made from the code; do not edit it.";

/// A Markdown page with one table per object of the configuration `T`: key path, type, default, meaning. Keys come in
/// alphabetical order, so that the page only changes with the types.
pub fn markdown<T: JsonSchema>(title: &str, intro: &str) -> String {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize());
    let root = generator.subschema_for::<T>().to_value();
    let definitions = generator.definitions();
    let mut page = Page { text: format!("# {title}\n\n{intro}\n"), definitions };
    page.object(&root, "", None, 0);
    page.text
}

struct Page<'a> {
    text: String,
    definitions: &'a Map<String, Value>,
}

/// An object that gets a table of its own.
struct Nested<'a> {
    schema: &'a Value,
    path: String,
    default: Option<&'a Value>,
}

impl<'a> Page<'a> {
    fn object(&mut self, schema: &'a Value, path: &str, defaults: Option<&'a Value>, depth: usize) {
        let schema = self.resolve(schema);
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let mut keys: Vec<(&String, &Value)> = properties.iter().collect();
        keys.sort_by_key(|(key, _)| key.as_str());

        if !path.is_empty() {
            self.line(&format!("\n## `{path}`\n\n{}", description(schema)));
        }
        self.line("\n| key | type | default | meaning |\n| --- | --- | --- | --- |");
        let required = schema.get("required").and_then(Value::as_array);
        let mut nested = Vec::new();
        for (key, property) in keys {
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let default = defaults.and_then(|values| values.get(key)).or_else(|| property.get("default"));
            let is_required = required.is_some_and(|names| names.iter().any(|name| name == key));
            let kind = self.kind(property);
            let inner = self.nested(property, &full, default);
            let shown = match default {
                _ if is_required => "required".to_owned(),
                _ if inner.as_ref().is_some_and(|inner| inner.path == full) && !default.is_some_and(Value::is_null) => {
                    String::new()
                }
                Some(Value::Null) | None => "none".to_owned(),
                Some(value) => format!("`{}`", compact(value)),
            };
            let meaning = self.meaning(property).replace('\n', " ").replace('|', "\\|");
            self.line(&format!("| `{full}` | {kind} | {shown} | {meaning} |"));
            nested.extend(inner);
        }
        if depth < MAX_DEPTH {
            for inner in nested {
                self.object(inner.schema, &inner.path, inner.default, depth + 1);
            }
        }
    }

    /// The object behind a property, a list item or a map value.
    fn nested(&self, property: &'a Value, path: &str, default: Option<&'a Value>) -> Option<Nested<'a>> {
        let schema = self.without_null(self.resolve(property));
        let (inner, path) = if let Some(items) = schema.get("items") {
            (items, format!("{path}[]"))
        } else if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            (values, format!("{path}.<name>"))
        } else {
            (schema, path.to_owned())
        };
        let inner = self.without_null(self.resolve(inner));
        inner.get("properties")?;
        Some(Nested { schema: inner, path, default: default.filter(|value| value.is_object()) })
    }

    fn kind(&self, schema: &'a Value) -> String {
        let resolved = self.without_null(self.resolve(schema));
        if let Some(items) = resolved.get("items") {
            return format!("list of {}", self.kind(items));
        }
        if let Some(values) = resolved.get("additionalProperties").filter(|values| values.is_object()) {
            return format!("map to {}", self.kind(values));
        }
        if let Some(choices) = choices(resolved) {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
            return names.join(" or ");
        }
        match resolved.get("type") {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Array(names)) => {
                let names: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
                names.join(" or ")
            }
            _ => self.alternatives(resolved),
        }
    }

    fn alternatives(&self, schema: &'a Value) -> String {
        let Some(variants) = variants(schema) else { return "any".to_owned() };
        let mut kinds: Vec<String> = variants.iter().map(|variant| self.kind(variant)).collect();
        kinds.dedup();
        kinds.join(" or ")
    }

    /// The text of the key, and what each of its values means where the type says so.
    fn meaning(&self, property: &'a Value) -> String {
        let mut text = description(property).to_owned();
        let resolved = self.without_null(self.resolve(property));
        if text.is_empty() {
            description(resolved).clone_into(&mut text);
        }
        for (name, meaning) in choices(resolved).unwrap_or_default() {
            if !meaning.is_empty() {
                let _ = write!(text, " `{name}`: {meaning}");
            }
        }
        text
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix("#/$defs/"))
            .and_then(|name| self.definitions.get(name))
            .unwrap_or(schema)
    }

    /// What an optional schema holds when it holds something.
    fn without_null(&self, schema: &'a Value) -> &'a Value {
        let Some([one, other]) = variants(schema) else { return schema };
        let is_null = |variant: &Value| variant.get("type").is_some_and(|kind| kind == "null");
        match (is_null(one), is_null(other)) {
            (false, true) => self.resolve(one),
            (true, false) => self.resolve(other),
            _ => schema,
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}

fn variants(schema: &Value) -> Option<&[Value]> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array).map(Vec::as_slice)
}

/// The values of a string enum with their meaning.
fn choices(schema: &Value) -> Option<Vec<(&str, &str)>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(|value| value.as_str().map(|name| (name, ""))).collect();
    }
    let mut found = Vec::new();
    for variant in variants(schema)? {
        if let Some(name) = variant.get("const").and_then(Value::as_str) {
            found.push((name, description(variant)));
        } else {
            found.extend(variant.get("enum")?.as_array()?.iter().filter_map(Value::as_str).map(|name| (name, "")));
        }
    }
    Some(found)
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or("")
}

fn compact(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A float that is a whole number reads better without its fraction.
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::config::ListenConfig;

    /// A program.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase", default)]
    struct Sample {
        /// How to listen.
        listen: ListenConfig,
        /// What it does.
        mode: Mode,
        /// By label.
        rules: Vec<Rule>,
        /// By class.
        classes: BTreeMap<String, Rule>,
        /// Weight of
        /// something | else.
        weight: Weight,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    enum Mode {
        /// Decide.
        #[default]
        Enforce,
        /// Only record.
        Shadow,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Weight(f64);

    impl Default for Weight {
        fn default() -> Self {
            Self(1.0)
        }
    }

    /// One rule.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    struct Rule {
        /// Zone that it gives.
        zone: String,
        /// Reason, if any.
        #[serde(default)]
        why: Option<String>,
    }

    fn page() -> String {
        markdown::<Sample>("Configuration", "Every key.")
    }

    fn assert_line(line: &str) {
        let page = page();
        assert!(page.lines().any(|found| found == line), "no line {line:?} in\n{page}");
    }

    #[test]
    fn a_key_has_path_type_default_and_meaning() {
        assert_line("| `listen.workers` | integer | `2` | Number of threads that answer requests. |");
        assert_line("| `weight` | number | `1` | Weight of something \\| else. |");
    }

    #[test]
    fn defaults_of_the_parent_are_shown_at_the_nested_key() {
        assert_line("## `listen`");
        let page = page();
        let address = page.lines().find(|line| line.starts_with("| `listen.address`")).unwrap();
        assert!(address.contains("| string | `127.0.0.1:8888` |"), "{address}");
    }

    #[test]
    fn the_values_of_an_enum_are_explained() {
        assert_line(
            "| `mode` | `enforce` or `shadow` | `enforce` | What it does. `enforce`: Decide. `shadow`: Only record. |",
        );
    }

    #[test]
    fn an_optional_object_is_none_by_default_and_described_in_full() {
        let page = page();
        let tls = page.lines().find(|line| line.starts_with("| `listen.tls`")).unwrap();
        assert!(tls.contains("| object | none |"), "{tls}");
        let key = page.lines().find(|line| line.starts_with("| `listen.tls.keyFile`")).unwrap();
        assert!(key.contains("| string | required |"), "{key}");
    }

    #[test]
    fn list_items_and_map_values_have_their_own_paths() {
        assert_line("| `rules` | list of object | `[]` | By label. |");
        assert_line("| `rules[].zone` | string | required | Zone that it gives. |");
        assert_line("| `classes.<name>.why` | string | none | Reason, if any. |");
    }

    #[test]
    fn the_page_is_the_same_every_time() {
        assert_eq!(page(), page());
    }
}
