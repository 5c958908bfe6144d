//! What every policy does at present, read at scrape time. Series are bounded by policies.

use std::{collections::BTreeSet, fmt, sync::Arc};

use jiff::Timestamp;
use kube_sci_report::encode::{Series, count, flag, float, gauge};
use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};
use sci_core::scaling::ClampReason;

use crate::{
    serve::values::mode,
    table::{PolicyState, PolicyTable, PolicyTableHandle},
};

const LOAD: Spec = of_policy(
    "kube_sci_policy_load",
    &["namespace", "policy", "unit"],
    "Load of a policy, where it is known and fresh",
);
const LOAD_AGE: Spec = Spec {
    name: "kube_sci_policy_load_age",
    unit: Some(Unit::Seconds),
    labels: &["namespace", "policy"],
    help: "Time since the load of a policy was sampled",
};
const ADJUSTED: Spec = of_policy(
    "kube_sci_policy_adjusted_load",
    &["namespace", "policy", "unit"],
    "What is served as carbon_adjusted_load, for KEDA and whoever reads Prometheus in place of the metrics API",
);
const GREEN: Spec = of_policy(
    "kube_sci_policy_green_factor",
    &["namespace", "policy"],
    "Factor of a policy after curve, guard and damping, in shadow too",
);
const EFFECTIVE: Spec = of_policy(
    "kube_sci_policy_effective_factor",
    &["namespace", "policy"],
    "Factor of a policy that is applied: 1 in shadow",
);
const INTENSITY: Spec = of_policy(
    "kube_sci_policy_intensity_grams_per_kwh",
    &["namespace", "policy"],
    "Carbon intensity where the workload of a policy runs, in gCO2e/kWh",
);
const REPLICAS: Spec = of_policy(
    "kube_sci_policy_replicas",
    &["namespace", "policy", "rule"],
    "Replicas by the plain load, by the adjusted load (green), by the guard (floor), and as there are (current)",
);
const CLAMP: Spec = of_policy(
    "kube_sci_policy_clamp",
    &["namespace", "policy", "clamp"],
    "1 for what had the last word on the factor of a policy",
);
const SAVED: Spec = of_policy(
    "kube_sci_policy_saved_grams_per_hour",
    &["namespace", "policy"],
    "Estimated gCO2e per hour that a policy avoids at present; /explain says what the estimate is worth",
);
const FINDING: Spec = of_policy(
    "kube_sci_policy_finding",
    &["namespace", "policy", "finding", "severity"],
    "1 for each thing that is wrong (error) or odd (warning) with the autoscaler of a policy",
);
const POLICIES: Spec = of_policy(
    "kube_sci_policies",
    &["mode", "state"],
    "Policies by mode and by whether a value is served or the load is missing, stale or refused",
);
const GENERATION: Spec = of_policy("kube_sci_policy_table_generation", &[], "Tables of policies published since start");
const TABLE_AGE: Spec = Spec {
    name: "kube_sci_policy_table_age",
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "Time since the table of policies was published",
};
const LEADING: Spec =
    of_policy("kube_sci_adapter_leading", &[], "1 in the replica that writes statuses and events at present");

const ALL: [Spec; 14] = [
    LOAD, LOAD_AGE, ADJUSTED, GREEN, EFFECTIVE, INTENSITY, REPLICAS, CLAMP, SAVED, FINDING, POLICIES, GENERATION,
    TABLE_AGE, LEADING,
];

const MODES: [&str; 3] = ["enforce", "shadow", "invalid"];

const fn of_policy(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Spec {
    Spec { name, unit: None, labels, help }
}

/// Registers the figures of every policy.
pub fn register(registry: &MetricsRegistry, policies: &PolicyTableHandle, clock: fn() -> Timestamp) {
    let collector = Figures { policies: policies.clone(), clock };
    registry.register_collector(Box::new(collector), ALL.map(|spec| (spec, MetricType::Gauge)));
}

#[derive(Debug)]
struct Figures {
    policies: PolicyTableHandle,
    clock: fn() -> Timestamp,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (table, now) = (self.policies.load_full(), (self.clock)());
        loads(&mut encoder, &table, now)?;
        factors(&mut encoder, &table)?;
        replicas(&mut encoder, &table, now)?;
        findings(&mut encoder, &table)?;
        gauge(&mut encoder, &POLICIES, |series| states(&table, now, series))?;
        gauge(&mut encoder, &GENERATION, |series| series(&[], float(table.generation)))?;
        gauge(&mut encoder, &TABLE_AGE, |series| {
            // Before the first table there is none that could be old.
            let age = if table.generation == 0 { 0.0 } else { now.duration_since(table.at).as_secs_f64().max(0.0) };
            series(&[], age)
        })?;
        gauge(&mut encoder, &LEADING, |series| series(&[], flag(table.leading)))
    }
}

