//! Building the programs, once.

mod cargo;
mod command;
mod go;
mod progress;
mod script;
mod tool;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::progress::Progress;
use crate::binaries::{self, BinariesError, Place};
use crate::programs::{MODULES, Module, Sources};

/// The programs could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    #[error(
        "Go is not installed ({reason}): install Go {}.{} or newer from https://go.dev/dl/ and put it on PATH, or point {} at a folder of ready programs",
        tool::GO.0, tool::GO.1, binaries::FOLDER_VARIABLE
    )]
    NoGo { reason: String },
    #[error("Go {found} is too old: install Go {}.{} or newer from https://go.dev/dl/", tool::GO.0, tool::GO.1)]
    OldGo { found: String },
    #[error(
        "cargo does not run ({reason}): install Rust from https://rustup.rs and put it on PATH, or point {} at a folder of ready programs",
        binaries::FOLDER_VARIABLE
    )]
    NoCargo { reason: String },
    #[error(
        "Python does not run ({reason}): install Python {}.{} or newer with its venv module (Debian: `apt-get install python3-venv`) and run `make control-plane` again",
        tool::PYTHON.0, tool::PYTHON.1
    )]
    NoPython { reason: String },
    #[error(
        "Node does not run ({reason}): install Node {} or newer and npm (Debian: `apt-get install nodejs npm`) and run `make control-plane` again",
        tool::NODE.0
    )]
    NoNode { reason: String },
    #[error("build {module}: {command} failed ({reason})\n{output}")]
    Command { module: &'static str, command: String, reason: String, output: String },
    #[error("copy kwok's stages: {reason}")]
    Stages { reason: String },
    #[error("use the cache at {path}")]
    Cache { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Binaries(#[from] BinariesError),
}

impl BuildError {
    /// Whether only a client is missing that single tests ask with.
    fn is_about_a_client(&self) -> bool {
        matches!(self, Self::NoPython { .. } | Self::NoNode { .. })
    }
}

/// Builds what is not built yet and returns the folder it lies in or below.
///
/// Several callers may build at once, also from several processes: one builds a module, the others wait for it. The
/// programs of a module appear in the cache all together or not at all; a module that did not change is not built again.
/// Clients are left out, with a note that says what to install, where their interpreter is missing.
/// With `KUBE_SCI_CONTROL_PLANE_BIN` nothing is built.
pub fn build() -> Result<PathBuf, BuildError> {
    build_modules(&MODULES)
}

/// As [`build`], for these modules.
pub fn build_modules(modules: &[Module]) -> Result<PathBuf, BuildError> {
    let place = Place::find()?;
    let cache = match &place {
        Place::Given(folder) => {
            modules.iter().try_for_each(|module| place.programs(module).map(drop))?;
            return Ok(folder.clone());
        }
        Place::Cache(cache) => cache,
    };
    let missing: Vec<&Module> = modules.iter().filter(|module| !is_built(&place, module)).collect();
    if missing.is_empty() {
        return Ok(cache.clone());
    }
    let progress = Progress::new();
    announce(&missing, cache);
    for (position, module) in missing.iter().enumerate() {
        let title = format!("[{}/{}] {}", position + 1, missing.len(), module.name);
        match build_module(module, &place, progress, &title) {
            Err(error) if error.is_about_a_client() => progress::note(&format!("{title} is left out: {error}")),
            built => built?,
        }
    }
    progress::note(&format!("ready in {}", cache.display()));
    Ok(cache.clone())
}

fn announce(missing: &[&Module], cache: &Path) {
    let seconds: u64 = missing.iter().map(|module| module.cold_build_seconds).sum();
    progress::note(&format!(
        "building {} once into {} (about {} minutes on 2 cores with nothing cached)",
        missing.iter().map(|module| module.name).collect::<Vec<_>>().join(", "),
        cache.display(),
        seconds.div_ceil(60)
    ));
}

fn is_built(place: &Place, module: &Module) -> bool {
    place.programs(module).is_ok() && place.stages(module).is_ok()
}

fn build_module(module: &Module, place: &Place, progress: Progress, title: &str) -> Result<(), BuildError> {
    let folder = place.folder(module);
    let _lock = lock(&folder, title)?;
    // The one who held the lock may have built it.
    if is_built(place, module) {
        return Ok(());
    }
    let tool = tool::version(&module.sources)?;
    let staging = folder.with_extension("partial");
    remove(&staging)?;
    let work = staging.join("work");
    fs::create_dir_all(&work).map_err(|source| BuildError::Cache { path: work.clone(), source })?;
    let mut step = progress.step(title, Duration::from_secs(module.cold_build_seconds));
    match module.sources {
        Sources::Go(go) => go::build(module, go, &staging, &work, || step.tick())?,
        Sources::Crate(published) => cargo::build(module, published, &staging, &work, || step.tick())?,
        Sources::Python(python) => script::python(module, python, &staging, &work, || step.tick())?,
        Sources::Node(node) => script::node(module, node, &staging, &work, || step.tick())?,
    }
    write(&staging.join("built-with"), &format!("{tool}\n"))?;
    remove(&work)?;
    remove(&folder)?;
    fs::rename(&staging, &folder).map_err(|source| BuildError::Cache { path: folder.clone(), source })?;
    step.done();
    Ok(())
}

/// Held until the file is closed, also by the end of the process.
fn lock(folder: &Path, title: &str) -> Result<File, BuildError> {
    let path = folder.with_extension("lock");
    let failed = |source| BuildError::Cache { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            progress::note(&format!("{title} is being built by another process, waiting for it"));
            file.lock().map_err(failed)?;
            Ok(file)
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn remove(folder: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(BuildError::Cache { path: folder.to_owned(), source })
        }
        _gone => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|source| BuildError::Cache { path: path.to_owned(), source })
}
