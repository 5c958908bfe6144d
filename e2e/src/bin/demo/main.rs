//! kube-sci on a control plane of its own, in two acts.

mod placing;
mod progress;
mod scaling;

use std::io::{IsTerminal as _, Write as _};

use clap::Parser;
use kube_sci_e2e::{
    adapter_process,
    control_plane::{ControlPlane, Options},
    extender_process,
};

use self::{placing::Signals, progress::Progress};

/// Shows on a control plane of its own, with simulated machines, what kube-sci changes and where its numbers come from.
///
/// Act 1 places the same pods on fourteen nodes with a plain kube-scheduler and with one that asks kube-sci, while a
/// Prometheus scrapes agents on five of them. Act 2 lets a day pass in a minute: the same deployment twice, scaled by a
/// plain HorizontalPodAutoscaler and by one that follows load and carbon.
// Clap prints this: no Markdown.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Clone, Parser)]
#[command(name = "demo", version)]
pub struct Arguments {
    /// Plays this act only: 1 about placing, 2 about scaling. Both by default.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub act: Option<u8>,
    /// Act 1: points that a score of 10 is worth beside the scheduler's own plugins, as in its configuration: they add
    /// up to 1,200, and a weight of w gives up to 100 w.
    #[arg(long, default_value_t = 12)]
    pub weight: u32,
}

impl Arguments {
    fn plays(&self, act: u8) -> bool {
        self.act.is_none_or(|only| only == act)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let progress = Progress::new();
    // What is missing is told before anything starts.
    if arguments.plays(1) {
        extender_process::shipped_binary()?;
    }
    if arguments.plays(2) {
        adapter_process::shipped_binary()?;
    }
    let plane = ControlPlane::start(scaling::options(Options::default()));
    let mut plane = if arguments.plays(1) {
        progress.say("starting etcd, kube-apiserver, kube-controller-manager, kwok and Prometheus");
        let (plane, signals) = tokio::join!(plane, Signals::start());
        let (plane, signals) = (plane?, signals?);
        let report = placing::run(&plane, signals, arguments.weight, &progress).await?;
        show(|colour| placing::render(&report, colour))?;
        plane
    } else {
        progress.say("starting etcd, kube-apiserver, kube-controller-manager and kwok");
        plane.await?
    };
    if arguments.plays(2) {
        let report = scaling::run(&mut plane, &progress).await?;
        show(|colour| scaling::render(&report, colour))?;
    }
    Ok(())
}

/// Writes a report to standard output, with colours for a terminal.
fn show(render: impl Fn(bool) -> String) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let colour = out.is_terminal();
    out.write_all(render(colour).as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn one_act_or_both_are_played() {
        Arguments::command().debug_assert();
        let acts = |arguments: &[&str]| {
            let arguments = Arguments::try_parse_from([&["demo"], arguments].concat()).unwrap();
            [1, 2].map(|act| arguments.plays(act))
        };
        assert_eq!(acts(&[]), [true, true]);
        assert_eq!(acts(&["--act", "1"]), [true, false]);
        assert_eq!(acts(&["--act=2"]), [false, true]);
        assert!(Arguments::try_parse_from(["demo", "--act", "3"]).is_err());
    }
}
