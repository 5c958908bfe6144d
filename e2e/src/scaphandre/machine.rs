//! What Scaphandre is told of the machine it runs on.

use std::process::Command;

use super::ScaphandreError;
use crate::folder::{Folder, FolderError};
use crate::process::Program;

/// Answers some calls of the C library instead of the kernel: no privileges are needed, and no container engine forbids it.
const SOURCE: &str = include_str!("machine/proc.c");
/// As a kernel shows them that reads the counters of an Intel processor.
const MODULES: &str = "intel_rapl_msr 20480 0 - Live 0x0000000000000000
intel_rapl_common 53248 1 intel_rapl_msr, Live 0x0000000000000000
";

/// Stands between Scaphandre and /proc, as a shared library that is loaded before all others.
///
/// Scaphandre does not start without /proc/modules, which kernels without modules lack: most micro VMs, for example.
#[derive(Debug)]
pub(super) struct StandIn {
    library: String,
    folder: String,
}

impl StandIn {
    pub(super) fn prepare(folder: &Folder) -> Result<Self, ScaphandreError> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        if !processors.contains("physical id") {
            return Err(ScaphandreError::NoSockets);
        }
        let own = folder.path().join("proc");
        let processes = own.join("processes");
        std::fs::create_dir_all(&processes).map_err(|source| FolderError { path: processes, source })?;
        folder.write("proc/modules", MODULES)?;
        let source = folder.write("proc.c", SOURCE)?;
        let library = folder.path().join("proc.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let output = compiler.output().map_err(|error| ScaphandreError::StandIn { reason: error.to_string() })?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(ScaphandreError::StandIn { reason });
        }
        Ok(Self { library: library.display().to_string(), folder: own.display().to_string() })
    }

    pub(super) fn apply(&self, program: Program) -> Program {
        program.environment("LD_PRELOAD", self.library.as_str()).environment("KUBE_SCI_PROC", self.folder.as_str())
    }
}
