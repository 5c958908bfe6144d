//! Programs of published crates.
//!
//! They are installed apart from our workspace: nothing of what they depend on enters our lock file.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{BuildError, command};
use crate::programs::{Module, PublishedCrate};

/// Builds the module's programs into `output`.
pub(super) fn build(
    module: &Module,
    published: PublishedCrate,
    output: &Path,
    work: &Path,
    tick: impl FnMut(),
) -> Result<(), BuildError> {
    let root = work.join("root");
    let mut install = Command::new("cargo");
    install.args(published.install_arguments(module.programs, &root, &work.join("target")));
    command::run(module.name, install, work, tick)?;
    for program in module.programs {
        let path = root.join("bin").join(program.name);
        fs::rename(&path, output.join(program.name)).map_err(|source| BuildError::Cache { path, source })?;
    }
    Ok(())
}
