//! Whether an autoscaler is set up as the policy means it.

use std::{fmt::Write, sync::Arc};

use sci_core::scaling::{Thresholds, Tolerance};

use super::{Autoscaler, AutoscalerReport, Finding, FindingKind, Metric, MetricTarget};
use crate::{
    names,
    policy::{MetricType, Plan, SourceSpec, TargetRef, Work},
};

/// Numbers that differ by less than this share mean the same.
const SAME: f64 = 0.005;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Linted<'a> {
    /// Name of the policy.
    pub name: &'a str,
    /// What it scales.
    pub target: &'a TargetRef,
    /// What it says.
    pub plan: &'a Plan,
    /// The controller's `--horizontal-pod-autoscaler-tolerance`, of autoscalers that have none of their own.
    pub tolerance: Tolerance,
}

/// Looks at every autoscaler of the policy's namespace.
pub fn lint<'a>(policy: &Linted<'_>, autoscalers: impl Iterator<Item = &'a Autoscaler> + Clone) -> AutoscalerReport {
    let reads = |autoscaler: &Autoscaler| autoscaler.metrics.iter().any(|(metric, _)| policy.is_served(metric));
    let readers: Vec<&Autoscaler> = autoscalers.clone().filter(|autoscaler| reads(autoscaler)).collect();
    let on_target: Vec<&Autoscaler> = autoscalers.filter(|autoscaler| autoscaler.scales(policy.target)).collect();
    // Of several readers the one of the target counts.
    let reader = readers.iter().find(|reader| reader.scales(policy.target)).or(readers.first()).copied();
    let chosen = reader.or(on_target.first().copied());
    let mut found = Findings::default();
    if on_target.len() > 1 {
        let names: Vec<&str> = on_target.iter().map(|autoscaler| &*autoscaler.name).collect();
        found.add(
            FindingKind::SeveralAutoscalers,
            format!("{} scale the same workload and undo each other's work: keep one", names.join(" and ")),
        );
    }
    let guarded = match (reader, chosen) {
        (Some(reader), _) => policy.check(reader, &mut found),
        (None, Some(other)) => policy.check_other(other, &mut found),
        (None, None) => {
            let text = format!("no autoscaler of {} {} reads the policy", policy.target.kind, policy.target.name);
            found.add(FindingKind::NoAutoscaler, text);
            false
        }
    };
    policy.check_itself(chosen, &mut found);
    let names = chosen.iter().chain(readers.iter()).chain(on_target.iter()).map(|autoscaler| &autoscaler.name);
    AutoscalerReport {
        names: names.fold(Vec::new(), |mut names: Vec<Arc<str>>, name| {
            if !names.contains(name) {
                names.push(Arc::clone(name));
            }
            names
        }),
        reads_policy: reader.is_some(),
        guarded,
        limits: chosen.map(|autoscaler| (autoscaler.min, autoscaler.max)),
        current_replicas: chosen.and_then(|autoscaler| autoscaler.current),
        desired_replicas: chosen.and_then(|autoscaler| autoscaler.desired),
        findings: found.sorted(),
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: FindingKind, text: String) {
        self.0.push(Finding { kind, text: text.into() });
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| (finding.kind.severity(), finding.kind));
        self.0
    }
}

