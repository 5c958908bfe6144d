//! Programs of Go modules.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{BuildError, command, write};
use crate::binaries::{kwok_module_folder, stage_file_name};
use crate::programs::{GoModule, Module};

/// The oldest Go that builds Kubernetes 1.37.
pub(super) const MINIMUM: (u32, u32) = (1, 26);

/// Builds the module's programs into `output` and returns Go's version.
pub(super) fn build(
    module: &Module,
    go: GoModule,
    output: &Path,
    work: &Path,
    tick: impl FnMut(),
) -> Result<String, BuildError> {
    let version = version()?;
    // Our go.mod and go.sum are part of this program, so it builds from any folder.
    write(&work.join("go.mod"), go.go_mod)?;
    write(&work.join("go.sum"), go.go_sum)?;
    let mut build = Command::new("go");
    build
        .args(go.build_arguments(module.programs, output))
        .env("CGO_ENABLED", "0")
        // A workspace or vendor setting of the user must not change what is built.
        .env("GOWORK", "off")
        .env("GOFLAGS", "");
    command::run(module.name, build, work, tick)?;
    if !go.stages.is_empty() {
        copy_stages(go, work, output)?;
    }
    Ok(version)
}

fn copy_stages(go: GoModule, work: &Path, output: &Path) -> Result<(), BuildError> {
    let folder = output.join("stages");
    fs::create_dir_all(&folder).map_err(|source| BuildError::Cache { path: folder.clone(), source })?;
    let module = kwok_module_folder(work).map_err(|reason| BuildError::Stages { reason })?;
    for stage in go.stages {
        let source = module.join(stage);
        // Read and written anew: files of the module cache are read-only, a copy would be too.
        let text = fs::read_to_string(&source)
            .map_err(|error| BuildError::Stages { reason: format!("read {}: {error}", source.display()) })?;
        write(&folder.join(stage_file_name(stage)), &text)?;
    }
    Ok(())
}

/// Go's version text, for example `go1.26.8`.
fn version() -> Result<String, BuildError> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .output()
        .map_err(|error| BuildError::NoGo { reason: error.to_string() })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_version(&version) {
        Some(found) if found >= MINIMUM => Ok(version),
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
