//! Policies and what they decide.

use std::{sync::Arc, time::Duration};

use kube_sci_metrics_adapter::{
    autoscaler::AutoscalerReport,
    policy::{GreenScalingPolicySpec, Plan, Work},
    table::{
        IntensityProblem, IntensityState, LoadReading, LoadState, Outcome, PlacementBasis, PolicyKey, PolicyState,
        Problem, ZoneShare,
    },
};
use sci_core::{
    intensity::{Quality, Zone},
    quantity::{GramsPerKwh, Share},
    scaling::{Carbon, Governor, Inputs, LoadError, LoadSample, NoCarbon, Tightening},
};
use serde_json::{Value, json};

use super::now;

/// A policy to be described in a few words: T 100, S 125, factor 0.7 from 400 g on, of the Deployment `web`.
pub struct Policy {
    name: &'static str,
    spec: Value,
    load: Option<(f64, Duration)>,
    problem: Option<&'static str>,
    intensity: Result<f64, IntensityProblem>,
}

impl Policy {
    /// A load of 1000 at 450 g.
    pub fn new(name: &'static str) -> Self {
        let spec = json!({
            "targetRef": { "name": "web" },
            "load": { "prometheus": { "query": "sum(rate(requests[1m]))" } },
            "targetPerReplica": "100", "sloGuardPerReplica": "125",
            "curve": { "steps": [{ "atOrAbove": 400, "factor": 0.7 }] },
        });
        Self { name, spec, load: Some((1_000.0, Duration::from_secs(5))), problem: None, intensity: Ok(450.0) }
    }

    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.spec[key] = value;
        self
    }

    pub fn load(mut self, value: f64, age: Duration) -> Self {
        self.load = Some((value, age));
        self
    }

    pub fn no_load(mut self, problem: &'static str) -> Self {
        (self.load, self.problem) = (None, Some(problem));
        self
    }

    pub fn intensity(mut self, intensity: Result<f64, IntensityProblem>) -> Self {
        self.intensity = intensity;
        self
    }

    pub fn state(self) -> PolicyState {
        let spec: GreenScalingPolicySpec = serde_json::from_value(self.spec).unwrap();
        let plan = Plan::new(&spec);
        let sample = self.load.map(|(value, age)| LoadSample { value, at: now() - age });
        let intensity = self.intensity.map(|value| Arc::new(known(value)));
        let outcome = plan.as_ref().ok().map(|plan| {
            let Work::Service(policy) = &plan.work else { panic!("no batch here") };
            let inputs = Inputs {
                now: now(),
                load: sample.ok_or(LoadError::Missing),
                carbon: intensity.as_ref().map(|intensity| intensity.carbon).map_err(|_| NoCarbon::Missing),
                history: None,
                tightening: Tightening::NONE,
            };
            Arc::new(Outcome::Service(Governor::new().decide(policy, &inputs)))
        });
        let reading = |sample| LoadReading { sample, source: "prometheus default".into(), warning: None };
        let problem = |text: &str| Problem { kind: "refused", text: text.into(), since: now() };
        PolicyState {
            key: PolicyKey::new("shop", self.name),
            uid: format!("uid-{}", self.name).into(),
            generation: 1,
            spec: Some(Arc::new(spec)),
            plan: plan.map(Arc::new).map_err(|error| error.to_string().into()),
            load: LoadState { reading: sample.map(reading), problem: self.problem.map(problem) },
            intensity,
            outcome,
            decided_at: now(),
            autoscaler: Arc::new(AutoscalerReport::default()),
            replicas: Some(10),
            budget: None,
            saving: None,
            stored: Arc::default(),
        }
    }
}

fn known(value: f64) -> IntensityState {
    let intensity = GramsPerKwh::new(value).unwrap();
    let age = Duration::from_secs(30);
    IntensityState {
        carbon: Carbon { intensity, quality: Quality::Measured, confidence: Share::ALL, age },
        zones: vec![ZoneShare {
            zone: Zone::new("DE").unwrap(),
            share: Share::ALL,
            intensity,
            link: "live",
            quality: "measured",
            source: "test".into(),
            age,
        }],
        basis: PlacementBasis::Pods,
        forecast_min: Some((now() + Duration::from_hours(3), GramsPerKwh::new(120.0).unwrap())),
    }
}
