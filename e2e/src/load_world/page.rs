//! Pages as text, with faults of their values.

use jiff::{SignedDuration, Timestamp};

use super::LoadFault;

/// What users want of a workload in each second.
pub const DEMAND: &str = "demand_requests_per_second";
/// What users have wanted of it so far.
pub const DEMAND_TOTAL: &str = "demand_requests_total";
/// What one pod gets in each second.
pub const SHARE: &str = "requests_per_second";
/// What one pod has got so far.
pub const SHARE_TOTAL: &str = "requests_total";

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// One value of a page.
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// In braces, or empty.
    pub(super) labels: &'a str,
    pub(super) value: f64,
}

/// Where the page of a workload is.
pub(super) fn path(workload: &str) -> String {
    format!("/workloads/{workload}/metrics")
}

/// The workload of a page.
pub(super) fn workload_of(path: &str) -> Option<&str> {
    path.strip_prefix("/workloads/")?.strip_suffix("/metrics").filter(|name| !name.contains('/'))
}

/// A gauge and a counter.
pub(super) fn text(rate: &Sample<'_>, total: &Sample<'_>, fault: Option<LoadFault>, now: Timestamp) -> String {
    if fault == Some(LoadFault::Missing) {
        return "# HELP up_to_date Always 1.\n# TYPE up_to_date gauge\nup_to_date 1\n".to_owned();
    }
    [(rate, "gauge"), (total, "counter")].map(|(sample, kind)| family(sample, kind, fault, now)).concat()
}

fn family(sample: &Sample<'_>, kind: &str, fault: Option<LoadFault>, now: Timestamp) -> String {
    let Sample { name, labels, value } = sample;
    let (value, at) = match fault {
        Some(LoadFault::NotANumber) => (f64::NAN, None),
        Some(LoadFault::Negative) => (-value, None),
        Some(LoadFault::Value(value)) => (value, None),
        Some(LoadFault::Stale(age)) => (*value, SignedDuration::try_from(age).ok().map(|age| now - age)),
        _of_the_way => (*value, None),
    };
    let at = at.map(|at| format!(" {}", at.as_millisecond())).unwrap_or_default();
    format!("# TYPE {name} {kind}\n{name}{labels} {value}{at}\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shown(fault: Option<LoadFault>) -> String {
        let rate = Sample { name: SHARE, labels: "", value: 12.5 };
        let total = Sample { name: SHARE_TOTAL, labels: "", value: 100.0 };
        text(&rate, &total, fault, Timestamp::from_second(1_000).unwrap())
    }

    #[test]
    fn values_are_shown_or_spoilt() {
        assert_eq!(
            shown(None),
            "# TYPE requests_per_second gauge\nrequests_per_second 12.5\n\
             # TYPE requests_total counter\nrequests_total 100\n"
        );
        for (fault, line) in [
            (LoadFault::NotANumber, "requests_per_second NaN\n"),
            (LoadFault::Negative, "requests_per_second -12.5\n"),
            (LoadFault::Value(1e18), "requests_per_second 1000000000000000000\n"),
            (LoadFault::Stale(Duration::from_mins(1)), "requests_per_second 12.5 940000\n"),
        ] {
            let page = shown(Some(fault));
            assert!(page.contains(line), "{fault:?}: {page}");
        }
        assert!(!shown(Some(LoadFault::Missing)).contains("requests"));
    }

    #[test]
    fn paths_name_workloads() {
        assert_eq!(workload_of(&path("web")), Some("web"));
        for other in ["/metrics", "/workloads/a/b/metrics", "/workloads/web"] {
            assert_eq!(workload_of(other), None, "{other}");
        }
    }
}
