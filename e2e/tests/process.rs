//! Child processes end with their owner. No control plane is needed here.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use kube_sci_e2e::process::{Group, Process, ProcessError, Program};
use kube_sci_e2e::wait::eventually;

use crate::support::{running_members, wait_group_gone};

const SOON: Duration = Duration::from_secs(10);

fn shell(name: &str, script: &str) -> Program {
    Program::new(name, "/bin/sh").argument("-c").argument(script)
}

#[tokio::test]
async fn dropping_the_processes_ends_them_and_the_group() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let id = group.id();
    let one = Process::start(Program::new("one", "/bin/sleep").argument("1000"), &group, logs.path())?;
    let two = Process::start(Program::new("two", "/bin/sleep").argument("1000"), &group, logs.path())?;
    let members = running_members(id);
    assert!([one.id(), two.id()].iter().all(|pid| members.contains(&i32::try_from(*pid).unwrap())), "{members:?}");

    drop((one, two, group));
    assert!(running_members(id).is_empty());
    Ok(())
}

#[tokio::test]
async fn a_panic_ends_them_too() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let id = group.id();
    let process = Process::start(Program::new("one", "/bin/sleep").argument("1000"), &group, logs.path())?;
    let task = tokio::spawn(async move {
        let _owned = (process, group);
        panic!("on purpose");
    });
    assert!(task.await.is_err_and(|error| error.is_panic()));
    wait_group_gone(id).await?;
    Ok(())
}

#[tokio::test]
async fn a_frozen_process_is_still_ended() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let mut process = Process::start(Program::new("one", "/bin/sleep").argument("1000"), &group, logs.path())?;
    process.suspend()?;
    process.kill()?;
    assert_eq!(running_members(group.id()).len(), 1, "only the watchdog is left");
    Ok(())
}

#[tokio::test]
async fn a_frozen_process_does_nothing_until_it_is_resumed() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let counting = "while :; do echo tick; sleep 0.01; done";
    let process = Process::start(shell("ticking", counting), &group, logs.path())?;
    let ticks = || process.log_text().lines().count();
    eventually(SOON, "a first tick", async || if ticks() > 0 { Ok(()) } else { Err("none") }).await?;

    process.suspend()?;
    let stopped = format!("/proc/{}/stat", process.id());
    eventually(SOON, "the stopped state", async || {
        let stat = std::fs::read_to_string(&stopped).unwrap_or_default();
        if stat.contains(") T ") { Ok(()) } else { Err(stat) }
    })
    .await?;
    let frozen_at = ticks();

    process.resume()?;
    eventually(SOON, "another tick", async || if ticks() > frozen_at { Ok(()) } else { Err("none") }).await?;
    Ok(())
}

#[tokio::test]
async fn an_early_end_is_reported_with_the_end_of_the_log() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let mut process = Process::start(shell("broken", "echo no such flag >&2; exit 3"), &group, logs.path())?;
    let error = process.ready(SOON, async || Err("not ready")).await.unwrap_err();
    assert!(matches!(error, ProcessError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("no such flag"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_restart_runs_the_same_program_again() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let mut process = Process::start(shell("greeting", "echo hello; sleep 1000"), &group, logs.path())?;
    let first = process.id();
    let greetings = |count| {
        eventually(SOON, format!("{count} greetings"), {
            let log = process.log_path().to_owned();
            async move || {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                if text.lines().count() == count { Ok(()) } else { Err(text) }
            }
        })
    };
    greetings(1).await?;
    let again = greetings(2);
    process.restart().await?;
    again.await?;
    assert_ne!(process.id(), first);
    Ok(())
}

#[tokio::test]
async fn the_group_outlives_no_one_who_holds_it() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let group = Group::new(None)?;
    let id = group.id();
    let process = Process::start(Program::new("one", "/bin/sleep").argument("1000"), &group, logs.path())?;
    drop(Arc::clone(&group));
    drop(group);
    assert_eq!(running_members(id).len(), 2, "the process keeps its group");
    drop(process);
    assert!(running_members(id).is_empty());
    Ok(())
}
