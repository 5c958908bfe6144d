//! A day of usual intensities and a diurnal load, against the closed form.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::day::{DayClock, DiurnalLoad, Hourly};
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use super::site::Site;
use super::stage::SOON;

const TARGET: u32 = 100;
const GUARD: u32 = 200;
/// 24 hours in 72 seconds.
const SPEED: f64 = 1_200.0;
const STEP: Duration = Duration::from_millis(250);
/// Within it the autoscaler has seen a change: two rounds, its downscale window, and what is read once a second.
const REACTION: Duration = Duration::from_secs(10);
/// Within this the autoscaler does not move.
const TOLERANCE: f64 = 1.1;

/// What a policy may say about an intensity.
#[derive(Clone, Copy)]
enum Curve {
    Steps,
    Linear,
}

/// A workload with its policy.
struct Green {
    name: &'static str,
    curve: Curve,
    mode: &'static str,
    /// Replicas that the closed form asks for over the reaction time.
    asked: VecDeque<(Instant, f64)>,
    replicas: Option<i32>,
    events: u32,
    seen: u32,
}

/// Two steps, or a line, over the range of a day.
struct Curves {
    lowest: f64,
    highest: f64,
}

impl Curves {
    const LEAST: f64 = 0.4;
    const MIDDLE: f64 = 0.7;

    fn step(&self, third: f64) -> f64 {
        (self.lowest + (self.highest - self.lowest) * third / 3.0).round()
    }

    fn factor(&self, curve: Curve, intensity: f64) -> f64 {
        match curve {
            Curve::Steps if intensity >= self.step(2.0) => Self::LEAST,
            Curve::Steps if intensity >= self.step(1.0) => Self::MIDDLE,
            Curve::Steps => 1.0,
            Curve::Linear => {
                let share = (intensity - self.lowest) / (self.highest - self.lowest);
                1.0 - share.clamp(0.0, 1.0) * (1.0 - Self::LEAST)
            }
        }
    }

    fn spec(&self, curve: Curve) -> Value {
        match curve {
            Curve::Steps => json!({ "steps": [
                { "atOrAbove": self.step(1.0), "factor": Self::MIDDLE },
                { "atOrAbove": self.step(2.0), "factor": Self::LEAST },
            ] }),
            Curve::Linear => json!({ "linear": { "from": self.lowest, "to": self.highest, "minFactor": Self::LEAST } }),
        }
    }
}

impl Green {
    fn new(name: &'static str, curve: Curve, mode: &'static str) -> Self {
        Self { name, curve, mode, asked: VecDeque::new(), replicas: None, events: 0, seen: 0 }
    }

    /// `load x max(factor, T / S) / T`, or the plain load over T in shadow.
    fn closed_form(&self, factor: f64, load: f64) -> f64 {
        let (target, guard) = (f64::from(TARGET), f64::from(GUARD));
        let factor = if self.mode == "shadow" { 1.0 } else { factor.max(target / guard) };
        (load * factor / target).ceil()
    }

    fn ask(&mut self, now: Instant, replicas: f64) {
        self.asked.push_back((now, replicas));
        while self.asked.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > REACTION) {
            self.asked.pop_front();
        }
    }

    /// Within one replica of what was asked for lately.
    fn see(&mut self, hour: f64, replicas: i32) {
        if self.replicas.replace(replicas).is_some_and(|before| before != replicas) {
            self.events += 1;
        }
        let asked = self.asked.iter().map(|(_, replicas)| *replicas);
        let (least, most) = (asked.clone().fold(f64::INFINITY, f64::min), asked.fold(0.0, f64::max));
        let seen = f64::from(replicas);
        assert!(
            (least - 1.0..=most + 1.0).contains(&seen),
            "{} at {hour:.1}: {replicas}, asked for {least} to {most}",
            self.name
        );
        self.seen += 1;
    }
}

#[tokio::test]
async fn replicas_follow_the_closed_form_over_a_day() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let site = Site::install(&plane).await?;
    let stage = site.stage("day", 1).await?;
    let day = Hourly::usual_intensity("US-MIDW-MISO", 7).context("a known zone")?;
    let (lowest, highest) = day.range();
    let (curves, load) = (Curves { lowest, highest }, DiurnalLoad { lowest: 200.0, highest: 950.0, peak_hour: 15.0 });
    let mut greens = [
        Green::new("steps", Curve::Steps, "enforce"),
        Green::new("linear", Curve::Linear, "enforce"),
        Green::new("shadow-steps", Curve::Steps, "shadow"),
        Green::new("shadow-linear", Curve::Linear, "shadow"),
    ];

    let (intensity, demand) = (day.at(0.0), load.at(0.0));
    site.set_intensity(&stage, intensity)?;
    for green in &greens {
        stage.workload(green.name, 1).await?;
        stage.load.set(green.name, demand);
        let more = json!({ "curve": curves.spec(green.curve), "mode": green.mode,
            "targetPerReplica": TARGET, "sloGuardPerReplica": GUARD });
        stage.policy_of(&plane, green.name, more).await?;
        stage.autoscaler_of(&plane, green.name, TARGET, GUARD).await?;
    }
    // Not exactly: within a tenth of its target the autoscaler does not move.
    eventually(SOON, "a beginning within one replica of the closed form", async || {
        let all = stage.all_replicas().await.map_err(|error| format!("{error:#}"))?;
        let near = |green: &Green| {
            let wanted = green.closed_form(curves.factor(green.curve, intensity), demand);
            all.get(green.name).is_some_and(|replicas| (f64::from(*replicas) - wanted).abs() <= 1.0)
        };
        if greens.iter().all(near) { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await?;

    let clock = DayClock::start(SPEED);
    let mut loads: VecDeque<(Instant, f64)> = VecDeque::new();
    let mut bands = Vec::new();
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !clock.is_over() {
        ticks.tick().await;
        let (hour, now) = (clock.hour(), Instant::now());
        let (intensity, demand) = (day.at(hour), load.at(hour));
        site.set_intensity(&stage, intensity)?;
        bands.push(curves.factor(Curve::Steps, intensity));
        loads.push_back((now, demand));
        loads.retain(|(at, _)| now.saturating_duration_since(*at) <= REACTION);
        let all: BTreeMap<String, i32> = stage.all_replicas().await?;
        for green in &mut greens {
            stage.load.set(green.name, demand);
            green.ask(now, green.closed_form(curves.factor(green.curve, intensity), demand));
            let replicas = *all.get(green.name).context("a workload")?;
            green.see(hour, replicas);
            let least = loads.iter().map(|(_, load)| *load).fold(f64::INFINITY, f64::min);
            let floor = (least / f64::from(GUARD) / TOLERANCE).ceil();
            assert!(
                f64::from(replicas) >= floor,
                "{} at {hour:.1}: {replicas}, the guard asks for {floor}",
                green.name
            );
        }
    }

    let changes = u32::try_from(bands.windows(2).filter(|pair| pair[0].to_bits() != pair[1].to_bits()).count())?;
    let events = |name: &str| greens.iter().find(|green| green.name == name).map(|green| green.events).context("known");
    assert!(changes > 0, "the day has only one band");
    let (green, plain) = (events("steps")?, events("shadow-steps")?);
    assert!(plain > 5, "the plain load is followed: {plain} events");
    assert!(green <= plain + changes, "{green} events, {plain} of the plain load and {changes} changes of band");
    assert!(events("linear")? > 0 && greens.iter().all(|green| green.seen > 100));
    Ok(())
}
