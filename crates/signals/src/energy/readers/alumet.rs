//! ALUMET: a gauge with the last delta for everything, under names that changed four times.
//!
//! | version | name |
//! | --- | --- |
//! | 0.8 | `rapl_consumed_energy_J_alumet` |
//! | 0.9.0 to 0.9.2 | `rapl_consumed_energy_alumet_J`, `cpu_percent_alumet_%` |
//! | 0.9.3 to 0.9.5 | `rapl_consumed_energy_alumet`, and without unit `..._alumet_` |
//! | after July 2026 | `rapl_consumed_energy_alumet_joules` |
//!
//! Prefix and suffix can be configured, and the aggregation plugin puts `_sum` behind the metric, so that names are
//! taken apart into words.

mod choice;

use super::{
    Context, Found,
    labels::{Own, text},
};
pub(super) use choice::settle;

use crate::{
    energy::reading::{Domain, Measure, Scope, key_of},
    exposition::{Labels, Sample},
};

const MILLIS: f64 = 1e3;
const PERCENT: f64 = 1e2;

/// What a metric is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    kind: Kind,
    /// Sum over the last interval of the aggregation plugin; otherwise over the last poll.
    summed: bool,
}

/// Names of attributed energy on a page, and what the name before was.
#[derive(Debug, Default)]
pub(super) struct Families {
    names: Vec<Box<str>>,
    last: Option<(Box<str>, Option<Family>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rapl,
    Attributed,
    /// CPU time x thermal design power.
    Estimated,
    CpuPercent,
    CpuTime,
    Nvml,
}

/// What the metric of this name is. Recording rules (`a:rapl_consumed_energy:b`) are none of them.
pub(super) fn family(name: &str) -> Option<Family> {
    const BASES: [(&str, Kind); 6] = [
        ("attributed", Kind::Attributed),
        ("rapl_consumed_energy", Kind::Rapl),
        ("estimated_consumed_energy", Kind::Estimated),
        ("nvml_energy_consumption", Kind::Nvml),
        ("kernel_cpu_time", Kind::CpuTime),
        ("cpu_percent", Kind::CpuPercent),
    ];
    let (kind, rest) = BASES.iter().find_map(|(base, kind)| Some((*kind, after(name, base)?)))?;
    let words = || rest.split('_').skip(1);
    let has = |word: &str| words().any(|found| found.eq_ignore_ascii_case(word));
    // Other functions of the aggregation plugin are no amounts of energy, emissions are no energy.
    if ["min", "max", "count", "last", "created", "bucket", "carbon", "emission"].into_iter().any(has) {
        return None;
    }
    let (summed, mean) = (has("sum"), has("mean") || has("avg"));
    let usable = match kind {
        Kind::Attributed => !mean && (has("energy") || has("joules") || has("J")),
        Kind::CpuPercent => !summed,
        Kind::Rapl | Kind::Estimated | Kind::CpuTime | Kind::Nvml => !mean,
    };
    usable.then_some(Family { kind, summed })
}

pub(super) fn read(sample: &Sample<'_>, context: &mut Context) -> Option<Found> {
    let family = context.families.of(sample.name)?;
    let labels = &sample.labels;
    match family.kind {
        Kind::Rapl => {
            let (domain, scope) = domain_of(Own::DOMAIN.get(labels)?)?;
            let part = if scope == Scope::Total { 0 } else { resource(labels) };
            Some(Found::node(sample.value, Measure::Delta { domain, summed: family.summed, scope }, part))
        }
        Kind::Attributed => attributed(sample, family, context),
        Kind::Estimated => {
            let state = text(labels, "cpu_state")?;
            let scope = if is_machine(labels) { Scope::Total } else { Scope::Part };
            let measure = Measure::Delta { domain: Domain::Package, summed: family.summed, scope };
            let part = key_of(&[state, text(labels, "resource_id").unwrap_or_default()]);
            (state != "idle").then(|| Found { modelled: true, ..Found::node(sample.value, measure, part) })
        }
        Kind::Nvml => {
            let measure = Measure::Delta { domain: Domain::Accelerators, summed: family.summed, scope: Scope::Total };
            Some(Found::node(sample.value / MILLIS, measure, resource(labels)))
        }
        Kind::CpuTime => {
            let state = text(labels, "cpu_state")?;
            // The time of guests is within `user` and `nice` already.
            let counts = is_machine(labels) && !matches!(state, "guest" | "guest_nice");
            let busy = !matches!(state, "idle" | "iowait");
            counts.then(|| Found::node(sample.value, Measure::CpuTime { busy }, key_of(&[state])))
        }
        Kind::CpuPercent => {
            // Of the whole machine: one busy core of two is 50. `cpu_time_delta` is not read: it says nanoseconds and
            // means microseconds under cgroup v2.
            let whole = Own::KIND.get(labels).is_none_or(|kind| kind == "total");
            let uid = Own::UID.get(labels).filter(|_| whole)?;
            let pod = context.pods.pod(Some(uid), Own::NAMESPACE.get(labels), Own::NAME.get(labels))?;
            Some(Found { pod: Some(pod), ..Found::node(sample.value / PERCENT, Measure::CpuShare, 0) })
        }
    }
}

impl Families {
    /// Samples of one name mostly follow each other.
    fn of(&mut self, name: &str) -> Option<Family> {
        match &self.last {
            Some((last, family)) if **last == *name => *family,
            _ => {
                let found = family(name);
                self.last = Some((name.into(), found));
                found
            }
        }
    }

