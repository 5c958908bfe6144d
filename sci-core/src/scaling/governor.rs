//! The part of a policy that remembers.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Carbon, ClampReason, CurvePoint, Damping, Decision, Demand, GreenFactor, Inputs, Mode, Phase, Policy, Replicas,
    Stage, history::Past,
};
use crate::quantity::GramsPerKwh;

/// Decides over one workload, again and again.
///
/// ```text
/// wanted(I) = max(quantised(curve(I) * budget), T/S)
/// level     = clamp(level, wanted(I + band), wanted(I - band))       kept while younger than the minimum dwell
/// computed  = towards the level, by no more than the maximum step in its time
/// ```
///
/// The level thus moves no further than it must, as a rod with play: an intensity that wanders within a range of two
/// bands moves it in one direction only, however it wanders (the play operator of hysteresis; Krasnosel'skii and
/// Pokrovskii, Systems with Hysteresis, 1989). The first decision takes `wanted(I)` itself.
///
/// An intensity that is unknown and a window that forbids throttling set level and factor to 1 at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Governor {
    state: GovernorState,
}

/// All that a [`Governor`] remembers. Kept in the policy's status, it survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GovernorState {
    /// Where the factor is, or on its way to.
    pub level: GreenFactor,
    /// Since when; `None` before the first decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_since: Option<Timestamp>,
    /// The factor.
    pub factor: GreenFactor,
    /// When it last moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stepped_at: Option<Timestamp>,
    /// What the workload was in for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
}

impl GovernorState {
    /// Where only the factor is known, and since when.
    pub fn at(factor: GreenFactor, since: Timestamp) -> Self {
        let phase = if factor.throttles() { Phase::Throttled } else { Phase::Full };
        Self { level: factor, level_since: Some(since), factor, stepped_at: Some(since), phase: Some(phase) }
    }
}

impl Governor {
    /// Remembers nothing: its first decision follows the curve, but for the maximum step down from 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on from what another one left.
    pub fn resume(state: GovernorState) -> Self {
        Self { state }
    }

    /// What it remembers.
    pub fn state(&self) -> &GovernorState {
        &self.state
    }

    /// Decides, and remembers it. The policy may change between two decisions.
    pub fn decide(&mut self, policy: &Policy, inputs: &Inputs<'_>) -> Decision {
        let decision = decide(&self.state, policy, inputs);
        self.state = decision.state;
        decision
    }
}

/// A factor on its way through the clamps.
struct Track {
    factor: GreenFactor,
    stages: Vec<Stage>,
}

impl Track {
    fn from(factor: GreenFactor) -> Self {
        Self { factor, stages: Vec::new() }
    }

    fn clamp(&mut self, by: ClampReason, factor: GreenFactor) {
        if !same(factor, self.factor) {
            self.stages.push(Stage { by, factor });
        }
        self.factor = factor;
    }

    /// Named even where the factor was 1 already: it is the reason.
    fn release(&mut self, by: ClampReason) {
        self.factor = GreenFactor::ONE;
        self.stages.push(Stage { by, factor: GreenFactor::ONE });
    }
}

fn decide(before: &GovernorState, policy: &Policy, inputs: &Inputs<'_>) -> Decision {
    let floor = policy.thresholds.floor_factor();
    let answer = inputs.carbon.and_then(|carbon| policy.trust.check(carbon)).and_then(|carbon| {
        let point = policy.curve.at(carbon.intensity, past(inputs))?;
        Ok((carbon, point))
    });
    let window = policy.never_throttle.active(inputs.now);
    let mut track = Track::from(answer.map_or(GreenFactor::ONE, |(_, point)| point.factor));
    let mut state = match answer {
        Ok((carbon, point)) if window.is_none() => follow(before, policy, inputs, carbon, point, &mut track),
        _ => released(before, inputs.now),
    };
    let phase = match (&answer, window) {
        (_, Some(_)) => Phase::NeverThrottle,
        (Err(_), _) => Phase::CarbonUnknown,
        _ if state.factor.throttles() => Phase::Throttled,
        _ => Phase::Full,
    };
    match phase {
        Phase::NeverThrottle => track.release(ClampReason::NeverThrottle),
        Phase::CarbonUnknown => track.release(ClampReason::CarbonUnknown),
        Phase::Full | Phase::Throttled => {}
    }
    state.phase = Some(phase);
    let computed = state.factor;
    let effective = match policy.mode {
        Mode::Enforce => computed,
        Mode::Shadow => GreenFactor::ONE,
    };
    track.clamp(ClampReason::Shadow, effective);

    let load = inputs
        .load
        .and_then(|sample| sample.load(inputs.now, policy.load_stale_after))
        .and_then(|load| policy.thresholds.countable(load));
    let demand = load.map(|load| Demand {
        load,
        adjusted: load * effective,
        replicas: Replicas::of(load, computed, &policy.thresholds),
    });
    Decision {
        at: inputs.now,
        carbon: answer.map(|(carbon, _)| carbon),
        raw: answer.ok().map(|(_, point)| point),
        clamp: track.stages.last().map_or(ClampReason::None, |stage| stage.by),
        stages: track.stages,
        floor,
        computed,
        effective,
        phase,
        left: before.phase.filter(|left| *left != phase),
        window,
        demand,
        state,
    }
}

