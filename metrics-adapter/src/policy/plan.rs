//! A policy as the engine works with it: checked, in the model's types.

use std::{sync::Arc, time::Duration};

use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use sci_core::{
    intensity::{Quality, Zone, ZoneError},
    quantity::{GramsPerKwh, QuantityError, Share},
    scaling::{
        CarbonTrust, Criticality, Curve, CurveError, Damping, GreenFactor, Load, LoadError, LoadPerReplica, LoadSample,
        MaxStep, Mode, Policy, ScalingError, Step, Thresholds, Tolerance, Window, Windows,
        batch::{Backlog, WithoutForecast},
    },
};

use super::{
    BatchSpec, CounterKind, CriticalitySpec, CurveSpec, DaySpec, GreenScalingPolicySpec, HysteresisSpec, LoadSpec,
    MetricSpec, ModeSpec, PerReplica, SourceSpec, StepLimitSpec, WindowSpec,
};
use crate::names;

/// A policy in the model's types.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it does with the load.
    pub work: Work,
    /// Where the load comes from.
    pub load: LoadPlan,
    /// The zone that counts; `None`: where the pods run.
    pub zone: Option<Zone>,
}

/// What a policy does with the load.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Follows it, times a factor.
    Service(Policy),
    /// Works off a queue by a deadline.
    Batch(BatchPlan),
}

/// A batch in the model's types.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchPlan {
    /// By when the queue has to be empty.
    pub due: Due,
    /// Time to keep before the deadline.
    pub margin: Duration,
    /// Units per second that one replica does.
    pub rate_per_replica: LoadPerReplica,
    /// Replicas that the plan counts on.
    pub max_replicas: u32,
    /// Whether the plan is followed.
    pub mode: Mode,
    /// A queue length this old is none.
    pub stale_after: Duration,
}

/// By when a queue has to be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Once.
    At(Timestamp),
    /// On every day, in UTC.
    Daily(Time),
    /// So long after it began to fill.
    After(Duration),
}

/// Where the load comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlan {
    /// Its unit.
    pub unit: Arc<str>,
    /// How often it is asked for.
    pub period: Duration,
    /// A load this old is none.
    pub stale_after: Duration,
    /// Who is asked.
    pub source: SourceSpec,
    /// Whether it is the length of a queue.
    pub queue: bool,
}

