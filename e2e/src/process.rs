//! Child processes that never outlive the one who started them.

mod group;

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

pub use self::group::Group;
use crate::wait::PERIOD;

/// How long a program may take to end by itself before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(20);
const LOG_TAIL_LINES: usize = 15;
/// The programs talk over loopback; a proxy of the user's shell must not come between.
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// A program could not be started, or did not do what it was started for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    #[error("start {program}")]
    Start { program: PathBuf, source: std::io::Error },
    #[error("open the log file {path}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("send {signal} to {name}")]
    Signal { name: String, signal: Signal, source: nix::Error },
    #[error("wait for {name} to end or to stop")]
    Wait { name: String, source: std::io::Error },
    #[error("{name} ended ({status}); the end of {log} says:\n{tail}")]
    Ended { name: String, status: ExitStatus, log: PathBuf, tail: String },
    #[error("{name} was not ready within {deadline:?}, last seen: {last_seen}; the end of {log} says:\n{tail}")]
    NotReady { name: String, deadline: Duration, last_seen: String, log: PathBuf, tail: String },
}

/// What to run: enough to start it again.
#[derive(Debug, Clone)]
pub struct Program {
    /// Short name for messages and for the log file.
    pub name: String,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// Added to the environment of the owner.
    pub environment: Vec<(String, String)>,
}

impl Program {
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into(), arguments: Vec::new(), environment: Vec::new() }
    }

    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds `--name=value`.
    #[must_use]
    pub fn flag(self, name: &str, value: impl Display) -> Self {
        self.argument(format!("--{name}={value}"))
    }

    /// Adds `--name=path`.
    #[must_use]
    pub fn file(self, name: &str, path: &Path) -> Self {
        self.flag(name, path.display())
    }

    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }
}

/// A running program, ended when this value is dropped.
///
/// It belongs to a [`Group`], which ends it also when the owner cannot: after SIGKILL or an abort.
#[derive(Debug)]
pub struct Process {
    program: Program,
    log: PathBuf,
    child: Child,
    group: Arc<Group>,
}

impl Process {
    /// Starts the program in the group; what it prints is appended to `LOGS/NAME.log`.
    pub fn start(program: Program, group: &Arc<Group>, logs: &Path) -> Result<Self, ProcessError> {
        let log = logs.join(format!("{}.log", program.name));
        let child = spawn(&program, group, &log)?;
        Ok(Self { program, log, child, group: Arc::clone(group) })
    }

    pub fn name(&self) -> &str {
        &self.program.name
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The last lines the program printed.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Everything the program printed, over all its restarts.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The exit status if the program has ended.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        let name = self.program.name.clone();
        self.child.try_wait().map_err(|source| ProcessError::Wait { name, source })
    }

    /// Fails, with the end of the log, when the program has ended.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        match self.exit_status()? {
            None => Ok(()),
            Some(status) => Err(ProcessError::Ended {
                name: self.program.name.clone(),
                status,
                log: self.log.clone(),
                tail: tail(&self.log),
            }),
        }
    }

    /// Freezes the program (SIGSTOP): its sockets stay open, nobody answers.
    pub fn suspend(&self) -> Result<(), ProcessError> {
        self.signal(Signal::SIGSTOP)?;
        // Until the last thread has taken notice, the program may still answer.
        waitid(Id::Pid(pid(&self.child)), WaitPidFlag::WSTOPPED)
            .map(drop)
            .map_err(|source| ProcessError::Wait { name: self.program.name.clone(), source: source.into() })
    }

    /// Lets a frozen program go on (SIGCONT).
    pub fn resume(&self) -> Result<(), ProcessError> {
        self.signal(Signal::SIGCONT)
    }

    /// Ends the program at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) -> Result<ExitStatus, ProcessError> {
        if let Some(status) = self.exit_status()? {
            return Ok(status);
        }
        self.signal(Signal::SIGKILL)?;
        let name = self.program.name.clone();
        self.child.wait().map_err(|source| ProcessError::Wait { name, source })
    }

    /// Asks the program to end (SIGTERM), waits, and kills it when it takes longer than 20 s.
    pub async fn stop(&mut self) -> Result<ExitStatus, ProcessError> {
        if self.exit_status()?.is_none() {
            self.signal(Signal::SIGTERM)?;
        }
        let end = Instant::now() + STOP_GRACE;
        while Instant::now() < end {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            tokio::time::sleep(PERIOD).await;
        }
        self.kill()
    }

    /// Starts the program again with the same arguments; ends it first if it still runs.
    pub async fn restart(&mut self) -> Result<(), ProcessError> {
        self.stop().await?;
        self.child = spawn(&self.program, &self.group, &self.log)?;
        Ok(())
    }

    /// Waits until `probe` answers `Ok`; fails at once, with the end of the log, when the program ends before that.
    pub async fn ready<E, F>(&mut self, deadline: Duration, mut probe: F) -> Result<(), ProcessError>
    where
        F: AsyncFnMut() -> Result<(), E>,
        E: Display,
    {
        let end = Instant::now() + deadline;
        let mut last_seen = "no answer".to_owned();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, probe()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(missing)) => last_seen = missing.to_string(),
                Err(_elapsed) => {}
            }
            self.check()?;
            if Instant::now() + PERIOD >= end {
                let (name, log) = (self.program.name.clone(), self.log.clone());
                return Err(ProcessError::NotReady { name, deadline, last_seen, tail: tail(&log), log });
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        kill(pid(&self.child), signal).map_err(|source| ProcessError::Signal {
            name: self.program.name.clone(),
            signal,
            source,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(program: &Program, group: &Group, log: &Path) -> Result<Child, ProcessError> {
    let open = || -> std::io::Result<(File, File)> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        Ok((file.try_clone()?, file))
    };
    let (stdout, stderr) = open().map_err(|source| ProcessError::Log { path: log.to_owned(), source })?;
    let mut command = Command::new(&program.path);
    for variable in PROXY_VARIABLES {
        command.env_remove(variable);
    }
    command
        .args(&program.arguments)
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(group.id())
        .spawn()
        .map_err(|source| ProcessError::Start { program: program.path.clone(), source })
}

/// A process id is a `u32` in std and an `i32` in POSIX; real ones fit both.
fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}
