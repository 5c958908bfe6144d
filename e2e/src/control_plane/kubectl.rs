//! The real kubectl.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::ControlPlaneError;

/// Runs kubectl against one control plane.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(super) fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { program, kubeconfig }
    }

    /// The same with another identity.
    #[must_use]
    pub fn with_kubeconfig(mut self, kubeconfig: PathBuf) -> Self {
        self.kubeconfig = kubeconfig;
        self
    }

    /// Runs it and returns standard output; a failure carries standard error.
    pub async fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, ControlPlaneError> {
        self.run_with_input(arguments, String::new()).await
    }

    /// As [`Self::run`], with text on standard input (`kubectl apply -f -`).
    pub async fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        input: String,
    ) -> Result<String, ControlPlaneError> {
        let shown = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            // kubectl caches what the API server can do; servers on reused ports must not share that.
            .env("KUBECACHEDIR", self.kubeconfig.with_extension("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || communicate(command, &input))
            .await
            .map_err(|error| ControlPlaneError::KubectlStart(std::io::Error::other(error)))?
            .map_err(ControlPlaneError::KubectlStart)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ControlPlaneError::Kubectl { arguments: shown, status: output.status, stderr })
    }
}

/// kubectl reads all its input before it prints, so writing first cannot block for ever.
fn communicate(mut command: Command, input: &str) -> std::io::Result<Output> {
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // It ended without reading: its exit status tells why.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
            _written => {}
        }
    }
    child.wait_with_output()
}
