//! The metrics adapter's manifests as they are shipped, for a process of this machine in place of its pods.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::aggregation::lead_to_host;
use crate::control_plane::{ControlPlane, ControlPlaneError};

/// Namespace of the installation.
pub const NAMESPACE: &str = "kube-sci";
/// Of the account, the Service and the program.
pub const ACCOUNT: &str = "kube-sci-metrics-adapter";
/// Everything but what is optional.
pub const ALL: &str = "manifests/metrics-adapter";
/// For policies that read pages of pods, which is not everybody's right.
pub const LOAD_PODS: &str = "manifests/components/adapter-load-pods";

/// Manifests could not be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    #[error("read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("parse what {path} renders to")]
    Parse { path: PathBuf, source: Box<serde_saphyr::Error> },
    #[error(transparent)]
    Kubectl(#[from] ControlPlaneError),
}

/// Applies a folder of manifests. APIs are led to a port of this machine; without one they are left out: before the
/// program listens nobody is sent to it. Of a component its own objects are applied.
pub async fn apply(plane: &ControlPlane, folder: &str, port: Option<u16>) -> Result<(), ManifestError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let (kubectl, own) = (plane.kubectl(), path.join("rbac.yaml"));
    let rendered = if own.exists() {
        std::fs::read_to_string(&own).map_err(|source| ManifestError::Read { path: own, source })?
    } else {
        kubectl.run(&["kustomize".as_ref(), path.as_os_str()]).await?
    };
    let parsed = serde_saphyr::from_multiple(&rendered);
    let mut objects: Vec<Value> = parsed.map_err(|source| ManifestError::Parse { path, source: Box::new(source) })?;
    let kind = |object: &Value| object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    objects.retain(|object| kind(object) != "Deployment" && (port.is_some() || kind(object) != "APIService"));
    for object in &mut objects {
        lead_to_host(object, ACCOUNT, port.unwrap_or_default());
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    kubectl.run_with_input(&["apply", "--server-side", "--force-conflicts", "--filename=-"], list.to_string()).await?;
    Ok(())
}
