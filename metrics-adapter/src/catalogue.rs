//! Every metric that is served: one table, from which discovery, schemas and the reference page are made.

mod definitions;
mod discovery;
mod page;

use crate::names;

pub use self::{
    definitions::definitions,
    discovery::{Groups, groups},
    page::reference,
};

/// Group of metrics on objects.
pub const CUSTOM: &str = "custom.metrics.k8s.io";
/// Group of metrics of anything else.
pub const EXTERNAL: &str = "external.metrics.k8s.io";
/// The only version of [`EXTERNAL`].
pub const EXTERNAL_VERSION: &str = "v1beta1";

/// What a metric is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A `GreenScalingPolicy`.
    Policy,
    /// A node.
    Node,
    /// A namespace.
    Namespace,
    /// A pod.
    Pod,
    /// What pods belong to: a `Deployment`, a `StatefulSet` or any other kind that controls pods.
    Workload,
}

/// A metric on objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The load times the factor.
    AdjustedLoad,
    /// The load.
    Load,
    /// The factor.
    GreenFactor,
    /// Replicas without carbon.
    PlainReplicas,
    /// Replicas with carbon.
    GreenReplicas,
    /// The least intensity to come.
    ForecastMinIntensity,
    /// Intensity now.
    CarbonIntensity,
    /// Power now.
    PowerWatts,
    /// Carbon now.
    CarbonGramsPerHour,
    /// Carbon per functional unit.
    SciGramsPerUnit,
}

/// A metric of a grid zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExternalMetric {
    /// Intensity now.
    Intensity,
    /// The least intensity to come.
    ForecastMin,
    /// Where the intensity stands among those to come.
    Relative,
}

/// What a reader needs to know about a metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricDoc {
    /// Name.
    pub name: &'static str,
    /// What it is of; empty for external metrics.
    pub subjects: &'static [Subject],
    /// Unit.
    pub unit: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// How old it may be: an older one is no answer.
    pub stale_after: &'static str,
    /// Labels that `metricLabelSelector` (external: `labelSelector`) can ask for.
    pub labels: &'static [&'static str],
}

/// Energy is accounted for by window; a pod whose last window is older has left or is not metered.
const ENERGY_STALE: &str = "`energy.staleAfter`, at least three minutes";
const GRID_STALE: &str =
    "`grid.staleAfter`, by which time another link of the chain of sources answers if there is one";
