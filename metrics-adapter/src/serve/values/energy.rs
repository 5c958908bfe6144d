//! Power and carbon of nodes, pods and what they belong to.

use std::time::Duration;

use kube_sci_cluster::{energy::PowerQuality, snapshot::NodeRecord};
use sci_core::{quantity::Share, sci::EmbodiedCarbon};

use super::{Absent, Object, Raw, View};
use crate::{
    catalogue::Metric,
    serve::rates::{NoSum, Rate, Sum, age, latest_of},
};

/// The functional unit that is always known.
const CORE_HOUR: &str = "core-hour";
const HOUR: Duration = Duration::from_hours(1);

impl<'a> View<'a> {
    pub(super) fn energy(&self, metric: Metric, object: Object<'a>) -> Result<Raw<'a>, Absent> {
        let sum = match object {
            Object::Node(name) => self.node_sum(name, metric)?,
            Object::Pod(namespace, pod) => self.pod_sum(namespace, pod)?,
            Object::Workload(workload) => self.rate_sum(self.rates.workload(workload.key()))?,
            Object::Namespace(name) => self.rate_sum(self.rates.namespace(name))?,
            Object::Policy(_) => return Err(Absent::NoObject),
        };
        let mut labels = vec![("quality", sum.quality.into())];
        let number = match metric {
            Metric::PowerWatts => sum.watts,
            Metric::SciGramsPerUnit => {
                labels.insert(0, ("functional_unit", CORE_HOUR.into()));
                per_core_hour(&sum)?
            }
            _ => grams(&sum)?,
        };
        let window = Some(sum.window).filter(|window| !window.is_zero());
        Ok(Raw { number, at: sum.at, window, labels })
    }

    /// The sum over the pods of a workload or namespace.
    pub(super) fn rate_sum(&self, rate: Option<&Rate>) -> Result<Sum, Absent> {
        let rate = rate.ok_or(Absent::NoObject)?;
        rate.sum(self.limits.energy, self.now).map_err(|no_sum| Absent::cause(no_sum.to_string()))
    }

    fn node_sum(&self, name: &str, metric: Metric) -> Result<Sum, Absent> {
        let node = self.snapshot.node_named(name).ok_or(Absent::NoObject)?;
        let power = node.power();
        let (at, window) = match &node.meters.power {
            Some(metered) => (metered.end, metered.end.duration_since(metered.start).try_into().unwrap_or_default()),
            None => (self.snapshot.published_at(), Duration::ZERO),
        };
        let grams_per_hour = if metric == Metric::PowerWatts {
            None
        } else {
            let (_, value) = self.zone_of(name)?;
            let operational = power.watts * node.identity.pue * value.reading.value;
            Some(operational.get() + embodied(node))
        };
        let cores = node.load.requested.cpu.get();
        Ok(Sum { watts: power.watts.get(), grams_per_hour, cores, at, window, quality: power.quality.as_str() })
    }

    fn pod_sum(&self, namespace: &str, pod: &kube_sci_cluster::snapshot::PodRecord) -> Result<Sum, Absent> {
        let latest = latest_of(self.snapshot, namespace, pod).ok_or_else(|| {
            Absent::cause("its energy is not known yet: the first window of a pod takes a minute or two")
        })?;
        let age = age(latest, self.now);
        if age > self.limits.energy {
            let (age_seconds, limit_seconds) = (age.as_secs(), self.limits.energy.as_secs());
            return Err(Absent::cause(NoSum::Stale { age_seconds, limit_seconds }.to_string()));
        }
        let quality = if latest.measured { PowerQuality::Measured } else { PowerQuality::Modelled };
        Ok(Sum {
            watts: latest.power().get(),
            grams_per_hour: latest.carbon().map(sci_core::quantity::GramsPerHour::get),
            cores: latest.cores(),
            at: latest.end,
            window: latest.length,
            quality: quality.as_str(),
        })
    }
}

/// Carbon at the present rate, in gCO2e per hour.
pub(super) fn grams(sum: &Sum) -> Result<f64, Absent> {
    sum.grams_per_hour.ok_or_else(|| Absent::cause("the carbon intensity of a part of its energy is not known"))
}

fn per_core_hour(sum: &Sum) -> Result<f64, Absent> {
    let grams = grams(sum)?;
    if sum.cores > 0.0 { Ok(grams / sum.cores) } else { Err(Absent::cause("none of its cores is requested by a pod")) }
}

fn embodied(node: &NodeRecord) -> f64 {
    let hardware = &node.identity.hardware;
    EmbodiedCarbon::new(hardware.embodied, hardware.lifetime).map_or(0.0, |all| all.charge(HOUR, Share::ALL).get())
}
