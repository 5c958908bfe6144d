//! Programs of Go modules.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{BuildError, command, write};
use crate::binaries::{kwok_module_folder, stage_file_name};
use crate::programs::{GoModule, Module};

/// Builds the module's programs into `output`.
pub(super) fn build(
    module: &Module,
    go: GoModule,
    output: &Path,
    work: &Path,
    tick: impl FnMut(),
) -> Result<(), BuildError> {
    // Our go.mod and go.sum are part of this program, so it builds from any folder.
    write(&work.join("go.mod"), go.go_mod)?;
    write(&work.join("go.sum"), go.go_sum)?;
    for file in go.files {
        write(&work.join(file.name), file.text)?;
    }
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
    Ok(())
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
