//! One process group per owner, led by a watchdog.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{ProcessError, pid};

/// Reads from a pipe that only the owner holds open. End of file means that the owner is gone, in whatever way; then the
/// folder `$1` is removed, if one is named, and the whole group killed, the watchdog itself included.
const WATCHDOG: &str = r#"read -r _; if [ -n "$1" ]; then rm -rf -- "$1"; fi; kill -KILL 0"#;

/// A process group that ends with its owner.
///
/// Its leader is a watchdog, so the group's id stays taken as long as the group is of use and no signal can hit a
/// stranger. Every [`Process`](super::Process) joins the group before it runs its first instruction: there is no moment
/// in which a child exists but is not covered.
#[derive(Debug)]
pub struct Group {
    watchdog: Child,
}

impl Group {
    /// Starts the watchdog. `scratch`, if given, is removed when the owner dies without dropping the group.
    pub fn new(scratch: Option<&Path>) -> Result<Arc<Self>, ProcessError> {
        let program = Path::new("/bin/sh");
        let watchdog = Command::new(program)
            .args(["-c", WATCHDOG, "watchdog"])
            .args(scratch)
            // Not the owner's folder: it may be about to be deleted.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| ProcessError::Start { program: program.to_owned(), source })?;
        Ok(Arc::new(Self { watchdog }))
    }

    /// The id of the process group.
    pub fn id(&self) -> i32 {
        pid(&self.watchdog).as_raw()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails only when nobody is left.
        let _gone = killpg(Pid::from_raw(self.id()), Signal::SIGKILL);
        drop(self.watchdog.wait());
    }
}
