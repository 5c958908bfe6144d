//! Reading one number from a page of Prometheus text.

/// The sum of all samples called exactly `name` that carry at least these labels; `None` if there is no such sample.
///
/// Names of counters end in `_total`, of histograms in `_sum`, `_count` or `_bucket`, as on the page.
pub fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    page.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (own_labels, sample) = match rest.strip_prefix('{') {
                // Label values may hold braces, numbers never do.
                Some(inside) => inside.rsplit_once('}')?,
                None => ("", rest.strip_prefix(' ')?),
            };
            if !wanted.iter().all(|label| has_label(own_labels, label)) {
                return None;
            }
            sample.split_whitespace().next()?.parse::<f64>().ok()
        })
        .reduce(|sum, sample| sum + sample)
}

/// `label` must stand at the start or behind a comma: `b="1"` is no part of `ab="1"`.
fn has_label(labels: &str, label: &str) -> bool {
    labels.match_indices(label).any(|(position, _)| {
        labels.get(..position).is_some_and(|before| before.is_empty() || before.ends_with([',', ' ']))
    })
}

#[cfg(test)]
mod tests {
    use super::value;

    const PAGE: &str = "# HELP requests_total All.\n# TYPE requests_total counter\n\
        requests_total{code=\"200\",verb=\"filter\"} 3\nrequests_total{code=\"500\",verb=\"filter\"} 2\n\
        requests_total_other 9\nrequests_seconds_sum 1.5e-3\nodd{text=\"a } b\"} 4 1700000000\n";

    #[test]
    fn samples_with_the_wanted_labels_are_summed() {
        assert_eq!(value(PAGE, "requests_total", &[]), Some(5.0));
        assert_eq!(value(PAGE, "requests_total", &[("code", "500")]), Some(2.0));
        assert_eq!(value(PAGE, "requests_total", &[("ode", "500")]), None);
        assert_eq!(value(PAGE, "requests_seconds_sum", &[]), Some(0.0015));
        assert_eq!(value(PAGE, "odd", &[]), Some(4.0));
        assert_eq!(value(PAGE, "missing", &[]), None);
    }
}
