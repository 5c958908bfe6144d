//! A day of usual intensities and a diurnal load, against the closed form.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::{ControlPlane, Options};
use kube_sci_e2e::day::{DayClock, DiurnalLoad, Hourly, Noise};
use kube_sci_e2e::scripted_metrics::ScriptedMetrics;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::curves::{Curve, Curves};
use super::site::Site;
use super::stage::{AdapterStage, SOON, WORKLOAD, of_policy};
use super::usage::Usage;
use super::usual::{GUARD, TARGET};

/// 24 hours in 144 seconds.
const SPEED: f64 = 600.0;
const STEP: Duration = Duration::from_millis(250);
/// Within it the autoscaler has seen a change: two rounds, its downscale window, what is read once a second, and a busy
/// machine.
const REACTION: Duration = Duration::from_secs(15);
const LOAD: DiurnalLoad = DiurnalLoad { lowest: 200.0, highest: 950.0, peak_hour: 15.0 };
/// What is said of the intensity is off by up to so much, in gCO2e/kWh, and otherwise at every step.
const NOISE: f64 = 3.0;
/// Of the policies, in gCO2e/kWh.
const BAND: f64 = 4.0;
const QUANTUM: f64 = 0.02;
/// The one without a policy.
const PLAIN: &str = WORKLOAD;

/// A workload that is scaled.
struct Scaled {
    name: &'static str,
    /// Of its policy.
    rule: Option<(Curve, &'static str)>,
    /// Replicas that the closed form asks for over the reaction time: fewest, most.
    asked: VecDeque<(Instant, f64, f64)>,
    replicas: Option<i32>,
    events: u32,
    seen: u32,
}

/// What there is to count of the steps.
#[derive(Default)]
struct Flips {
    /// Of the curve, without noise.
    true_curve: Count,
    /// Of the curve, with noise.
    noisy_curve: Count,
    /// Of the factor that is served.
    served: Count,
}

/// Changes of a value.
#[derive(Default)]
struct Count {
    last: Option<f64>,
    changes: u32,
}

impl Count {
    fn see(&mut self, value: f64) {
        if self.last.replace(value).is_some_and(|before| before.to_bits() != value.to_bits()) {
            self.changes += 1;
        }
    }
}

impl Scaled {
    fn new(name: &'static str, rule: Option<(Curve, &'static str)>) -> Self {
        Self { name, rule, asked: VecDeque::new(), replicas: None, events: 0, seen: 0 }
    }

    /// `load x max(factor, T / S) / T`, with the least and the greatest factor that the band leaves; without a policy and in
    /// shadow `load / T`.
    fn closed_form(&self, curves: &Curves, intensity: f64, load: f64) -> (f64, f64) {
        let (target, guard) = (f64::from(TARGET), f64::from(GUARD));
        let replicas = |factor: f64| (load * factor.clamp(target / guard, 1.0) / target).ceil();
        match self.rule {
            Some((curve, "enforce")) => {
                let above = if matches!(curve, Curve::Linear) { QUANTUM } else { 0.0 };
                let (least, most) = (curves.factor(curve, intensity + BAND), curves.factor(curve, intensity - BAND));
                (replicas(least), replicas(most + above))
            }
            _ => (replicas(1.0), replicas(1.0)),
        }
    }

    fn ask(&mut self, now: Instant, (fewest, most): (f64, f64)) {
        self.asked.push_back((now, fewest, most));
        while self.asked.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) > REACTION) {
            self.asked.pop_front();
        }
    }

    /// Within one replica of what was asked for lately, and never fewer than the guard asks for.
    fn see(&mut self, hour: f64, replicas: i32, floor: f64) {
        if self.replicas.replace(replicas).is_some_and(|before| before != replicas) {
            self.events += 1;
        }
        let fewest = self.asked.iter().map(|(_, fewest, _)| *fewest).fold(f64::INFINITY, f64::min);
        let most = self.asked.iter().map(|(.., most)| *most).fold(0.0, f64::max);
        let (name, seen) = (self.name, f64::from(replicas));
        assert!(
            (fewest - 1.0..=most + 1.0).contains(&seen),
            "{name} at {hour:.1}: {replicas}, asked for {fewest} to {most}"
        );
        assert!(seen >= floor, "{name} at {hour:.1}: {replicas}, the guard asks for {floor}");
        self.seen += 1;
    }

    /// Policy, if there is to be one, and an autoscaler that acts however little it is off.
    async fn install(&self, plane: &ControlPlane, stage: &AdapterStage, curves: &Curves) -> Result<()> {
        let metrics = match self.rule {
            Some((curve, mode)) => {
                stage.workload(self.name, 1).await?;
                let hysteresis = json!({ "band": BAND, "minDwell": "1s", "quantum": QUANTUM });
                let more = json!({ "curve": curves.spec(curve), "mode": mode, "hysteresis": hysteresis,
                    "targetPerReplica": TARGET, "sloGuardPerReplica": GUARD });
                stage.policy_of(plane, self.name, more).await?;
                let (adjusted, load) = ("carbon_adjusted_load", "load");
                json!([of_policy(self.name, adjusted, TARGET), of_policy(self.name, load, GUARD)])
            }
            None => json!([{ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "AverageValue", "averageValue": format!("{TARGET}m") } } }]),
        };
        let exact = json!({ "scaleUp": { "tolerance": "0" }, "scaleDown": { "tolerance": "0" } });
        stage.autoscaler_with(plane, self.name, json!({ "metrics": metrics, "behavior": exact })).await
    }
}

