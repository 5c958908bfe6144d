//! Where the built programs lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs;

/// A folder with ready programs; set, it is used and nothing is ever built.
pub const FOLDER_VARIABLE: &str = "KUBE_SCI_CONTROL_PLANE_BIN";

/// The programs are not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinariesError {
    #[error("the control plane's programs are not built (looked for {missing} in {folder}): run `make control-plane`")]
    NotBuilt { folder: PathBuf, missing: String },
    #[error("{FOLDER_VARIABLE} names {folder}, which lacks {missing}: add it or unset the variable")]
    Incomplete { folder: PathBuf, missing: String },
    #[error("neither XDG_CACHE_HOME nor HOME is set: set one of them, or {FOLDER_VARIABLE}")]
    NoCache,
    #[error("find kwok's stages: put them into {folder}/stages or install Go ({reason})")]
    NoStages { folder: PathBuf, reason: String },
}

/// A folder with every program, and kwok's stage files.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    stages: Vec<PathBuf>,
}

impl Binaries {
    /// Finds the programs: in the folder of `KUBE_SCI_CONTROL_PLANE_BIN`, else in the cache.
    pub fn locate() -> Result<Self, BinariesError> {
        match given_folder() {
            Some(folder) => match first_missing(&folder) {
                Some(missing) => Err(BinariesError::Incomplete { folder, missing }),
                None => Ok(Self { stages: stages_beside(&folder).or_else(|_| stages_of_module(&folder))?, folder }),
            },
            None => Self::in_folder(cache_folder()?),
        }
    }

    /// The programs of a folder that `build` has filled.
    pub(crate) fn in_folder(folder: PathBuf) -> Result<Self, BinariesError> {
        match first_missing(&folder) {
            Some(missing) => Err(BinariesError::NotBuilt { folder, missing }),
            None => Ok(Self { stages: stages_beside(&folder)?, folder }),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// kwok's stage files.
    pub fn stages(&self) -> &[PathBuf] {
        &self.stages
    }
}

/// The folder named by `KUBE_SCI_CONTROL_PLANE_BIN`.
pub fn given_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Where `build` puts the programs: outside of `target/`, so that `cargo clean` does not cost a quarter of an hour.
pub fn cache_folder() -> Result<PathBuf, BinariesError> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    let caches =
        variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache"))).ok_or(BinariesError::NoCache)?;
    Ok(caches.join("kube-sci/control-plane").join(programs::fingerprint()))
}

/// The folder of kwok's sources in Go's module cache; Go downloads the module when it is not there.
pub(crate) fn kwok_module_folder(module: &Path) -> Result<PathBuf, String> {
    let output = Command::new("go")
        .args(["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", programs::KWOK_MODULE])
        .current_dir(module)
        .output()
        .map_err(|error| format!("run `go list`: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !text.is_empty() {
        return Ok(PathBuf::from(text));
    }
    Err(format!("`go list` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn first_missing(folder: &Path) -> Option<String> {
    programs::names().find(|name| !folder.join(name).is_file()).map(str::to_owned)
}

fn stages_beside(folder: &Path) -> Result<Vec<PathBuf>, BinariesError> {
    all_stages(folder, |stage| folder.join("stages").join(stage_file_name(stage)))
}

fn stages_of_module(folder: &Path) -> Result<Vec<PathBuf>, BinariesError> {
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("control-plane/kwok");
    let module =
        kwok_module_folder(&pinned).map_err(|reason| BinariesError::NoStages { folder: folder.to_owned(), reason })?;
    all_stages(folder, |stage| module.join(stage))
}

fn all_stages(folder: &Path, place: impl Fn(&str) -> PathBuf) -> Result<Vec<PathBuf>, BinariesError> {
    let stages: Vec<PathBuf> = programs::STAGES.into_iter().map(place).collect();
    match stages.iter().find(|stage| !stage.is_file()) {
        Some(missing) => Err(BinariesError::NoStages {
            folder: folder.to_owned(),
            reason: format!("{} is missing", missing.display()),
        }),
        None => Ok(stages),
    }
}

/// Stage files have unlike names, so one folder holds them all.
pub(crate) fn stage_file_name(stage: &str) -> &str {
    stage.rsplit('/').next().unwrap_or(stage)
}
