//! What is kept of a `HorizontalPodAutoscaler`.

use std::sync::Arc;

use k8s_openapi::{
    api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricTarget as WireTarget},
    apimachinery::pkg::api::resource::Quantity,
};
use kube_sci_cluster::objects::CpuMillis;
use sci_core::scaling::Tolerance;

use crate::policy::TargetRef;

/// Selects the metrics that KEDA feeds to the autoscalers it makes.
const KEDA_LABEL: &str = "scaledobject.keda.sh/name";

/// An autoscaler without what nobody here reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoscaler {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// What it scales.
    pub target: TargetRef,
    /// Least replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// What it scales by.
    pub metrics: Vec<(Metric, MetricTarget)>,
    /// Deviation that it tolerates before it adds replicas; `None` is the controller's.
    pub tolerance_up: Option<Tolerance>,
    /// Deviation that it tolerates before it removes replicas; `None` is the controller's.
    pub tolerance_down: Option<Tolerance>,
    /// Replicas by its status.
    pub current: Option<u32>,
    /// Replicas that it wants, by its status.
    pub desired: Option<u32>,
}

/// What a metric of an autoscaler is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metric {
    /// CPU or memory of pods or of one of their containers.
    Resource(Box<str>),
    /// One value per pod.
    Pods(Box<str>),
    /// One value of an object.
    Object(Box<Described>, Box<str>),
    /// Something outside.
    External(Box<str>),
    /// Something outside that KEDA asks for.
    Keda(Box<str>),
    /// A type that came later.
    Unknown(Box<str>),
}

/// The object that a metric describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// API group, empty for the core's.
    pub group: Box<str>,
    /// Kind.
    pub kind: Box<str>,
    /// Name.
    pub name: Box<str>,
}

/// Where a metric is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricTarget {
    /// The whole value, in thousandths.
    Value(u64),
    /// The value per replica, in thousandths.
    AverageValue(u64),
    /// Percent of what pods request.
    Utilization(u32),
    /// Not said, or not readable.
    None,
}

impl Autoscaler {
    /// From the object; `None` for one without a name.
    pub fn of(object: &HorizontalPodAutoscaler) -> Option<Self> {
        let spec = &object.spec;
        let behavior = spec.behavior.as_ref();
        let count = |count: i32| u32::try_from(count).unwrap_or(0);
        Some(Self {
            namespace: object.metadata.namespace.as_deref()?.into(),
            name: object.metadata.name.as_deref()?.into(),
            target: TargetRef {
                api_version: spec.scale_target_ref.api_version.clone().unwrap_or_default(),
                kind: spec.scale_target_ref.kind.clone(),
                name: spec.scale_target_ref.name.clone(),
            },
            min: spec.min_replicas.map_or(1, count),
            max: count(spec.max_replicas),
            metrics: spec.metrics.iter().flatten().map(metric).collect(),
            tolerance_up: tolerance(behavior.and_then(|behavior| behavior.scale_up.as_ref())),
            tolerance_down: tolerance(behavior.and_then(|behavior| behavior.scale_down.as_ref())),
            current: object.status.as_ref().and_then(|status| status.current_replicas).map(count),
            desired: object.status.as_ref().map(|status| count(status.desired_replicas)),
        })
    }

    /// Whether it scales this target. Versions of an API group are ways to look at the same thing.
    pub fn scales(&self, target: &TargetRef) -> bool {
        let group = |version: &str| version.rsplit_once('/').map_or("", |(group, _)| group).to_owned();
        self.target.kind == target.kind
            && self.target.name == target.name
            && group(&self.target.api_version) == group(&target.api_version)
    }
}

impl Metric {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Resource(name)
            | Self::Pods(name)
            | Self::Object(_, name)
            | Self::External(name)
            | Self::Keda(name)
            | Self::Unknown(name) => name,
        }
    }

    /// As in an autoscaler, for texts.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Resource(_) => "Resource",
            Self::Pods(_) => "Pods",
            Self::Object(..) => "Object",
            Self::External(_) | Self::Keda(_) => "External",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Name of the policy that it is a metric of.
    pub fn policy(&self) -> Option<&str> {
        let Self::Object(object, _) = self else { return None };
        let ours = *object.group == *crate::policy::GROUP && &*object.kind == "GreenScalingPolicy";
        ours.then_some(&*object.name)
    }

    /// Whether it is a metric of the policy of this name.
    pub fn describes_policy(&self, name: &str) -> bool {
        self.policy() == Some(name)
    }
}

fn metric(spec: &MetricSpec) -> (Metric, MetricTarget) {
    if let Some(resource) = &spec.resource {
        return (Metric::Resource(resource.name.as_str().into()), target(&resource.target));
    }
    if let Some(container) = &spec.container_resource {
        return (Metric::Resource(container.name.as_str().into()), target(&container.target));
    }
    if let Some(pods) = &spec.pods {
        return (Metric::Pods(pods.metric.name.as_str().into()), target(&pods.target));
    }
    if let Some(object) = &spec.object {
        let version = object.described_object.api_version.as_deref().unwrap_or_default();
        let described = Described {
            group: version.rsplit_once('/').map_or("", |(group, _)| group).into(),
            kind: object.described_object.kind.as_str().into(),
            name: object.described_object.name.as_str().into(),
        };
        return (Metric::Object(Box::new(described), object.metric.name.as_str().into()), target(&object.target));
    }
    if let Some(external) = &spec.external {
        let labels = external.metric.selector.as_ref().and_then(|selector| selector.match_labels.as_ref());
        let by_keda = labels.is_some_and(|labels| labels.contains_key(KEDA_LABEL));
        let name = external.metric.name.as_str().into();
        return (if by_keda { Metric::Keda(name) } else { Metric::External(name) }, target(&external.target));
    }
    (Metric::Unknown(spec.type_.as_str().into()), MetricTarget::None)
}

fn target(target: &WireTarget) -> MetricTarget {
    let millis = |quantity: &Quantity| CpuMillis::parse(&quantity.0).ok().map(|millis| millis.0);
    let percent = || target.average_utilization.and_then(|percent| u32::try_from(percent).ok());
    match target.type_.as_str() {
        "Value" => target.value.as_ref().and_then(millis).map_or(MetricTarget::None, MetricTarget::Value),
        "AverageValue" => {
            target.average_value.as_ref().and_then(millis).map_or(MetricTarget::None, MetricTarget::AverageValue)
        }
        "Utilization" => percent().map_or(MetricTarget::None, MetricTarget::Utilization),
        _ => MetricTarget::None,
    }
}

fn tolerance(rules: Option<&HPAScalingRules>) -> Option<Tolerance> {
    let quantity = rules.and_then(|rules| rules.tolerance.as_ref());
    let millis = quantity.and_then(|quantity| CpuMillis::parse(&quantity.0).ok());
    let share = millis.map(|millis| kube_sci_cluster::objects::float(millis.0) / 1_000.0);
    share.and_then(|share| Tolerance::new(share).ok())
}