#[tokio::test]
async fn replicas_follow_the_closed_form_over_a_day() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let site = Site::install(&plane).await?;
    let stage = site.stage("day", 1).await?;
    let day = Hourly::usual_intensity("US-MIDW-MISO", 7).context("a known zone")?;
    let curves = Curves::over(day.range());
    let mut all = [
        Scaled::new("steps", Some((Curve::Steps, "enforce"))),
        Scaled::new("linear", Some((Curve::Linear, "enforce"))),
        Scaled::new("shadow-steps", Some((Curve::Steps, "shadow"))),
        Scaled::new("shadow-linear", Some((Curve::Linear, "shadow"))),
        Scaled::new(PLAIN, None),
    ];
    // A request takes a thousandth of a core's second.
    let cpu = Usage::start(Arc::new(ScriptedMetrics::start_usage(&plane).await?), &stage, milli(LOAD.at(0.0)));
    site.set_intensity(&stage, day.at(0.0))?;
    for scaled in &all {
        stage.load.set(scaled.name, LOAD.at(0.0));
        scaled.install(&plane, &stage, &curves).await?;
    }
    eventually(SOON, "a beginning within one replica of the closed form", async || {
        let seen = stage.all_replicas().await.map_err(|error| format!("{error:#}"))?;
        let near = |scaled: &Scaled| {
            let (fewest, most) = scaled.closed_form(&curves, day.at(0.0), LOAD.at(0.0));
            seen.get(scaled.name).is_some_and(|seen| (fewest - 1.0..=most + 1.0).contains(&f64::from(*seen)))
        };
        if all.iter().all(near) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await?;

    let flips = pass((&site, &stage), &day, &curves, &cpu, &mut all).await?;
    let events: BTreeMap<_, _> = all.iter().map(|scaled| (scaled.name, scaled.events)).collect();
    let (bands, noisy, served) = (flips.true_curve.changes, flips.noisy_curve.changes, flips.served.changes);
    println!("events {events:?}, {bands} changes of band, {noisy} with the noise, {served} of the factor");
    assert!(bands > 1 && noisy > 2 * bands, "{bands} changes of band and {noisy} with the noise: it is of no account");
    assert!(served <= bands, "the factor moved {served} times, the intensity changed its band {bands} times");
    let (green, plain) = (events["steps"], events[PLAIN]);
    assert!(plain > 5, "the plain load is followed: {plain} events");
    assert!(green <= plain + bands, "{green} events, {plain} of the plain load and {bands} changes of band");
    assert!(events["linear"] > 0 && all.iter().all(|scaled| scaled.seen > 200));
    Ok(())
}

/// Plays the day and looks at every step of it.
async fn pass(
    (site, stage): (&Site, &AdapterStage),
    day: &Hourly,
    curves: &Curves,
    cpu: &Usage,
    all: &mut [Scaled],
) -> Result<Flips> {
    let (clock, mut noise, mut flips) = (DayClock::start(SPEED), Noise::new(7, NOISE), Flips::default());
    let mut loads: VecDeque<(Instant, f64)> = VecDeque::new();
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !clock.is_over() {
        ticks.tick().await;
        let (hour, now) = (clock.hour(), Instant::now());
        let (quiet, demand) = (day.at(hour), LOAD.at(hour));
        let intensity = quiet + noise.draw();
        site.set_intensity(stage, intensity)?;
        cpu.set(milli(demand));
        flips.true_curve.see(curves.factor(Curve::Steps, quiet));
        flips.noisy_curve.see(curves.factor(Curve::Steps, intensity));
        let served = site.figure_of(stage, "steps", "effective_factor").await?;
        flips.served.see(served.context("a factor")?);
        loads.push_back((now, demand));
        loads.retain(|(at, _)| now.saturating_duration_since(*at) <= REACTION);
        let floor = (loads.iter().map(|(_, load)| *load).fold(f64::INFINITY, f64::min) / f64::from(GUARD)).ceil();
        let seen = stage.all_replicas().await?;
        for scaled in all.iter_mut() {
            stage.load.set(scaled.name, demand);
            scaled.ask(now, scaled.closed_form(curves, intensity, demand));
            scaled.see(hour, *seen.get(scaled.name).context("a workload")?, floor);
        }
    }
    Ok(flips)
}

/// In thousandths, to the next one.
#[allow(clippy::cast_possible_truncation)] // demands are small
fn milli(demand: f64) -> i64 {
    demand.round() as i64
}
