//! The no-op extender in Go: the floor that net/http and encoding/json set.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// A running no-op extender; ends when dropped.
#[derive(Debug)]
pub struct NoopExtender {
    child: Child,
    // Holds the binary; removed with it.
    _folder: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

impl NoopExtender {
    /// Builds it with the Go tool chain and starts it on a port of the system's choice.
    ///
    /// # Errors
    /// When Go is missing or the program does not build or start.
    pub fn start() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("kube-sci-noop-extender-").context("make a folder for the no-op extender")?;
        let binary = build(folder.path())?;
        let mut child = Command::new(&binary)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let output = child.stdout.take().context("read the no-op extender's address")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("read the no-op extender's address")?;
        let address = line.trim().parse().with_context(|| format!("parse address {line:?}"))?;
        Ok(Self { child, _folder: folder, address })
    }

    /// Its process, for CPU time.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NoopExtender {
    fn drop(&mut self) {
        // Already ended is as good as ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("noop-extender");
    let binary = folder.join("noop-extender");
    let status = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&binary)
        .current_dir(&source)
        .env("CGO_ENABLED", "0")
        .status()
        .context("run `go build`: install Go 1.26 or newer")?;
    ensure!(status.success(), "`go build` failed in {}", source.display());
    Ok(binary)
}