    fn id(&mut self, name: &str) -> u32 {
        let known = self.names.iter().position(|known| **known == *name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    fn name(&self, id: u32) -> &str {
        usize::try_from(id).ok().and_then(|index| self.names.get(index)).map_or("", |name| name)
    }
}

/// Energy of a pod: by RAPL domain, or of the model, which has none.
fn attributed(sample: &Sample<'_>, family: Family, context: &mut Context) -> Option<Found> {
    let labels = &sample.labels;
    let whole = Own::KIND.get(labels).is_none_or(|kind| kind == "total");
    let uid = Own::UID.get(labels).filter(|_| whole)?;
    let (domain, scope, modelled) = match Own::DOMAIN.get(labels) {
        Some(domain) => {
            let (domain, scope) = domain_of(domain)?;
            (domain, scope, false)
        }
        None if text(labels, "cpu_state") == Some("idle") => return None,
        None => (Domain::Package, Scope::Total, true),
    };
    let part = match scope {
        Scope::Total => text(labels, "cpu_state").map_or(0, |state| key_of(&[state])),
        Scope::Part => resource(labels),
    };
    let pod = context.pods.pod(Some(uid), Own::NAMESPACE.get(labels), Own::NAME.get(labels))?;
    let measure = Measure::Delta { domain, summed: family.summed, scope };
    let id = context.families.id(sample.name);
    Some(Found { pod: Some(pod), modelled, family: id, ..Found::node(sample.value, measure, part) })
}

/// What follows a word that stands for itself or between underscores.
fn after<'n>(name: &'n str, word: &str) -> Option<&'n str> {
    name.match_indices(word).find_map(|(start, _)| {
        let (before, rest) = (name.get(..start)?, name.get(start + word.len()..)?);
        let stands_alone = (before.is_empty() || before.ends_with('_')) && (rest.is_empty() || rest.starts_with('_'));
        stands_alone.then_some(rest)
    })
}

/// Cores (`pp0`) are within packages.
fn domain_of(domain: &str) -> Option<(Domain, Scope)> {
    match domain {
        "package_total" => Some((Domain::Package, Scope::Total)),
        "package" => Some((Domain::Package, Scope::Part)),
        "dram_total" => Some((Domain::Dram, Scope::Total)),
        "dram" => Some((Domain::Dram, Scope::Part)),
        "platform_total" => Some((Domain::Platform, Scope::Total)),
        "platform" => Some((Domain::Platform, Scope::Part)),
        _ => None,
    }
}

fn is_machine(labels: &Labels<'_>) -> bool {
    text(labels, "resource_kind") == Some("local_machine")
}

fn resource(labels: &Labels<'_>) -> u64 {
    key_of(&["resource_kind", "resource_id"].map(|label| text(labels, label).unwrap_or_default()))
}
