//! The day as it passes.

use std::time::Duration;

use anyhow::Context as _;
use kube_sci_e2e::control_plane::ControlPlane;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    chart,
    day::{self, HOURS},
    ledger::{Ledger, Look},
    live::Live,
    machines::Machines,
    shop,
    stage::Stage,
    table,
};
use crate::progress::Progress;

/// Two and a half minutes of the day.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks in a row that may fail.
const MISSED: u32 = 5;
/// Looks from one drawing to the next.
const DRAW_EVERY: usize = 3;

/// Everything that is shown.
#[derive(Debug)]
pub struct Report {
    pub looks: Vec<Look>,
    pub ledger: Ledger,
    /// `GET /explain` of the policy in the dirtiest hour.
    pub explanation: Value,
    /// How long the act took, in seconds.
    pub seconds: f64,
}

/// Lets a day pass; on a terminal it is drawn meanwhile. Progress goes to standard error.
///
/// # Errors
/// When a program does not start, or the cluster does not answer.
pub async fn run(plane: &mut ControlPlane, progress: &Progress) -> anyhow::Result<Report> {
    let started = progress.elapsed();
    let stage = Stage::start(plane, progress).await?;
    let hour = day::HOUR.as_secs_f64();
    progress.say(&format!("letting a day pass, an hour in {hour} s"));
    let mut live = Live::new();
    let (looks, explanation) = pass(&stage, &mut live).await?;
    let ledger = Ledger::settle(&looks, day::END, shop::LIMIT, &Machines::of_the_shop());
    let seconds = progress.elapsed().saturating_sub(started).as_secs_f64();
    live.draw("")?;
    Ok(Report { looks, ledger, explanation, seconds })
}

/// What was seen from midnight to midnight, and why it was so in the dirtiest hour.
async fn pass(stage: &Stage, live: &mut Live) -> anyhow::Result<(Vec<Look>, Value)> {
    let legend = table::legend(true);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut looks, mut explanation) = (Vec::new(), None);
    stage.clock.begin();
    let (mut told, mut missed) = (0, 0);
    loop {
        ticks.tick().await;
        let hour = stage.clock.hour();
        if day::number(hour) >= HOURS {
            let explanation = explanation.context("the dirtiest hour was missed")?;
            return Ok((looks, explanation));
        }
        if day::number(hour) != told {
            told = day::number(hour);
            stage.set_intensity(hour)?;
        }
        if explanation.is_none() && hour >= day::dirtiest() {
            explanation = Some(stage.explain().await?);
        }
        let look = match stage.look().await {
            Ok(look) => look,
            // A connection may end between two questions; what was seen last holds for a moment longer.
            Err(_) if missed < MISSED => {
                missed += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        missed = 0;
        looks.push(look);
        if live.is_seen() && looks.len() % DRAW_EVERY == 0 {
            live.draw(&[chart::render(&looks, legend), table::now(&look)].concat())?;
        }
    }
}
