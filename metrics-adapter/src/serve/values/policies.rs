//! Metrics on policies: what an autoscaler reads.

use std::{borrow::Cow, sync::Arc};

use kube_sci_cluster::objects::Workload;
use sci_core::scaling::Mode;

use super::{Absent, Raw, Value, View, energy::grams};
use crate::{
    catalogue::Metric,
    table::{PolicyState, Served},
};

impl<'a> View<'a> {
    pub(super) fn policy(&self, metric: Metric, policy: &'a Arc<PolicyState>) -> Result<Value<'a>, Absent> {
        let served = match metric {
            Metric::AdjustedLoad => policy.adjusted_load(self.now),
            Metric::Load => policy.plain_load(self.now),
            Metric::GreenFactor => policy.green_factor(),
            Metric::ForecastMinIntensity => policy.forecast_min_intensity(),
            Metric::PlainReplicas => self.replicas(policy, |replicas| replicas.plain),
            Metric::GreenReplicas => self.replicas(policy, |replicas| replicas.green),
            Metric::CarbonIntensity => return Self::policy_intensity(policy)?.checked(),
            Metric::SciGramsPerUnit => return self.grams_per_unit(policy)?.checked(),
            Metric::PowerWatts | Metric::CarbonGramsPerHour => Err("it is no metric of policies".to_owned()),
        };
        let Served { value: number, at } = served.map_err(Absent::Cause)?;
        Raw { number, at, window: None, labels: vec![("mode", mode(policy).into())] }.checked()
    }

    fn replicas(
        &self,
        policy: &PolicyState,
        of: impl FnOnce(sci_core::scaling::Replicas) -> u32,
    ) -> Result<Served, String> {
        let replicas = policy.replicas_by_rule(self.now)?;
        Ok(Served { value: f64::from(of(replicas)), at: policy.decided_at })
    }

    fn policy_intensity(policy: &'a PolicyState) -> Result<Raw<'a>, Absent> {
        let Served { value: number, at } = policy.carbon_intensity().map_err(Absent::Cause)?;
        let zones = policy.intensity.as_ref().map(|intensity| &intensity.zones);
        let zones = zones.map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = zones.iter().map(|zone| zone.zone.as_str()).collect();
        let mut labels = vec![("zone", Cow::from(names.join(",")))];
        if let Some(first) = zones.first() {
            labels.extend([("link", first.link.into()), ("quality", first.quality.into())]);
        }
        Ok(Raw { number, at, window: None, labels })
    }

    /// Carbon of the target's pods, for an hour of one unit of load.
    fn grams_per_unit(&self, policy: &'a PolicyState) -> Result<Raw<'a>, Absent> {
        let load = policy.fresh_load(self.now).map_err(Absent::Cause)?.sample.value;
        let spec = policy.spec.as_ref().ok_or_else(|| Absent::cause("the policy cannot be read"))?;
        let target = Workload {
            namespace: Arc::clone(&policy.key.namespace),
            kind: spec.target_ref.kind.as_str().into(),
            name: spec.target_ref.name.as_str().into(),
        };
        let sum = self.rate_sum(self.rates.workload(target.key())).map_err(|absent| match absent {
            Absent::NoObject => Absent::Cause(format!("{target} has no running pods")),
            other => other,
        })?;
        if load <= 0.0 {
            return Err(Absent::cause("there is no load: nothing to divide its carbon by"));
        }
        let unit = format!("{}*hour", spec.load.unit);
        Ok(Raw {
            number: grams(&sum)? / load,
            at: sum.at,
            window: Some(sum.window),
            labels: vec![("functional_unit", unit.into()), ("quality", sum.quality.into())],
        })
    }
}

/// Whether the policy acts.
pub(crate) fn mode(policy: &PolicyState) -> &'static str {
    match policy.plan.as_ref().map(|plan| plan.mode()) {
        Ok(Mode::Enforce) => "enforce",
        Ok(Mode::Shadow) => "shadow",
        Err(_) => "invalid",
    }
}
