//! Builds and runs a local Kubernetes control plane.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use kube_sci_e2e::binaries::{self, Binaries};
use kube_sci_e2e::build;
use kube_sci_e2e::control_plane::{ControlPlane, ExtenderEntry, Options, Scheduler, SchedulerOptions};
use kube_sci_e2e::extender_process::{self, ExtenderProcess};
use kube_sci_e2e::local_cluster::{FOLDER, LocalCluster, State};
use tokio::signal::unix::{SignalKind, signal};

/// How often the supervisor looks whether all programs still run.
const CHECK_PERIOD: Duration = Duration::from_secs(1);
/// The name of the second scheduler, as in `manifests/base`.
const GREEN_SCHEDULER: &str = "kube-sci";
/// The extender's weight there.
const SHIPPED_WEIGHT: u32 = 3;

/// A real Kubernetes control plane as local processes: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and
/// kwok, which simulates nodes. No container engine, no root.
///
/// The programs are built once from pinned sources into $XDG_CACHE_HOME/kube-sci (or ~/.cache/kube-sci).
#[derive(Debug, Parser)]
#[command(name = "control-plane", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build the programs, unless they are built already (about 17 minutes on 2 cores with nothing cached).
    ///
    /// Beside those of the control plane these are kind, Prometheus and Scaphandre, for tests. Needs Go and Rust. Where
    /// the environment names a folder of ready programs in `KUBE_SCI_CONTROL_PLANE_BIN`, those are used and nothing is
    /// built.
    Build,
    /// Start a control plane with one scheduler in the background, and print how to reach it.
    Up {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        contents: Contents,
    },
    /// End the background control plane and remove its data.
    Down(Place),
    /// Say whether a control plane runs, where, and as which processes.
    Status(Place),
    /// Print the paths of the built programs, or of one.
    Path {
        /// Name of a program, for example `kubectl`.
        program: Option<String>,
    },
    /// What `up` runs in the background.
    #[command(hide = true)]
    Supervise {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        contents: Contents,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// Folder of the state, logs and data.
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    dir: PathBuf,
}

/// What a cluster holds from the start.
#[derive(Debug, Args)]
struct Contents {
    /// Manifests to apply at the start, for example simulated nodes: a Node object is a node.
    #[arg(long, value_name = "FILE.yaml")]
    nodes: Option<PathBuf>,
    /// A kube-sci extender to run, with a second scheduler that asks it: pods choose it by `schedulerName: kube-sci`.
    #[arg(long, value_name = "BINARY")]
    extender: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().action {
        Action::Build => {
            let folder = tokio::task::spawn_blocking(build::build).await??;
            say(&format!("programs in {}", folder.display()))
        }
        Action::Up { place, contents } => up(&place, contents),
        Action::Down(place) => {
            LocalCluster::open(&place.dir)?.down().await?;
            say("ended")
        }
        Action::Status(place) => status(&LocalCluster::open(&place.dir)?.state()?),
        Action::Path { program: Some(program) } => say(&binaries::find(&program)?.display().to_string()),
        Action::Path { program: None } => {
            binaries::all()?.iter().try_for_each(|(_name, path)| say(&path.display().to_string()))
        }
        Action::Supervise { place, contents } => supervise(&place, contents).await,
    }
}

fn up(place: &Place, contents: Contents) -> Result<()> {
    // Says at once when something is missing, instead of in the supervisor's log.
    Binaries::locate()?;
    let cluster = LocalCluster::open(&place.dir)?;
    let mut supervisor = Command::new(std::env::current_exe().context("find this program")?);
    supervisor.arg("supervise").arg("--dir").arg(&place.dir);
    let Contents { nodes, extender } = contents;
    for (flag, value) in [("--nodes", nodes), ("--extender", extender)] {
        if let Some(value) = value {
            supervisor.arg(flag).arg(value);
        }
    }
    let state = cluster.up(supervisor)?;
    say(&format!("export KUBECONFIG={}", state.kubeconfig.display()))?;
    if let Some(extender) = &state.extender {
        say(&format!("# extender: {extender}/v1/nodes; pods choose it by schedulerName: {GREEN_SCHEDULER}"))?;
    }
    say(&format!("# kubectl: {}", Binaries::locate()?.program("kubectl").display()))
}

fn status(state: &State) -> Result<()> {
    say(&format!("running: {}, supervisor {}", state.server, state.pid))?;
    for (name, pid) in &state.processes {
        say(&format!("  {name} {pid}"))?;
    }
    say(&format!("export KUBECONFIG={}", state.kubeconfig.display()))
}

async fn supervise(place: &Place, contents: Contents) -> Result<()> {
    // Out of the terminal's session: closing it ends nothing.
    nix::unistd::setsid().context("leave the terminal's session")?;
    let cluster = LocalCluster::open(&place.dir)?;
    let claim = cluster.claim()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut plane = ControlPlane::start(Options { folder: Some(cluster.data()), ..Options::default() }).await?;
    let mut scheduler = plane.start_scheduler(SchedulerOptions::plain("default-scheduler")).await?;
    if let Some(nodes) = contents.nodes {
        plane.kubectl().run(&["apply".into(), "-f".into(), nodes.into_os_string()]).await?;
    }
    let mut green = match contents.extender {
        Some(binary) => Some(start_green(&plane, binary).await?),
        None => None,
    };
    let extra = green.iter_mut().flat_map(|(extender, scheduler)| [extender.process(), scheduler.process()]);
    let started =
        std::iter::once(scheduler.process()).chain(extra).map(|process| (process.name().to_owned(), process.id()));
    let processes: Vec<(String, u32)> =
        plane.processes().into_iter().map(|(name, id)| (name.to_owned(), id)).chain(started).collect();
    let state = State {
        pid: i32::try_from(std::process::id()).context("read the process id")?,
        kubeconfig: plane.kubeconfig_path().to_owned(),
        server: plane.server().to_owned(),
        extender: green.as_ref().map(|(extender, _)| extender.url("")),
        processes,
    };
    claim.ready(&state, stdout())?;
    loop {
        tokio::select! {
            _asked = terminate.recv() => return Ok(()),
            () = tokio::time::sleep(CHECK_PERIOD) => {
                plane.check()?;
                scheduler.process().check()?;
                if let Some((extender, scheduler)) = &mut green {
                    extender.process().check()?;
                    scheduler.process().check()?;
                }
            }
        }
    }
}

/// The extender and a scheduler that asks it, as gently as it is shipped.
async fn start_green(plane: &ControlPlane, binary: PathBuf) -> Result<(ExtenderProcess, Scheduler)> {
    let extender = ExtenderProcess::start(plane, extender_process::options(binary, plane)).await?;
    let entry = ExtenderEntry::filter_and_prioritize(extender.url_prefix()).weight(SHIPPED_WEIGHT);
    let scheduler = plane.start_scheduler(SchedulerOptions::plain(GREEN_SCHEDULER).extender(entry)).await?;
    Ok((extender, scheduler))
}

fn say(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("write to standard output")
}
