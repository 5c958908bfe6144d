//! What one request takes, counted by programs of their own: allocations and instructions.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// Allocations per request: what `bench-allocations`, whose allocator counts, says with these arguments.
///
/// # Errors
/// When the program fails.
pub fn allocations(arguments: &[&str]) -> anyhow::Result<f64> {
    let output = Command::new(sibling("bench-allocations")?).args(arguments).output()?;
    ensure!(output.status.success(), "bench-allocations failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().context("read the count of allocations")
}

/// Instructions per request: counted by valgrind over two runs of `bench-request` with these arguments, of unlike length,
/// so that start-up drops out. `None` where it is not installed.
///
/// # Errors
/// When a run fails.
pub fn instructions(arguments: &[&str]) -> anyhow::Result<Option<f64>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(None);
    }
    let (few, many) = (20_u32, 120_u32);
    let fewer = instructions_of(few, arguments)?;
    let more = instructions_of(many, arguments)?;
    Ok(Some((more - fewer) / f64::from(many - few)))
}

fn instructions_of(requests: u32, arguments: &[&str]) -> anyhow::Result<f64> {
    let folder = TempDir::with_prefix("kube-sci-instructions-").context("make a folder for the counts")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", folder.path().join("count").display()))
        .arg(sibling("bench-request")?)
        .arg(requests.to_string())
        .args(arguments)
        .output()?;
    // The first thread answers. How many decisions the recorder's takes up meanwhile is chance.
    let counted = fs::read_to_string(folder.path().join("count-01"))
        .with_context(|| format!("valgrind counted nothing: {}", String::from_utf8_lossy(&output.stderr)))?;
    let total = counted.lines().find_map(|line| line.strip_prefix("totals:")).context("valgrind wrote no total")?;
    total.trim().parse().context("read the count of instructions")
}

/// Another program of this package, beside the running one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let current = env::current_exe().context("find this program")?;
    Ok(current.parent().unwrap_or(Path::new(".")).join(name))
}
