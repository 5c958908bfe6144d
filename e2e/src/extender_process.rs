//! The extender under test as a process of its own.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control_plane::{ControlPlane, ExtenderEntry};
pub use crate::own_program::ADDRESS;
use crate::own_program::{self, OwnProgram, OwnProgramError, OwnProgramOptions};
use crate::process::Group;

/// Path of the extender's binary, where it is not `target/release/kube-sci-extender`.
pub const BINARY_VARIABLE: &str = "KUBE_SCI_EXTENDER_BIN";

const BINARY: &str = "kube-sci-extender";

/// A running extender, ended when dropped.
#[derive(Debug)]
pub struct ExtenderProcess {
    program: OwnProgram,
}

/// Plain HTTP on a loopback port, all else by default, with all rights in the cluster.
pub fn options(binary: impl Into<PathBuf>, plane: &ControlPlane) -> OwnProgramOptions {
    OwnProgramOptions::new("extender", binary, plane, format!("server:\n  address: {ADDRESS}\n"))
}

/// The extender as it is shipped: `KUBE_SCI_EXTENDER_BIN`, else the release build beside the running program.
pub fn shipped_binary() -> Result<PathBuf, OwnProgramError> {
    own_program::shipped(BINARY, BINARY_VARIABLE)
}

impl ExtenderProcess {
    /// Starts it among the processes of a control plane and waits until it is ready.
    pub async fn start(plane: &ControlPlane, options: OwnProgramOptions) -> Result<Self, OwnProgramError> {
        Ok(Self { program: OwnProgram::start(plane, options).await? })
    }

    /// Starts it without waiting.
    pub fn spawn(group: &Arc<Group>, folder: &Path, options: OwnProgramOptions) -> Result<Self, OwnProgramError> {
        Ok(Self { program: OwnProgram::spawn(group, folder, options)? })
    }

    /// What a scheduler's configuration calls `urlPrefix`.
    pub fn url_prefix(&self) -> String {
        self.url("/v1")
    }

    /// A scheduler's entry for it: prioritize only, weight 100.
    pub fn entry(&self) -> ExtenderEntry {
        ExtenderEntry::prioritize(self.url_prefix())
    }
}

impl Deref for ExtenderProcess {
    type Target = OwnProgram;

    fn deref(&self) -> &OwnProgram {
        &self.program
    }
}

impl DerefMut for ExtenderProcess {
    fn deref_mut(&mut self) -> &mut OwnProgram {
        &mut self.program
    }
}