const LOAD_STALE: &str = "the policy's `load.staleAfter`";
const ENERGY_SUBJECTS: &[Subject] = &[Subject::Node, Subject::Namespace, Subject::Pod, Subject::Workload];

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 5] = [Self::Policy, Self::Node, Self::Namespace, Self::Pod, Self::Workload];

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Node => "node",
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::Workload => "workload",
        }
    }
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 10] = [
        Self::AdjustedLoad,
        Self::Load,
        Self::GreenFactor,
        Self::PlainReplicas,
        Self::GreenReplicas,
        Self::ForecastMinIntensity,
        Self::CarbonIntensity,
        Self::PowerWatts,
        Self::CarbonGramsPerHour,
        Self::SciGramsPerUnit,
    ];

    /// The metric of a name, as written.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.doc().name == name)
    }

    /// Whether it is served on a subject.
    pub fn is_of(self, subject: Subject) -> bool {
        self.doc().subjects.contains(&subject)
    }

    /// Its documentation.
    pub const fn doc(self) -> MetricDoc {
        match self {
            Self::AdjustedLoad => of_policies(
                names::CARBON_ADJUSTED_LOAD,
                "unit of the load",
                "The load times the factor, which is what an autoscaler is to divide by T. Of a batch: the rate at which \
                 its queue is to be worked off now",
                LOAD_STALE,
            ),
            Self::Load => of_policies(names::LOAD, "unit of the load", "The load as its source has it", LOAD_STALE),
            Self::GreenFactor => of_policies(
                names::GREEN_FACTOR,
                "1",
                "What the load is multiplied with: 1 without throttling, never below T/S. 1 where carbon is not known",
                "the present decision, made every second",
            ),
            Self::PlainReplicas => of_policies(
                names::PLAIN_REPLICAS,
                "replicas",
                "Replicas that the load would get without carbon: `ceil(L / T)`, before the autoscaler's own limits",
                LOAD_STALE,
            ),
            Self::GreenReplicas => of_policies(
                names::GREEN_REPLICAS,
                "replicas",
                "Replicas that it gets with carbon, in shadow too: `ceil(L * factor / T)`, never below `ceil(L / S)`",
                LOAD_STALE,
            ),
            Self::ForecastMinIntensity => of_policies(
                names::FORECAST_MIN_INTENSITY,
                "gCO2e/kWh",
                "The least intensity that is forecast where the workload runs",
                "the present forecast",
            ),
            Self::CarbonIntensity => MetricDoc {
                name: names::CARBON_INTENSITY,
                subjects: &Subject::ALL,
                unit: "gCO2e/kWh",
                meaning: "Intensity of the electricity: of the node's grid zone; of anything with pods the mean over \
                          their nodes",
                stale_after: GRID_STALE,
                labels: &["zone", "link", "quality"],
            },
            Self::PowerWatts => MetricDoc {
                name: names::POWER_WATTS,
                subjects: ENERGY_SUBJECTS,
                unit: "W",
                meaning: "Power: of a node by its meter or power curve; of a pod its work and its part of the node's \
                          idle power; of the rest the sum over their pods",
                stale_after: ENERGY_STALE,
                labels: &["quality"],
            },
            Self::CarbonGramsPerHour => MetricDoc {
                name: names::CARBON_GRAMS_PER_HOUR,
                subjects: ENERGY_SUBJECTS,
                unit: "gCO2e/h",
                meaning: "Carbon at the present rate, operational (with the overhead of the site) and embodied",
                stale_after: ENERGY_STALE,
                labels: &["quality"],
            },
            Self::SciGramsPerUnit => MetricDoc {
                name: names::SCI_GRAMS_PER_UNIT,
                subjects: &Subject::ALL,
                unit: "gCO2e per functional unit",
                meaning: "Software Carbon Intensity at the present rate. The functional unit is an hour of one \
                          requested core; of a policy an hour of one unit of its load, such as 3,600 requests",
                stale_after: ENERGY_STALE,
                labels: &["functional_unit", "quality"],
            },
        }
    }
}

impl ExternalMetric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Intensity, Self::ForecastMin, Self::Relative];

    /// The metric of a name, in whatever case: clients lower it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.doc().name.eq_ignore_ascii_case(name))
    }

    /// Its documentation.
    pub const fn doc(self) -> MetricDoc {
        let (name, unit, meaning, stale_after) = match self {
            Self::Intensity => (names::GRID_CARBON_INTENSITY, "gCO2e/kWh", "Intensity of a grid zone now", GRID_STALE),
            Self::ForecastMin => (
                names::GRID_CARBON_FORECAST_MIN,
                "gCO2e/kWh",
                "The least intensity of a grid zone that is forecast for the next 24 hours",
                "the present forecast",
            ),
            Self::Relative => (
                names::GRID_CARBON_RELATIVE,
                "1",
                "Where the intensity of a grid zone stands now between the least (0) and the greatest (1) of now and \
                 the next 24 hours; where nothing is forecast, of now and the last seven days (`basis` says which), of \
                 which 48 hours must be known",
                "the present forecast, else as the intensity",
            ),
        };
        let labels: &[&str] = match self {
            Self::Relative => &["zone", "provider", "region", "link", "quality", "basis"],
            _ => &["zone", "provider", "region", "link", "quality"],
        };
        MetricDoc { name, subjects: &[], unit, meaning, stale_after, labels }
    }
}

const fn of_policies(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    stale_after: &'static str,
) -> MetricDoc {
    MetricDoc { name, subjects: &[Subject::Policy], unit, meaning, stale_after, labels: &["mode"] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_catalogue_once_and_can_be_asked_for() {
        let custom = Metric::ALL.map(|metric| metric.doc().name);
        let external = ExternalMetric::ALL.map(|metric| metric.doc().name);
        let mut all: Vec<&str> = custom.into_iter().chain(external).collect();
        all.sort_unstable();
        let mut names = names::ALL.to_vec();
        names.sort_unstable();
        assert_eq!(all, names);
        for name in all {
            // Clients lower the names of external metrics, and some escape nothing.
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.doc().name), Some(metric));
        }
        assert_eq!(ExternalMetric::named("GRID_carbon_relative"), Some(ExternalMetric::Relative));
        assert_eq!(Metric::named("Load"), None);
    }
}
