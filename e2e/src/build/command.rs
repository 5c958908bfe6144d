//! A compiler as a child process.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::BuildError;
use crate::process::Group;

/// Runs the command to its end in the folder `work`, which also takes its log, and calls `tick` meanwhile.
pub(super) fn run(
    module: &'static str,
    command: Command,
    work: &Path,
    mut tick: impl FnMut(),
) -> Result<(), BuildError> {
    let log = work.join("build.log");
    let shown = shown(&command);
    let failed = |reason: String| BuildError::Command {
        module,
        command: shown.clone(),
        reason,
        output: fs::read_to_string(&log).unwrap_or_default(),
    };
    // The compilers end with us, so that the next build does not meet them at work.
    let group = Group::new(None).map_err(|error| failed(error.to_string()))?;
    let mut child = spawn(command, work, &log, &group).map_err(|error| failed(error.to_string()))?;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(status.to_string())),
            Ok(None) => {
                tick();
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

fn spawn(mut command: Command, work: &Path, log: &Path, group: &Group) -> std::io::Result<Child> {
    let log = File::create(log)?;
    command
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(group.id())
        .spawn()
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
