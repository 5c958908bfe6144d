//! Where started programs keep their files.

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Set to anything, it keeps temporary folders, to read the logs of a test that failed.
pub const KEEP_VARIABLE: &str = "KUBE_SCI_KEEP_CONTROL_PLANE";

/// A folder could not be made or filled.
#[derive(Debug, thiserror::Error)]
#[error("prepare the folder {path}")]
#[non_exhaustive]
pub struct FolderError {
    pub path: PathBuf,
    pub source: std::io::Error,
}

#[derive(Debug)]
pub(crate) enum Folder {
    /// Removed when dropped.
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    /// Opens the wanted folder, else a temporary one that is named after `what` lies in it.
    pub(crate) fn open(what: &str, wanted: Option<&Path>) -> Result<Self, FolderError> {
        let Some(path) = wanted else {
            return Self::temporary(what);
        };
        let failed = |source| FolderError { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        Ok(Self::Kept(std::path::absolute(path).map_err(failed)?))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }

    /// The folder, if it is to be removed at the end.
    pub(crate) fn scratch(&self) -> Option<&Path> {
        match self {
            Self::Temporary(folder) => Some(folder.path()),
            Self::Kept(_) => None,
        }
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, FolderError> {
        let path = self.path().join(name);
        match std::fs::write(&path, content) {
            Ok(()) => Ok(path),
            Err(source) => Err(FolderError { path, source }),
        }
    }

    fn temporary(what: &str) -> Result<Self, FolderError> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("kube-sci-{what}-"))
            .tempdir()
            .map_err(|source| FolderError { path: std::env::temp_dir(), source })?;
        if std::env::var_os(KEEP_VARIABLE).is_none() {
            return Ok(Self::Temporary(folder));
        }
        let folder = folder.keep();
        // Nobody can be told when standard error is closed.
        drop(writeln!(stderr(), "{what} kept in {}", folder.display()));
        Ok(Self::Kept(folder))
    }
}
