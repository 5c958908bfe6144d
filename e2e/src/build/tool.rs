//! Tools that the machine has to have, and their versions.

use std::process::Command;

use super::BuildError;
use crate::programs::Sources;

/// The oldest Go that builds Kubernetes 1.37.
pub(super) const GO: (u32, u32) = (1, 26);
/// The oldest Python that the pinned packages name.
pub(super) const PYTHON: (u32, u32) = (3, 10);
/// The oldest Node that the pinned packages name.
pub(super) const NODE: (u32, u32) = (18, 0);

/// What the tool of these sources calls itself, for example `go1.26.8`.
pub(super) fn version(sources: &Sources) -> Result<String, BuildError> {
    match sources {
        Sources::Go(_) => go(),
        Sources::Crate(_) => said("cargo", &["--version"]).map_err(|reason| BuildError::NoCargo { reason }),
        Sources::Python(_) => python(),
        Sources::Node(_) => node(),
    }
}

fn go() -> Result<String, BuildError> {
    let version = said("go", &["env", "GOVERSION"]).map_err(|reason| BuildError::NoGo { reason })?;
    // Also `go1.27rc1` and `devel go1.28-...`.
    match version.split_whitespace().find_map(|word| word.strip_prefix("go")).and_then(numbers) {
        Some(found) if found >= GO => Ok(version),
        Some(_) => Err(BuildError::OldGo { found: version }),
        None => Err(BuildError::NoGo { reason: format!("`go env GOVERSION` says {version:?}") }),
    }
}

fn python() -> Result<String, BuildError> {
    let missing = |reason| BuildError::NoPython { reason };
    let version = said("python3", &["--version"]).map_err(missing)?;
    // Debian ships both apart from Python itself.
    said("python3", &["-c", "import ensurepip, venv"]).map_err(missing)?;
    at_least(PYTHON, version.strip_prefix("Python ").and_then(numbers), version).map_err(missing)
}

fn node() -> Result<String, BuildError> {
    let missing = |reason| BuildError::NoNode { reason };
    let version = said("node", &["--version"]).map_err(missing)?;
    said("npm", &["--version"]).map_err(missing)?;
    at_least(NODE, version.strip_prefix('v').and_then(numbers), format!("node {version}")).map_err(missing)
}

fn at_least(wanted: (u32, u32), found: Option<(u32, u32)>, version: String) -> Result<String, String> {
    match found {
        Some(found) if found >= wanted => Ok(version),
        _old_or_strange => Err(format!("this is {version}")),
    }
}

/// The first two numbers of a version.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|character: char| !character.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What a tool prints.
fn said(tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool).args(arguments).output().map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{tool}: {}", errors.trim().lines().next_back().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_all_their_forms() {
        assert_eq!(numbers("1.26.8"), Some((1, 26)));
        assert_eq!(numbers("1.27rc1"), Some((1, 27)));
        assert_eq!(numbers("1.28-abcdef"), Some((1, 28)));
        assert_eq!(numbers("3.11.2+"), Some((3, 11)));
        assert_eq!(numbers("gccgo"), None);
    }

    #[test]
    fn a_tool_that_is_too_old_or_strange_is_named() {
        assert_eq!(at_least(NODE, Some((20, 20)), "node v20.20.2".to_owned()), Ok("node v20.20.2".to_owned()));
        assert_eq!(at_least(NODE, Some((16, 1)), "node v16.1.0".to_owned()), Err("this is node v16.1.0".to_owned()));
        assert!(at_least(PYTHON, None, "Jython".to_owned()).is_err());
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let reason = said("kube-sci-no-such-tool", &[]).unwrap_err();
        assert!(reason.starts_with("kube-sci-no-such-tool: "), "{reason}");
    }
}
