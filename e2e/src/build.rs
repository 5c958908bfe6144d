//! Building the Go programs, once.

mod progress;

use std::fs::{self, File, TryLockError};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use self::progress::Progress;
use crate::binaries::{self, Binaries, BinariesError, stage_file_name};
use crate::process::Group;
use crate::programs::{self, MODULES, Module, STAGES};

/// The oldest Go that builds Kubernetes 1.37.
const GO_MINIMUM: (u32, u32) = (1, 26);

/// The programs could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    #[error(
        "Go is not installed ({reason}): install Go {}.{} or newer from https://go.dev/dl/ and put it on PATH, or point {} at a folder of ready programs",
        GO_MINIMUM.0, GO_MINIMUM.1, binaries::FOLDER_VARIABLE
    )]
    NoGo { reason: String },
    #[error("Go {found} is too old: install Go {}.{} or newer from https://go.dev/dl/", GO_MINIMUM.0, GO_MINIMUM.1)]
    OldGo { found: String },
    #[error("build {module}: {command} failed ({reason})\n{output}")]
    Go { module: &'static str, command: String, reason: String, output: String },
    #[error("copy kwok's stages: {reason}")]
    Stages { reason: String },
    #[error("use the cache at {path}")]
    Cache { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Binaries(#[from] BinariesError),
}

/// Builds what is not built yet and returns where it lies.
///
/// Several callers may build at once, also from several processes: one builds, the others wait for it. The programs appear
/// in the cache all together or not at all. With `KUBE_SCI_CONTROL_PLANE_BIN` nothing is built.
pub fn build() -> Result<Binaries, BuildError> {
    if binaries::given_folder().is_some() {
        return Ok(Binaries::locate()?);
    }
    let folder = binaries::cache_folder()?;
    if let Ok(ready) = Binaries::in_folder(folder.clone()) {
        return Ok(ready);
    }
    let progress = Progress::new();
    let _lock = lock(&folder)?;
    // The one who held the lock may have built it all.
    if let Ok(ready) = Binaries::in_folder(folder.clone()) {
        return Ok(ready);
    }
    let go = go_version()?;
    let staging = folder.with_extension("partial");
    remove(&staging)?;
    build_all(&staging, progress)?;
    copy_stages(&staging)?;
    write(&staging.join("built-with"), &format!("{go}\n"))?;
    let sources = staging.join("modules");
    remove(&sources)?;
    remove(&folder)?;
    fs::rename(&staging, &folder).map_err(|source| BuildError::Cache { path: folder.clone(), source })?;
    progress::note(&format!("ready in {}", folder.display()));
    Ok(Binaries::in_folder(folder)?)
}

fn build_all(staging: &Path, progress: Progress) -> Result<(), BuildError> {
    let total: u64 = MODULES.iter().map(|module| module.cold_build_seconds).sum();
    progress::note(&format!(
        "building {} once into {} (about {} minutes on 2 cores with an empty Go cache)",
        programs::names().collect::<Vec<_>>().join(", "),
        staging.display(),
        total.div_ceil(60)
    ));
    for (position, module) in MODULES.iter().enumerate() {
        let folder = write_module(staging, module)?;
        let title = format!("[{}/{}] {}", position + 1, MODULES.len(), module.name);
        let mut step = progress.step(&title, Duration::from_secs(module.cold_build_seconds));
        go_build(module, &folder, staging, || step.tick())?;
        step.done();
    }
    Ok(())
}

/// Our go.mod and go.sum are part of this program, so it builds from any folder.
fn write_module(staging: &Path, module: &Module) -> Result<PathBuf, BuildError> {
    let folder = staging.join("modules").join(module.name);
    fs::create_dir_all(&folder).map_err(|source| BuildError::Cache { path: folder.clone(), source })?;
    write(&folder.join("go.mod"), module.go_mod)?;
    write(&folder.join("go.sum"), module.go_sum)?;
    Ok(folder)
}

fn go_build(module: &Module, folder: &Path, output: &Path, mut tick: impl FnMut()) -> Result<(), BuildError> {
    let arguments = module.build_arguments(output);
    let log = folder.join("go-build.log");
    let failed = |reason: String| BuildError::Go {
        module: module.name,
        command: format!("go {}", arguments.join(" ")),
        reason,
        output: fs::read_to_string(&log).unwrap_or_default(),
    };
    // Go and its compilers end with us, so that the next build does not meet them at work.
    let group = Group::new(None).map_err(|error| failed(error.to_string()))?;
    let mut go = spawn_go(&arguments, folder, &log, &group).map_err(|error| failed(error.to_string()))?;
    loop {
        match go.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(status.to_string())),
            Ok(None) => {
                tick();
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

fn spawn_go(arguments: &[String], folder: &Path, log: &Path, group: &Group) -> std::io::Result<Child> {
    let log = File::create(log)?;
    Command::new("go")
        .args(arguments)
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        // A workspace or vendor setting of the user must not change what is built.
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(group.id())
        .spawn()
}

fn copy_stages(staging: &Path) -> Result<(), BuildError> {
    let folder = staging.join("stages");
    fs::create_dir_all(&folder).map_err(|source| BuildError::Cache { path: folder.clone(), source })?;
    let module =
        binaries::kwok_module_folder(&staging.join("modules/kwok")).map_err(|reason| BuildError::Stages { reason })?;
    for stage in STAGES {
        let source = module.join(stage);
        // Read and written anew: files of the module cache are read-only, a copy would be too.
        let text = fs::read_to_string(&source)
            .map_err(|error| BuildError::Stages { reason: format!("read {}: {error}", source.display()) })?;
        write(&folder.join(stage_file_name(stage)), &text)?;
    }
    Ok(())
}

/// Go's version text, for example `go1.26.8`.
fn go_version() -> Result<String, BuildError> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .output()
        .map_err(|error| BuildError::NoGo { reason: error.to_string() })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_version(&version) {
        Some(found) if found >= GO_MINIMUM => Ok(version),
        Some(_) => Err(BuildError::OldGo { found: version }),
        None => Err(BuildError::NoGo { reason: format!("`go env GOVERSION` says {version:?}") }),
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    // Also `go1.27rc1` and `devel go1.28-...`.
    let numbers = text.split_whitespace().find_map(|word| word.strip_prefix("go"))?;
    let mut parts = numbers.split(|character: char| !character.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Held until the file is closed, also by the end of the process.
fn lock(folder: &Path) -> Result<File, BuildError> {
    let path = folder.with_extension("lock");
    let failed = |source| BuildError::Cache { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            progress::note("another build of the same programs is under way, waiting for it");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_read_in_all_their_forms() {
        assert_eq!(parse_version("go1.26.8"), Some((1, 26)));
        assert_eq!(parse_version("go1.27rc1"), Some((1, 27)));
        assert_eq!(parse_version("devel go1.28-abcdef Mon Jan 5"), Some((1, 28)));
        assert_eq!(parse_version("gccgo"), None);
    }
}
