//! Selections of the repository's manifests, rendered as users render them.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use crate::control_plane::{ControlPlaneError, Kubectl};

/// Manifests could not be rendered or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    #[error("write a kustomization of {folder}")]
    Write { folder: &'static str, source: std::io::Error },
    #[error("parse what {folder} renders to")]
    Parse { folder: &'static str, source: Box<serde_saphyr::Error> },
    #[error(transparent)]
    Kubectl(#[from] ControlPlaneError),
}

/// A kustomization as a user would write it: a folder of the repository and components of `manifests/components`.
#[derive(Debug, Clone)]
pub struct Installation {
    pub folder: &'static str,
    pub components: Vec<&'static str>,
}

impl Installation {
    /// Its objects, as `kubectl kustomize` renders them.
    pub async fn objects(&self, kubectl: &Kubectl) -> Result<Vec<Value>, ManifestError> {
        let folder = self.folder;
        let place = self.written().map_err(|source| ManifestError::Write { folder, source })?;
        let rendered = kubectl.run(&["kustomize".as_ref(), place.path().as_os_str()]).await?;
        let parsed = serde_saphyr::from_multiple(&rendered);
        parsed.map_err(|source| ManifestError::Parse { folder, source: Box::new(source) })
    }

    fn written(&self) -> std::io::Result<tempfile::TempDir> {
        let place = tempfile::tempdir()?;
        let root = relative_root(&std::fs::canonicalize(place.path())?);
        let component = |name: &&str| root.join("manifests/components").join(name);
        let kustomization = json!({
            "resources": [root.join(self.folder)],
            "components": self.components.iter().map(component).collect::<Vec<_>>(),
        });
        std::fs::write(place.path().join("kustomization.yaml"), kustomization.to_string())?;
        Ok(place)
    }
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// As text that kubectl takes as well as a stream of YAML.
pub fn list_of(objects: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

/// The repository as seen from a folder: kustomize refuses absolute paths.
fn relative_root(from: &Path) -> PathBuf {
    let up = from.components().skip(1).map(|_| Component::ParentDir);
    up.chain(repository().components().skip(1)).collect()
}
