//! Programs of published crates.
//!
//! They are installed apart from our workspace: nothing of what they depend on enters our lock file.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{BuildError, command};
use crate::programs::{Module, PublishedCrate};

/// Builds the module's programs into `output` and returns cargo's version.
pub(super) fn build(
    module: &Module,
    published: PublishedCrate,
    output: &Path,
    work: &Path,
    tick: impl FnMut(),
) -> Result<String, BuildError> {
    let version = version()?;
    let root = work.join("root");
    let mut install = Command::new("cargo");
    install.args(published.install_arguments(module.programs, &root, &work.join("target")));
    command::run(module.name, install, work, tick)?;
    for program in module.programs {
        let path = root.join("bin").join(program.name);
        fs::rename(&path, output.join(program.name)).map_err(|source| BuildError::Cache { path, source })?;
    }
    Ok(version)
}

/// For example `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`.
fn version() -> Result<String, BuildError> {
    let missing = |reason: String| BuildError::NoCargo { reason };
    let output = Command::new("cargo").arg("--version").output().map_err(|error| missing(error.to_string()))?;
    if !output.status.success() {
        return Err(missing(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
