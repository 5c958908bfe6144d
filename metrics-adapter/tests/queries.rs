//! Queries that are shipped: what several programs and replicas export is counted once.

use std::path::{Path, PathBuf};

use kube_sci_server::config::parse_yaml;
use serde_json::Value;

/// Families that every replica of every program exports.
const SHARED: [&str; 4] = ["kube_sci_node_", "kube_sci_pod_", "kube_sci_workload_", "kube_sci_zone_"];

/// Every `expr` below a folder, with its file.
fn expressions(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            expressions(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text.contains("expr") && path.extension().is_some_and(|end| end == "json" || end == "yaml") {
            collect(&parse_yaml(&path.display().to_string(), &text).unwrap(), &path, found);
        }
    }
}

fn collect(value: &Value, path: &Path, found: &mut Vec<(PathBuf, String)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match value {
            Value::String(text) if key == "expr" => found.push((path.to_owned(), text.clone())),
            value => collect(value, path, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        _ => {}
    }
}

/// What stands around the byte at `at`, from the inside out: the words before each open parenthesis.
fn around(expression: &str, at: usize) -> Vec<String> {
    let (mut depth, mut found) = (0, Vec::new());
    for (position, letter) in expression[..at].char_indices().rev() {
        match letter {
            ')' => depth += 1,
            '(' if depth > 0 => depth -= 1,
            '(' => found.push(operator(&expression[..position])),
            _ => {}
        }
    }
    found
}

/// `max by (node, quality)` at the end of a text, or the name of a function.
fn operator(before: &str) -> String {
    let before = before.trim_end();
    let start = before.strip_suffix(')').and_then(|inner| inner.rfind('(')).unwrap_or(before.len());
    let words = before[..start].trim_end();
    let words = words.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == ' ')).next().unwrap_or_default();
    let clause = &before[start..];
    // Only `by` and `without` belong to what is before their list.
    let count = if clause.is_empty() { 1 } else { 2 };
    let mut words: Vec<&str> = words.split_whitespace().rev().take(count).collect();
    words.reverse();
    format!("{} {clause}", words.join(" "))
}

/// The sum or count that would count a shared series more than once, if there is one.
fn counts_twice(expression: &str) -> Option<String> {
    let shared = SHARED.iter().flat_map(|family| expression.match_indices(family));
    // Names of recorded series have a colon before them: those are recorded once.
    let shared = shared.filter(|(at, _)| !expression[..*at].ends_with(':'));
    shared.into_iter().find_map(|(at, _)| {
        for operator in around(expression, at) {
            let keeps_replicas = operator.contains(" without ") && !operator.contains("instance");
            match operator.split(' ').next() {
                Some("max" | "min" | "avg") if !keeps_replicas => return None,
                Some("sum" | "count") if !keeps_replicas => return Some(operator),
                _ => {}
            }
        }
        None
    })
}

#[test]
fn nothing_that_several_programs_export_is_counted_twice() {
    let mut found = Vec::new();
    expressions(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests"), &mut found);
    let shared = found.iter().filter(|(_, text)| SHARED.iter().any(|family| text.contains(family))).count();
    assert!(found.len() > 70 && shared > 15, "{} expressions, {shared} of them shared", found.len());
    for (path, expression) in found {
        assert_eq!(counts_twice(&expression), None, "{}: {expression}", path.display());
    }
}

#[test]
fn the_scan_tells_sound_queries_from_others() {
    for sound in [
        "max(kube_sci_node_power_watts)",
        "sum(max by (node) (kube_sci_node_power_watts))",
        "sum by (part) (max by (node, part) (sum without (quality) (rate(kube_sci_node_energy_joules_total[15m]))))",
        "count(max by (node) (kube_sci_node_power_watts{quality=~\"measured|sampled\"})) or vector(0)",
        "sum by (q) (max by (node, q) (kube_sci_node_power_watts) or on (node) max by (node, q) (kube_sci_pod_x))",
        "sum(rate(kube_sci_extender_filter_requests_total[5m]))",
        "kube_sci_node_power_watts",
        "sum by (namespace) (namespace:kube_sci_pod_emissions_grams_total:per_hour)",
        "topk(10, avg by (workload) (kube_sci_workload_sci_grams))",
    ] {
        assert_eq!(counts_twice(sound), None, "{sound}");
    }
    for bare in [
        "sum(kube_sci_node_power_watts)",
        "sum by (node) (kube_sci_node_power_watts)",
        "max(sum by (namespace) (rate(kube_sci_pod_energy_joules_total[5m])))",
        "count by (zone) (kube_sci_zone_source)",
        "sum(max without (quality) (kube_sci_node_power_watts))",
        "sum(max by (node) (kube_sci_node_power_watts)) / sum (kube_sci_node_idle_power_watts)",
        "topk(10, sum by (namespace, workload) (rate(kube_sci_workload_energy_joules_total[15m])))",
    ] {
        assert!(counts_twice(bare).is_some(), "{bare}");
    }
}