/// Why a policy cannot work as it is written. The API server refuses most of it, but rules can be switched off.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A field that is needed, or one that must not be there.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field.
        field: &'static str,
        /// What to do.
        problem: &'static str,
    },
    /// A number that cannot be meant.
    #[error("{field}: {problem}")]
    Number {
        /// Path of the field.
        field: &'static str,
        /// What is wrong.
        problem: QuantityError,
    },
    /// Target and guard do not go together, or a factor out of range.
    #[error(transparent)]
    Scaling(#[from] ScalingError),
    /// The curve is none.
    #[error("curve: {0}")]
    Curve(#[from] CurveError),
    /// The zone is none.
    #[error("zone.name: {0}")]
    Zone(#[from] ZoneError),
    /// A time of the day or a time zone that does not exist.
    #[error("neverThrottle: {0:?} is no {1}")]
    Window(String, &'static str),
    /// A policy that reads what the adapter serves.
    #[error("load: {0:?} is served by this adapter: a policy cannot read its own metrics")]
    Loop(String),
}

impl Plan {
    /// Checks a policy.
    ///
    /// # Errors
    /// [`PlanError`] says what to change.
    pub fn new(spec: &GreenScalingPolicySpec) -> Result<Self, PlanError> {
        Self::with_tolerance(spec, Tolerance::CLUSTER_DEFAULT)
    }

    /// The same where the controller of autoscalers has another tolerance than it comes with.
    ///
    /// # Errors
    /// [`PlanError`] says what to change.
    pub fn with_tolerance(spec: &GreenScalingPolicySpec, tolerance: Tolerance) -> Result<Self, PlanError> {
        let (source, queue) = source(&spec.load)?;
        let load = LoadPlan {
            unit: spec.load.unit.as_str().into(),
            period: spec.load.period.get().max(Duration::from_secs(1)),
            stale_after: spec.load.stale_after.get(),
            source,
            queue,
        };
        let zone = spec.zone.as_ref().map(|zone| Zone::new(&zone.name)).transpose()?;
        let work = match &spec.batch {
            Some(batch) => Work::Batch(batch_plan(spec, batch, &load)?),
            None => Work::Service(service(spec, tolerance)?),
        };
        Ok(Self { work, load, zone })
    }

    /// The load, where it is fresh and an autoscaler can count the replicas that it takes.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with it.
    pub fn checked(&self, sample: &LoadSample, now: Timestamp) -> Result<Load, LoadError> {
        let load = sample.load(now, self.load.stale_after)?;
        match &self.work {
            Work::Service(policy) => policy.thresholds.countable(load),
            Work::Batch(_) => Ok(load),
        }
    }

    /// Whether the factor is applied.
    pub fn mode(&self) -> Mode {
        match &self.work {
            Work::Service(policy) => policy.mode,
            Work::Batch(batch) => batch.mode,
        }
    }

    /// Target and guard; a batch has none.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        match &self.work {
            Work::Service(policy) => Some(&policy.thresholds),
            Work::Batch(_) => None,
        }
    }

    /// The `averageValue` that the autoscaler should have: T, or the rate per replica.
    pub fn target(&self) -> LoadPerReplica {
        match &self.work {
            Work::Service(policy) => policy.thresholds.target(),
            Work::Batch(batch) => batch.rate_per_replica,
        }
    }
}

impl BatchPlan {
    /// The deadline of a queue that began to fill at `since`.
    pub fn deadline(&self, since: Timestamp) -> Timestamp {
        match self.due {
            Due::At(at) => at,
            Due::After(age) => since.checked_add(age).unwrap_or(Timestamp::MAX),
            Due::Daily(time) => next(time, since),
        }
    }

    /// What is to be done.
    pub fn backlog(&self, work: sci_core::scaling::Load, since: Timestamp) -> Backlog {
        Backlog {
            work,
            deadline: self.deadline(since),
            margin: self.margin,
            rate_per_replica: self.rate_per_replica,
            max_replicas: self.max_replicas,
            without_forecast: WithoutForecast::Evenly,
        }
    }
}

/// The first instant after `since` with this time of the day.
fn next(time: Time, since: Timestamp) -> Timestamp {
    let today = TimeZone::UTC.to_datetime(since).date();
    let at = |date: jiff::civil::Date| TimeZone::UTC.to_timestamp(date.to_datetime(time));
    let later = at(today).ok().filter(|today| *today > since);
    later.or_else(|| at(today.tomorrow().ok()?).ok()).unwrap_or(Timestamp::MAX)
}

fn service(spec: &GreenScalingPolicySpec, tolerance: Tolerance) -> Result<Policy, PlanError> {
    let target = per_replica(spec.target_per_replica.ok_or(field("targetPerReplica", "give it, or batch"))?)?;
    let thresholds = match (spec.slo_guard_per_replica, spec.hard_limit_per_replica) {
        (Some(guard), None) => Thresholds::with_guard(target, per_replica(guard)?, tolerance)?,
        (None, Some(limit)) => Thresholds::with_hard_limit(target, per_replica(limit)?, tolerance)?,
        _ => return Err(field("sloGuardPerReplica", "give exactly one of it and hardLimitPerReplica")),
    };
    let curve = spec.curve.as_ref().ok_or(field("curve", "give it, or batch"))?;
    Ok(Policy {
        thresholds,
        curve: self::curve(curve)?,
        damping: damping(&spec.hysteresis, spec.max_step, curve.steps.is_some())?,
        never_throttle: windows(&spec.never_throttle)?,
        mode: spec.mode.into(),
        criticality: spec.criticality.into(),
        load_stale_after: spec.load.stale_after.get(),
        trust: CarbonTrust {
            max_age: spec.carbon_stale_after.get(),
            worst_quality: Quality::Typical,
            min_confidence: Share::NONE,
        },
    })
}

fn batch_plan(spec: &GreenScalingPolicySpec, batch: &BatchSpec, load: &LoadPlan) -> Result<BatchPlan, PlanError> {
    if !load.queue {
        return Err(field("load.queue", "give it: the load of a batch is a queue"));
    }
    if spec.curve.is_some() || spec.target_per_replica.is_some() {
        return Err(field("batch", "leave out curve and targetPerReplica, or batch"));
    }
    let due = match (&batch.deadline, &batch.daily_by, batch.max_age) {
        (Some(at), None, None) => Due::At(at.0),
        (None, Some(time), None) => Due::Daily(time_of_day(time)?),
        (None, None, Some(age)) => Due::After(age.get()),
        _ => return Err(field("batch", "give exactly one of deadline, dailyBy and maxAge")),
    };
    Ok(BatchPlan {
        due,
        margin: batch.margin.get(),
        rate_per_replica: per_replica(batch.rate_per_replica)?,
        max_replicas: batch.max_replicas,
        mode: spec.mode.into(),
        stale_after: load.stale_after,
    })
}

fn source(load: &LoadSpec) -> Result<(SourceSpec, bool), PlanError> {
    let given = |prometheus, metric, pods| {
        let all: [Option<SourceSpec>; 3] = [
            Option::map(prometheus, SourceSpec::Prometheus),
            Option::map(metric, SourceSpec::Metric),
            Option::map(pods, SourceSpec::Pods),
        ];
        let mut given = all.into_iter().flatten();
        (given.next(), given.next().is_some())
    };
    let own = given(load.prometheus.clone(), load.metric.clone(), load.pods.clone());
    let queue = load.queue.clone().map(|queue| given(queue.prometheus, queue.metric, queue.pods));
    let (source, queue) = match (own, queue) {
        ((Some(source), false), None) => (source, false),
        ((None, _), Some((Some(source), false))) => (source, true),
        _ => return Err(field("load", "give exactly one source")),
    };
    match &source {
        SourceSpec::Metric(metric) => refuse_loop(metric)?,
        SourceSpec::Pods(pods) if queue && pods.kind == CounterKind::Rate => {
            return Err(field("load.queue.pods.kind", "make it value: a queue has a length, not a rate"));
        }
        SourceSpec::Pods(_) | SourceSpec::Prometheus(_) => {}
    }
    Ok((source, queue))
}

/// What this adapter serves would make a policy read itself.
fn refuse_loop(metric: &MetricSpec) -> Result<(), PlanError> {
    let group = metric.described_object.as_ref().map_or("", |object| object.api_version.as_str());
    let own_object = group.split('/').next() == Some(super::GROUP);
    if own_object || (metric.metric_type.is_served_here() && names::is_ours(&metric.name)) {
        return Err(PlanError::Loop(metric.name.clone()));
    }
    Ok(())
}

fn curve(spec: &CurveSpec) -> Result<Curve, PlanError> {
    let grams = |field, value| GramsPerKwh::new(value).map_err(|problem| PlanError::Number { field, problem });
    let share = |field, value| Share::new(value).map_err(|problem| PlanError::Number { field, problem });
    match (&spec.steps, spec.linear, spec.quantile) {
        (Some(steps), None, None) => {
            let step = |step: &super::StepSpec| {
                Ok(Step {
                    at_or_above: grams("curve.steps.atOrAbove", step.at_or_above)?,
                    factor: GreenFactor::new(step.factor)?,
                })
            };
            Ok(Curve::steps(steps.iter().map(step).collect::<Result<_, PlanError>>()?)?)
        }
        (None, Some(line), None) => Ok(Curve::linear(
            grams("curve.linear.from", line.from)?,
            grams("curve.linear.to", line.to)?,
            GreenFactor::new(line.min_factor)?,
        )?),
        (None, None, Some(line)) => Ok(Curve::quantile(
            share("curve.quantile.from", line.from)?,
            share("curve.quantile.to", line.to)?,
            GreenFactor::new(line.min_factor)?,
            line.window.get(),
        )?),
        _ => Err(field("curve", "give exactly one of steps, linear and quantile")),
    }
}

fn damping(spec: &HysteresisSpec, step: Option<StepLimitSpec>, steps: bool) -> Result<Damping, PlanError> {
    let share = |field, value| Share::new(value).map_err(|problem| PlanError::Number { field, problem });
    let band = GramsPerKwh::new(spec.band);
    let max_step = |step: StepLimitSpec| {
        GreenFactor::new(step.factor)?;
        Ok::<_, PlanError>(MaxStep { step: share("maxStep.factor", step.factor)?, every: step.every.get() })
    };
    Ok(Damping {
        band: band.map_err(|problem| PlanError::Number { field: "hysteresis.band", problem })?,
        min_dwell: spec.min_dwell.get(),
        // Steps are levels as they are written: rounding them to others would be no service.
        quantum: if steps { Share::NONE } else { share("hysteresis.quantum", spec.quantum)? },
        max_step: step.map(max_step).transpose()?,
    })
}

fn windows(specs: &[WindowSpec]) -> Result<Windows, PlanError> {
    let window = |spec: &WindowSpec| {
        let zone = TimeZone::get(&spec.time_zone);
        let zone = zone.map_err(|_| PlanError::Window(spec.time_zone.clone(), "IANA time zone"))?;
        let days = if spec.days.is_empty() { &DaySpec::ALL[..] } else { &spec.days };
        let days = days.iter().map(|&day| Weekday::from(day));
        Ok(Window::new(days, time_of_day(&spec.from)?, time_of_day(&spec.to)?, zone)?)
    };
    Ok(specs.iter().map(window).collect::<Result<Vec<_>, PlanError>>()?.into())
}

fn time_of_day(text: &str) -> Result<Time, PlanError> {
    let parsed = || {
        let (hour, minute) = text.split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    parsed().ok_or_else(|| PlanError::Window(text.to_owned(), "time of the day, write it as 08:00"))
}

fn per_replica(amount: PerReplica) -> Result<LoadPerReplica, ScalingError> {
    LoadPerReplica::new(amount.get())
}

const fn field(field: &'static str, problem: &'static str) -> PlanError {
    PlanError::Field { field, problem }
}

impl From<ModeSpec> for Mode {
    fn from(mode: ModeSpec) -> Self {
        match mode {
            ModeSpec::Enforce => Self::Enforce,
            ModeSpec::Shadow => Self::Shadow,
        }
    }
}

impl From<CriticalitySpec> for Criticality {
    fn from(criticality: CriticalitySpec) -> Self {
        match criticality {
            CriticalitySpec::Critical => Self::Critical,
            CriticalitySpec::Standard => Self::Standard,
            CriticalitySpec::BestEffort => Self::BestEffort,
        }
    }
}

impl From<DaySpec> for Weekday {
    fn from(day: DaySpec) -> Self {
        match day {
            DaySpec::Mon => Self::Monday,
            DaySpec::Tue => Self::Tuesday,
            DaySpec::Wed => Self::Wednesday,
            DaySpec::Thu => Self::Thursday,
            DaySpec::Fri => Self::Friday,
            DaySpec::Sat => Self::Saturday,
            DaySpec::Sun => Self::Sunday,
        }
    }
}

#[cfg(test)]
mod tests;