impl Linted<'_> {
    /// Whether a metric is what the policy is there for.
    fn is_served(&self, metric: &Metric) -> bool {
        metric.describes_policy(self.name) && metric.name() == names::CARBON_ADJUSTED_LOAD
    }

    /// The autoscaler that reads the policy. Whether it has a guard.
    fn check(&self, autoscaler: &Autoscaler, found: &mut Findings) -> bool {
        if !autoscaler.scales(self.target) {
            let (theirs, ours) = (&autoscaler.target, self.target);
            found.add(
                FindingKind::OtherTarget,
                format!(
                    "{} scales {} {}, the policy is about {} {}",
                    autoscaler.name, theirs.kind, theirs.name, ours.kind, ours.name
                ),
            );
        }
        for (metric, target) in &autoscaler.metrics {
            if self.is_served(metric) {
                self.check_target(*target, found);
            }
        }
        check_intensities(autoscaler, found);
        self.check_range(autoscaler, found);
        match &self.plan.work {
            Work::Batch(_) => true,
            Work::Service(policy) => self.check_guard(autoscaler, &policy.thresholds, found),
        }
    }

    /// An autoscaler of the target that does not read the policy.
    fn check_other(&self, autoscaler: &Autoscaler, found: &mut Findings) -> bool {
        check_intensities(autoscaler, found);
        if autoscaler.metrics.iter().any(|(metric, _)| matches!(metric, Metric::Keda(_))) {
            let text = format!("{} is made by KEDA: whether it reads the policy cannot be seen here", autoscaler.name);
            found.add(FindingKind::ThroughKeda, text);
            return autoscaler.metrics.len() > 1;
        }
        found.add(
            FindingKind::NoAutoscaler,
            format!(
                "{} does not read the policy: give it the Object metric {} of GreenScalingPolicy {} with averageValue {}",
                autoscaler.name,
                names::CARBON_ADJUSTED_LOAD,
                self.name,
                self.plan.target()
            ),
        );
        false
    }

    fn check_target(&self, target: MetricTarget, found: &mut Findings) {
        let wanted = self.plan.target().get();
        match target {
            MetricTarget::AverageValue(millis) if is_same(number(millis), wanted) => {}
            MetricTarget::AverageValue(millis) => found.add(
                FindingKind::TargetMismatch,
                format!("averageValue is {}, the policy's target is {wanted}", number(millis)),
            ),
            _ => found.add(
                FindingKind::ValueTarget,
                format!("the target of {} must be AverageValue {wanted}", names::CARBON_ADJUSTED_LOAD),
            ),
        }
    }

    fn check_range(&self, autoscaler: &Autoscaler, found: &mut Findings) {
        if autoscaler.min >= autoscaler.max {
            let text = format!("minReplicas and maxReplicas are both {}: there is nothing to scale", autoscaler.max);
            found.add(FindingKind::NoRange, text);
        }
        if let Work::Batch(batch) = &self.plan.work
            && autoscaler.max < batch.max_replicas
        {
            let (has, counts) = (autoscaler.max, batch.max_replicas);
            let text = format!("maxReplicas is {has}, the plan counts on {counts}: deadlines may be missed");
            found.add(FindingKind::BatchLimit, text);
        }
    }

    /// Whether the autoscaler has a guard.
    fn check_guard(&self, autoscaler: &Autoscaler, thresholds: &Thresholds, found: &mut Findings) -> bool {
        let others = autoscaler.metrics.iter().filter(|(metric, _)| !self.is_served(metric) && !is_intensity(metric));
        let (mut guards, mut independent) = (0, 0);
        for (metric, target) in others {
            let here = self.is_here(metric);
            if let MetricTarget::AverageValue(millis) = target
                && let Some((kind, text)) = self.judge(metric, number(*millis), autoscaler, thresholds)
            {
                // What asks for more than the policy ever does, holds replicas up, but leaves no room for carbon.
                found.add(kind, text);
            }
            guards += 1;
            independent += i32::from(!here);
        }
        if guards == 0 {
            // A quantity has three decimals. Rounded down it is still a guard.
            let guard = (thresholds.guard().get() * 1_000.0).floor() / 1_000.0;
            let text = format!(
                "{} has no metric but {}: add one with the target {guard}, best from another source",
                autoscaler.name,
                names::CARBON_ADJUSTED_LOAD
            );
            found.add(FindingKind::GuardMissing, text);
        } else if independent == 0 {
            let text = "the guard is served by this adapter too: one from another source still works when it is down";
            found.add(FindingKind::GuardFromHere, text.to_owned());
        }
        self.check_tolerance(autoscaler, thresholds, found);
        guards > 0
    }

    /// What is wrong with a metric beside the policy's.
    fn judge(
        &self,
        metric: &Metric,
        value: f64,
        autoscaler: &Autoscaler,
        thresholds: &Thresholds,
    ) -> Option<(FindingKind, String)> {
        let (target, guard) = (thresholds.target().get(), thresholds.guard().get());
        let same_unit = self.is_same_metric(metric);
        let what = format!("{} {} has averageValue {value}", metric.kind(), metric.name());
        let margin = self.margin(autoscaler);
        if is_same(value, target) {
            let text = format!("{what}, the policy's own target {target}: it asks for the replicas of the plain load");
            return Some((FindingKind::PlainMetricAtTarget, text));
        }
        if same_unit && value < target {
            let text =
                format!("{what}, below the policy's target {target}: it asks for more replicas than the plain load");
            return Some((FindingKind::GuardNotAboveTarget, text));
        }
        if value > target && value <= target * (1.0 + margin) {
            let text = format!("{what}, within the autoscaler's tolerance of the target {target}");
            return Some((FindingKind::GuardWithinTolerance, text));
        }
        if same_unit && !is_same(value, guard) {
            return Some((FindingKind::GuardMismatch, format!("{what}, the policy's guard is {guard}")));
        }
        None
    }

    /// The wider one of the tolerances up and down.
    fn margin(&self, autoscaler: &Autoscaler) -> f64 {
        let of = |own: Option<Tolerance>| own.unwrap_or(self.tolerance).get();
        of(autoscaler.tolerance_down).max(of(autoscaler.tolerance_up))
    }

    fn check_tolerance(&self, autoscaler: &Autoscaler, thresholds: &Thresholds, found: &mut Findings) {
        let (target, guard) = (thresholds.target().get(), thresholds.guard().get());
        let tolerance = self.margin(autoscaler);
        if guard <= target * (1.0 + tolerance) {
            let text = format!(
                "target {target} and guard {guard} are within the tolerance of {tolerance} that {} has",
                autoscaler.name
            );
            found.add(FindingKind::GuardWithinTolerance, text);
        }
        let usual = self.tolerance.get();
        if let Some(up) = autoscaler.tolerance_up.map(Tolerance::get).filter(|up| *up > usual) {
            let most = guard * (1.0 + up);
            let text = format!(
                "with a tolerance of {up} replicas are added only above {most} each, the guard {guard} allows for {usual}"
            );
            found.add(FindingKind::GuardMismatch, text);
        }
    }

    /// Whether a metric counts the same as the policy's load.
    fn is_same_metric(&self, metric: &Metric) -> bool {
        if metric.describes_policy(self.name) && metric.name() == names::LOAD {
            return true;
        }
        let SourceSpec::Metric(source) = &self.plan.load.source else { return false };
        let same_type = match metric {
            Metric::Resource(_) => source.metric_type == MetricType::Resource,
            Metric::Pods(_) => source.metric_type == MetricType::Pods,
            Metric::Object(..) => source.metric_type == MetricType::Object,
            Metric::External(_) | Metric::Keda(_) => source.metric_type == MetricType::External,
            Metric::Unknown(_) => false,
        };
        same_type && source.name == metric.name()
    }

    fn is_here(&self, metric: &Metric) -> bool {
        metric.describes_policy(self.name) || (!matches!(metric, Metric::Resource(_)) && names::is_ours(metric.name()))
    }

    /// What is odd about the policy, with or without an autoscaler.
    fn check_itself(&self, autoscaler: Option<&Autoscaler>, found: &mut Findings) {
        if self.plan.load.source.saturates() {
            let text =
                "the load is how busy replicas are: it stops rising when there are too few of them. Scale by demand";
            found.add(FindingKind::LoadSaturates, text.to_owned());
        }
        let Work::Service(policy) = &self.plan.work else { return };
        let tolerance = autoscaler.and_then(|autoscaler| autoscaler.tolerance_down).unwrap_or(self.tolerance);
        let warnings = policy.curve.warnings(&policy.thresholds, tolerance);
        let mut text = String::new();
        for warning in &warnings {
            let _ = write!(text, "{}{warning}", if text.is_empty() { "" } else { "; " });
        }
        if !text.is_empty() {
            found.add(FindingKind::CurveShape, text);
        }
    }
}

fn check_intensities(autoscaler: &Autoscaler, found: &mut Findings) {
    for (metric, _) in autoscaler.metrics.iter().filter(|(metric, _)| is_intensity(metric)) {
        let text = format!(
            "{} is a target of {}: replicas do not change how dirty electricity is, so it runs to one of its limits",
            metric.name(),
            autoscaler.name
        );
        found.add(FindingKind::RawIntensity, text);
    }
}

fn is_intensity(metric: &Metric) -> bool {
    !matches!(metric, Metric::Resource(_))
        && names::INTENSITIES.iter().any(|name| name.eq_ignore_ascii_case(metric.name()))
}

fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME * other.abs()
}

/// Thousandths as the number they are.
fn number(millis: u64) -> f64 {
    kube_sci_cluster::objects::float(millis) / 1_000.0
}

#[cfg(test)]
mod tests;
