//! Where a control plane keeps its files.

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{ControlPlaneError, KEEP_VARIABLE};

#[derive(Debug)]
pub(super) enum Folder {
    /// Removed when dropped.
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    pub(super) fn open(wanted: Option<&Path>) -> Result<Self, ControlPlaneError> {
        let Some(path) = wanted else {
            return Self::temporary();
        };
        let failed = |source| ControlPlaneError::Folder { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        Ok(Self::Kept(std::path::absolute(path).map_err(failed)?))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }

    /// The folder, if it is to be removed at the end.
    pub(super) fn scratch(&self) -> Option<&Path> {
        match self {
            Self::Temporary(folder) => Some(folder.path()),
            Self::Kept(_) => None,
        }
    }

    fn temporary() -> Result<Self, ControlPlaneError> {
        let folder = tempfile::Builder::new()
            .prefix("kube-sci-control-plane-")
            .tempdir()
            .map_err(|source| ControlPlaneError::Folder { path: std::env::temp_dir(), source })?;
        if std::env::var_os(KEEP_VARIABLE).is_none() {
            return Ok(Self::Temporary(folder));
        }
        let folder = folder.keep();
        // Nobody can be told when standard error is closed.
        drop(writeln!(stderr(), "control plane kept in {}", folder.display()));
        Ok(Self::Kept(folder))
    }
}
