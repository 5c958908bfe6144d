//! The metrics adapter under test as a process of its own.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control_plane::ControlPlane;
use crate::own_program::{self, ADDRESS, OwnProgram, OwnProgramError, OwnProgramOptions};
use crate::process::Group;

/// Stands in a configuration text for the address of the aggregated API, which speaks TLS.
pub const API: &str = "{api}";
/// Path of the adapter's binary, where it is not `target/release/kube-sci-metrics-adapter`.
pub const BINARY_VARIABLE: &str = "KUBE_SCI_METRICS_ADAPTER_BIN";

const BINARY: &str = "kube-sci-metrics-adapter";

/// A running adapter, ended when dropped.
#[derive(Debug)]
pub struct AdapterProcess {
    program: OwnProgram,
}

/// Probes and metrics in plain HTTP on a loopback port and the API on another one, all else by default, with all rights in
/// the cluster.
pub fn options(binary: impl Into<PathBuf>, plane: &ControlPlane) -> OwnProgramOptions {
    let config = format!("server:\n  address: {ADDRESS}\napi:\n  address: {API}\n");
    let options = OwnProgramOptions::new("metrics-adapter", binary, plane, config);
    OwnProgramOptions { places: &[API], ..options }
}

/// The adapter as it is shipped: `KUBE_SCI_METRICS_ADAPTER_BIN`, else the release build beside the running program.
pub fn shipped_binary() -> Result<PathBuf, OwnProgramError> {
    own_program::shipped(BINARY, BINARY_VARIABLE)
}

impl AdapterProcess {
    /// Starts it among the processes of a control plane and waits until it is ready.
    pub async fn start(plane: &ControlPlane, options: OwnProgramOptions) -> Result<Self, OwnProgramError> {
        Ok(Self { program: OwnProgram::start(plane, options).await? })
    }

    /// Starts it without waiting.
    pub fn spawn(group: &Arc<Group>, folder: &Path, options: OwnProgramOptions) -> Result<Self, OwnProgramError> {
        Ok(Self { program: OwnProgram::spawn(group, folder, options)? })
    }

    /// Where it serves the aggregated API.
    pub fn api_address(&self) -> SocketAddr {
        self.address_of(API)
    }

    /// The API as a client that does not go through the API server names it.
    pub fn api_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.api_address())
    }
}

impl Deref for AdapterProcess {
    type Target = OwnProgram;

    fn deref(&self) -> &OwnProgram {
        &self.program
    }
}

impl DerefMut for AdapterProcess {
    fn deref_mut(&mut self) -> &mut OwnProgram {
        &mut self.program
    }
}
