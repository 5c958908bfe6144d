//! The reference page of the catalogue.

use std::fmt::Write as _;

use super::{CUSTOM, EXTERNAL, ExternalMetric, Metric, MetricDoc};

const CUSTOM_INTRODUCTION: &str = "\
Asked for as an autoscaler does, with `NS`, `NAME` and `METRIC` filled in; `*` in place of a name asks for all, with `labelSelector` for some:

| object | path below `/apis/custom.metrics.k8s.io/v1beta2` |
| --- | --- |
| policy | `/namespaces/NS/greenscalingpolicies.kube-sci.dev/NAME/METRIC` |
| workload | `/namespaces/NS/deployments.apps/NAME/METRIC`, and any other kind that controls pods |
| pod | `/namespaces/NS/pods/NAME/METRIC` |
| namespace | `/namespaces/NS/metrics/METRIC` |
| node | `/nodes/NAME/METRIC`; an autoscaler cannot ask for nodes |

`v1beta1` has the same with flat items.
`metricLabelSelector` picks by the labels in the table.
";

const EXTERNAL_INTRODUCTION: &str = "\
Asked for at `/apis/external.metrics.k8s.io/v1beta1/namespaces/NS/METRIC`; the namespace does not matter.
`labelSelector` picks zones: `zone=DE`, `zone in (DE,FR)`, or cloud regions: `provider=aws,region=eu-central-1`.
Without one, every zone that a node stands in answers, and an autoscaler adds them up: name one.
A zone that nobody asked for before and no node stands in is looked up from then on; until it is known the answer is 404.
";

const COMMON: &str = "\
Values are Kubernetes quantities in thousandths, rounded up, with the time of the sample and not of the answer.
What is unknown, too old or not to be priced is answered with 404 and the cause in words, which `kubectl describe hpa` shows; never with 0.
";

/// The tables of metrics for the reference page.
pub fn reference() -> String {
    let custom = Metric::ALL.map(Metric::doc);
    let external = ExternalMetric::ALL.map(ExternalMetric::doc);
    format!(
        "{COMMON}\n## `{CUSTOM}`\n\n{CUSTOM_INTRODUCTION}\n{}\n## `{EXTERNAL}`\n\n{EXTERNAL_INTRODUCTION}\n{}",
        table(&custom, true),
        table(&external, false),
    )
}

fn table(docs: &[MetricDoc], with_subjects: bool) -> String {
    let subjects = if with_subjects { " on |" } else { "" };
    let rule = if with_subjects { " --- |" } else { "" };
    let mut page = format!("| metric |{subjects} unit | meaning | not older than | labels |\n");
    let _ = writeln!(page, "| --- |{rule} --- | --- | --- | --- |");
    for doc in docs {
        let labels: Vec<String> = doc.labels.iter().map(|label| format!("`{label}`")).collect();
        let of: Vec<&str> = doc.subjects.iter().map(|subject| subject.as_str()).collect();
        let of = if with_subjects { format!(" {} |", of.join(", ")) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` |{of} {} | {} | {} | {} |",
            doc.name,
            doc.unit,
            doc.meaning,
            doc.stale_after,
            labels.join(", ")
        );
    }
    page
}
