//! The background cluster of the command line.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube_sci_e2e::control_plane::client_from;
use kube_sci_e2e::extender_process::shipped_binary;
use kube_sci_e2e::local_cluster::{LocalCluster, State};
use kube_sci_e2e::testing::Slot;
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{World, pod};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::is_running;

const NODES: &str = "apiVersion: v1\nkind: Node\nmetadata: {name: by-hand}\n";

/// Ends the cluster also when the test fails.
struct Background(TempDir);

impl Background {
    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let program = env!("CARGO_BIN_EXE_control-plane");
        Ok(Command::new(program).args(arguments).arg("--dir").arg(self.0.path()).output()?)
    }

    fn must(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn state(&self) -> Result<State> {
        Ok(LocalCluster::open(self.0.path())?.state()?)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.run(&["down"]));
    }
}

async fn wait_ended(state: &State) -> Result<()> {
    let ended = eventually(Duration::from_secs(10), "the end of all processes", async || {
        match state.processes.iter().find(|(_name, pid)| is_running(*pid)) {
            Some((name, pid)) => Err(format!("{name} {pid} runs")),
            None => Ok(()),
        }
    });
    Ok(ended.await?)
}

#[tokio::test]
async fn up_status_and_down_work_from_the_command_line() -> Result<()> {
    let _slot = Slot::take().await?;
    let cluster = Background(tempfile::tempdir()?);
    let manifests = cluster.0.path().join("nodes.yaml");
    std::fs::write(&manifests, NODES)?;

    let printed = cluster.must(&["up", "--nodes", &manifests.display().to_string()])?;
    let state = cluster.state()?;
    assert!(printed.starts_with(&format!("export KUBECONFIG={}\n", state.kubeconfig.display())), "{printed}");
    assert_eq!(state.processes.len(), 5);
    assert!(cluster.must(&["status"])?.contains(&state.server));
    let client = client_from(&state.kubeconfig).await?;
    let world = World::new(client);
    world.wait_nodes_ready(&["by-hand".to_owned()].into()).await?;
    let again = cluster.run(&["up"])?;
    assert!(String::from_utf8_lossy(&again.stderr).contains("runs from"), "{again:?}");

    cluster.must(&["down"])?;
    wait_ended(&state).await?;
    assert!(!Path::new(&state.kubeconfig).exists());
    assert!(!cluster.run(&["status"])?.status.success());
    Ok(())
}

#[tokio::test]
async fn the_shipped_cluster_schedules_by_carbon() -> Result<()> {
    let _slot = Slot::take().await?;
    let cluster = Background(tempfile::tempdir()?);
    let nodes = Path::new(env!("CARGO_MANIFEST_DIR")).join("local-cluster.yaml");
    let extender = shipped_binary()?;
    cluster.must(&["up", "--nodes", &nodes.display().to_string(), "--extender", &extender.display().to_string()])?;
    let state = cluster.state()?;
    let world = World::new(client_from(&state.kubeconfig).await?);
    let names = ["stockholm", "virginia", "paris", "mumbai"];
    world.wait_nodes_ready(&names.map(str::to_owned).into()).await?;
    world.create_pod(pod("green").scheduler("kube-sci").cpu("1")).await?;
    assert_ne!(world.wait_bound("green").await?, "mumbai");

    let url = format!("{}/v1/explain/default/green", state.extender.context("the URL of the extender")?);
    let http = reqwest::Client::builder().no_proxy().build()?;
    let explained = eventually(Duration::from_secs(10), "an explanation", async || {
        let answer = http.get(&url).send().await?.error_for_status()?;
        answer.json::<serde_json::Value>().await
    });
    assert_eq!(explained.await?["known"], 4);
    Ok(())
}

#[tokio::test]
async fn everything_ends_when_the_owner_is_killed() -> Result<()> {
    let _slot = Slot::take().await?;
    let cluster = Background(tempfile::tempdir()?);
    cluster.must(&["up"])?;
    let state = cluster.state()?;
    assert!(state.processes.iter().all(|(_name, pid)| is_running(*pid)), "{state:?}");

    kill(Pid::from_raw(state.pid), Signal::SIGKILL)?;
    wait_ended(&state).await?;
    assert!(cluster.state().is_err(), "a killed supervisor holds no claim");
    Ok(())
}
