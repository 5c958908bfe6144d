//! Where the built programs lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{self, CONTROL_PLANE, GoModule, MODULES, Module, Sources};

/// A folder with ready programs; set, it is used and nothing is ever built.
pub const FOLDER_VARIABLE: &str = "KUBE_SCI_CONTROL_PLANE_BIN";

/// The programs are not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinariesError {
    #[error("{missing} is not built (looked in {folder}): run `make control-plane`")]
    NotBuilt { folder: PathBuf, missing: String },
    #[error("{FOLDER_VARIABLE} names {folder}, which lacks {missing}: add it or unset the variable")]
    Incomplete { folder: PathBuf, missing: String },
    #[error("{name} is none of the programs ({})", programs::names().collect::<Vec<_>>().join(", "))]
    Unknown { name: String },
    #[error("neither XDG_CACHE_HOME nor HOME is set: set one of them, or {FOLDER_VARIABLE}")]
    NoCache,
    #[error("find kwok's stages: put them into {folder}/stages or install Go ({reason})")]
    NoStages { folder: PathBuf, reason: String },
}

/// The programs of a control plane, and kwok's stage files.
#[derive(Debug, Clone)]
pub struct Binaries {
    programs: Vec<(&'static str, PathBuf)>,
    stages: Vec<PathBuf>,
}

impl Binaries {
    /// Finds the programs: in the folder of `KUBE_SCI_CONTROL_PLANE_BIN`, else in the cache.
    pub fn locate() -> Result<Self, BinariesError> {
        let place = Place::find()?;
        let mut found = Self { programs: Vec::new(), stages: Vec::new() };
        for module in MODULES.iter().filter(|module| CONTROL_PLANE.contains(&module.name)) {
            found.programs.extend(place.programs(module)?);
            found.stages.extend(place.stages(module)?);
        }
        Ok(found)
    }

    /// The path of one of the programs. Another name is returned as it is: starting it says that it is missing.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.programs.iter().find(|(own, _path)| *own == name);
        own.map_or_else(|| PathBuf::from(name), |(_name, path)| path.clone())
    }

    /// kwok's stage files.
    pub fn stages(&self) -> &[PathBuf] {
        &self.stages
    }
}

/// Finds one program; the others need not be there.
pub fn find(name: &str) -> Result<PathBuf, BinariesError> {
    find_in(&MODULES, name)
}

/// As [`find`], among the programs of these modules.
pub fn find_in(modules: &[Module], name: &str) -> Result<PathBuf, BinariesError> {
    let module = modules.iter().find(|module| module.programs.iter().any(|program| program.name == name));
    let module = module.ok_or_else(|| BinariesError::Unknown { name: name.to_owned() })?;
    let place = Place::find()?;
    place.programs(module)?;
    Ok(place.folder(module).join(name))
}

/// Finds every program, by its name.
pub fn all() -> Result<Vec<(&'static str, PathBuf)>, BinariesError> {
    let place = Place::find()?;
    let mut found = Vec::new();
    for module in &MODULES {
        found.extend(place.programs(module)?);
    }
    Ok(found)
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
    Ok(caches.join("kube-sci/control-plane"))
}

/// Where programs are looked for.
#[derive(Debug)]
pub(crate) enum Place {
    /// One folder with all of them, filled by the user.
    Given(PathBuf),
    /// A folder per module, filled by `build`.
    Cache(PathBuf),
}

impl Place {
    pub(crate) fn find() -> Result<Self, BinariesError> {
        match given_folder() {
            Some(folder) => Ok(Self::Given(folder)),
            None => cache_folder().map(Self::Cache),
        }
    }

    pub(crate) fn folder(&self, module: &Module) -> PathBuf {
        match self {
            Self::Given(folder) => folder.clone(),
            Self::Cache(folder) => folder.join(module.folder_name()),
        }
    }

    /// The module's programs, which must all be there.
    pub(crate) fn programs(&self, module: &Module) -> Result<Vec<(&'static str, PathBuf)>, BinariesError> {
        let folder = self.folder(module);
        let found: Vec<_> = module.programs.iter().map(|program| (program.name, folder.join(program.name))).collect();
        let Some((missing, _path)) = found.iter().find(|(_name, path)| !path.is_file()) else {
            return Ok(found);
        };
        let missing = (*missing).to_owned();
        Err(match self {
            Self::Given(_) => BinariesError::Incomplete { folder, missing },
            Self::Cache(_) => BinariesError::NotBuilt { folder, missing },
        })
    }

    /// The module's stage files. A given folder need not have them: then they come from Go's module cache.
    pub(crate) fn stages(&self, module: &Module) -> Result<Vec<PathBuf>, BinariesError> {
        let Sources::Go(go) = module.sources else {
            return Ok(Vec::new());
        };
        let folder = self.folder(module);
        let beside = existing(&folder, go, |stage| folder.join("stages").join(stage_file_name(stage)));
        match (self, beside) {
            (Self::Given(_), Err(_missing)) => {
                let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("control-plane").join(module.name);
                let sources = kwok_module_folder(&pinned)
                    .map_err(|reason| BinariesError::NoStages { folder: folder.clone(), reason })?;
                existing(&folder, go, |stage| sources.join(stage))
            }
            (_, beside) => beside,
        }
    }
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

/// Stage files have unlike names, so one folder holds them all.
pub(crate) fn stage_file_name(stage: &str) -> &str {
    stage.rsplit('/').next().unwrap_or(stage)
}

fn existing(folder: &Path, go: GoModule, place: impl Fn(&str) -> PathBuf) -> Result<Vec<PathBuf>, BinariesError> {
    let stages: Vec<PathBuf> = go.stages.iter().map(|stage| place(stage)).collect();
    match stages.iter().find(|stage| !stage.is_file()) {
        Some(missing) => Err(BinariesError::NoStages {
            folder: folder.to_owned(),
            reason: format!("{} is missing", missing.display()),
        }),
        None => Ok(stages),
    }
}
