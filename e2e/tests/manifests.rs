//! Everything that is installed: manifests, the kind cluster, the container image.

mod adapter_admission;
mod adapter_kinds;
mod adapter_rights;
mod adapter_samples;
mod admission;
mod energy;
mod image;
mod installed;
mod kind;
mod queries;
mod schedulers;

use anyhow::{Context, Result};
use kube_sci_e2e::adapter_manifests::NAMESPACE;
use kube_sci_e2e::manifests::{Installation, list_of, repository};
use serde_json::Value;

/// A file of the repository.
fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(repository().join(path)).with_context(|| format!("read {path}"))
}

fn read_yaml(path: &str) -> Result<Value> {
    serde_saphyr::from_str(&read(path)?).with_context(|| format!("parse {path}"))
}

/// The documents of a YAML stream.
fn documents(text: &str) -> Result<Vec<Value>> {
    serde_saphyr::from_multiple(text).context("parse a stream of documents")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