/// The intensity decides.
fn follow(
    before: &GovernorState,
    policy: &Policy,
    inputs: &Inputs<'_>,
    carbon: Carbon,
    point: CurvePoint,
    track: &mut Track,
) -> GovernorState {
    let now = inputs.now;
    let floor = policy.thresholds.floor_factor();
    let tightening = inputs.tightening.of(policy.criticality);
    track.clamp(ClampReason::Budget, point.factor * tightening);
    track.clamp(ClampReason::Quantum, policy.damping.quantised(track.factor));
    track.clamp(ClampReason::GuardFloor, track.factor.max(floor));

    // An edited policy may have a higher floor than what was decided under the one before.
    let (old_level, old_factor) = (before.level.max(floor), before.factor.max(floor));
    if before.level_since.is_some() {
        let (dirtier, cleaner) = around(carbon.intensity, policy.damping.band);
        let wanted = |intensity| wanted(intensity, policy, inputs).unwrap_or(track.factor);
        let (least, most) = (wanted(dirtier), wanted(cleaner));
        track.clamp(ClampReason::Hysteresis, old_level.max(least).min(most));
        if !same(old_level, track.factor) && !passed(before.level_since, policy.damping.min_dwell, now) {
            track.clamp(ClampReason::Dwell, old_level);
        }
    }
    let level = track.factor;
    track.clamp(ClampReason::MaxStep, stepped(old_factor, level, before, &policy.damping, now));
    let since = |kept: bool, since: Option<Timestamp>| since.filter(|_| kept).or(Some(now));
    GovernorState {
        level,
        level_since: since(same(level, before.level), before.level_since),
        factor: track.factor,
        stepped_at: since(same(track.factor, before.factor), before.stepped_at),
        phase: before.phase,
    }
}

/// Safety decides: 1 at once, with no regard to damping.
fn released(before: &GovernorState, now: Timestamp) -> GovernorState {
    let since = |factor: GreenFactor, since: Option<Timestamp>| {
        if factor.throttles() { Some(now) } else { since.or(Some(now)) }
    };
    GovernorState {
        level: GreenFactor::ONE,
        level_since: since(before.level, before.level_since),
        factor: GreenFactor::ONE,
        stepped_at: since(before.factor, before.stepped_at),
        phase: before.phase,
    }
}

/// What the curve, the budget and the floor make of an intensity.
fn wanted(intensity: GramsPerKwh, policy: &Policy, inputs: &Inputs<'_>) -> Option<GreenFactor> {
    let point = policy.curve.at(intensity, past(inputs)).ok()?;
    let factor = policy.damping.quantised(point.factor * inputs.tightening.of(policy.criticality));
    Some(factor.max(policy.thresholds.floor_factor()))
}

/// From `from` towards `to`.
fn stepped(
    from: GreenFactor,
    to: GreenFactor,
    before: &GovernorState,
    damping: &Damping,
    now: Timestamp,
) -> GreenFactor {
    let Some(limit) = damping.max_step.filter(|limit| limit.step.get() > 0.0) else { return to };
    if !same(from, to) && !passed(before.stepped_at, limit.every, now) {
        return from;
    }
    let step = limit.step.get();
    let moved = from.get() + (to.get() - from.get()).clamp(-step, step);
    let moved = GreenFactor::or_one(moved);
    if same(moved, to) { to } else { moved }
}

/// Alike but for rounding, and for what JSON loses of a number.
fn same(one: GreenFactor, other: GreenFactor) -> bool {
    (one.get() - other.get()).abs() < 1e-9
}

/// Whether `wait` is over. An instant in the future, from a clock that was wrong, holds nothing up.
fn passed(since: Option<Timestamp>, wait: Duration, now: Timestamp) -> bool {
    since.is_none_or(|since| since > now || now.duration_since(since).unsigned_abs() >= wait)
}

fn around(intensity: GramsPerKwh, band: GramsPerKwh) -> (GramsPerKwh, GramsPerKwh) {
    let (value, band) = (intensity.get(), band.get());
    (GramsPerKwh::clamped(value + band), GramsPerKwh::clamped(value - band))
}

fn past<'a>(inputs: &Inputs<'a>) -> Option<Past<'a>> {
    inputs.history.map(|history| Past { history, now: inputs.now })
}