fn loads(encoder: &mut DescriptorEncoder, table: &PolicyTable, now: Timestamp) -> fmt::Result {
    gauge(encoder, &LOAD, |series| {
        each(table, |policy| {
            let (Ok(load), Ok(plan)) = (policy.plain_load(now), &policy.plan) else { return Ok(()) };
            series(&[namespace(policy), name(policy), ("unit", &plan.load.unit)], load.value)
        })
    })?;
    gauge(encoder, &LOAD_AGE, |series| {
        each(table, |policy| {
            let Some(reading) = &policy.load.reading else { return Ok(()) };
            series(&[namespace(policy), name(policy)], reading.sample.age(now).as_secs_f64())
        })
    })?;
    gauge(encoder, &ADJUSTED, |series| {
        each(table, |policy| {
            let (Ok(load), Ok(plan)) = (policy.adjusted_load(now), &policy.plan) else { return Ok(()) };
            series(&[namespace(policy), name(policy), ("unit", &plan.load.unit)], load.value)
        })
    })
}

fn factors(encoder: &mut DescriptorEncoder, table: &PolicyTable) -> fmt::Result {
    gauge(encoder, &GREEN, |series| {
        each(table, |policy| match policy.decision() {
            Some(decision) => series(&[namespace(policy), name(policy)], decision.computed.get()),
            None => Ok(()),
        })
    })?;
    gauge(encoder, &EFFECTIVE, |series| {
        each(table, |policy| match policy.decision() {
            Some(decision) => series(&[namespace(policy), name(policy)], decision.effective.get()),
            None => Ok(()),
        })
    })?;
    gauge(encoder, &INTENSITY, |series| {
        each(table, |policy| match &policy.intensity {
            Ok(intensity) => series(&[namespace(policy), name(policy)], intensity.carbon.intensity.get()),
            Err(_) => Ok(()),
        })
    })?;
    gauge(encoder, &CLAMP, |series| {
        each(table, |policy| {
            let Some(decision) = policy.decision() else { return Ok(()) };
            ClampReason::ALL.into_iter().try_for_each(|clamp| {
                let labels = [namespace(policy), name(policy), ("clamp", clamp.as_str())];
                series(&labels, flag(clamp == decision.clamp))
            })
        })
    })
}

fn replicas(encoder: &mut DescriptorEncoder, table: &PolicyTable, now: Timestamp) -> fmt::Result {
    gauge(encoder, &REPLICAS, |series| {
        each(table, |policy| {
            let mut rule = |rule: &str, replicas: u32| {
                series(&[namespace(policy), name(policy), ("rule", rule)], f64::from(replicas))
            };
            if let Ok(replicas) = policy.replicas_by_rule(now) {
                rule("plain", replicas.plain)?;
                rule("green", replicas.green)?;
                rule("floor", replicas.floor)?;
            }
            policy.replicas.map_or(Ok(()), |current| rule("current", current))
        })
    })?;
    gauge(encoder, &SAVED, |series| {
        each(table, |policy| match &policy.saving {
            Some(saving) => series(&[namespace(policy), name(policy)], saving.grams_per_hour.get()),
            None => Ok(()),
        })
    })
}

fn findings(encoder: &mut DescriptorEncoder, table: &PolicyTable) -> fmt::Result {
    gauge(encoder, &FINDING, |series| {
        each(table, |policy| {
            // Two findings of one kind are one series.
            let kinds: BTreeSet<_> = policy.autoscaler.findings.iter().map(|finding| finding.kind).collect();
            kinds.into_iter().try_for_each(|kind| {
                let (finding, severity) = (("finding", kind.as_str()), ("severity", kind.severity().as_str()));
                series(&[namespace(policy), name(policy), finding, severity], 1.0)
            })
        })
    })
}

fn states(table: &PolicyTable, now: Timestamp, series: &mut Series<'_>) -> fmt::Result {
    for of in MODES {
        let matching = || table.policies().filter(|policy| mode(policy) == of);
        let served = matching().filter(|policy| policy.adjusted_load(now).is_ok()).count();
        let failing = matching().count().saturating_sub(served);
        series(&[("mode", of), ("state", "served")], count(served))?;
        series(&[("mode", of), ("state", "failing")], count(failing))?;
    }
    Ok(())
}

fn each(table: &PolicyTable, write: impl FnMut(&PolicyState) -> fmt::Result) -> fmt::Result {
    table.policies().map(Arc::as_ref).try_for_each(write)
}

fn namespace(policy: &PolicyState) -> (&'static str, &str) {
    ("namespace", &policy.key.namespace)
}

fn name(policy: &PolicyState) -> (&'static str, &str) {
    ("policy", &policy.key.name)
}
