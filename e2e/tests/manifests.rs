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

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::Kubectl;
use serde_json::Value;

const NAMESPACE: &str = "kube-sci";

/// The root of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

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

/// As text that kubectl takes as well as a stream of YAML.
fn list_of(objects: &[Value]) -> String {
    serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

/// A kustomization as a user would write it: a folder of the repository and components of `manifests/components`.
#[derive(Debug, Clone)]
struct Installation {
    folder: &'static str,
    components: Vec<&'static str>,
}

impl Installation {
    /// Its objects, as `kubectl kustomize` renders them.
    async fn objects(&self, kubectl: &Kubectl) -> Result<Vec<Value>> {
        let place = tempfile::tempdir()?;
        let root = relative_root(&std::fs::canonicalize(place.path())?);
        let component = |name: &&str| root.join("manifests/components").join(name);
        let kustomization = serde_json::json!({
            "resources": [root.join(self.folder)],
            "components": self.components.iter().map(component).collect::<Vec<_>>(),
        });
        std::fs::write(place.path().join("kustomization.yaml"), kustomization.to_string())?;
        let rendered = kubectl.run(&["kustomize".as_ref(), place.path().as_os_str()]).await;
        documents(&rendered.with_context(|| format!("render {self:?}"))?)
    }
}

/// The repository as seen from a folder: kustomize refuses absolute paths.
fn relative_root(from: &Path) -> PathBuf {
    let up = from.components().skip(1).map(|_| Component::ParentDir);
    up.chain(repository().components().skip(1)).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
