//! Scripts of ours with packages of `PyPI` and npm, in a folder that may be moved as a whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{BuildError, command, write};
use crate::programs::{Module, NodePackages, Program, PythonPackages};

/// Python's environment in the module's folder.
const ENVIRONMENT: &str = "venv";

/// Installs the packages into an environment in `output`, and puts the script and a starter for it there.
pub(super) fn python(
    module: &Module,
    python: PythonPackages,
    output: &Path,
    work: &Path,
    mut tick: impl FnMut(),
) -> Result<(), BuildError> {
    let environment = output.join(ENVIRONMENT);
    let requirements = work.join("requirements.txt");
    write(&requirements, python.requirements)?;
    let mut create = Command::new("python3");
    create.args(["-m", "venv"]).arg(&environment);
    command::run(module.name, create, work, &mut tick)?;
    let mut install = Command::new(environment.join("bin/python"));
    install.args(python.install_arguments(&requirements));
    command::run(module.name, install, work, &mut tick)?;
    write(&output.join(python.script.name), python.script.text)?;
    start_with(&format!("\"$here/{ENVIRONMENT}/bin/python\""), module.programs, output)
}

/// Installs the packages into `output`, and puts the script and a starter for it there.
pub(super) fn node(
    module: &Module,
    node: NodePackages,
    output: &Path,
    work: &Path,
    tick: impl FnMut(),
) -> Result<(), BuildError> {
    let files =
        [("package.json", node.package), ("package-lock.json", node.lock), (node.script.name, node.script.text)];
    for (name, text) in files {
        write(&output.join(name), text)?;
    }
    let mut install = Command::new("npm");
    // Where it is asked to work by the argument, the log stays apart.
    install.args(node.install_arguments()).arg("--prefix").arg(output);
    command::run(module.name, install, work, tick)?;
    start_with("node", module.programs, output)
}

/// Programs that run the scripts lying beside them, wherever that is.
fn start_with(interpreter: &str, programs: &[Program], output: &Path) -> Result<(), BuildError> {
    for program in programs {
        let path = output.join(program.name);
        let script = program.package;
        write(
            &path,
            &format!(
                "#!/bin/sh\nhere=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd)\nexec {interpreter} \"$here/{script}\" \"$@\"\n"
            ),
        )?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .map_err(|source| BuildError::Cache { path, source })?;
    }
    Ok(())
}
